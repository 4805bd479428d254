"""What ops provision: rows ↔ values, one function a statement. What a file means and what differs is admin/provisioning's affair.

A row's settings are a jsonb of what differs from the defaults of the model, so that a new setting needs no migration. Every write
happens in the caller's transaction and leaves an audit row; `announce` wakes the daemons at its COMMIT.

Must never: hold a password in clear (accounts' are argon2id hashes, links' are sealed or references).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from smsgw.config import ConfigError
from smsgw.model import Account, Basis, Carrier, InDoubt, Link, Mode, Number, Operator, Policy, Provisioned, Route, Tenant
from smsgw.provisioned import stored_dialect
from smsgw.store import policies, prices, retentions
from smsgw.store.database import Connection, connect
from smsgw.store.errors import StoreError
from smsgw.store.standing import restriction

CHANNEL: Final = "smsgw_provisioning"
LOST: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, StoreError)
"""What a connection that is gone may say. The last but one is asyncpg's own confusion about one that ended amid an answer."""
Unseal = Callable[[str], str]
"""A link's stored password → the password itself. Raises ConfigError where it cannot be had."""
NO_NODE: Final = -1
"""Where a link is dialled whose password cannot be had."""
_PAGE: Final = 500
_FEW: Final = 64  # changes that are cheaper to read one by one
_BOOKED: Final = (
    "'balance', 'refund', 'statement', 'export', 'late_fee', 'review', 'content', 'legal_hold', 'report', "
    "'opt_out', 'block', 'consent', 'complaint', 'api_token'"
)
_PROVISIONED: Final = f"kind NOT IN ({_BOOKED})"  # what people do to books, messages and what is kept is audited, not provisioned

_MODES: Final = {"store": Mode.STORE, "relay": Mode.RELAY}
_DOUBTS: Final = {"resend": InDoubt.RESEND, "hold": InDoubt.HOLD, "resend_if_no_receipt": InDoubt.RESEND_IF_NO_RECEIPT}
_BASES: Final = {"submitted": Basis.SUBMITTED, "sent": Basis.SENT, "delivered": Basis.DELIVERED}


async def version(connection: Connection) -> int:
    """Return the number of the present version: it rises with every change, by whomever."""
    return int(await connection.fetchval(f"SELECT coalesce(max(id), 0) FROM audit WHERE {_PROVISIONED}"))


async def read(connection: Connection, unseal: Unseal) -> Provisioned:
    """Read everything, in one snapshot. The values are made in a thread: a large book of prices costs the loop no stall."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        number = await version(connection)
        rows = {name: await _in_pages(connection, statement) for name, statement in _EVERYTHING.items()}
    return await asyncio.to_thread(_provisioned, number, rows, unseal)


async def _in_pages(connection: Connection, statement: str) -> list[asyncpg.Record]:
    """Fetch all rows, some hundreds at a time: decoding ten thousand at once would hold the loop up."""
    rows: list[asyncpg.Record] = []
    cursor = await connection.cursor(statement)
    while page := await cursor.fetch(_PAGE):
        rows += page
    return rows


_ACCOUNTS: Final = (
    "SELECT a.*, h.hashes, h.untils, o.state AS own_state, o.reason AS own_reason, o.rate AS own_rate, c.state AS tenant_state,"
    " c.reason AS tenant_reason, c.rate AS tenant_rate, t.class AS content_class, t.encrypted FROM account a"
    " LEFT JOIN retention t ON t.name = a.settings ->> 'retention'"
    " LEFT JOIN LATERAL (SELECT array_agg(s.hash ORDER BY s.at DESC, s.hash) AS hashes,"
    " array_agg(extract(epoch FROM s.until)::float8 ORDER BY s.at DESC, s.hash) AS untils FROM secret s"
    " WHERE s.account = a.id AND (s.until IS NULL OR s.until > clock_timestamp())) h ON true"
    " LEFT JOIN standing o ON o.kind = 'account' AND o.subject = a.id"
    " LEFT JOIN standing c ON c.kind = 'tenant' AND c.subject = a.tenant"
)
_OF_ACCOUNTS: Final = frozenset({"account", "account_state", "secret"})
_OF_TENANTS: Final = frozenset({"tenant_state"})
_OF_NEITHER: Final = frozenset(
    {"account_warning", "account_appeal", "tenant_warning", "tenant_appeal", "tenant_term", "tenant_profile", "price_notice"}
)
"""Kinds of audit rows that change an account, all accounts of a tenant, and nothing that the data path reads."""
_APART: Final = _OF_ACCOUNTS | _OF_TENANTS | _OF_NEITHER
_EVERYTHING: Final[Mapping[str, str]] = {
    "tenants": "SELECT * FROM tenant ORDER BY id",
    "accounts": f"{_ACCOUNTS} ORDER BY a.id",
    "carriers": "SELECT * FROM carrier ORDER BY id",
    "links": "SELECT * FROM link ORDER BY id",
    "routes": "SELECT * FROM route ORDER BY prefix",
    "prices": prices.EVERYTHING,
    "operators": "SELECT name, prefixes FROM operator ORDER BY name",
    "policies": "SELECT name, version FROM policy ORDER BY name",
    "numbers": "SELECT n.number, a.system_id FROM number n JOIN account a ON a.id = n.account ORDER BY n.number",
}


def _provisioned(number: int, rows: Mapping[str, list[asyncpg.Record]], unseal: Unseal) -> Provisioned:
    tenants = {
        row["id"]: Tenant(
            row["id"], row["name"], row["currency"], row["credit_limit"], _BASES[row["basis"]], **settings_of(row["settings"])
        )
        for row in rows["tenants"]
    }
    carriers = {row["id"]: Carrier(row["id"], row["name"]) for row in rows["carriers"]}
    faults: list[tuple[str, str]] = []
    return Provisioned(
        version=number,
        tenants=tuple(tenants.values()),
        accounts=tuple(_account(row, tenants[row["tenant"]]) for row in rows["accounts"]),
        numbers=tuple(Number(row["number"], row["system_id"]) for row in rows["numbers"]),
        carriers=tuple(carriers.values()),
        links=tuple(_link(row, carriers[row["carrier"]], unseal, faults) for row in rows["links"]),
        routes=tuple(Route(row["id"], row["prefix"], tuple(row["links"]), row["part_rule"], row["name"]) for row in rows["routes"]),
        prices=tuple(map(prices.price_of, rows["prices"])),
        operators=tuple(Operator(row["name"], tuple(row["prefixes"])) for row in rows["operators"]),
        policies=tuple(Policy(row["name"], row["version"]) for row in rows["policies"]),
        faults=tuple(faults),
    )


def settings_of(text: str) -> dict[str, Any]:
    """Return a tenant's settings as the model has them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}


async def read_changed_accounts(
    connection: Connection, since: int, tenants: Mapping[int, Tenant]
) -> tuple[int, tuple[Account, ...], frozenset[str]] | None:
    """Return the version, the accounts changed since a version and the system_ids deleted; None if there is more to read.

    Most changes are of an account or two, or of one tenant's state: read alone, they cost a fraction of a millisecond, whatever
    else is provisioned.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        statement = f"SELECT id, kind, name FROM audit WHERE id > $1 AND {_PROVISIONED} ORDER BY id LIMIT $2"
        changes = await connection.fetch(statement, since, _FEW + 1)
        if not changes or len(changes) > _FEW or {row["kind"] for row in changes} - _APART:
            return None
        names = {row["name"] for row in changes if row["kind"] in _OF_ACCOUNTS}
        of_tenants = [row["name"] for row in changes if row["kind"] in _OF_TENANTS]
        rows = await connection.fetch(
            f"{_ACCOUNTS} WHERE a.system_id = ANY ($1) OR a.tenant IN (SELECT t.id FROM tenant t WHERE t.name = ANY ($2))"
            " ORDER BY a.id LIMIT $3",
            list(names),
            of_tenants,
            _PAGE + 1,
        )
    if len(rows) > _PAGE or any(row["tenant"] not in tenants for row in rows):
        return None
    accounts = tuple(_account(row, tenants[row["tenant"]]) for row in rows)
    return changes[-1]["id"], accounts, frozenset(names - {account.system_id for account in accounts})


def _account(row: asyncpg.Record, tenant: Tenant) -> Account:
    settings: dict[str, Any] = json.loads(row["settings"])
    settings["mode"] = _MODES[settings.get("mode", "store")]
    settings["in_doubt"] = _DOUBTS[settings.get("in_doubt", "resend")]
    for several in ("allow_from", "certificates"):
        settings[several] = tuple(settings.get(several, ()))
    hashes = tuple(row["hashes"] or ())
    ends = zip(hashes, row["untils"] or (), strict=True)
    settings["expiring"] = tuple((known, until) for known, until in ends if until is not None)
    settings["restriction"] = restriction(row)
    settings["content_class"], settings["sealed"] = row["content_class"] or 0, bool(row["encrypted"])
    return Account(id=row["id"], system_id=row["system_id"], tenant=tenant, secrets=hashes, **settings)


def _link(row: asyncpg.Record, carrier: Carrier, unseal: Unseal, faults: list[tuple[str, str]]) -> Link:
    """Make a link; one whose password cannot be had is dialled by no node, so that no carrier sees a wrong one."""
    settings: dict[str, Any] = json.loads(row["settings"])
    dialect = stored_dialect(settings.pop("dialect", {}))
    settings["nodes"] = tuple(settings.get("nodes", ()))
    try:
        password = unseal(row["password"])
    except ConfigError as error:
        faults.append((row["name"], str(error)))
        password, settings["nodes"] = "", (NO_NODE,)
    return Link(id=row["id"], name=row["name"], carrier=carrier, password=password, dialect=dialect, **settings)


# ---- as entities: what the three-way difference compares -------------------------------------------------------------------

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


async def set_credit_limits(connection: Connection, limits: Mapping[str, int]) -> None:
    """Let tenants' balances go down to these limits (Money). Raises Overdrawn.

    It comes last in a transaction and takes the rows in the order of the unit of work: whoever sends waits for nothing else.
    """
    names = list(limits)
    ids = await connection.fetch(
        "SELECT b.tenant, t.name FROM balance b JOIN tenant t ON t.id = b.tenant WHERE t.name = ANY ($1) ORDER BY b.tenant"
        " FOR UPDATE OF b",
        names,
    )
    for row in ids:
        try:
            await connection.execute(
                "UPDATE balance SET credit_limit = $2 WHERE tenant = $1 AND credit_limit <> $2", row["tenant"], limits[row["name"]]
            )
        except asyncpg.CheckViolationError:
            raise Overdrawn(row["name"]) from None


class Overdrawn(Exception):
    """A tenant owes more than the credit limit that it was to get; the text is its name."""


async def open_balance(connection: Connection, tenant: str, amount: int, day: int, actor: str) -> None:
    """Book a tenant's opening balance, once: at its first apply."""
    row = await connection.fetchrow("SELECT id FROM tenant WHERE name = $1", tenant)
    assert row is not None
    booked = await connection.fetchval("SELECT EXISTS (SELECT 1 FROM ledger WHERE tenant = $1 AND kind = 'opening')", row["id"])
    if booked or not amount:
        return
    await connection.execute(
        "INSERT INTO ledger (tenant, kind, day, amount, actor, reason) VALUES ($1, 'opening', $2, $3, $4, 'opening balance')",
        row["id"], day, amount, actor,
    )  # fmt: skip
    await connection.execute("UPDATE balance SET amount = amount + $2 WHERE tenant = $1", row["id"], amount)


async def balance_of(connection: Connection, tenant: str) -> int:
    """Return a tenant's balance (Money) of this moment."""
    row = await connection.fetchrow("SELECT amount FROM balance WHERE tenant = (SELECT id FROM tenant WHERE name = $1)", tenant)
    return 0 if row is None else int(row["amount"])


async def opening_of(connection: Connection, tenant: str) -> int:
    """Return the opening balance that was booked for a tenant; 0 if none was."""
    booked = await connection.fetchval(
        "SELECT sum(l.amount)::int8 FROM ledger l JOIN tenant t ON t.id = l.tenant WHERE t.name = $1 AND l.kind = 'opening'", tenant
    )
    return int(booked or 0)


async def has_ledger(connection: Connection, tenant: str) -> bool:
    """Whether anything has been booked for a tenant."""
    statement = "SELECT EXISTS (SELECT 1 FROM ledger l JOIN tenant t ON t.id = l.tenant WHERE t.name = $1)"
    return bool(await connection.fetchval(statement, tenant))


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


@asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[tuple[Connection, asyncio.Event]]:
    """Connect and listen for changes; the event is set at each, and when the connection ends."""
    connection = await connect(dsn, name="smsgw follow")
    changed = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: changed.set())
        await connection.add_listener(CHANNEL, lambda *_: changed.set())
        yield connection, changed
    finally:
        connection.terminate()
