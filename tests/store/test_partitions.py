from __future__ import annotations

import datetime

import asyncpg
import pytest

from smsgw.store.database import Connection, connect
from smsgw.store.partitions import day_range, default_rows, drop_old, empty_default, ensure_days

NOW = datetime.datetime(2026, 3, 1, 23, 59, tzinfo=datetime.UTC)
TODAY = NOW.date()
DAY = datetime.timedelta(days=1)


@pytest.fixture
async def small(connection: Connection) -> Connection:
    """Two small partitioned tables: one whose open rows hold a day, one that only has its time."""
    await connection.execute("""
        DROP SCHEMA public CASCADE;
        CREATE SCHEMA public;
        CREATE TABLE partitioned (parent text PRIMARY KEY, retention_days int NOT NULL, storage text NOT NULL,
                                  kept_from int8 NOT NULL DEFAULT 0);
        CREATE TABLE message (id int8 PRIMARY KEY, state int2 NOT NULL DEFAULT 10, tenant int4, account int4,
                              done_ms int8 NOT NULL DEFAULT 0) PARTITION BY RANGE (id);
        CREATE TABLE legal_hold (tenant int4, account int4, from_id int8, until_id int8, released_at timestamptz);
        CREATE TABLE message_default PARTITION OF message DEFAULT;
        CREATE TABLE reference (at int8 NOT NULL, what text) PARTITION BY RANGE (at);
        CREATE TABLE reference_default PARTITION OF reference DEFAULT;
        CREATE INDEX reference_what ON reference (what);
        INSERT INTO partitioned VALUES ('message', 3, 'fillfactor = 55'), ('reference', 1, '');
    """)
    return connection


def test_a_day_is_one_range_of_ids():
    """The first id of 2025-01-01 is 0, a day has 86,400,000 ms of 2^22 ids, and days touch without a gap."""
    assert day_range(datetime.date(2025, 1, 1)) == (0, 86_400_000 << 22)
    assert day_range(TODAY)[1] == day_range(TODAY + DAY)[0]


async def test_makes_today_and_the_days_ahead_once(small: Connection):
    """Today and the days ahead get a partition with the parent's storage settings; a second run finds them there."""
    done = await ensure_days(small, NOW, ahead=2)
    assert done.made[:3] == ("message_20260301", "message_20260302", "message_20260303")
    assert len(done.made) == 6
    assert await small.fetchval("SELECT reloptions FROM pg_class WHERE relname = 'message_20260302'") == ["fillfactor=55"]
    assert (await ensure_days(small, NOW, ahead=2)).made == ()


async def test_a_row_goes_to_its_day(small: Connection):
    """The last id of a day and the first of the next lie in different partitions, none in the DEFAULT one."""
    await ensure_days(small, NOW, ahead=1)
    first, after = day_range(TODAY)
    await small.execute("INSERT INTO message SELECT unnest($1::int8[])", [first, after - 1, after])
    rows = await small.fetch("SELECT tableoid::regclass::text AS part, count(*) FROM message GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("message_20260301", 2), ("message_20260302", 1)]
    assert await default_rows(small) == {"message": 0, "reference": 0}


async def test_old_days_are_dropped_and_young_ones_stay(small: Connection):
    """A day goes when it is over for longer than its parent's retention, each parent by its own."""
    await ensure_days(small, NOW - 5 * DAY, ahead=5)
    done = await drop_old(small, NOW)
    assert done.dropped == (
        *("message_20260224", "message_20260225"),
        *("reference_20260224", "reference_20260225", "reference_20260226", "reference_20260227"),
    )
    kept = dict(await small.fetch("SELECT parent, kept_from FROM partitioned"))
    assert kept == {"message": day_range(TODAY - 3 * DAY)[0], "reference": day_range(TODAY - DAY)[0]}


async def test_a_day_with_an_open_message_is_never_dropped(small: Connection):
    """One open row holds its day, however old, and the day goes once the row is final."""
    await ensure_days(small, NOW - 9 * DAY, ahead=0)
    await small.execute("INSERT INTO message VALUES ($1, 6)", day_range(TODAY - 9 * DAY)[0] + 5)
    assert (await drop_old(small, NOW)).held == ("message_20260220",)
    await small.execute("UPDATE message SET state = 10")
    assert (await drop_old(small, NOW)).dropped == ("message_20260220",)


async def test_what_waits_for_no_receipt_holds_no_day(small: Connection):
    """SENT with a time of its end is an end: a day of such messages goes like any other."""
    await ensure_days(small, NOW - 9 * DAY, ahead=0)
    await small.execute("INSERT INTO message (id, state, done_ms) VALUES ($1, 6, 1)", day_range(TODAY - 9 * DAY)[0] + 5)
    assert (await drop_old(small, NOW)).dropped == ("message_20260220", "reference_20260220")


async def test_a_day_that_a_legal_hold_means_is_kept(small: Connection):
    """It is listed and stays while the hold does, if a message of that tenant and account is in it; others' days go."""
    await ensure_days(small, NOW - 9 * DAY, ahead=1)
    first = day_range(TODAY - 9 * DAY)[0]
    await small.execute("INSERT INTO message VALUES ($1, 10, 1, 2), ($2, 10, 7, 2)", first + 5, first + (86_400_000 << 22) + 5)
    await small.execute("INSERT INTO legal_hold VALUES (1, 2, 0, $1)", first * 2)
    done = await drop_old(small, NOW)
    assert (done.kept, done.dropped[:1]) == (("message_20260220",), ("message_20260221",))
    await small.execute("UPDATE legal_hold SET account = 3")
    assert (await drop_old(small, NOW)).dropped == ("message_20260220",)


async def test_rows_in_the_default_partition_are_counted_and_moved(small: Connection):
    """A row that no day was made for crowds out its day until `empty_default` has moved it there."""
    first, _ = day_range(TODAY)
    await small.execute("INSERT INTO reference VALUES ($1, 'a'), ($2, 'b')", first, first + 1)
    assert await default_rows(small) == {"message": 0, "reference": 2}
    assert (await ensure_days(small, NOW, ahead=0)).crowded == ("reference_20260301",)
    assert await empty_default(small, "reference") == 2
    assert await small.fetchval("SELECT count(*) FROM reference_20260301") == 2
    assert await default_rows(small) == {"message": 0, "reference": 0}


async def test_only_one_gateway_does_the_upkeep(small: Connection, database: str):
    """While another session holds the upkeep's lock nothing is made, and nothing waits."""
    other = await connect(database)
    await other.execute("SELECT pg_advisory_lock($1)", 0x736D_7367_7702)
    assert (await ensure_days(small, NOW)).made == ()
    await other.close()


async def test_upkeep_never_waits_long_behind_a_busy_table(small: Connection, database: str, monkeypatch: pytest.MonkeyPatch):
    """A lock that is not to be had is given up after its short time-out, told, and taken the next time."""
    monkeypatch.setattr("smsgw.store.partitions.LOCK_TIMEOUT_MS", 10)
    monkeypatch.setattr("smsgw.store.partitions.TRIES", 2)
    other = await connect(database)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("LOCK TABLE reference_default IN ACCESS SHARE MODE")
    done = await ensure_days(small, NOW, ahead=0)
    assert (done.made, done.busy) == (("message_20260301",), ("reference_20260301",))
    await transaction.rollback()
    await other.close()
    assert (await ensure_days(small, NOW, ahead=0)).made == ("reference_20260301",)


async def test_the_schemas_own_tables_get_their_days(connection: Connection):
    """Every parent named by our own schema can be given days, and refuses a second partition for one of them."""
    done = await ensure_days(connection, NOW, ahead=1)
    parents = await connection.fetchval("SELECT count(*) FROM partitioned")
    assert len(done.made) == 2 * parents
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(f"CREATE TABLE again PARTITION OF message FOR VALUES FROM (0) TO ({day_range(TODAY)[1]})")
