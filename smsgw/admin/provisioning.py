"""`smsgw apply` and `rollback`: the changes that `three_way` finds, made in the store, or conflicts and nothing made.

One transaction: everything or nothing. Opening balances are booked when their tenant is made, never later. A password is compared
with the stored hash and hashed only when it differs; a rollback touches neither balances nor secrets. What comes back by its old
name has its old id, so its balance goes on and what it is owed is delivered.

Never here: SQL, the file's syntax (`provisioning_file`), a secret in a plan, an audit row or a version.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from smsgw.admin.credentials import HASHER
from smsgw.admin.policy_files import contents, with_policies
from smsgw.admin.prices import unannounced
from smsgw.admin.provisioning_file import ProvisioningFile, parse_provisioning
from smsgw.admin.remarks import remarks
from smsgw.admin.sealing import Key as SealingKey
from smsgw.admin.three_way import Change, Conflict, Plan, plan
from smsgw.billing.tariff import format_money
from smsgw.config import ConfigError
from smsgw.store import balances, credentials, policies, versions
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from smsgw.store.provisioning import Entities, Key

__all__ = [
    "ConfigError",
    "ProvisioningFile",
    "against_the_books",
    "apply",
    "make",
    "parse_provisioning",
    "rollback",
    "settle_balances",
]


async def apply(
    connection: Connection,
    file: ProvisioningFile,
    *,
    actor: str,
    seal: SealingKey,
    hasher: PasswordHasher = HASHER,
    overwrite: bool = False,
    take_over: Collection[str] = (),
    dry_run: bool = False,
) -> Plan:
    """Do what the file says, or nothing: a plan with conflicts changed nothing, and a dry run never does. Raises ConfigError.

    `take_over`: as in `plan`. Raises ConfigError for a rule set that is not in the file.
    """
    unknown = [name for name in take_over if ("policy", name) not in file.entities]
    if unknown:
        raise ConfigError([f"{file.filename}: --take-over {name}: there is no such [[policy]] in it" for name in unknown])
    file = await asyncio.to_thread(with_policies, file, seal.derived("numbers"))
    try:
        async with connection.transaction():
            return await _apply(connection, file, actor, seal, hasher, overwrite=overwrite, take_over=take_over, dry_run=dry_run)
    except balances.Overdrawn as error:  # it has sent something since we looked
        return Plan((), (Conflict(("tenant", str(error)), "its balance went below the new credit limit meanwhile", final=True),))


async def _apply(
    connection: Connection,
    file: ProvisioningFile,
    actor: str,
    seal: SealingKey,
    hasher: PasswordHasher,
    *,
    overwrite: bool,
    take_over: Collection[str],
    dry_run: bool,
) -> Plan:
    await store.lock(connection)
    version, last = await versions.last_applied(connection) or (0, {})
    found = last.keys() - await versions.made_by_files(connection, version)
    live = await store.read_entities(connection)
    three_way = plan(last, file.entities, live, overwrite=overwrite, take_over=take_over, found=found)
    three_way = await _explained(connection, three_way)
    hashes, stale = await _account_secrets(connection, file, live, version, hasher, overwrite=overwrite)
    sealed = await _link_secrets(connection, file, seal)
    passwords = tuple(key for key in (*hashes, *sealed) if key in live)
    refused = (*await against_the_books(connection, three_way.changes), *await _unannounced(connection, three_way.changes, live))
    conflicts = (*three_way.conflicts, *stale, *refused)
    notes = (*three_way.notes, *await remarks(connection, file, live))
    result = Plan(three_way.changes, conflicts, passwords, notes)
    if dry_run or conflicts:
        return result
    for content_version, content in contents(file).items():
        await policies.keep_content(connection, content_version, content)
    await make(connection, result.changes, actor)
    for key, secret in hashes.items():
        await credentials.set_secret(connection, key[1], secret)
    for key, stored in sealed.items():
        await store.set_link_password(connection, key[1], stored)
    for key in passwords:
        await store.audit(connection, actor, key, {"password": "set"}, {"password": "set anew"})
    number = 0
    if not result.empty or last != file.entities:
        was_there = live.keys() - (last.keys() - found)
        number = await versions.keep_version(connection, file.entities, actor, was_there)
        await store.announce(connection)
    await settle_balances(connection, result.changes, file.openings, actor)
    return Plan(result.changes, (), passwords, result.notes, number)


async def rollback(connection: Connection, *, actor: str, overwrite: bool = False, dry_run: bool = False) -> Plan:
    """Go back to the version applied before the last one. Balances, states and secrets stay as they are.

    What the last version deleted comes back with the id and the secrets that it had.
    """
    async with connection.transaction():
        await store.lock(connection)
        newest = await versions.last_applied(connection)
        before = None if newest is None else await versions.last_applied(connection, before=newest[0])
        if newest is None or before is None:
            return Plan((), (Conflict(("version", "0"), "there is no earlier version to go back to", final=True),))
        live = await store.read_entities(connection)
        found = newest[1].keys() - await versions.made_by_files(connection, newest[0])
        result = await _explained(connection, plan(newest[1], before[1], live, overwrite=overwrite, found=found))
        refused = (*await against_the_books(connection, result.changes), *await _unannounced(connection, result.changes, live))
        conflicts = (*result.conflicts, *refused, *await _without_content(connection, result.changes))
        result = Plan(result.changes, conflicts, (), result.notes)
        if dry_run or conflicts:
            return result
        bare = await make(connection, result.changes, actor, restore=True)
        await versions.drop_version(connection, newest[0])
        await store.announce(connection)
        await settle_balances(connection, result.changes, {}, actor)
    notes = tuple(f"{kind} {name!r} comes back without a password: apply a file that has it" for kind, name in bare)
    return Plan(result.changes, (), (), (*result.notes, *notes), before[0])


async def _explained(connection: Connection, made: Plan) -> Plan:
    """Say in conflicts about rule sets who edited one, when, and how files and what is live are brought together again."""
    sets = [one.key[1] for one in made.conflicts if one.key[0] == "policy" and not one.final]
    changes = await policies.last_changes(connection, sets) if sets else {}
    told = tuple(
        replace(one, why=f"{one.why}; {_edited(one.key[1], *changes[one.key[1]])}")
        if one.key[0] == "policy" and one.key[1] in changes and not one.final
        else one
        for one in made.conflicts
    )
    return replace(made, conflicts=told)


def _edited(name: str, actor: str, at: datetime) -> str:
    return (
        f"by {actor} at {at:%Y-%m-%dT%H:%M:%SZ}: write it into files with smsgw policy export {name} DIR and apply those,"
        f" or apply with --take-over {name} to undo it"
    )


async def _without_content(connection: Connection, changes: tuple[Change, ...]) -> list[Conflict]:
    """Return a conflict for each rule set that would go back to a version whose files are not kept any more."""
    wanted = {change.key: change.new["version"] for change in changes if change.key[0] == "policy" and change.new is not None}
    gone = await policies.lacking(connection, set(wanted.values()))
    why = "the files of that version are not kept any more (rules.keep_versions, rules.keep_days): apply them again"
    return [Conflict(key, why, final=True) for key, version in wanted.items() if version in gone]


async def make(
    connection: Connection, changes: tuple[Change, ...], actor: str, *, restore: bool = False, reason: str = ""
) -> list[Key]:
    """Make the changes; with `restore`, what comes back gets its secrets. Returns accounts and links that came without any."""
    bare = []
    for change in changes:
        if change.new is None:
            await store.delete(connection, change.key)
        else:
            secrets = await store.put(connection, change.key, change.new)
            if restore and change.old is None and change.key[0] in {"account", "link"}:
                if any(secrets):
                    await store.restore_secrets(connection, change.key, secrets)
                else:
                    bare.append(change.key)
        await store.audit(connection, actor, change.key, change.old, change.new, reason)
    return bare


async def settle_balances(connection: Connection, changes: tuple[Change, ...], openings: Mapping[str, int], actor: str) -> None:
    """Book opening balances and set credit limits: last of all, because whoever sends waits for these rows."""
    tenants = {change.key[1]: change for change in changes if change.key[0] == "tenant" and change.new is not None}
    day = int(time.time() // 86_400)
    for name, change in sorted(tenants.items()):
        if change.old is None:
            await balances.open_balance(connection, name, openings.get(name, 0), day, actor)
    limits = {name: change.new["credit_limit"] for name, change in tenants.items() if change.new}
    await balances.set_credit_limits(connection, limits)


async def _unannounced(connection: Connection, changes: tuple[Change, ...], live: Entities) -> list[Conflict]:
    """Find changes of prices of which the tenant had to be told and was not."""
    asked = [(change.key, change.old, change.new) for change in changes]
    return [Conflict(key, why, final=True) for key, why in (await unannounced(connection, asked, live)).items()]


async def against_the_books(connection: Connection, changes: tuple[Change, ...]) -> list[Conflict]:
    """Find tenants whose currency has been used already, or who owe more than the credit limit that they are to get."""
    conflicts = []
    for change in changes:
        kind, name = change.key
        if kind != "tenant" or change.old is None or change.new is None:
            continue
        if change.old["currency"] != change.new["currency"] and await balances.has_ledger(connection, name):
            why = f"its books are in {change.old['currency']}: a contract in {change.new['currency']} is another tenant"
            conflicts.append(Conflict(change.key, why, final=True))
        limit = change.new["credit_limit"]
        if limit < change.old["credit_limit"] and (amount := await balances.balance_of(connection, name)) < -limit:
            why = f"its balance is {format_money(amount)}, below a credit limit of {format_money(limit)}: top it up first"
            conflicts.append(Conflict(change.key, why, final=True))
    return conflicts


async def _account_secrets(
    connection: Connection, file: ProvisioningFile, live: Entities, version: int, hasher: PasswordHasher, *, overwrite: bool
) -> tuple[dict[Key, str], list[Conflict]]:
    """Return the new hashes of those accounts whose password is another one, and the passwords that others have set since."""
    hashes: dict[Key, str] = {}
    conflicts = []
    stored = await credentials.all_secrets(connection)
    for system_id, password in await asyncio.to_thread(_differing, file.account_passwords, stored):
        key = ("account", system_id)
        if (
            key in live
            and system_id in stored
            and not overwrite
            and await credentials.secret_set_since(connection, system_id, version)
        ):
            conflicts.append(Conflict(key, "its password was changed by somebody else since the last apply"))
            continue
        hashes[key] = await asyncio.to_thread(hasher.hash, password)
    return hashes, conflicts


def _differing(passwords: Mapping[str, str], stored: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Return those passwords that are not the stored ones: 5 ms each on one core, so on all of them."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        same = threads.map(lambda item: _matches(item[1], stored.get(item[0], ())), passwords.items())
        return [item for item, matches in zip(passwords.items(), same, strict=True) if not matches]


def _matches(password: str, stored: Sequence[str]) -> bool:
    for one in stored:
        try:
            return HASHER.verify(one, password)
        except (VerificationError, InvalidHashError):
            continue
    return False


async def _link_secrets(connection: Connection, file: ProvisioningFile, seal: SealingKey) -> dict[Key, str]:
    sealed = {}
    for name, password in file.link_passwords.items():
        if not seal.same(await store.link_password(connection, name), password):
            sealed["link", name] = seal.seal(password)
    return sealed
