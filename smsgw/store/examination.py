"""What `smsgw doctor` asks the database beside the invariants: its clock, its schema, the days made ahead, its nodes.

Reads only, each question in milliseconds. Must never wait for a lock or write.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from smsgw.model import EPOCH_MS
from smsgw.store.migrations import read_migrations
from smsgw.store.partitions import _parents, _partitions

if TYPE_CHECKING:
    from smsgw.store.database import Connection


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node as the store knows it. `heartbeat_age_s`: by the database's clock; `ids_at`: Unix seconds its ids may have come to."""

    node: int
    heartbeat_age_s: float
    ids_at: float


async def clock_skew_s(connection: Connection) -> float:
    """Seconds that this machine's clock is ahead of the database's, to within half of the question's way there and back."""
    before = time.time()
    theirs = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return (before + time.time()) / 2 - float(theirs)


async def missing_migrations(connection: Connection) -> tuple[str, ...]:
    """Files of this program that the database has not had; all of them when it has none."""
    ours = read_migrations()
    if not await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
        return tuple(migration.name for migration in ours)
    rows = await connection.fetch("SELECT number FROM schema_migration")
    there = {row["number"] for row in rows}
    return tuple(migration.name for migration in ours if migration.number not in there)


async def days_ahead(connection: Connection, now: datetime.datetime) -> dict[str, int]:
    """For how many days, today included, each parent has partitions without a gap."""
    today = now.astimezone(datetime.UTC).date()
    ahead = {}
    for parent in await _parents(connection):
        there = await _partitions(connection, parent)
        ahead[parent.name] = next(n for n in count() if parent.partition(today + datetime.timedelta(days=n)) not in there)
    return ahead


async def nodes_seen(connection: Connection) -> list[NodeSeen]:
    """All nodes that have ever been seated."""
    rows = await connection.fetch(
        "SELECT id, extract(epoch FROM clock_timestamp() - heartbeat)::float8 AS age, last_ms FROM node WHERE epoch > 0 ORDER BY id"
    )
    return [NodeSeen(row["id"], row["age"], (row["last_ms"] + EPOCH_MS) / 1000) for row in rows]
