"""Legal holds, and what deletes while one is set."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator

import pytest

from smsgw.store import legal_holds, partitions, retentions
from smsgw.store.contents import Filter
from smsgw.store.database import Connection, connect
from smsgw.store.ids import least_id_at
from smsgw.store.legal_holds import HeldMeanwhile

NOW = datetime.datetime.now(datetime.UTC)
OLD = least_id_at((NOW - datetime.timedelta(days=200)).timestamp())
COURT = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def court(database: str) -> AsyncIterator[Connection]:
    """Somebody else, who sets holds."""
    opened = await connect(database)
    yield opened
    await opened.close()


@pytest.fixture
async def old(connection: Connection) -> Connection:
    """A message of tenant 1 whose time is long over, in a day of its own, with content."""
    await partitions.ensure_days(connection, NOW - datetime.timedelta(days=200), ahead=0)
    await connection.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination) VALUES ($1, 1, 1, 10, 0, 0, 0, 1, 4, 0, 1, 'ACME', '4915112345678')",
        OLD,
    )
    await connection.execute("INSERT INTO content (class, id, body) VALUES (0, $1, 'hello')", OLD)
    return connection


async def hold(court: Connection, tenant: int = 1) -> int:
    """Set a hold, as its command does."""
    async with court.transaction():
        return await legal_holds.hold(court, Filter(tenant), "court", "ann")


async def test_a_hold_ends_once(connection: Connection):
    """Released, it is still listed; again, there is none."""
    number = await legal_holds.hold(connection, Filter(1), "court", "ann")
    assert (await legal_holds.release(connection, number), await legal_holds.release(connection, number)) == ("tenant 1", None)
    (row,) = await legal_holds.holds(connection)
    assert row["released_at"] is not None


async def test_what_deletes_while_a_hold_is_set_is_undone(old: Connection, court: Connection):
    """Also what it took before the hold came; a hold on another tenant undoes nothing."""
    async with legal_holds.heeding(old, 1):
        await hold(court, tenant=2)
        await old.execute("DELETE FROM content")
    await old.execute("INSERT INTO content (class, id, body) VALUES (0, $1, 'hello')", OLD)

    async def purge() -> None:
        async with legal_holds.heeding(old, 1):
            await old.execute("DELETE FROM content")
            await hold(court)

    with pytest.raises(HeldMeanwhile):
        await purge()
    assert await old.fetchval("SELECT count(*) FROM content") == 1
    async with legal_holds.heeding(old, 1):  # it stands: what looks is to see it
        assert await old.fetchval("SELECT legally_held(1, 1, $1)", OLD)


async def test_a_hold_waits_for_what_was_first(old: Connection, court: Connection, database: str):
    """Once deleting has come to its end, a hold is set after its COMMIT and not in between."""
    watch = await connect(database)
    async with old.transaction():
        await old.execute("DELETE FROM content")
        await legal_holds.wait_with_new(old)
        setting = asyncio.ensure_future(hold(court))
        while not await watch.fetchval(COURT):  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0)
        assert not setting.done()
        assert await watch.fetchval("SELECT count(*) FROM legal_hold") == 0
    assert await setting == 1
    await watch.close()


async def test_a_round_of_retention_gives_way(old: Connection, court: Connection, monkeypatch: pytest.MonkeyPatch):
    """A hold between its look and its end keeps what it was about to delete, and the round says that there is more to do."""
    look = legal_holds.wait_with_new

    async def meanwhile(connection: Connection) -> None:
        monkeypatch.undo()
        await hold(court)
        await look(connection)

    monkeypatch.setattr(legal_holds, "wait_with_new", meanwhile)
    assert await retentions.keep(old, NOW.timestamp(), str) == retentions.Passed(0, 0, more=True)
    assert await retentions.keep(old, NOW.timestamp(), str) == retentions.Passed()
    assert await old.fetchval("SELECT count(*) FROM content") == 1


async def test_a_day_is_not_dropped_behind_a_hold(old: Connection, court: Connection, monkeypatch: pytest.MonkeyPatch):
    """A hold that comes after the look at a day and before the day goes keeps it."""
    look = partitions._has_open

    async def meanwhile(*given: object) -> bool:
        if not await court.fetchval("SELECT count(*) FROM legal_hold"):
            await hold(court)
        return await look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(partitions, "_has_open", meanwhile)
    done = await partitions.drop_old(old, NOW)
    day = f"{NOW - datetime.timedelta(days=200):%Y%m%d}"
    assert {f"content_0_{day}", f"message_{day}"} <= set(done.kept)
    assert await old.fetchval("SELECT count(*) FROM message m JOIN content c ON c.class = 0 AND c.id = m.id") == 1
