"""`smsgw apply`: what was applied last, what the file says and what is live → the changes, or the conflicts.

    last   file   live
     a      b      a      change a → b
     a      b      c      conflict: somebody else changed it since            (--overwrite: c → b)
     a      -      a      delete; what no file created is never deleted
     -      b      c      conflict: somebody else made another one            (--overwrite: c → b)
     *      b      b      nothing to do

One transaction: everything or nothing. Opening balances are booked when their tenant is made, never later. A password is compared
with the stored hash and hashed only when it differs; a rollback touches neither balances nor secrets.

Never here: SQL, the file's syntax (`provisioning_file`), a secret in a plan, an audit row or a version.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from smsgw.admin.provisioning_file import KINDS, ProvisioningFile, parse_provisioning
from smsgw.admin.sealing import Key as SealingKey
from smsgw.billing.tariff import format_money
from smsgw.config import ConfigError
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from smsgw.store.provisioning import Entities, Key

__all__ = ["Change", "ConfigError", "Conflict", "Plan", "ProvisioningFile", "apply", "parse_provisioning", "plan", "rollback"]

_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
_MONEY: Final = ("credit_limit", "price")
_REFERS: Final = {"tenant": "tenant", "carrier": "carrier", "account": "account"}


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


def plan(last: Entities, file: Entities, live: Entities, *, overwrite: bool = False) -> Plan:
    """Compare three ways. The changes are in the order in which they can be made."""
    changes, conflicts = [], []
    for key in {**file, **last}:
        base, wanted, present = last.get(key), file.get(key), live.get(key)
        if wanted == present:
            continue
        if base != present and not overwrite:
            conflicts.append(Conflict(key, _what_happened(base, wanted, present)))
        else:
            changes.append(Change(key, present, wanted))
    changes.sort(key=_place)
    conflicts += _dangling(changes, live)
    return Plan(tuple(changes), tuple(conflicts))


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


def _dangling(changes: list[Change], live: Entities) -> Iterator[Conflict]:
    """Find what would be deleted while something still refers to it: that, a file cannot want."""
    left: dict[Key, Mapping[str, Any]] = dict(live)
    for change in changes:
        if change.new is None:
            left.pop(change.key, None)
        else:
            left[change.key] = change.new
    gone = {change.key for change in changes if change.new is None}
    for (kind, name), values in left.items():
        told = {**values, "tenant": name.partition("/")[0]} if kind == "price" else values
        refers = [(of, str(told[key])) for key, of in _REFERS.items() if key in told]
        refers += [("link", link) for link in told.get("links", ())]
        for key in refers:
            if key in gone:
                yield Conflict(key, f"is still needed by {kind} {name!r}, which is in no file", final=True)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return "  ".join(f"{key} {_shown(key, old.get(key))} → {_shown(key, new.get(key))}" for key in keys)


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "(default)"
    if key in _MONEY:
        return format_money(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


# ---- in the store ----------------------------------------------------------------------------------------------------------


async def apply(
    connection: Connection,
    file: ProvisioningFile,
    *,
    actor: str,
    seal: SealingKey,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Plan:
    """Do what the file says, or nothing: a plan with conflicts changed nothing, and a dry run never does."""
    async with connection.transaction():
        await store.lock(connection)
        version, last = await store.last_applied(connection) or (0, {})
        live = await store.read_entities(connection)
        three_way = plan(last, file.entities, live, overwrite=overwrite)
        hashes, stale = await _account_secrets(connection, file, live, version, overwrite=overwrite)
        sealed = await _link_secrets(connection, file, seal)
        passwords = tuple(key for key in (*hashes, *sealed) if key in live)
        conflicts = (*three_way.conflicts, *stale, *await _overdrawn(connection, three_way.changes))
        result = Plan(three_way.changes, conflicts, passwords, await _notes(connection, file, live))
        if dry_run or conflicts:
            return result
        await _make(connection, result.changes, actor)
        await _open_balances(connection, file, result.changes, actor)
        for key, secret in hashes.items():
            await store.set_secret(connection, key[1], secret)
        for key, stored in sealed.items():
            await store.set_link_password(connection, key[1], stored)
        for key in passwords:
            await store.audit(connection, actor, key, {"password": "set"}, {"password": "set anew"})
        number = 0
        if not result.empty or last != file.entities:
            number = await store.keep_version(connection, file.entities, actor)
            await store.announce(connection)
    return Plan(result.changes, (), passwords, result.notes, number)


async def rollback(connection: Connection, *, actor: str, overwrite: bool = False, dry_run: bool = False) -> Plan:
    """Go back to the version applied before the last one. Balances, states and secrets stay as they are."""
    async with connection.transaction():
        await store.lock(connection)
        newest = await store.last_applied(connection)
        before = None if newest is None else await store.last_applied(connection, before=newest[0])
        if newest is None or before is None:
            return Plan((), (Conflict(("version", "0"), "there is no earlier version to go back to", final=True),))
        live = await store.read_entities(connection)
        result = plan(newest[1], before[1], live, overwrite=overwrite)
        made = [change.key for change in result.changes if change.old is None and change.key[0] in {"account", "link"}]
        notes = tuple(f"{kind} {name!r} comes back without its password: apply a file that has it" for kind, name in made)
        result = Plan(result.changes, result.conflicts, (), notes)
        if dry_run or result.conflicts:
            return result
        await _make(connection, result.changes, actor)
        await store.drop_version(connection, newest[0])
        await store.announce(connection)
    return Plan(result.changes, (), (), notes, before[0])


async def _make(connection: Connection, changes: tuple[Change, ...], actor: str) -> None:
    for change in changes:
        if change.new is None:
            await store.delete(connection, change.key)
        else:
            await store.put(connection, change.key, change.new)
        await store.audit(connection, actor, change.key, change.old, change.new)


async def _open_balances(connection: Connection, file: ProvisioningFile, changes: tuple[Change, ...], actor: str) -> None:
    day = int(time.time() // 86_400)
    for change in changes:
        kind, name = change.key
        if kind == "tenant" and change.old is None and change.new is not None:
            await store.open_balance(connection, name, file.openings.get(name, 0), day, actor)


async def _overdrawn(connection: Connection, changes: tuple[Change, ...]) -> list[Conflict]:
    """Find tenants that owe more already than the credit limit that they are to get."""
    found = []
    for change in changes:
        kind, name = change.key
        if kind == "tenant" and change.old is not None and change.new is not None:
            limit = change.new["credit_limit"]
            if limit < change.old["credit_limit"] and (amount := await store.balance_of(connection, name)) < -limit:
                why = f"its balance is {format_money(amount)}, below a credit limit of {format_money(limit)}: top it up first"
                found.append(Conflict(change.key, why, final=True))
    return found


async def _account_secrets(
    connection: Connection, file: ProvisioningFile, live: Entities, version: int, *, overwrite: bool
) -> tuple[dict[Key, str], list[Conflict]]:
    """Return the new hashes of those accounts whose password is another one, and the passwords that others have set since."""
    hashes: dict[Key, str] = {}
    conflicts = []
    for system_id, password in file.account_passwords.items():
        key = ("account", system_id)
        stored = await store.secrets_of(connection, system_id) if key in live else []
        if await asyncio.to_thread(_matches, password, stored):
            continue
        if stored and not overwrite and await store.secret_set_since(connection, system_id, version):
            conflicts.append(Conflict(key, "its password was changed by somebody else since the last apply"))
            continue
        hashes[key] = await asyncio.to_thread(_HASHER.hash, password)
    return hashes, conflicts


def _matches(password: str, stored: list[str]) -> bool:
    for one in stored:
        try:
            return _HASHER.verify(one, password)
        except (VerificationError, InvalidHashError):
            continue
    return False


async def _link_secrets(connection: Connection, file: ProvisioningFile, seal: SealingKey) -> dict[Key, str]:
    sealed = {}
    for name, password in file.link_passwords.items():
        if not seal.same(await store.link_password(connection, name), password):
            sealed["link", name] = seal.seal(password)
    return sealed


async def _notes(connection: Connection, file: ProvisioningFile, live: Entities) -> tuple[str, ...]:
    """Return what an operator may stumble over although nothing is wrong."""
    notes = []
    for kind, name in file.entities:
        if kind == "account" and name not in file.account_passwords:
            if (kind, name) not in live or not await store.secrets_of(connection, name):
                notes.append(f"account {name!r} has no password: it cannot bind")
        elif kind == "tenant" and (kind, name) in live:
            opened = await store.opening_of(connection, name)
            if opened != file.openings.get(name, 0):
                notes.append(f"tenant {name!r} was opened with {format_money(opened)}: its balance in the file is not used again")
    return tuple(notes)
