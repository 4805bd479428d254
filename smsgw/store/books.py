"""The books by hand: what people book on a tenant's balance, beside what the unit of work does. One function a statement.

Every booking is a row of its own with actor and reason, and moves the balance in the caller's transaction. Locks are taken in the
order of the unit of work: a message's row, then the balance. The database refuses to change or delete what was booked.

Must never: decide who may book; leave a row without its balance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import asyncpg

from smsgw.model import State
from smsgw.store.database import Connection

LOCK_WAIT: Final = "5s"
"""How long a booking waits for a balance; the unit of work holds one for milliseconds."""
SETTLED_MS: Final = 60_000
"""A message that was sent so long ago is in no gateway's memory any more, whatever it still waits for."""


class By(NamedTuple):
    """Who books, and why."""

    actor: str
    reason: str


class NoSuchTenant(Exception):
    """There is no tenant of this name; the text is the name."""


class ReferenceTaken(Exception):
    """A reference was booked before; the text says what under it."""


class Refused(Exception):
    """The books do not allow it; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A tenant's balance as it stands (Money)."""

    tenant_id: int
    tenant: str
    currency: str
    amount: int
    credit_limit: int

    @property
    def available(self) -> int:
        """What may still be spent."""
        return self.amount + self.credit_limit


async def patience(connection: Connection) -> None:
    """Wait for no lock longer than `LOCK_WAIT` in this transaction."""
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")


_BALANCE: Final = (
    "SELECT t.id AS tenant_id, t.name AS tenant, t.currency, coalesce(b.amount, 0) AS amount,"
    " coalesce(b.credit_limit, t.credit_limit) AS credit_limit FROM tenant t LEFT JOIN balance b ON b.tenant = t.id"
)


async def balances(connection: Connection, tenant: str | None = None) -> list[Balance]:
    """Return the balance of one tenant, or those of all by name. Raises NoSuchTenant."""
    rows = await connection.fetch(f"{_BALANCE} WHERE $1::text IS NULL OR t.name = $1 ORDER BY t.name", tenant)
    if tenant is not None and not rows:
        raise NoSuchTenant(tenant)
    return [Balance(**row) for row in rows]


async def state_of(connection: Connection, tenant_id: int) -> str:
    """Return the word of the state that a contract stands in."""
    word = await connection.fetchval("SELECT state FROM standing WHERE kind = 'tenant' AND subject = $1", tenant_id)
    return word or "active"


async def hold(connection: Connection, tenant: str) -> Balance:
    """Lock a tenant's balance until the transaction ends, and return it. Raises NoSuchTenant."""
    found = await connection.fetchrow(f"{_BALANCE} WHERE t.name = $1", tenant)
    if found is None:
        raise NoSuchTenant(tenant)
    held = await connection.fetchrow("SELECT amount, credit_limit FROM balance WHERE tenant = $1 FOR UPDATE", found["tenant_id"])
    if held is None:
        raise Refused(f"tenant {tenant!r} has no balance: apply it first")
    return Balance(**{**found, **held})


async def book(  # noqa: PLR0917 - the columns of its row
    connection: Connection, of: Balance, kind: str, amount: int, day: int, by: By, reference: str = ""
) -> int:
    """Book an amount on a balance that is held; returns the row's number. Raises ReferenceTaken and Refused."""
    if reference:
        before = await connection.fetchrow(
            "SELECT id, kind, amount, at, actor FROM ledger WHERE tenant = $1 AND reference = $2", of.tenant_id, reference
        )
        if before is not None:
            what = f"{before['kind']} number {before['id']}, by {before['actor']} at {before['at']:%Y-%m-%d %H:%M:%S} UTC"
            raise ReferenceTaken(f"reference {reference!r} is booked already: {what}")
    if amount < 0 and of.amount + amount < -of.credit_limit:
        raise Refused("the balance does not cover it: it would go below the credit limit")
    number = await connection.fetchval(
        "INSERT INTO ledger (tenant, kind, day, amount, actor, reason, reference) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        of.tenant_id, kind, day, amount, *by, reference,
    )  # fmt: skip
    try:
        await connection.execute("UPDATE balance SET amount = amount + $2 WHERE tenant = $1", of.tenant_id, amount)
    except asyncpg.NumericValueOutOfRangeError:
        raise Refused("the balance would be larger than it can be") from None
    return int(number)


async def provision_credit_limit(connection: Connection, tenant: str, limit: int) -> None:
    """Write down a tenant's credit limit; `set_credit_limit` makes it real, last: whoever sends waits for the balance."""
    await connection.execute("UPDATE tenant SET credit_limit = $2 WHERE name = $1", tenant, limit)


async def set_credit_limit(connection: Connection, of: Balance, limit: int) -> None:
    """Let a balance that is held go down to this limit. Raises Refused."""
    try:
        await connection.execute("UPDATE balance SET credit_limit = $2 WHERE tenant = $1", of.tenant_id, limit)
    except asyncpg.CheckViolationError:
        raise Refused("the balance is below the new credit limit: top it up first") from None


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a refund by hand gave back."""

    message: int
    tenant: str
    amount: int
    balance: int


async def refund_message(connection: Connection, message: int, day: int, now_ms: int, by: By) -> Refunded | None:
    """Give a message's price back, once; None when there is no such message. Raises Refused.

    The message's row first and the balance after it, as the unit of work does: each waits for the other's transaction, never both.
    """
    row = await connection.fetchrow(
        "SELECT m.id, m.tenant, m.state, m.price, m.refund, m.sent_ms, t.name FROM message m LEFT JOIN tenant t ON t.id = m.tenant"
        " WHERE m.id = $1 FOR UPDATE OF m",
        message,
    )
    if row is None:
        return None
    _check_refundable(dict(row), now_ms)
    await connection.execute("UPDATE message SET refund = price, rev = rev + 1 WHERE id = $1", message)
    await connection.execute("SELECT 1 FROM balance WHERE tenant = $1 FOR UPDATE", row["tenant"])
    given = await connection.fetchval(
        "INSERT INTO refund (message, tenant, day, amount, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (message) DO NOTHING RETURNING amount",
        message, row["tenant"], day, row["price"], *by,
    )  # fmt: skip
    if given is None:
        raise Refused(f"message {message} was refunded before")
    await connection.execute(
        "SELECT book($1, 'refund', ARRAY[$2::int4], ARRAY[$3::int8], ARRAY[1::int8])", day, row["tenant"], given
    )
    amount = await connection.fetchval(
        "UPDATE balance SET amount = amount + $2 WHERE tenant = $1 RETURNING amount", row["tenant"], given
    )
    return Refunded(message, row["name"] or f"tenant {row['tenant']}", given, amount)


def _check_refundable(row: Mapping[str, Any], now_ms: int) -> None:
    """Refuse what has cost nothing, was given back, or is still on its way in some gateway's memory."""
    state = State(row["state"])
    if row["refund"]:
        raise Refused(f"message {row['id']} was refunded before")
    if not row["price"]:
        raise Refused(f"message {row['id']} has cost nothing")
    settled = state is State.SENT and 0 < row["sent_ms"] < now_ms - SETTLED_MS
    if state < State.DELIVERED and not settled:
        raise Refused(f"message {row['id']} is still on its way ({state.name}): ask again when it has ended")


async def history(connection: Connection, tenant: str, *, since: int | None = None, limit: int = 1_000) -> list[asyncpg.Record]:
    """Return the newest bookings of a tenant, oldest first: since a day (of 1970), at most `limit`. Raises NoSuchTenant."""
    (of,) = await balances(connection, tenant)
    rows = await connection.fetch(
        "SELECT id, at, day, kind, amount, messages, actor, reason, reference FROM ledger"
        " WHERE tenant = $1 AND ($2::int4 IS NULL OR day >= $2) ORDER BY id DESC LIMIT $3",
        of.tenant_id,
        since,
        limit,
    )
    return rows[::-1]


async def refunds_by_hand(connection: Connection, tenant: str, *, limit: int = 1_000) -> list[asyncpg.Record]:
    """Return the newest refunds that people gave, oldest first."""
    rows = await connection.fetch(
        "SELECT r.message, r.at, r.amount, r.actor, r.reason FROM refund r JOIN tenant t ON t.id = r.tenant"
        " WHERE t.name = $1 AND r.reason <> '' ORDER BY r.at DESC LIMIT $2",
        tenant,
        limit,
    )
    return rows[::-1]
