"""A rule set looked at whole: every fault of its files at once, whatever else is wrong with them.

`compile_set` stops at the first step that finds one, which is right for what is to be in force. Whoever writes a set wants all of
them: what is misshapen is left out and the rest goes on to the lists, the engines and the set's own texts.

Never here: reading files (their text is passed in), the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from smsgw.policy.doubts import doubts
from smsgw.policy.engines import Engines, never
from smsgw.policy.faults import Fault, told
from smsgw.policy.file import PolicyFault, PolicyFile, Source, merged
from smsgw.policy.matcher import EngineFailed
from smsgw.policy.ruleset import Bundle, Read, RuleSet, _Making, compile_set, gather, lines_of
from smsgw.policy.selftest import prove

Places = dict[tuple[str, int], str]
UNREAD: Final = "cannot be read"
_FOLLOWS: Final = re.compile(r"inject: there is no \[\[tlv\]\]|has no word$")
"""What is said of tables whose other half was left out."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check. `made` is None where there is any fault. `proved`, `harmless`: texts that the set was proved on."""

    bundle: Bundle
    made: RuleSet | None
    faults: tuple[Fault, ...]
    proved: int = 0
    harmless: int = 0


def check_set(name: str, names: Iterable[str], read: Read, key: bytes, rest: Callable[[], None] = never) -> Checked:
    """Read, compile and prove a set; raises nothing for what its files say. `rest` is called between steps that cost something."""
    errors: list[str] = []
    sources = []
    for file in names:
        try:
            sources.append(Source(file, read(file, "")))
        except (OSError, UnicodeDecodeError) as error:
            errors.append(f"{file}: {UNREAD}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
    table, places = merged(sources, errors)
    bundle = gather(sources, read, key, errors)
    errors += doubts(table, places)
    if not errors:
        return _whole(name, bundle, key, rest)
    return Checked(bundle, None, _told(errors + _of_the_rest(name, table, places, bundle, key, rest, left_out=True)))


def _whole(name: str, bundle: Bundle, key: bytes, rest: Callable[[], None]) -> Checked:
    try:
        made = compile_set(name, bundle, key, rest=rest)
    except PolicyFault:
        table, places = merged([Source(*source) for source in bundle.sources])
        return Checked(bundle, None, _told(_of_the_rest(name, table, places, bundle, key, rest, left_out=False)))
    except EngineFailed as error:
        return Checked(bundle, None, (told(_by_engine(bundle, error)),))
    rules = made.table.terms, made.table.pattern, made.table.template
    proved = sum(len(rule.must) for listed in rules for rule in listed)
    harmless = sum(len(lines_of(bundle.words[file])) for file in made.table.harmless)
    return Checked(bundle, made, (), proved, harmless)


def _of_the_rest(  # noqa: PLR0917 - a set, as it is made
    name: str, table: PolicyFile, places: Places, bundle: Bundle, key: bytes, rest: Callable[[], None], *, left_out: bool
) -> list[str]:
    """Return the faults of what is sound in form: those of the engines, and of the set's texts by the rules without any."""
    bundle = _padded(table, bundle)
    making = _Making(table, places, bundle, Engines(None, rest))
    parts = making.parts(key)
    errors = [error for error in making.errors if not (left_out and _FOLLOWS.search(error))]
    if making.errors:
        table, places = _without(table, places, making.faulty)
        making = _Making(table, places, bundle, Engines(None, rest))
        parts = making.parts(key)
    if making.errors:
        return errors
    made = RuleSet(name=name, version="", table=table, **parts)
    try:
        return errors + prove(made, bundle, places, rest)
    except EngineFailed as error:
        return [*errors, _by_engine(bundle, error)]


def _by_engine(bundle: Bundle, error: EngineFailed) -> str:
    """Say that an engine refuses a set whose rules are each right."""
    return f"{bundle.sources[0][0]}: an engine refuses the set: {error}"


def _padded(table: PolicyFile, bundle: Bundle) -> Bundle:
    """Return a bundle that has every list which a table names: an empty one for what is missing."""
    words = dict.fromkeys([*(rule.file for rule in table.terms if rule.file), *table.harmless], "") | bundle.words
    return Bundle(bundle.sources, words, bundle.numbers)


def _without(table: PolicyFile, places: Places, faulty: set[tuple[str, int]]) -> tuple[PolicyFile, Places]:
    """Leave out the tables that have a fault."""
    left: dict[str, list[object]] = {}
    moved = {key: where for key, where in places.items() if key[0] not in {kind for kind, _ in faulty}}
    for kind in {kind for kind, _ in faulty}:
        listed: Sequence[object] = getattr(table, kind)
        kept = [at for at in range(len(listed)) if (kind, at) not in faulty]
        left[kind] = [listed[at] for at in kept]
        moved |= {(kind, now): places[kind, at] for now, at in enumerate(kept) if (kind, at) in places}
    return msgspec.structs.replace(table, **left), moved


def _told(errors: Sequence[str]) -> tuple[Fault, ...]:
    return tuple(told(error) for error in dict.fromkeys(errors))
