"""A rule, or a whole set, put into shadow mode or out of it: by one line of its file, which stays as it is otherwise.

So there is one place that says what a rule does: the file. What was switched can be exported, compared and rolled back as any other
version. A line that was put in is taken out again, so that on and off is the same version as before.

Promises: what is read afterwards differs in this one mode, or nothing is changed (CannotSwitch).
Never here: compiling, the store.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from smsgw.policy.compare import NAMED, name_of, named_rules
from smsgw.policy.file import PolicyFault, PolicyFile, Source, merged

_MODE: Final = re.compile(r'(\s*mode\s*=\s*)(["\'])(?:shadow|enforce)\2(.*)', re.DOTALL)
_LINE: Final = 'mode = "shadow"'


class NoSuchRule(Exception):
    """The set has no such rule, or none that has a mode; the text says which there are."""


class CannotSwitch(Exception):
    """The file is written in a way that one line does not change; the text says what to do."""


def switched(sources: list[tuple[str, str]], rule: str, *, on: bool) -> list[tuple[str, str]]:
    """Return the files (name, text) with a rule in shadow mode or not; "": the whole set. Raises NoSuchRule, CannotSwitch."""
    read = [Source(*source) for source in sources]
    table = merged(read)[0]
    kind, index, wanted = _meant(table, rule, "shadow" if on else "enforce")
    if wanted == table:
        return sources
    for at, source in enumerate(read):
        count = _count(source, read, kind)
        if index >= count:
            index -= count
            continue
        header = source.headers(kind)[index] if kind else 0
        edited = [*sources]
        edited[at] = (source.name, _edited(source.text, header, on=on))
        if _reads_as(edited, wanted):
            return edited
        break
    raise CannotSwitch(f"the line for {rule or 'the set'} cannot be found: write mode in the file yourself, and send it")


def _meant(table: PolicyFile, rule: str, mode: str) -> tuple[str, int, PolicyFile]:
    """Return the kind of a rule, its place among those of its kind, and the set as it is to be."""
    if not rule:
        return "", 0, msgspec.structs.replace(table, mode=mode)
    kind, _, name = rule.partition(".")
    value = getattr(table, kind, None) if kind in PolicyFile.__struct_fields__ else None
    if kind in NAMED:
        for at, one in enumerate(value or ()):
            if name_of(kind, at, one) == name and hasattr(one, "mode"):
                listed = [*value]  # type: ignore[misc]
                listed[at] = msgspec.structs.replace(one, mode=mode)
                return kind, at, msgspec.structs.replace(table, **{kind: listed})
    elif isinstance(value, msgspec.Struct) and hasattr(value, "mode"):
        return kind, 0, msgspec.structs.replace(table, **{kind: msgspec.structs.replace(value, mode=mode)})
    known = [name for name, one in named_rules(table) if hasattr(one, "mode")]
    raise NoSuchRule(f"the set has no rule {rule!r} with a mode: known are {', '.join(known)}")


def _count(source: Source, read: list[Source], kind: str) -> int:
    """Return how many tables of a kind begin in a file; of the whole set: 1 where its mode stands, or has to be put."""
    if kind:
        return len(source.headers(kind))
    given = [one for one in read if one.read is not None and "mode" in one.read.given]
    return int(source is (given or read)[0])


def _edited(text: str, header: int, *, on: bool) -> str:
    """Put the mode into the table whose header stands on a line (from 1 on; 0: the keys before any table), or take it out."""
    lines = text.split("\n")
    for at in range(header, len(lines)):
        if lines[at].lstrip().startswith("["):
            break
        found = _MODE.fullmatch(lines[at])
        if found is not None:
            if not on and lines[at].strip() == _LINE:
                del lines[at]
            else:
                lines[at] = f'{found[1]}"{"shadow" if on else "enforce"}"{found[3]}'
            return "\n".join(lines)
    lines.insert(header, _LINE)
    return "\n".join(lines)


def _reads_as(sources: list[tuple[str, str]], wanted: PolicyFile) -> bool:
    try:
        return merged([Source(*source) for source in sources])[0] == wanted
    except PolicyFault:
        return False
