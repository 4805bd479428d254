"""Late fees as they are kept: whose contracts have one, closed cycles, what came in since, proposals. One function a statement.

The database refuses to change a proposal that a person has decided. Never here: how much a fee is (`smsgw.billing.late_fee`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from smsgw.store.books import NoSuchTenant
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at

CYCLES: Final = 400
"""So many of a tenant's newest closed cycles are looked at: more than a year of days."""


@dataclass(frozen=True, slots=True)
class Payer:
    """A tenant whose contract has a late fee; shares as they are written."""

    tenant_id: int
    tenant: str
    timezone: str
    fee_rate: str
    fee_due_days: int
    fee_grace_days: int
    fee_cap: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A closed cycle. `fees`: late fees booked in it, below nought (Money); `came`: what came in within it for older debts.

    `state`: of its proposal, "" where there is none.
    """

    cycle: str
    from_ms: int
    until_ms: int
    closing: int
    fees: int
    came: int
    state: str
    as_of: date | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A late fee that waits for a person, or what he decided (Money)."""

    tenant_id: int
    tenant: str
    currency: str
    cycle: str
    owed: int
    amount: int
    due: date
    days: int
    as_of: date
    state: str
    ledger: int | None
    actor: str
    reason: str
    decided_at: datetime | None


async def payers(connection: Connection, tenant: str | None = None) -> list[Payer]:
    """Return the tenants whose contracts have a late fee, by name."""
    rows = await connection.fetch(
        "SELECT t.id AS tenant_id, t.name AS tenant, coalesce(t.settings ->> 'timezone', 'UTC') AS timezone, r.fee_rate,"
        " r.fee_due_days, r.fee_grace_days, r.fee_cap FROM term r JOIN tenant t ON t.id = r.tenant"
        " WHERE r.fee_rate::numeric > 0 AND ($1::text IS NULL OR t.name = $1) ORDER BY t.name",
        tenant,
    )
    return [Payer(**row) for row in rows]


# What came in: bookings in a tenant's favour, as if of message 0, and refunds.
_CREDITS: Final = (
    "SELECT at, amount, 0::int8 AS message FROM ledger"
    " WHERE tenant = $1 AND kind NOT IN ('debit', 'refund', 'late_fee') AND amount > 0"
    " UNION ALL SELECT at, amount, message FROM refund WHERE tenant = $1"
)


async def ended(connection: Connection, of: Payer) -> list[Ended]:
    """Return a tenant's newest closed cycles, oldest first; one more than `CYCLES` where there are as many."""
    rows = await connection.fetch(
        f"WITH c AS MATERIALIZED ({_CREDITS}),"
        " s AS (SELECT cycle, from_ms, until_ms, closing, to_timestamp(from_ms / 1000.0) AS start,"
        "  to_timestamp(until_ms / 1000.0) AS stop, (from_ms - 1735689600000) << 22 AS low FROM statement"
        "  WHERE direction = 'tenant' AND party = $2 ORDER BY until_ms DESC LIMIT $3 + 1)"
        " SELECT s.cycle, s.from_ms, s.until_ms, s.closing, coalesce(f.state, '') AS state, f.as_of,"
        " (SELECT coalesce(sum(l.amount), 0)::int8 FROM ledger l WHERE l.tenant = $1 AND l.kind = 'late_fee' AND l.at >= s.start"
        "  AND l.at < s.stop) AS fees,"
        " (SELECT coalesce(sum(c.amount), 0)::int8 FROM c WHERE c.at >= s.start AND c.at < s.stop AND c.message < s.low) AS came"
        " FROM s LEFT JOIN late_fee f ON f.tenant = $1 AND f.cycle = s.cycle ORDER BY s.until_ms DESC",
        of.tenant_id, of.tenant, CYCLES,
    )  # fmt: skip
    return [Ended(**row) for row in reversed(rows)]


async def came_in(connection: Connection, of: Payer, since_ms: int) -> list[tuple[date, int]]:
    """Return what came in from a moment on, by day of its calendar: bookings in its favour, and refunds of older messages."""
    rows = await connection.fetch(
        f"SELECT (c.at AT TIME ZONE $2)::date AS day, sum(c.amount)::int8 AS amount FROM ({_CREDITS}) c"
        " WHERE c.at >= $3 AND c.message < $4 GROUP BY 1 ORDER BY 1",
        of.tenant_id, of.timezone, datetime.fromtimestamp(since_ms / 1000, UTC), least_id_at(since_ms / 1000),
    )  # fmt: skip
    return [(row["day"], row["amount"]) for row in rows]


async def propose(  # noqa: PLR0917 - the columns of its row
    connection: Connection, tenant_id: int, cycle: str, owed: int, amount: int, due: date, days: int, as_of: date
) -> bool:
    """Write down what a fee comes to; False where that is what stands there, or a person has decided."""
    done = await connection.fetchval(
        "INSERT INTO late_fee (tenant, cycle, owed, amount, due, days, as_of) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (tenant, cycle) DO UPDATE SET owed = excluded.owed, amount = excluded.amount, due = excluded.due,"
        " days = excluded.days, as_of = excluded.as_of WHERE late_fee.state = 'open' AND (late_fee.amount, late_fee.days,"
        " late_fee.as_of, late_fee.due) IS DISTINCT FROM (excluded.amount, excluded.days, excluded.as_of, excluded.due)"
        " RETURNING cycle",
        tenant_id, cycle, owed, amount, due, days, as_of,
    )  # fmt: skip
    return done is not None


async def forget(connection: Connection, tenant_id: int, cycle: str) -> bool:
    """Take an open proposal away for which there is no cause any more; False where there is none."""
    gone = await connection.fetchval(
        "DELETE FROM late_fee WHERE tenant = $1 AND cycle = $2 AND state = 'open' RETURNING cycle", tenant_id, cycle
    )
    return gone is not None


async def proposals(connection: Connection, tenant: str | None = None, *, decided: bool = False) -> list[Proposal]:
    """Return proposals that are open, or all, of one tenant or of all. Raises NoSuchTenant."""
    if tenant is not None and not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM tenant WHERE name = $1)", tenant):
        raise NoSuchTenant(tenant)
    rows = await connection.fetch(
        f"{_PROPOSALS} WHERE ($1::text IS NULL OR t.name = $1) AND ($2 OR f.state = 'open') ORDER BY t.name, f.due LIMIT 10000",
        tenant,
        decided,
    )
    return [Proposal(**row) for row in rows]


_PROPOSALS: Final = (
    "SELECT f.tenant AS tenant_id, t.name AS tenant, t.currency, f.cycle, f.owed, f.amount, f.due, f.days, f.as_of, f.state,"
    " f.ledger, f.actor, f.reason, f.decided_at FROM late_fee f JOIN tenant t ON t.id = f.tenant"
)


async def hold(connection: Connection, tenant_id: int, cycle: str) -> Proposal | None:
    """Lock a proposal until the transaction ends, and return it; None where there is none."""
    row = await connection.fetchrow(f"{_PROPOSALS} WHERE f.tenant = $1 AND f.cycle = $2 FOR UPDATE OF f", tenant_id, cycle)
    return None if row is None else Proposal(**row)


async def decide(connection: Connection, of: Proposal, state: str, ledger: int | None, by: Any) -> None:
    """Write down what a person decided: posted as this row of the ledger, or withdrawn."""
    await connection.execute(
        "UPDATE late_fee SET state = $3, ledger = $4, actor = $5, reason = $6, decided_at = now() WHERE tenant = $1 AND cycle = $2",
        of.tenant_id, of.cycle, state, ledger, *by,
    )  # fmt: skip
