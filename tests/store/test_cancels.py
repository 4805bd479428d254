"""What a cancellation takes from the store: in pages, what nobody has claimed, each once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import msgspec

from smsgw.store import cancels
from smsgw.store.cancels import Cancellation, Filter
from smsgw.store.commit import Seat
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from tests.store.work import seat

FIRST = least_id_at(time.time() - 3600.0)
ALL = Filter(since_id=FIRST, until_id=FIRST + (1 << 40), account=1)


async def waiting(connection: Connection, count: int, state: int = 3, **columns: Any) -> None:
    """So many messages wait for link 7."""
    given = {"resends": 0, **columns}
    await connection.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination, link, resends) SELECT $1::int8 + n, 1, 1, $3, 0, 0, 0, 1, 4, 0, 1, '1069', '86138' || n, 7, $4"
        " FROM generate_series(1, $2::int) AS n",
        FIRST,
        count,
        state,
        given["resends"],
    )
    await connection.execute("INSERT INTO waiting (id, link, state) SELECT id, 7, state FROM message ON CONFLICT DO NOTHING")


async def asked(connection: Connection, meant: Filter = ALL) -> Cancellation:
    """Somebody asks for a cancellation."""
    await cancels.ask(connection, meant, "ann", "fraud")
    return (await cancels.under_way(connection))[-1]


async def taken_by(connection: Connection, one: Cancellation, mine: Seat, *, again: bool = False) -> list[int]:
    """Claim all that a cancellation means, in pages of a thousand; returns what was claimed."""
    taken: list[int] = []
    after: int | None = 0
    while after is not None:
        page, after = await cancels.claim(connection, one, mine, after, 1_000, again=again)
        assert len(page) <= 1_000
        taken += page
    return taken


async def test_it_takes_in_pages_what_nobody_has(connection: Connection):
    """Thousands are claimed a page at a time in the order of their ids, noted once; what another node has is left to it."""
    await waiting(connection, 5_000)
    await connection.execute("UPDATE waiting SET node = 2, epoch = 1 WHERE id % 10 = 0")
    theirs = await connection.fetchval("SELECT count(*) FROM waiting WHERE node = 2")
    mine, one = await seat(connection), await asked(connection)
    taken = await taken_by(connection, one, mine)
    assert taken == sorted(set(taken))
    assert len(taken) == 5_000 - theirs
    assert await connection.fetchval("SELECT count(*) FROM cancelled WHERE cancellation = $1", one.id) == len(taken)
    assert await connection.fetchval("SELECT count(*) FROM waiting WHERE node = 1") == len(taken)
    assert await taken_by(connection, one, mine) == []
    assert await taken_by(connection, one, mine, again=True) == taken
    assert await cancels.left(connection, ALL)


async def test_a_fenced_node_takes_nothing(connection: Connection):
    """Whose epoch has passed claims nothing more."""
    await waiting(connection, 3)
    mine, one = await seat(connection), await asked(connection)
    assert await cancels.claim(connection, one, replace(mine, epoch=mine.epoch - 1), 0, 10) == ([], None)
    assert len((await cancels.claim(connection, one, mine, 0, 10))[0]) == 3


async def test_it_is_finished_once(connection: Connection):
    """Who comes second is told so; from then on numbers are masked, and what was cancelled is counted by its rows."""
    await waiting(connection, 4)
    meant = msgspec.structs.replace(ALL, prefix="86138", source="1069")
    mine, one = await seat(connection), await asked(connection, meant)
    ids, _ = await cancels.claim(connection, one, mine, 0, 10)
    await connection.execute("DELETE FROM waiting")
    await connection.execute("UPDATE message SET state = 15, refund = price WHERE id = ANY ($1::int8[])", ids[:2])
    await connection.execute("UPDATE message SET state = 16 WHERE id = $1", ids[2])
    await connection.execute("UPDATE message SET state = 6, sent_ms = 1 WHERE id = $1", ids[3])
    assert not await cancels.left(connection, meant)
    rows = await cancels.finish(connection, one)
    assert rows is not None
    assert [(row["messages"], row["refund"], row["in_doubt"], row["out"]) for row in rows] == [(2, 2, 1, 1)]
    assert await cancels.finish(connection, one) is None
    assert await cancels.under_way(connection) == []
    (row,) = await cancels.newest(connection, 10)
    assert (row["filter"].prefix, row["filter"].source, row["taken"], row["result"]) == ("86138", "10**", 4, rows)


async def test_what_was_cancelled_is_forgotten_with_its_days(connection: Connection):
    """When retention has dropped the days of messages, nobody asks which of them were cancelled."""
    await cancels.note(connection, 1, [5, 7])
    await cancels.note(connection, 2, [7])
    await cancels.forget(connection)
    assert await connection.fetchval("SELECT count(*) FROM cancelled") == 2
    await connection.execute("UPDATE partitioned SET kept_from = 6 WHERE parent = 'message'")
    await cancels.forget(connection)
    assert await connection.fetch("SELECT message, cancellation FROM cancelled") == [(7, 2)]
