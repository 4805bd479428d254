"""What provisioning does to a tenant's balance: it is opened once, and held to its credit limit. One function a statement.

What people book afterwards is `store.books`, what messages cost is the unit of work's.

Must never: book an opening balance twice; set a limit that the balance is below already.
"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from smsgw.store.database import Connection


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
