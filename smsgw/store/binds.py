"""Binds, counted over all nodes: a row each, taken under a lock of its account. `adopt()` clears those of a dead node."""

from __future__ import annotations

from typing import Any


async def claim(  # noqa: PLR0917 - the columns of its row
    connection: Any, node: int, epoch: int, session: int, account: int, kind: str, limit: int, of_kind: int = 0, address: str = ""
) -> bool:
    """Count a bind over all nodes; False when the account has its number already, of all kinds or of this one (0: no limit)."""
    return bool(
        await connection.fetchval(
            "SELECT claim_bind($1, $2, $3, $4, $5, $6, $7, $8)", node, epoch, session, account, kind, limit, of_kind, address
        )
    )


async def release(connection: Any, node: int, epoch: int, sessions: list[int]) -> None:
    """Give binds back."""
    await connection.execute("DELETE FROM bind WHERE node = $1 AND epoch = $2 AND session = ANY ($3)", node, epoch, sessions)
