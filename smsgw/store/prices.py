"""Versioned prices and the notices of their changes: rows ↔ values, one function a statement.

Every version of a price is a row that holds from its moment on, by the database's clock; none is ever changed once it has begun.
What a file gives without a date begins when it is applied. Every write happens in the caller's transaction.

Must never: decide who must be told, or which price a message has (`billing.tariff`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from smsgw.model import Price
from smsgw.store.database import Connection

_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::int8"
_COLUMNS: Final = "prefix, operator, category, route"
LATELY_MS: Final = 3_600_000
"""How long a price that is over is still read: a gateway's clock may be behind."""


class PriceKey(NamedTuple):
    """What a price is for, and from when (Unix ms); 0: it has no date. `name` is what provisioning and the audit call it."""

    tenant: str
    prefix: str
    operator: str = ""
    category: str = ""
    route: str = ""
    from_ms: int = 0

    @property
    def name(self) -> str:
        """Return tenant/prefix, and after it what else there is."""
        more = [
            f";{key}={value}"
            for key, value in (("operator", self.operator), ("category", self.category), ("route", self.route))
            if value
        ]
        since = f";from={shown(self.from_ms)}" if self.from_ms else ""
        return f"{self.tenant}/{self.prefix}{''.join(more)}{since}"

    def refers(self) -> dict[str, str]:
        """Return the kinds and names that must be there for it."""
        return {"tenant": self.tenant, **({"operator": self.operator} if self.operator else {})}

    @classmethod
    def parse(cls, name: str) -> PriceKey:
        """Take a name apart."""
        head, *parts = name.split(";")
        tenant, _, prefix = head.partition("/")
        more = dict(part.split("=", 1) for part in parts)
        since = more.pop("from", "")
        return cls(tenant, prefix, **more, from_ms=_ms(datetime.fromisoformat(since)) if since else 0)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def shown(from_ms: int) -> str:
    """Write a moment as RFC 3339, UTC."""
    timespec = "milliseconds" if from_ms % 1000 else "seconds"
    return datetime.fromtimestamp(from_ms / 1000, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


EVERYTHING: Final = (
    f"SELECT t.name, p.{_COLUMNS.replace(', ', ', p.')}, p.price, p.from_ms FROM price p JOIN tenant t ON t.id = p.tenant"
    " WHERE p.from_ms >= coalesce((SELECT max(q.from_ms) FROM price q WHERE q.tenant = p.tenant AND q.prefix = p.prefix"
    " AND q.operator = p.operator AND q.category = p.category AND q.route = p.route"
    f" AND q.from_ms <= {_NOW} - {LATELY_MS}), 0)"
    " ORDER BY t.name, p.prefix, p.operator, p.category, p.route, p.from_ms"
)
"""What the Directory reads: the prices in force, those that were lately, and those to come."""


def price_of(row: Any) -> Price:
    """Make the model's value of a row."""
    more = (row["operator"], row["category"], row["route"])
    return Price(row["name"], row["prefix"], row["price"], *more, row["from_ms"] / 1000)


async def entities(connection: Connection) -> dict[str, int]:
    """Return prices by name as a file has them: the newest of those without a date, and each that has one."""
    rows = await connection.fetch(
        f"SELECT DISTINCT ON (t.name, {_COLUMNS}) t.name, {_COLUMNS}, price, 0::int8 AS from_ms FROM price p"
        f" JOIN tenant t ON t.id = p.tenant WHERE NOT dated ORDER BY t.name, {_COLUMNS}, p.from_ms DESC"
    )
    rows += await connection.fetch(
        f"SELECT t.name, {_COLUMNS}, price, from_ms FROM price p JOIN tenant t ON t.id = p.tenant WHERE dated"
    )
    return {
        PriceKey(row["name"], row["prefix"], row["operator"], row["category"], row["route"], row["from_ms"]).name: row["price"]
        for row in rows
        if row["price"] is not None
    }


_PUT: Final = (
    f"INSERT INTO price (tenant, {_COLUMNS}, from_ms, dated, price) SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM tenant"
    f" WHERE name = $1 ON CONFLICT (tenant, {_COLUMNS}, from_ms) DO UPDATE SET price = excluded.price, dated = excluded.dated,"
    " at = clock_timestamp()"
)


async def put(connection: Connection, key: PriceKey, price: int | None) -> None:
    """Let a price hold from its date on, or from now; None: no price from then on."""
    if key.from_ms:
        await connection.execute(_PUT, *key[:5], key.from_ms, True, price)
        return
    # the first price of its key has always held, so that no clock that is behind finds none
    begin = await connection.fetchval(
        f"SELECT CASE WHEN EXISTS (SELECT 1 FROM price p JOIN tenant t ON t.id = p.tenant WHERE t.name = $1 AND p.prefix = $2"
        f" AND p.operator = $3 AND p.category = $4 AND p.route = $5) THEN {_NOW} ELSE 0 END",
        *key[:5],
    )
    await connection.execute(_PUT, *key[:5], begin, False, price)


async def delete(connection: Connection, key: PriceKey) -> None:
    """Let a price end now. Of one with a date that is to come nothing is left; after one that has begun the undated one holds."""
    if not key.from_ms:
        await put(connection, key, None)
        return
    of = (
        "p.tenant = (SELECT id FROM tenant WHERE name = $1) AND p.prefix = $2 AND p.operator = $3"
        " AND p.category = $4 AND p.route = $5"
    )
    gone = await connection.execute(f"DELETE FROM price p WHERE {of} AND p.from_ms = $6 AND p.from_ms > {_NOW}", *key)
    if gone != "DELETE 0":
        return
    before = await connection.fetchval(
        f"SELECT price FROM price p WHERE {of} AND NOT dated ORDER BY from_ms DESC LIMIT 1", *key[:5]
    )
    await connection.execute(f"UPDATE price p SET dated = false WHERE {of} AND p.from_ms = $6", *key)
    await put(connection, key._replace(from_ms=0), before)


async def at(connection: Connection, key: PriceKey, moment_ms: int) -> int | None:
    """Return the price that holds for exactly this key at a moment; None when there is none."""
    found: int | None = await connection.fetchval(
        "SELECT p.price FROM price p JOIN tenant t ON t.id = p.tenant WHERE t.name = $1 AND p.prefix = $2 AND p.operator = $3"
        " AND p.category = $4 AND p.route = $5 AND p.from_ms <= $6 ORDER BY p.from_ms DESC LIMIT 1",
        *key[:5],
        moment_ms,
    )
    return found


async def rows_of(connection: Connection, tenant: str | None = None, prefix: str | None = None) -> list[dict[str, Any]]:
    """Return all versions, of one tenant or prefix or of all; `state`: over, in force or to come."""
    rows = await connection.fetch(
        f"SELECT t.name AS tenant, p.{_COLUMNS.replace(', ', ', p.')}, p.price, t.currency, p.from_ms, p.at,"
        f" CASE WHEN p.from_ms > {_NOW} THEN 'to come' WHEN p.from_ms < (SELECT max(q.from_ms) FROM price q"
        " WHERE q.tenant = p.tenant AND q.prefix = p.prefix AND q.operator = p.operator AND q.category = p.category"
        f" AND q.route = p.route AND q.from_ms <= {_NOW}) THEN 'over' ELSE 'in force' END AS state"
        " FROM price p JOIN tenant t ON t.id = p.tenant"
        " WHERE ($1::text IS NULL OR t.name = $1) AND ($2::text IS NULL OR p.prefix = $2)"
        " ORDER BY t.name, p.prefix, p.operator, p.category, p.route, p.from_ms",
        tenant,
        prefix,
    )
    return [dict(row) for row in rows]


async def names_of_routes(connection: Connection) -> frozenset[str]:
    """Return the names that routes have."""
    return frozenset(row["name"] for row in await connection.fetch("SELECT name FROM route WHERE name <> ''"))


async def names_of_operators(connection: Connection) -> frozenset[str]:
    """Return the operators there are."""
    return frozenset(row["name"] for row in await connection.fetch("SELECT name FROM operator"))


# ---- notices --------------------------------------------------------------------------------------------------------


async def add_notice(
    connection: Connection, tenant: str, from_ms: int, sent_at: datetime, *, channel: str, reference: str, actor: str
) -> int:
    """Keep that a change from a moment on was told to a tenant (by name); returns the number of the notice."""
    return int(
        await connection.fetchval(
            "INSERT INTO price_notice (tenant, from_ms, sent_at, channel, reference, actor)"
            " SELECT id, $2, $3, $4, $5, $6 FROM tenant WHERE name = $1 RETURNING id",
            tenant,
            from_ms,
            sent_at,
            channel,
            reference,
            actor,
        )
    )


async def told_at(connection: Connection, tenant: str, from_ms: int) -> datetime | None:
    """Return when a change of this moment was first told to a tenant; None if it was not."""
    found: datetime | None = await connection.fetchval(
        "SELECT min(n.sent_at) FROM price_notice n JOIN tenant t ON t.id = n.tenant WHERE t.name = $1 AND n.from_ms = $2",
        tenant,
        from_ms,
    )
    return found


async def notices_of(connection: Connection, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return the notices of price changes, newest first."""
    rows = await connection.fetch(
        "SELECT n.id, t.name AS tenant, n.from_ms, n.sent_at, n.channel, n.reference, n.actor, n.at FROM price_notice n"
        " JOIN tenant t ON t.id = n.tenant WHERE $1::text IS NULL OR t.name = $1 ORDER BY n.id DESC",
        tenant,
    )
    return [dict(row) for row in rows]


async def has_prices(connection: Connection, tenant: str) -> bool:
    """Whether a tenant has any price now: the first ones are no change."""
    statement = "SELECT EXISTS (SELECT 1 FROM price_in_force p JOIN tenant t ON t.id = p.tenant WHERE t.name = $1)"
    return bool(await connection.fetchval(statement, tenant))
