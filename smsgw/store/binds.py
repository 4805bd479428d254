"""Binds, counted over all nodes: a row each, taken under a lock of its account. `adopt()` clears those of a dead node."""

from __future__ import annotations

from typing import Any


async def claim(  # noqa: PLR0917 - the columns of its row
    connection: Any, node: int, epoch: int, session: int, account: int, kind: str, limit: int, of_kind: int = 0
) -> bool:
    """Count a bind over all nodes; False when the account has its number already, of all kinds or of this one (0: no limit)."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", 0x534D5342, account)
        if limit or of_kind:
            row = await connection.fetchrow(
                "SELECT count(*) AS every, count(*) FILTER (WHERE kind = $2) AS same FROM bind WHERE account = $1", account, kind
            )
            if row["every"] >= limit > 0 or row["same"] >= of_kind > 0:
                return False
        await connection.execute(
            "INSERT INTO bind (node, epoch, session, account, kind) VALUES ($1, $2, $3, $4, $5)",
            node,
            epoch,
            session,
            account,
            kind,
        )
    return True


async def release(connection: Any, node: int, epoch: int, sessions: list[int]) -> None:
    """Give binds back."""
    await connection.execute("DELETE FROM bind WHERE node = $1 AND epoch = $2 AND session = ANY ($3)", node, epoch, sessions)
