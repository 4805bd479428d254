from __future__ import annotations

import datetime

from smsgw.store import examination, nodes, partitions
from smsgw.store.database import Connection
from smsgw.store.migrations import read_migrations

NOW = datetime.datetime(2026, 5, 4, 12, 0, tzinfo=datetime.UTC)


async def test_one_machine_has_one_clock(connection: Connection):
    """On one machine the two clocks differ by less than the question takes."""
    assert abs(await examination.clock_skew_s(connection)) < 0.5


async def test_a_migrated_database_lacks_nothing(connection: Connection):
    """After the migrations none is missing; one that is taken out of the books is named."""
    assert await examination.missing_migrations(connection) == ()
    last = read_migrations()[-1]
    await connection.execute("DELETE FROM schema_migration WHERE number = $1", last.number)
    assert await examination.missing_migrations(connection) == (last.name,)


async def test_an_empty_database_lacks_everything(connection: Connection):
    """A database that smsgw never saw lacks all files."""
    await connection.execute("DROP TABLE schema_migration")
    assert await examination.missing_migrations(connection) == tuple(one.name for one in read_migrations())


async def test_days_are_counted_up_to_the_first_gap(connection: Connection):
    """What is made ahead counts from today to the first day that is missing."""
    await partitions.ensure_days(connection, NOW, ahead=3)
    ahead = await examination.days_ahead(connection, NOW)
    assert set(ahead.values()) == {4}
    await connection.execute("DROP TABLE message_20260506")
    assert (await examination.days_ahead(connection, NOW))["message"] == 2


async def test_nodes_are_seen_with_age_and_ids(connection: Connection):
    """A node that was seated shows how old its heartbeat is and how far its ids may have come."""
    assert await examination.nodes_seen(connection) == []
    await nodes.take_seat(connection, 3, 0)
    await connection.execute("UPDATE node SET last_ms = 1000")
    (seen,) = await examination.nodes_seen(connection)
    assert seen.node == 3
    assert 0 <= seen.heartbeat_age_s < 60
    assert seen.ids_at == 1_735_689_601.0
