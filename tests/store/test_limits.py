"""Token buckets in the store, and what is pruned."""

from __future__ import annotations

import asyncio

from smsgw.store import limits
from smsgw.store.database import Connection, connect


async def test_what_nodes_take_adds_up(connection: Connection):
    """Two nodes that take a second's worth each leave a bucket that is full in two; both hear of it."""
    first = await limits.share_buckets(connection, [(0, 1, 1.0, 0.0, 1.0)])
    second = await limits.share_buckets(connection, [(0, 1, 1.0, 0.0, 1.0), (1, -5, 0.5, 0.0, 0.5)])
    assert 0.99 < first[0, 1] <= 1.0
    assert 1.9 < second[0, 1] <= 2.0
    assert 0.49 < second[1, -5] <= 0.5


async def test_a_bucket_refills_while_nobody_tells(connection: Connection):
    """What was full again long ago is no credit; what was taken some time ago has been refilled since."""
    await connection.execute("INSERT INTO bucket (kind, key, full_at) VALUES (0, 1, 1000)")
    heard = await limits.share_buckets(connection, [(0, 1, 3.0, 0.5, 0.0)])
    assert 2.4 < heard[0, 1] <= 2.5


async def test_tokens_given_back_come_back(connection: Connection):
    """A node that took and gave back tells the difference, which may be less than nought."""
    await limits.share_buckets(connection, [(0, 1, 2.0, 0.0, 2.0)])
    heard = await limits.share_buckets(connection, [(0, 1, -1.5, 0.0, 0.5)])
    assert 0.4 < heard[0, 1] <= 0.5


async def test_a_start_learns_what_is_not_full(connection: Connection):
    """Full buckets need not be known; of the others the emptiest come first, so many as there is room for."""
    await limits.share_buckets(connection, [(0, 1, 5.0, 0.0, 5.0), (0, 2, 50.0, 0.0, 50.0), (2, 9, 500.0, 0.0, 500.0)])
    await connection.execute("INSERT INTO bucket (kind, key, full_at) VALUES (0, 3, 1000)")
    assert [(kind, key) for kind, key, _ in await limits.load_buckets(connection, 10)] == [(2, 9), (0, 2), (0, 1)]
    assert [key for _, key, _ in await limits.load_buckets(connection, 1)] == [9]


async def test_nodes_tell_at_once(database: str):
    """Two nodes that tell of the same buckets in another order at the same time both are heard, and neither dies."""
    async with asyncio.TaskGroup() as group:

        async def node(rows: list[tuple[int, int, float, float, float]]) -> None:
            opened = await connect(database)
            for _ in range(20):
                await limits.share_buckets(opened, rows)
            await opened.close()

        rows = [(1, key, 1.0, 0.0, 1.0) for key in range(50)]
        group.create_task(node(rows))
        group.create_task(node(rows[::-1]))
    opened = await connect(database)
    assert min(full for _, _, full in await limits.load_buckets(opened, 100)) > 30.0
    await opened.close()


async def test_what_is_over_is_pruned(connection: Connection):
    """Full buckets, windows long past and duplicates that may be sent again go; what is in force stays."""
    await connection.execute("INSERT INTO bucket (kind, key, full_at) VALUES (0, 1, 1000), (0, 2, 4000000000)")
    await connection.execute(
        "INSERT INTO quota (account, span, start, till) SELECT 1, s, t, t + 60 FROM unnest(ARRAY[0, 3, 10, 13]) AS s,"
        " unnest(ARRAY[1000, extract(epoch FROM now())::int8 - 50000]) AS t"
    )
    await connection.execute(
        "INSERT INTO duplicate (account, hash, message, expires_ms)"
        " VALUES (1, gen_random_uuid(), 1, 1000), (1, gen_random_uuid(), 2, 4000000000000)"
    )
    await limits.prune(connection)
    assert await connection.fetchval("SELECT array_agg(key) FROM bucket") == [2]
    assert [row["span"] for row in await connection.fetch("SELECT span FROM quota ORDER BY span")] == [3, 13]
    assert await connection.fetchval("SELECT array_agg(message) FROM duplicate") == [2]
