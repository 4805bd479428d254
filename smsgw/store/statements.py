"""Closed cycles: the figures of a tenant's cycle in one snapshot, the content that is kept, and the files made of it.

What belongs to a cycle: messages by the moment in their id, bookings and refunds by the moment they were booked. A statement over a
cycle scans the kept days of messages that it touches: minutes on a large store, in a snapshot that holds up nobody.

Must never: change what was closed (the database refuses it as well).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from smsgw.model import Basis, State, Tenant
from smsgw.store.books import NoSuchTenant
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.provisioned import settings_of

LATE_DAYS: Final = 10
"""So many days before a cycle messages may still come to their end within it: receipts are matched for seven days."""
_DAY_MS: Final = 86_400_000
_PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Closed:
    """A cycle that was closed. `party`: a tenant's or a partner's."""

    id: int
    cycle: str
    from_ms: int
    until_ms: int
    closing: int
    content: str
    sha256: str
    at: datetime


class ClosedMeanwhile(Exception):
    """Somebody else has closed the cycle just now; the text is its name."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when (exclusive), in milliseconds since 1970, and as ids of messages."""

    from_ms: int
    until_ms: int

    @property
    def ids(self) -> tuple[int, int]:
        """The least id of its messages, and that of the first after it."""
        return least_id_at(self.from_ms / 1000), least_id_at(self.until_ms / 1000)

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The same as moments."""
        return datetime.fromtimestamp(self.from_ms / 1000, UTC), datetime.fromtimestamp(self.until_ms / 1000, UTC)


async def contract(connection: Connection, name: str) -> Tenant:
    """Return a tenant as it is provisioned. Raises NoSuchTenant."""
    row = await connection.fetchrow("SELECT * FROM tenant WHERE name = $1", name)
    if row is None:
        raise NoSuchTenant(name)
    basis = Basis[row["basis"].upper()]
    return Tenant(row["id"], name, row["currency"], row["credit_limit"], basis, **settings_of(row["settings"]))


@dataclass(frozen=True, slots=True)
class Books:
    """A tenant, and when the first row of its ledger was booked; None: never."""

    tenant_id: int
    tenant: str
    opened: datetime | None


_BOOKS: Final = (
    "SELECT t.id AS tenant_id, t.name AS tenant, (SELECT l.at FROM ledger l WHERE l.tenant = t.id ORDER BY l.id LIMIT 1) AS opened"
    " FROM tenant t"
)


async def books(connection: Connection, name: str | None = None) -> list[Books]:
    """Return all tenants with their books, by name, or the one of a name; none of a contract that was stated after its end."""
    rows = await connection.fetch(
        f"{_BOOKS} WHERE ($1::text IS NULL OR t.name = $1) AND NOT EXISTS (SELECT 1 FROM standing c JOIN statement s"
        " ON s.direction = 'tenant' AND s.party = t.name WHERE c.kind = 'tenant' AND c.subject = t.id AND c.state = 'closed'"
        f" AND to_timestamp(s.until_ms / 1000.0) > c.since + interval '{LATE_DAYS} days') ORDER BY t.name",
        name,
    )
    return [Books(**row) for row in rows]


async def try_lock(connection: Connection, tenant_id: int) -> bool:
    """Take the closing of a tenant's cycles for this session; False while another one has it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('smsgw_statements'), $1)", tenant_id))


async def unlock(connection: Connection, tenant_id: int) -> None:
    """Give it back."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext('smsgw_statements'), $1)", tenant_id)


async def now_ms(connection: Connection) -> int:
    """Return the database's time."""
    return int(await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8"))


# ---- figures -------------------------------------------------------------------------------------------------------------------

_CHARGES: Final = """
    SELECT coalesce(a.system_id, g.name, 'account ' || m.account) AS account,
           m.price / greatest(m.parts, 1) AS unit_price, count(*) AS messages, sum(m.parts)::int8 AS parts,
           sum(m.price)::int8 AS amount, count(r.message) AS refunded_messages, coalesce(sum(r.amount), 0)::int8 AS refunded
    FROM message m LEFT JOIN account a ON a.id = m.account
    LEFT JOIN retired g ON g.kind = 'account' AND g.id = m.account AND a.id IS NULL
    LEFT JOIN refund r ON r.message = m.id AND r.at < $4
    WHERE m.tenant = $1 AND m.id >= $2 AND m.id < $3 GROUP BY 1, 2 ORDER BY 1, 2"""
_DAYS: Final = """
    SELECT to_char(to_timestamp(((id >> 22) + 1735689600000) / 1000.0) AT TIME ZONE $4, 'YYYY-MM-DD') AS day,
           count(*) AS messages, sum(parts)::int8 AS parts, sum(price)::int8 AS amount
    FROM message WHERE tenant = $1 AND id >= $2 AND id < $3 GROUP BY 1 ORDER BY 1"""
_STATES: Final = """
    SELECT CASE WHEN state >= 10 AND done_ms > 0 AND done_ms < $4 THEN state
                WHEN sent_ms > 0 AND sent_ms < $4 THEN 6 ELSE 0 END AS state,
           count(*) AS messages, sum(parts)::int8 AS parts
    FROM message WHERE tenant = $1 AND id >= $2 AND id < $3 GROUP BY 1 ORDER BY 1"""
_LATE_STATES: Final = """
    SELECT state, count(*) AS messages, sum(parts)::int8 AS parts
    FROM message WHERE tenant = $1 AND id >= $2 AND id < $3 AND state >= 10 AND done_ms >= $4 AND done_ms < $5
    GROUP BY 1 ORDER BY 1"""
_REFUNDS: Final = """
    SELECT coalesce(sum(amount) FILTER (WHERE message >= $2), 0)::int8 AS own,
           coalesce(sum(amount) FILTER (WHERE message < $2), 0)::int8 AS late,
           count(*) FILTER (WHERE message < $2) AS late_messages
    FROM refund WHERE tenant = $1 AND at >= $3 AND at < $4"""
_ENTRIES: Final = """
    SELECT id, at, kind, amount, reason, reference FROM ledger
    WHERE tenant = $1 AND kind NOT IN ('debit', 'refund') AND at >= $2 AND at < $3 ORDER BY id"""
# From the ledger's side: all that was ever booked, without what was charged, given back and booked from the moment on.
_LEDGER_UNTIL: Final = """
    SELECT (coalesce((SELECT sum(amount) FROM ledger WHERE tenant = $1), 0)
            + coalesce((SELECT sum(price) FROM message WHERE tenant = $1 AND id >= $2), 0)
            - coalesce((SELECT sum(amount) FROM refund WHERE tenant = $1 AND at >= $3), 0)
            - coalesce((SELECT sum(amount) FROM ledger WHERE tenant = $1 AND kind NOT IN ('debit', 'refund') AND at >= $3), 0)
           )::int8"""


async def read_figures(connection: Connection, tenant: Tenant, span: Span, opening: int | None) -> dict[str, Any]:
    """Return the figures of a span, named as in reports.statement; `opening`: what the cycle before was closed with.

    The caller holds one snapshot. `differences`: where the ledger's days and its messages contradict each other.
    """
    low, high = span.ids
    start, end = span.moments
    charges = await connection.fetch(_CHARGES, tenant.id, low, high, end)
    states = await connection.fetch(_STATES, tenant.id, low, high, span.until_ms)
    early = least_id_at((span.from_ms - LATE_DAYS * _DAY_MS) / 1000)
    late = await connection.fetch(_LATE_STATES, tenant.id, early, low, span.from_ms, span.until_ms)
    refunds = await connection.fetchrow(_REFUNDS, tenant.id, low, start, end)
    assert refunds is not None
    closing = await connection.fetchval(_LEDGER_UNTIL, tenant.id, high, end)
    if opening is None:
        opening = await connection.fetchval(_LEDGER_UNTIL, tenant.id, low, start)
    return {
        "opening": opening,
        "closing": closing,
        "charges": [dict(row) for row in charges],
        "days": [dict(row) for row in await connection.fetch(_DAYS, tenant.id, low, high, tenant.timezone)],
        "states": [_state(row) for row in states],
        "late_states": [_state(row) for row in late],
        "refunds": refunds["own"],
        "late_refunds": refunds["late"],
        "late_refunded_messages": refunds["late_messages"],
        "entries": [_entry(row) for row in await connection.fetch(_ENTRIES, tenant.id, start, end)],
        "differences": await _differences(connection, tenant.id, span),
    }


def _state(row: asyncpg.Record) -> dict[str, Any]:
    word = State(row["state"]).name if row["state"] else "OPEN"
    return {"state": word, "messages": row["messages"], "parts": row["parts"]}


def _entry(row: asyncpg.Record) -> dict[str, Any]:
    at = f"{row['at'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"number": row["id"], "at": at, **{key: row[key] for key in ("kind", "amount", "reason", "reference")}}


_BALANCE: Final = """
    SELECT 'the balance is ' || b.amount || ', its ledger comes to ' || coalesce(sum(l.amount), 0) || ' (10^-6)' AS difference
    FROM balance b LEFT JOIN ledger l USING (tenant) WHERE b.tenant = $1
    GROUP BY b.amount HAVING b.amount <> coalesce(sum(l.amount), 0)"""
_DEBITS: Final = """
    SELECT 'day ' || (date '1970-01-01' + coalesce(l.day, m.day)) || ': debited ' || coalesce(-l.amount, 0) || ' for '
           || coalesce(l.messages, 0) || ' messages, there are ' || coalesce(m.n, 0) || ' at ' || coalesce(m.price, 0) || ' (10^-6)'
           AS difference
    FROM (SELECT day, amount, messages FROM ledger WHERE tenant = $1 AND kind = 'debit' AND day BETWEEN $2 AND $3) l
    FULL JOIN (SELECT debit_day AS day, sum(price) AS price, count(*) AS n FROM message
               WHERE tenant = $1 AND id >= $4 AND id < $5 AND debit_day BETWEEN $2 AND $3 GROUP BY 1) m ON m.day = l.day
    WHERE coalesce(-l.amount, 0) <> coalesce(m.price, 0) OR coalesce(l.messages, 0) <> coalesce(m.n, 0) ORDER BY 1"""
_BACK: Final = """
    SELECT 'day ' || (date '1970-01-01' + coalesce(l.day, r.day)) || ': the ledger gave back ' || coalesce(l.amount, 0)
           || ', the refunds of messages are ' || coalesce(r.amount, 0) || ' (10^-6)' AS difference
    FROM (SELECT day, amount FROM ledger WHERE tenant = $1 AND kind = 'refund' AND day BETWEEN $2 AND $3) l
    FULL JOIN (SELECT day, sum(amount) AS amount FROM refund WHERE tenant = $1 AND day BETWEEN $2 AND $3 GROUP BY 1) r
        ON r.day = l.day
    WHERE coalesce(l.amount, 0) <> coalesce(r.amount, 0) ORDER BY 1"""


async def _differences(connection: Connection, tenant_id: int, span: Span) -> list[str]:
    """Return where the ledger contradicts the balance, and on which days of the span its messages or refunds."""
    first, last = span.from_ms // _DAY_MS, (span.until_ms - 1) // _DAY_MS
    around = Span((first - 1) * _DAY_MS, (last + 2) * _DAY_MS).ids
    rows = [
        *await connection.fetch(_BALANCE, tenant_id),
        *await connection.fetch(_DEBITS, tenant_id, first, last, *around),
        *await connection.fetch(_BACK, tenant_id, first, last),
    ]
    return [row["difference"] for row in rows]


_DETAIL: Final = """
    SELECT m.id, coalesce(a.system_id, 'account ' || m.account) AS account, m.source, m.destination, m.parts, m.price,
           coalesce(r.amount, 0) AS refunded
    FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN refund r ON r.message = m.id AND r.at < $4
    WHERE m.tenant = $1 AND m.id >= $2 AND m.id < $3 ORDER BY m.id"""


async def detail(connection: Connection, tenant_id: int, span: Span) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the messages of a span in pages; the caller holds a snapshot."""
    cursor = await connection.cursor(_DETAIL, tenant_id, *span.ids, span.moments[1])
    while page := await cursor.fetch(_PAGE):
        yield page


async def of_partner(connection: Connection, partner: str) -> list[Tenant]:
    """Return the tenants that a partner brought, by name."""
    rows = await connection.fetch("SELECT name FROM tenant WHERE settings ->> 'partner' = $1 ORDER BY name", partner)
    return [await contract(connection, row["name"]) for row in rows]


# ---- what is closed ------------------------------------------------------------------------------------------------------------

_COLUMNS: Final = "id, cycle, from_ms, until_ms, closing, content, sha256, at"


async def find(connection: Connection, direction: str, party: str, cycle: str) -> Closed | None:
    """Return a closed cycle; None if it is not closed."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM statement WHERE direction = $1 AND party = $2 AND cycle = $3", direction, party, cycle
    )
    return None if row is None else Closed(**row)


async def last(connection: Connection, direction: str, party: str) -> Closed | None:
    """Return the newest closed cycle; None if none is."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM statement WHERE direction = $1 AND party = $2 ORDER BY until_ms DESC LIMIT 1", direction, party
    )
    return None if row is None else Closed(**row)


async def keep(  # noqa: PLR0917 - the columns of its row
    connection: Connection, direction: str, party: str, cycle: str, span: Span, closing: int, text: str, sha256: str, actor: str
) -> Closed:
    """Close a cycle with this content, for good. Raises ClosedMeanwhile."""
    try:
        row = await connection.fetchrow(
        "INSERT INTO statement (direction, party, cycle, from_ms, until_ms, closing, content, sha256, actor)"
        f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}",
        direction, party, cycle, span.from_ms, span.until_ms, closing, text, sha256, actor,
    )  # fmt: skip
    except (asyncpg.UniqueViolationError, asyncpg.SerializationError):
        raise ClosedMeanwhile(cycle) from None
    assert row is not None
    return Closed(**row)


async def kept_file(connection: Connection, statement: int, name: str) -> bytes | None:
    """Return a file that was made of a closed cycle; None if it was not made yet."""
    body: bytes | None = await connection.fetchval(
        "SELECT body FROM statement_file WHERE statement = $1 AND name = $2", statement, name
    )
    return body


async def keep_file(connection: Connection, statement: int, name: str, sha256: str, body: bytes) -> bytes:
    """Keep a file that was made of a closed cycle; returns the one that is kept, another's if he was first."""
    await connection.execute(
        "INSERT INTO statement_file (statement, name, sha256, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        statement, name, sha256, body,
    )  # fmt: skip
    kept = await kept_file(connection, statement, name)
    assert kept is not None
    return kept
