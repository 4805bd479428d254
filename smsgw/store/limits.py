"""Limits in the store: token buckets as all nodes know them, and what of buckets, quotas, duplicates and caps is over.

A bucket's row says when it will be full again, by the database's clock: nodes need not agree on the time. Quotas, duplicates
and caps are counted by the unit of work (cycle() in the schema); here they are read and pruned.

Must never: hold an address in clear (keys are keyed hashes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from smsgw.store.database import Connection

PRUNED: Final = 5_000
"""Counters of caps that are forgotten at a time: a cycle that wants one of them waits so long."""
_CAPS_LOCK: Final = 0x736D_6361_7073
_EVER: Final = 2_147_483_647
# Without waiting: whoever waits for a row while it holds others would be a party to a deadlock with a cycle.
_FORGET: Final = (
    "DELETE FROM recipient_cap WHERE key IN (SELECT key FROM recipient_cap WHERE keep_h < $1 ORDER BY keep_h LIMIT $2"
    " FOR UPDATE SKIP LOCKED)"
)
_COUNTERS: Final = (
    "SELECT CASE WHEN pg_relation_size('recipient_cap') < 8 << 20 THEN (SELECT count(*) FROM recipient_cap)"
    " ELSE pg_stat_get_live_tuples('recipient_cap'::regclass) END"
)
_SHARE: Final = "SELECT kind, key, full_in FROM share_buckets($1::int2[], $2::int8[], $3::float8[], $4::float8[], $5::float8[])"


async def share_buckets(connection: Any, shares: Sequence[tuple[int, int, float, float, float]]) -> dict[tuple[int, int], float]:
    """Tell what was taken: (kind, key, seconds of refill, first taken so many seconds ago, full again in so many seconds).

    Returns (kind, key) → in how many seconds the bucket is full, all nodes' takings counted.
    """
    rows = await connection.fetch(_SHARE, *map(list, zip(*shares, strict=True)))
    return {(row["kind"], row["key"]): row["full_in"] for row in rows}


async def load_buckets(connection: Any, most: int) -> list[tuple[int, int, float]]:
    """Return (kind, key, full in so many seconds) of the buckets that are not full, the emptiest first."""
    rows = await connection.fetch(
        "SELECT kind, key, full_at - extract(epoch FROM clock_timestamp())::float8 AS full_in FROM bucket"
        " WHERE full_at > extract(epoch FROM clock_timestamp())::float8 ORDER BY full_at DESC LIMIT $1",
        most,
    )
    return [(row["kind"], row["key"], row["full_in"]) for row in rows]


async def used(connection: Any, account: int, span: int, since: int, start: int) -> tuple[int, int]:
    """Return the messages and parts that are counted in a window (`store.quotas`)."""
    row = await connection.fetchrow("SELECT used, parts FROM quota_used($1, $2::int2, $3, $4)", account, span, since, start)
    return row["used"], row["parts"]


async def prune(connection: Connection) -> None:
    """Forget full buckets, windows of quotas that nobody asks for any more, and duplicates that may be sent again."""
    await connection.execute("DELETE FROM bucket WHERE full_at < extract(epoch FROM clock_timestamp())::float8 - 60")
    await connection.execute(
        "DELETE FROM quota WHERE till < extract(epoch FROM clock_timestamp())::int8 - CASE span % 10"
        " WHEN 0 THEN 3600 WHEN 1 THEN 86400 WHEN 2 THEN 40 * 86400 ELSE 400 * 86400 END"
    )
    await connection.execute("DELETE FROM duplicate WHERE expires_ms < (extract(epoch FROM clock_timestamp()) * 1000)::int8")


async def caps_used(connection: Any, counters: Sequence[tuple[int, int]]) -> list[int]:
    """Return how many messages each counter of a cap holds: counters by key, and since when (ms) they count."""
    rows = await connection.fetch(
        "SELECT (SELECT count(*) FROM unnest(c.times) AS t WHERE t > u.since) AS used"
        " FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS u(key, since, n)"
        " LEFT JOIN recipient_cap c ON c.key = u.key ORDER BY u.n",
        *map(list, zip(*counters, strict=True)),
    )
    return [row["used"] for row in rows]


async def prune_caps(connection: Any, most: int) -> tuple[int, int]:
    """Forget counters of caps whose window is over, and of more than `most` those whose window is over first.

    Returns how many there are, about, and how many were dropped before their time. One node at a time, in short transactions, and
    never waits for a cycle.
    """
    hour = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::int8 / 3600")
    while await _forget(connection, hour, PRUNED) == PRUNED:
        pass
    there = await _counters(connection)
    dropped = 0
    while there - dropped > most:
        gone = await _forget(connection, _EVER, min(there - dropped - most, PRUNED))
        if not gone:
            break
        dropped += gone
    return there - dropped, dropped


async def _forget(connection: Any, before_h: int, count: int) -> int:
    """Forget so many counters that need not be kept until an hour; returns how many were, 0 while another node is at it."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _CAPS_LOCK):
            return 0
        done: str = await connection.execute(_FORGET, before_h, count)
    return int(done.rpartition(" ")[2])


async def _counters(connection: Any) -> int:
    """Return how many counters of caps there are: exactly while they are few, else as PostgreSQL has estimated."""
    return int(await connection.fetchval(_COUNTERS))
