"""Tenants and accounts by hand: one is made, changed or deleted, with who and why, by the checks that a file has to pass as well.

For the next `apply` it is what somebody else has done: what a file says otherwise is a conflict there, what it does not name stays.

Never here: SQL; a password (`credentials` makes secrets, a command line is read by others).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from smsgw.admin import provisioning
from smsgw.admin.contract_values import contradictions
from smsgw.admin.provisioning_file import _ACCOUNT_DEFAULTS, _TABLES, _differing, _Reading
from smsgw.admin.standing import NotFound
from smsgw.admin.three_way import Change, Conflict, Plan, dangling, moved
from smsgw.config import ConfigError
from smsgw.config.values import hint
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from smsgw.store.provisioning import Entities, Key


async def add(
    connection: Connection, key: Key, given: Mapping[str, str], *, actor: str, reason: str, dry_run: bool = False
) -> Plan:
    """Make a tenant or an account of these keys and values. Raises ValueError, NotFound for a tenant that is not there."""
    values = _read(key, given)
    opening = values.pop("balance", 0)
    missing = [name for name in _TABLES[key[0]].required if name not in values and name != _TABLES[key[0]].name_key]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    async with connection.transaction():
        await store.lock(connection)
        live = await store.read_entities(connection)
        if key in live:
            return Plan((), (Conflict(key, "is there already: change it with set", final=True),))
        if key[0] == "account" and ("tenant", values["tenant"]) not in live:
            raise NotFound(f"there is no tenant {values['tenant']!r}")
        new = {**_TABLES[key[0]].defaults, **_settings(key[0], values)}
        return await _make(connection, Change(key, None, new), live, actor, reason, opening=opening, dry_run=dry_run)


async def change(
    connection: Connection, key: Key, given: Mapping[str, str], *, actor: str, reason: str, dry_run: bool = False
) -> Plan:
    """Give these keys other values; the default of a key is what it has when nobody gives it one. Raises ValueError, NotFound."""
    values = _read(key, given)
    if "balance" in values:
        raise ValueError("balance is the opening one: it is booked once, when the tenant is made")
    async with connection.transaction():
        await store.lock(connection)
        live = await store.read_entities(connection)
        old = _there(live, key)
        new = {**{name: value for name, value in old.items() if name not in values}, **_settings(key[0], values)}
        return await _make(connection, Change(key, old, new), live, actor, reason, dry_run=dry_run)


async def remove(connection: Connection, key: Key, *, actor: str, reason: str, dry_run: bool = False) -> Plan:
    """Delete a tenant or an account; its messages, books and state stay, for when it comes back. Raises NotFound."""
    async with connection.transaction():
        await store.lock(connection)
        live = await store.read_entities(connection)
        return await _make(connection, Change(key, _there(live, key), None), live, actor, reason, dry_run=dry_run)


async def _make(
    connection: Connection,
    wanted: Change,
    live: Entities,
    actor: str,
    reason: str,
    *,
    opening: int = 0,
    dry_run: bool = False,
) -> Plan:
    if wanted.old == wanted.new:
        return Plan(())
    faults = contradictions(wanted.new) if wanted.new is not None and wanted.key[0] == "tenant" else []
    if faults:
        raise ValueError(faults[0])
    for kind in ("policy", "retention"):
        named = wanted.new.get(kind, "") if wanted.new is not None else ""
        if named and (kind, named) not in live:
            raise NotFound(f"there is no {kind} {named!r}: a file has to bring it first")
    changes = (wanted,)
    conflicts = (
        *dangling([wanted], live),
        *moved([wanted]),
        *await provisioning.against_the_books(connection, changes),
    )
    plan = Plan(changes, conflicts)
    if conflicts or dry_run:
        return plan
    await provisioning.make(connection, changes, actor, reason=reason)
    await store.announce(connection)
    await provisioning.settle_balances(connection, changes, {wanted.key[1]: opening}, actor)
    return plan


def _there(live: Entities, key: Key) -> dict[str, Any]:
    if key not in live:
        raise NotFound(f"there is no {key[0]} {key[1]!r}")
    return live[key]


def _settings(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of an account what says only the default; a tenant's row says all."""
    return _differing(dict(values), _ACCOUNT_DEFAULTS) if kind == "account" else dict(values)


def _read(key: Key, given: Mapping[str, str]) -> dict[str, Any]:
    """Check name and values as those of a file are. Raises ValueError with everything that is wrong."""
    kind, name = key
    keys = _TABLES[kind].keys
    reading, errors, values = _Reading("", ""), [], {}
    settable = set(keys) - {"password", _TABLES[kind].name_key}
    for word, text in ((_TABLES[kind].name_key, name), *given.items()):
        if word == "password" or word not in keys:
            why = ": secrets are made by smsgw secret rotate" if word == "password" else hint(word, settable)
            errors.append(f"{word} cannot be set here{why}")
            continue
        try:
            values[word] = reading._value(word, _typed(text, keys[word]), keys[word], word)
        except (ValueError, ConfigError) as error:
            errors.append(f"{word}: {error}")
    if errors:
        raise ValueError("\n".join(errors))
    del values[_TABLES[kind].name_key]
    return values


def _typed(text: str, wanted: Any) -> Any:
    """Return a word of the command line as the value that a file would have. What it cannot be is left to the check."""
    if wanted is bool:
        return {"true": True, "false": False}.get(text, text)
    if wanted in {int, float}:
        return int(text) if text.lstrip("-").isdecimal() else text
    if get_origin(wanted) in {list, tuple} and get_args(wanted):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
