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


async def test_what_a_counter_of_a_cap_holds(connection: Connection):
    """What is younger than asked for counts; a counter that is not there holds nothing; answers come in the order of questions."""
    await connection.execute("INSERT INTO recipient_cap VALUES (-7, '{100, 200, 300}', 1)")
    assert await limits.caps_used(connection, [(9, 0), (-7, 100), (-7, 0)]) == [0, 2, 3]


async def test_counters_of_caps_are_pruned(connection: Connection):
    """Those whose hour is over go, and of those over the bound the ones that would go first."""
    hour = await connection.fetchval("SELECT extract(epoch FROM now())::int8 / 3600")
    rows = [(1, hour - 1), (2, hour), (3, hour + 1), (4, hour + 2)]
    await connection.executemany("INSERT INTO recipient_cap VALUES ($1, '{}', $2)", rows)
    assert await limits.prune_caps(connection, 3) == (3, 0)
    assert await limits.prune_caps(connection, 2) == (2, 1)
    assert [row["key"] for row in await connection.fetch("SELECT key FROM recipient_cap ORDER BY key")] == [3, 4]


async def test_one_node_prunes_at_a_time(connection: Connection, database: str):
    """Two that drop what is over the bound at once would drop twice as much: the second one leaves it."""
    other = await connect(database)
    await connection.execute("INSERT INTO recipient_cap SELECT n, '{}', 2000000000 FROM generate_series(1, 9) AS n")
    async with connection.transaction():
        await limits.prune_caps(connection, 5)
        assert (await limits.prune_caps(other, 5))[1] == 0
    await other.close()
    assert await limits.prune_caps(connection, 5) == (5, 0)
