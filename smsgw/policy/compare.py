"""Two versions of a rule set compared rule by rule: what came, what went, what is otherwise. And what a set has, by class.

A rule is called as findings call it: terms.ID, pattern.ID, cap.ID, template.ID, hours.ID, tlv.ID; by its place where it has no id;
a table that stands once by its own name; what belongs to the whole set (its mode, fail, zone, harmless texts) is `set`.

Never here: compiling, judging.
"""

from __future__ import annotations

from array import array
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from smsgw.policy.file import NUMBER_LISTS, PolicyFile, Source, Text, merged, msgspec_tables
from smsgw.policy.ruleset import Bundle, lines_of

SET: Final = "set"
NAMED: Final = ("terms", "pattern", "template", "cap", "hours", "tlv", "opt_out", "keyword")
"""Lists of tables."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A rule that is otherwise: which keys of it, and how many words or numbers came and went."""

    rule: str
    keys: tuple[str, ...]
    came: int = 0
    went: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """From one version to another, in the order of the file."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Changed, ...]


def compare(old: Bundle | None, new: Bundle | None) -> Comparison:
    """Compare two versions; None: there is none. Raises PolicyFault for one that cannot be read."""
    before = dict(_rules(old)) if old is not None else {}
    after = dict(_rules(new)) if new is not None else {}
    both = [name for name in after if name in before]
    changed = [Changed(name, *_otherwise(name, before[name], after[name])) for name in both]
    return Comparison(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(one for one in changed if one.keys or one.came or one.went),
    )


def table_of(bundle: Bundle) -> PolicyFile:
    """Return the tables of a bundle. Raises PolicyFault."""
    return merged([Source(*source) for source in bundle.sources])[0]


def classes(table: PolicyFile) -> dict[str, int]:
    """Return how many rules of each class a set has."""
    found = {}
    for name in PolicyFile.__struct_fields__:
        value = getattr(table, name)
        if name in NAMED:
            found[name] = len(value)
        elif name in msgspec_tables() and name != "text":
            found[name] = int(value is not None)
    return {name: count for name, count in found.items() if count}


def in_shadow(table: PolicyFile) -> tuple[str, ...]:
    """Return the rules that are asked and decide nothing."""
    return tuple(name for name, rule in named_rules(table) if getattr(rule, "mode", "") == "shadow")


def named_rules(table: PolicyFile) -> Iterator[tuple[str, Any]]:
    """Yield each table of a set by its name, in the order of the file's fields."""
    for kind in PolicyFile.__struct_fields__:
        value = getattr(table, kind)
        if kind in NAMED:
            yield from ((f"{kind}.{name_of(kind, at, rule)}", rule) for at, rule in enumerate(value))
        elif kind in msgspec_tables() and value is not None and value != Text():
            yield kind, value


def name_of(kind: str, at: int, rule: Any) -> str:
    """Return what a table in a list is called after its kind: its id, a TLV without one by its tag, else its place from 1 on."""
    given = getattr(rule, "id", "")
    return given or (f"{rule.tag:04X}" if kind == "tlv" else str(at + 1))


def _rules(bundle: Bundle) -> Iterator[tuple[str, tuple[Any, frozenset[Any]]]]:
    """Yield (name, (table, what its lists hold))."""
    table = table_of(bundle)
    whole = {key: getattr(table, key) for key in ("mode", "fail", "zone", "harmless")}
    yield SET, (whole, frozenset(line for name in table.harmless for line in lines_of(bundle.words.get(name, ""))))
    for name, rule in named_rules(table):
        yield name, (rule, _listed(name, rule, bundle))


def _listed(name: str, rule: Any, bundle: Bundle) -> frozenset[Any]:
    """Return the entries of what a table lists: words, or hashes of numbers."""
    if name.startswith("terms."):
        return frozenset([*rule.words, *lines_of(bundle.words.get(rule.file, ""))])
    kinds = NUMBER_LISTS if name == "recipient" else ("exempt",) if name.startswith("cap.") else ()
    found: set[tuple[str, int]] = set()
    for kind in kinds:
        values = array("Q")
        values.frombytes(b64decode(bundle.numbers.get(getattr(rule, kind), "")))
        found |= {(kind, value) for value in values}
    return frozenset(found)


def _otherwise(
    name: str, before: tuple[Any, frozenset[Any]], after: tuple[Any, frozenset[Any]]
) -> tuple[tuple[str, ...], int, int]:
    (old, had), (new, has) = before, after
    counted = {"words"} if name.startswith("terms.") else set()  # how many came and went is told of these
    one, other = (rule if isinstance(rule, dict) else msgspec.structs.asdict(rule) for rule in (old, new))
    keys = tuple(key for key in other if one[key] != other[key] and key not in counted)
    return keys, len(has - had), len(had - has)
