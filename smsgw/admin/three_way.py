"""What was applied last, what the file says and what is live → the changes, or the conflicts. Pure.

    last   file   live
     a      b      a      change a → b
     a      b      c      conflict: somebody else changed it since            (--overwrite: c → b)
     a      -      a      delete, unless it was there before a file named it: what no file created is never deleted
     -      b      c      conflict: somebody else made another one            (--overwrite: c → b)
     *      b      b      nothing to do

Never here: the store, a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from smsgw.admin.provisioning_file import KINDS
from smsgw.billing.tariff import format_money
from smsgw.store.prices import PriceKey
from smsgw.store.provisioning import Entities, Key

_MONEY: Final = ("credit_limit", "price")
_REFERS: Final = {
    "tenant": "tenant",
    "carrier": "carrier",
    "account": "account",
    "operator": "operator",
    "policy": "policy",
    "retention": "retention",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One entity from what it is to what it shall be; None: it is not there."""

    key: Key
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None

    def __str__(self) -> str:
        """One line, as `apply` shows it."""
        kind, name = self.key
        if self.old is None:
            told = "  ".join(f"{key} {_shown(key, value)}" for key, value in sorted((self.new or {}).items()))
            return f"+ {kind} {name!r}  {told}".rstrip()
        if self.new is None:
            return f"- {kind} {name!r}"
        return f"~ {kind} {name!r}  {_differences(self.old, self.new)}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why an entity cannot be changed as the file wants. `final`: not even with --overwrite."""

    key: Key
    why: str
    final: bool = False

    def __str__(self) -> str:
        """One line."""
        return f"! {self.key[0]} {self.key[1]!r}: {self.why}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply does, or did. `passwords`: accounts and links that get the file's; `version`: what it was kept as, 0 if not."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...] = ()
    passwords: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()
    version: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.passwords

    def lines(self) -> Iterator[str]:
        """Return the plan for a reader, conflicts first."""
        yield from map(str, self.conflicts)
        yield from map(str, self.changes)
        yield from (f"~ {kind} {name!r}  password" for kind, name in self.passwords)
        yield from (f"  note: {note}" for note in self.notes)


def plan(
    last: Entities,
    file: Entities,
    live: Entities,
    *,
    overwrite: bool = False,
    take_over: Collection[str] = (),
    found: Collection[Key] = (),
) -> Plan:
    """Compare three ways. The changes are in the order in which they can be made; `found`: what no file created.

    `take_over`: rule sets that get what the file says, whatever others did since.
    """
    changes, conflicts, notes = [], [], []
    for key in {**file, **last}:
        base, wanted, present = last.get(key), file.get(key), live.get(key)
        if wanted == present:
            continue
        if wanted is None and key in found:
            notes.append(f"{key[0]} {key[1]!r} is left alone: no file created it")
            continue
        if base != present and not overwrite and not (key[0] == "policy" and key[1] in take_over):
            conflicts.append(Conflict(key, _what_happened(base, wanted, present)))
        else:
            changes.append(Change(key, present, wanted))
    changes.sort(key=_place)
    conflicts += [*dangling(changes, live), *moved(changes)]
    return Plan(tuple(changes), tuple(conflicts), (), tuple(notes))


def _place(change: Change) -> tuple[bool, int, str]:
    """Put first what others refer to, and delete it last."""
    at = KINDS.index(change.key[0])
    return change.new is None, -at if change.new is None else at, change.key[1]


def _what_happened(base: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None, present: Mapping[str, Any] | None) -> str:
    """Say what others did, for an entity that is not as the last apply left it."""
    if present is None:
        return "was deleted by somebody else since the last apply"
    if base is None:
        return f"was made by somebody else: {_differences(present, wanted or {})} in the file"
    deleted = "" if wanted is not None else "; the file deletes it"
    return f"was changed by somebody else since the last apply: {_differences(base, present)}{deleted}"


def dangling(changes: list[Change], live: Entities) -> Iterator[Conflict]:
    """Find what would be deleted while something still refers to it: that, a file cannot want."""
    left: dict[Key, Mapping[str, Any]] = dict(live)
    for change in changes:
        if change.new is None:
            left.pop(change.key, None)
        else:
            left[change.key] = change.new
    gone = {change.key for change in changes if change.new is None}
    for (kind, name), values in left.items():
        told = PriceKey.parse(name).refers() if kind == "price" else values
        refers = [(of, str(told[key])) for key, of in _REFERS.items() if key in told]
        refers += [("link", link) for link in told.get("links", ())]
        for key in refers:
            if key in gone:
                yield Conflict(key, f"is still needed by {kind} {name!r}, which stays: delete that first, or with it", final=True)


def moved(changes: list[Change]) -> Iterator[Conflict]:
    """Find accounts that would go to another tenant: their messages and the money for them stay where they are."""
    for change in changes:
        if change.key[0] == "account" and change.old and change.new and change.old["tenant"] != change.new["tenant"]:
            why = f"it is tenant {change.old['tenant']!r} whom its messages are billed to: take another system_id"
            yield Conflict(change.key, why, final=True)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return "  ".join(f"{key} {_shown(key, old.get(key))} → {_shown(key, new.get(key))}" for key in keys)


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "(default)"
    if key in _MONEY:
        return format_money(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
