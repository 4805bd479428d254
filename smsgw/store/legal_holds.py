"""Legal holds: whose messages stay, whatever retention or purge asks, until somebody releases them; how what deletes heeds them.

Two orders are possible, and both are right. A hold is set first: what deletes sees it. Or what deletes has come to its end first:
a hold waits for its COMMIT, which is all that is left of it. What was deleting when a hold came is undone whole, whatever it had
taken by then; so no hold waits for a long purge.

Promises: nothing that a hold means goes after it was told to be set. Must never: delete anything itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from smsgw.store.database import Connection

if TYPE_CHECKING:
    from smsgw.store.contents import Filter

_LOCK: Final = 0x736D_7367_7704
_STANDING: Final = "SELECT id FROM legal_hold WHERE released_at IS NULL AND ($1::int4 IS NULL OR tenant = $1)"


class HeldMeanwhile(Exception):
    """A legal hold was set while something was deleted: nothing was."""


@asynccontextmanager
async def heeding(connection: Connection, tenant: int | None = None) -> AsyncIterator[None]:
    """A transaction that deletes what no hold means, by its own look; undone where one was set meanwhile. Raises HeldMeanwhile.

    `tenant`: whose data it deletes; None: anybody's.
    """
    async with connection.transaction():
        before = await _standing(connection, tenant)
        yield
        await wait_with_new(connection)
        if await _standing(connection, tenant) - before:
            raise HeldMeanwhile


async def wait_with_new(connection: Connection) -> None:
    """Have new holds wait for this transaction's end; those that are being set are waited for."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _LOCK)


async def _standing(connection: Connection, tenant: int | None) -> set[int]:
    return {row["id"] for row in await connection.fetch(_STANDING, tenant)}


async def hold(connection: Connection, meant: Filter, reason: str, actor: str) -> int:
    """Let nothing of these messages go until it is released; returns the hold's number. It holds from the caller's COMMIT on."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    return int(
        await connection.fetchval(
            "INSERT INTO legal_hold (tenant, account, from_id, until_id, reason, actor) VALUES ($1, $2, $3, $4, $5, $6)"
            " RETURNING id",
            meant.tenant, meant.account, meant.from_id, meant.until_id, reason, actor,
        )
    )  # fmt: skip


async def release(connection: Connection, number: int) -> str | None:
    """End a legal hold; returns whose it was, None if there is none of this number that holds."""
    tenant: str | None = await connection.fetchval(
        "UPDATE legal_hold h SET released_at = clock_timestamp() WHERE id = $1 AND released_at IS NULL"
        " RETURNING coalesce((SELECT t.name FROM tenant t WHERE t.id = h.tenant), 'tenant ' || h.tenant)",
        number,
    )
    return tenant


async def holds(connection: Connection) -> list[asyncpg.Record]:
    """Return all legal holds, the newest first; also those that were released."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT h.id, coalesce(t.name, 'tenant ' || h.tenant) AS tenant, coalesce(a.system_id, '') AS account, h.from_id,"
        " h.until_id, h.reason, h.actor, h.at, h.released_at FROM legal_hold h LEFT JOIN tenant t ON t.id = h.tenant"
        " LEFT JOIN account a ON a.id = h.account ORDER BY h.id DESC"
    )
    return rows
