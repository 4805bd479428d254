"""Nodes: who may write, since when, and whose work is to be taken up.

A node is alive while a connection of its holds its advisory lock and its heartbeat is fresh. Its epoch rises only when a
process starts or another node takes over; what writes under an older epoch is fenced by cycle().

Never here: what a message needs next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from smsgw.store.commit import Seat

LOCK_CLASS: Final = 0x534D5347
"""The first key of the nodes' advisory locks; the second is the node id."""

LOCK_WAIT_S: Final = 30

# A restart of PostgreSQL drops every lock: silence is counted from then at the earliest. A beat that lies ahead was told before the
# clock was put back, and none since.
_SILENT: Final = (
    "pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => $2)"
    " AND abs(extract(epoch FROM clock_timestamp() - heartbeat)) > $2"
)


class SeatTaken(Exception):
    """Another process runs as this node: two cannot share one id."""


class ClockAhead(Exception):
    """The clock stands far behind ids that were given before, so it was far ahead then or is wrong now."""


@dataclass(frozen=True, slots=True)
class Seating:
    """A seat that was taken, the newest id time of the node (ms since the ids' epoch) and what adoption found."""

    seat: Seat
    last_ms: int
    adopted: dict[str, int]


async def hold_lock(connection: asyncpg.Connection[Any], node: int) -> None:
    """Take the node's advisory lock on this connection; waits while a dead predecessor's backend lingers. Raises SeatTaken."""
    try:
        await connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
        await connection.execute("SELECT pg_advisory_lock($1, $2)", LOCK_CLASS, node)
    except asyncpg.LockNotAvailableError as error:
        msg = f"node {node} is running elsewhere: stop that process, or give this one another [node] id"
        raise SeatTaken(msg) from error
    finally:
        await connection.execute("SET lock_timeout = 0")


async def take_seat(connection: asyncpg.Connection[Any], node: int, now_ms: int) -> Seating:
    """Start as this node: hold its lock, raise its epoch, take up what its last process left. One transaction."""
    await hold_lock(connection, node)
    async with connection.transaction():
        await connection.execute("INSERT INTO node (id) VALUES ($1) ON CONFLICT DO NOTHING", node)
        row = await connection.fetchrow(
            "UPDATE node SET epoch = epoch + 1, heartbeat = clock_timestamp() WHERE id = $1 RETURNING epoch", node
        )
        assert row is not None
        adopted = await connection.fetchval("SELECT adopt($1, $2)", node, now_ms)
        last_ms = await connection.fetchval("SELECT last_ms FROM node WHERE id = $1", node)
    return Seating(Seat(node, row["epoch"]), last_ms, json.loads(adopted))


async def dead_nodes(connection: asyncpg.Connection[Any], own: int, takeover_s: float) -> list[int]:
    """Return nodes whose heartbeat is older than `takeover_s` by the database's clock, counted from its start at the latest.

    One that lies ahead by as much was told before that clock was put back, and none since: that is as old.
    """
    rows = await connection.fetch(
        f"SELECT id FROM node WHERE id <> $1 AND epoch > 0 AND {_SILENT}"
        " AND (EXISTS (SELECT 1 FROM bind b WHERE b.node = node.id)"
        "      OR EXISTS (SELECT 1 FROM waiting w WHERE w.node = node.id)"
        "      OR EXISTS (SELECT 1 FROM owed o WHERE o.node = node.id)"
        "      OR EXISTS (SELECT 1 FROM message m WHERE m.id >= node.low_water"
        "                 AND (m.id >> 12) & 1023 = node.id AND m.state < 10))",
        own,
        takeover_s,
    )
    return [row["id"] for row in rows]


async def take_over(connection: asyncpg.Connection[Any], node: int, now_ms: int, takeover_s: float) -> dict[str, int] | None:
    """Adopt a dead node's work under a raised epoch; None when it lives after all: its lock is held, or its heart beats again."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, node):
        return None
    try:
        async with connection.transaction():
            raised = await connection.fetchval(
                f"UPDATE node SET epoch = epoch + 1 WHERE id = $1 AND {_SILENT} RETURNING epoch", node, takeover_s
            )
            if raised is None:
                return None
            adopted = await connection.fetchval("SELECT adopt($1, $2)", node, now_ms)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", LOCK_CLASS, node)
    found: dict[str, int] = json.loads(adopted)
    return found


async def others_live(connection: asyncpg.Connection[Any], own: int, takeover_s: float) -> bool:
    """Tell whether another node has been alive lately: then references must be written at settle."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM node WHERE id <> $1 AND heartbeat > clock_timestamp() - make_interval(secs => $2))",
            own,
            takeover_s * 3,
        )
    )


async def prune_tokens(connection: asyncpg.Connection[Any], hours: int = 1) -> None:
    """Forget answers of cycles that nobody can replay any more: all old ones but the last of each node.

    A node that lost its connection at COMMIT asks for its last one, however long it was away.
    """
    await connection.execute(
        "DELETE FROM commit_token t WHERE t.at < now() - make_interval(hours => $1)"
        " AND (t.epoch, t.seq) < (SELECT l.epoch, l.seq FROM commit_token l WHERE l.node = t.node"
        "                         ORDER BY l.epoch DESC, l.seq DESC LIMIT 1)",
        hours,
    )
