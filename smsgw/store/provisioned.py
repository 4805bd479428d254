"""What is provisioned, as daemons read it: rows → values of the model, everything in one snapshot or a few accounts alone.

What files and people make of the rows is `store.provisioning`'s affair. A link whose password cannot be had is read all the same,
and told as a fault: it is dialled by no node.

Must never: write; hand on a password that was not unsealed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg

from smsgw.config import ConfigError
from smsgw.model import Account, Basis, Carrier, InDoubt, Link, Mode, Number, Operator, Policy, Provisioned, Route, Tenant
from smsgw.provisioned import stored_dialect
from smsgw.store import prices
from smsgw.store.database import Connection
from smsgw.store.kinds import APART, OF_ACCOUNTS, OF_TENANTS, PROVISIONED
from smsgw.store.standing import restriction

Unseal = Callable[[str], str]
"""A link's stored password → the password itself. Raises ConfigError where it cannot be had."""
NO_NODE: Final = -1
"""Where a link is dialled whose password cannot be had."""
_PAGE: Final = 500
_FEW: Final = 64  # changes that are cheaper to read one by one

_MODES: Final = {"store": Mode.STORE, "relay": Mode.RELAY}
_DOUBTS: Final = {"resend": InDoubt.RESEND, "hold": InDoubt.HOLD, "resend_if_no_receipt": InDoubt.RESEND_IF_NO_RECEIPT}
_BASES: Final = {"submitted": Basis.SUBMITTED, "sent": Basis.SENT, "delivered": Basis.DELIVERED}


async def version(connection: Connection) -> int:
    """Return the number of the present version: it rises with every change, by whomever."""
    return int(await connection.fetchval(f"SELECT coalesce(max(id), 0) FROM audit WHERE {PROVISIONED}"))


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
        statement = f"SELECT id, kind, name FROM audit WHERE id > $1 AND {PROVISIONED} ORDER BY id LIMIT $2"
        changes = await connection.fetch(statement, since, _FEW + 1)
        if not changes or len(changes) > _FEW or {row["kind"] for row in changes} - APART:
            return None
        names = {row["name"] for row in changes if row["kind"] in OF_ACCOUNTS}
        of_tenants = [row["name"] for row in changes if row["kind"] in OF_TENANTS]
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
