from __future__ import annotations

from smsgw.store import receipts
from smsgw.store.database import Connection
from tests.store.cycles import FAR_MS, Cycles, wait


async def test_what_was_leased_is_read_oldest_first(cycle: Cycles, connection: Connection):
    """An owed row reads back as it was written, claimed, in order of id; what is gone meanwhile is left out."""
    await cycle(owed=[cycle.owed(number, message=number * 10, kind=number % 3) for number in (1, 2, 3)])
    await cycle(leased=[(1, 9)])
    await cycle(put_back=[(2, 4, 1_500, 1)], done=[(3,)])
    read = await receipts.load_owed(connection, [3, 2, 1])
    assert [(one.id, one.account, one.message, one.kind, one.body, one.tries, one.due_at) for one in read] == [
        (1, 1, 10, 1, b"owed 1", 0, 0.0),
        (2, 1, 20, 2, b"owed 2", 4, 1.5),
    ]
    assert [(one.expires_at, one.claimed) for one in read] == [(FAR_MS / 1000, True)] * 2


async def test_the_oldest_free_receipts_go_first(cycle: Cycles, connection: Connection):
    """Over its cap an account loses the oldest of what waits: no MO message, nothing claimed, nothing of another account."""
    rows = [cycle.owed(number, message=number * 10, kind=0) for number in (1, 2, 3, 4)]
    rows += [cycle.owed(5, kind=2), cycle.owed(6, kind=0, node=1), cycle.owed(7, kind=1, account=2)]
    await cycle(owed=rows)
    assert await receipts.free_receipts(connection) == {1: 4, 2: 1}
    assert await receipts.drop_oldest(connection, 1, 3) == 3
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM owed") == [4, 5, 6, 7]


async def test_free_rows_end_with_their_time(cycle: Cycles, connection: Connection):
    """A free row over its time to live goes, at most so many at once; a claimed one is its holder's to end."""
    await cycle(owed=[cycle.owed(number, message=number * 10) for number in (1, 2, 3)] + [cycle.owed(4, node=1), cycle.owed(5)])
    await connection.execute("UPDATE owed SET expires_ms = 1000 WHERE id < 5")
    assert await receipts.expire_owed(connection, 999) == []
    first = await receipts.expire_owed(connection, 1_000, limit=2)
    rest = await receipts.expire_owed(connection, 1_000)
    assert sorted(first + rest) == [(1, 10), (1, 20), (1, 30)]
    assert (len(first), len(rest)) == (2, 1)
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM owed") == [4, 5]


async def test_parked_receipts_are_read_in_pages(cycle: Cycles, connection: Connection):
    """Pages follow one another by id, to the last one, which is empty."""
    await cycle(park=[cycle.parked(number, key=f"key {number}") for number in (3, 1, 2)])
    page = await receipts.load_parked(connection, 0, 2)
    assert page == [
        receipts.ParkedReceipt(1, 7, 5, "key 1", b"parked 1", FAR_MS / 1000),
        receipts.ParkedReceipt(2, 7, 5, "key 2", b"parked 2", FAR_MS / 1000),
    ]
    page = await receipts.load_parked(connection, page[-1].id, 2)
    assert [parked.id for parked in page] == [3]
    assert await receipts.load_parked(connection, 3, 2) == []


async def test_what_waits_is_counted(cycle: Cycles, connection: Connection):
    """Free and claimed, owed and waiting, and what is parked."""
    owed = [cycle.owed(number, node=number % 2) for number in range(5)]
    waiting = [wait(number, node=int(number > 3)) for number in range(6)]
    new = [cycle.new(number) for number in range(6)]
    await cycle(new=new, owed=owed, wait=waiting, park=[cycle.parked(1)])
    assert await receipts.counts(connection) == {
        "owed_free": 3,
        "owed_claimed": 2,
        "parked": 1,
        "waiting_free": 4,
        "waiting_claimed": 2,
    }
