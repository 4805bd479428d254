"""What ops provision, as entities in the shape of a file: read, put, deleted. One function a statement.

What a file means and what differs is admin/provisioning's affair; what daemons read is `store.provisioned`'s. A row's settings are
a jsonb of what differs from the defaults of the model, so that a new setting needs no migration. Every write happens in the
caller's transaction and leaves an audit row; `announce` wakes the daemons at its COMMIT.

Must never: hold a password in clear (accounts' are argon2id hashes, links' are sealed or references).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from smsgw.store import database, policies, prices, retentions
from smsgw.store.database import Connection

CHANNEL: Final = "smsgw_provisioning"
Key = tuple[str, str]
"""(kind, name): tenant, account, number, carrier, link, route, operator, policy, retention, price (its name: `PriceKey`)."""
Entities = dict[Key, dict[str, Any]]


async def read_entities(connection: Connection) -> Entities:
    """Read the live state in the shape of a file, without secrets."""
    found: Entities = {}
    for row in await connection.fetch("SELECT name, currency, credit_limit, basis, settings FROM tenant"):
        found["tenant", row["name"]] = {**{k: row[k] for k in _TENANT}, **json.loads(row["settings"])}
    for row in await connection.fetch("SELECT a.system_id, t.name, a.settings FROM account a JOIN tenant t ON t.id = a.tenant"):
        found["account", row["system_id"]] = {"tenant": row["name"], **json.loads(row["settings"])}
    for row in await connection.fetch("SELECT n.number, a.system_id FROM number n JOIN account a ON a.id = n.account"):
        found["number", row["number"]] = {"account": row["system_id"]}
    for row in await connection.fetch("SELECT name FROM carrier"):
        found["carrier", row["name"]] = {}
    for row in await connection.fetch(
        "SELECT l.name, c.name AS carrier, l.settings FROM link l JOIN carrier c ON c.id = l.carrier"
    ):
        found["link", row["name"]] = {"carrier": row["carrier"], **json.loads(row["settings"])}
    for row in await connection.fetch("SELECT prefix, links, part_rule, name FROM route"):
        named = {"name": row["name"]} if row["name"] else {}
        found["route", row["prefix"]] = {"links": list(row["links"]), "part_rule": row["part_rule"], **named}
    for row in await connection.fetch("SELECT name, prefixes FROM operator"):
        found["operator", row["name"]] = {"prefixes": list(row["prefixes"])}
    found.update({("price", name): {"price": price} for name, price in (await prices.entities(connection)).items()})
    return found | await policies.read_entities(connection) | await retentions.read_entities(connection)


async def audit(  # noqa: PLR0917 - the columns of its row
    connection: Connection,
    actor: str,
    key: Key,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    reason: str = "",
) -> None:
    """Write who changed what from what to what, and why. Never a secret: entities hold none."""
    await connection.execute(
        "INSERT INTO audit (actor, kind, name, old, new, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        actor,
        *key,
        None if old is None else json.dumps(old),
        None if new is None else json.dumps(new),
        reason,
    )


async def announce(connection: Connection) -> None:
    """Wake the daemons, at COMMIT."""
    await connection.execute(f"NOTIFY {CHANNEL}")


async def lock(connection: Connection) -> None:
    """Let one change of provisioning happen at a time."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('smsgw_provisioning'))")


_TENANT: Final = ("currency", "credit_limit", "basis")
_PUT: Final[Mapping[str, str]] = {
    "tenant": "INSERT INTO tenant (id, name, currency, credit_limit, basis, settings) OVERRIDING SYSTEM VALUE"
    " VALUES (coalesce($1, nextval(pg_get_serial_sequence('tenant', 'id'))), $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE"
    " SET currency = excluded.currency, credit_limit = excluded.credit_limit, basis = excluded.basis, settings = excluded.settings",
    "carrier": "INSERT INTO carrier (id, name) OVERRIDING SYSTEM VALUE"
    " VALUES (coalesce($1, nextval(pg_get_serial_sequence('carrier', 'id'))), $2) ON CONFLICT DO NOTHING",
    "account": "INSERT INTO account (id, tenant, system_id, settings) OVERRIDING SYSTEM VALUE"
    " SELECT coalesce($1, nextval(pg_get_serial_sequence('account', 'id'))), id, $3, $4 FROM tenant WHERE name = $2"
    " ON CONFLICT (system_id) DO UPDATE SET tenant = excluded.tenant, settings = excluded.settings",
    "link": "INSERT INTO link (id, carrier, name, settings) OVERRIDING SYSTEM VALUE"
    " SELECT coalesce($1, nextval(pg_get_serial_sequence('link', 'id'))), id, $3, $4 FROM carrier WHERE name = $2"
    " ON CONFLICT (name) DO UPDATE SET carrier = excluded.carrier, settings = excluded.settings",
    "number": "INSERT INTO number (number, account) SELECT $1, id FROM account WHERE system_id = $2"
    " ON CONFLICT (number) DO UPDATE SET account = excluded.account",
    "route": "INSERT INTO route (prefix, links, part_rule, name) VALUES ($1, $2, $3, $4) ON CONFLICT (prefix) DO UPDATE"
    " SET links = excluded.links, part_rule = excluded.part_rule, name = excluded.name",
    "operator": "INSERT INTO operator (name, prefixes) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
    " SET prefixes = excluded.prefixes",
    "policy": policies.PUT,
    "retention": retentions.PUT,
}


async def put(connection: Connection, key: Key, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Insert or update one entity; one that was there before gets its id back. Returns the secrets it had when it was deleted."""
    kind, name = key
    if kind == "price":
        await prices.put(connection, prices.PriceKey.parse(name), values["price"])
        return ()
    statement = _PUT[kind]
    settings = json.dumps({k: v for k, v in values.items() if k not in {"tenant", "carrier"}})
    if kind == "number":
        await connection.execute(statement, name, values["account"])
    elif kind == "route":
        await connection.execute(statement, name, values["links"], values["part_rule"], values.get("name", ""))
    elif kind == "operator":
        await connection.execute(statement, name, values["prefixes"])
    elif kind == "policy":
        await connection.execute(statement, name, values["version"], values["files"])
    elif kind == "retention":
        await retentions.put(connection, name, values)
    else:
        number, secrets = await _take_back(connection, key, values)
        if kind == "tenant":
            more = json.dumps({key: value for key, value in values.items() if key not in _TENANT})
            await connection.execute(statement, number, name, *(values[key] for key in _TENANT), more)
            await connection.execute(
                "INSERT INTO balance (tenant, amount, credit_limit) SELECT id, 0, credit_limit FROM tenant WHERE name = $1"
                " ON CONFLICT DO NOTHING",
                name,
            )
        elif kind == "carrier":
            await connection.execute(statement, number, name)
        else:
            await connection.execute(statement, number, values["tenant" if kind == "account" else "carrier"], name, settings)
        return secrets
    return ()


async def _take_back(connection: Connection, key: Key, values: Mapping[str, Any]) -> tuple[int | None, tuple[str, ...]]:
    """Return the id and the secrets of an entity that was deleted, unless its name belongs to another owner now."""
    kind, name = key
    row = await connection.fetchrow("DELETE FROM retired WHERE kind = $1 AND name = $2 RETURNING id, owner, secrets", kind, name)
    if row is None:
        return None, ()
    if kind in {"account", "link"}:
        of = "tenant" if kind == "account" else "carrier"
        if await connection.fetchval(f"SELECT id FROM {of} WHERE name = $1", values[of]) != row["owner"]:
            return None, ()
    return row["id"], tuple(row["secrets"])


_RETIRE: Final[Mapping[str, str]] = {
    "tenant": "SELECT 'tenant', name, id FROM tenant WHERE name = $1",
    "carrier": "SELECT 'carrier', name, id FROM carrier WHERE name = $1",
    "account": "SELECT 'account', system_id, id, tenant, array(SELECT hash FROM secret"
    " WHERE account = a.id AND until IS NULL ORDER BY at)"
    " FROM account a WHERE system_id = $1",
    "link": "SELECT 'link', name, id, carrier, ARRAY[password] FROM link WHERE name = $1",
}
_DELETE: Final[Mapping[str, str]] = {
    "tenant": "DELETE FROM tenant WHERE name = $1",
    "carrier": "DELETE FROM carrier WHERE name = $1",
    "account": "DELETE FROM account WHERE system_id = $1",
    "link": "DELETE FROM link WHERE name = $1",
    "number": "DELETE FROM number WHERE number = $1",
    "route": "DELETE FROM route WHERE prefix = $1",
    "operator": "DELETE FROM operator WHERE name = $1",
    "policy": policies.DELETE,
    "retention": retentions.DELETE,
}


async def delete(connection: Connection, key: Key) -> None:
    """Delete one entity. Messages, ledger and balance of a tenant stay, and so do the ids, for whoever comes back."""
    kind, name = key
    if kind == "price":
        await prices.delete(connection, prices.PriceKey.parse(name))
        return
    if kind in _RETIRE:
        columns = "kind, name, id, owner, secrets" if kind in {"account", "link"} else "kind, name, id"
        await connection.execute(
            f"INSERT INTO retired ({columns}) {_RETIRE[kind]} ON CONFLICT (kind, name) DO UPDATE"
            " SET id = excluded.id, owner = excluded.owner, secrets = excluded.secrets, at = excluded.at",
            name,
        )
    await connection.execute(_DELETE[kind], name)


async def retired(connection: Connection, kind: str) -> frozenset[str]:
    """Return the names of this kind that would get their old id back."""
    return frozenset(row["name"] for row in await connection.fetch("SELECT name FROM retired WHERE kind = $1", kind))


async def restore_secrets(connection: Connection, key: Key, secrets: Sequence[str]) -> None:
    """Give an account its hashes, or a link its stored password, as they were when it was deleted."""
    kind, name = key
    if kind == "link":
        await set_link_password(connection, name, *secrets)
        return
    await connection.execute(
        "INSERT INTO secret (account, hash) SELECT a.id, h FROM account a, unnest($2::text[]) h WHERE a.system_id = $1"
        " ON CONFLICT DO NOTHING",
        name,
        list(secrets),
    )


async def link_password(connection: Connection, name: str) -> str:
    """Return a link's stored password: sealed, a reference, or ""."""
    return str(await connection.fetchval("SELECT coalesce((SELECT password FROM link WHERE name = $1), '')", name))


async def set_link_password(connection: Connection, name: str, stored: str) -> None:
    """Store a link's password, sealed or as a reference."""
    await connection.execute("UPDATE link SET password = $2 WHERE name = $1", name, stored)


def listening(dsn: str) -> AbstractAsyncContextManager[tuple[Connection, asyncio.Event]]:
    """Connect and listen for changes; the event is set at each, and when the connection ends."""
    return database.listening(dsn, CHANNEL, name="smsgw follow")
