"""The rows of one message: found by its ids, with what stands beside it."""

from __future__ import annotations

from smsgw.store import traces
from smsgw.store.database import Connection
from tests.store.cycles import Cycles, change, quote
from tests.store.work import fund


async def test_a_message_is_read_with_what_is_kept_of_it(connection: Connection):
    """Its row, its refund, whether it waits; None for one that is not there."""
    await fund(connection, 100)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(7, price=10), cycle.new(8, price=10)], short=[(8, 1, quote("00000001"))])
    await cycle(changed=[change(7, refund=10, upstream="ab1")], owed=[cycle.owed(70, message=7)])
    row = await traces.find(connection, 7)
    assert row is not None
    assert (row["refund"], row["waits"], row["kept"], row["held"]) == (10, False, True, None)
    assert [one["id"] for one in await traces.owed(connection, 1, 7)] == [70]
    assert await traces.complaints(connection, 7) == []
    assert await traces.find(connection, 9) is None


async def test_ids_of_either_side_find_it(connection: Connection):
    """Our own, the short one of a 3.3 session, the carrier's by its link; nothing else."""
    await fund(connection, 100)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(7), cycle.new(8)], short=[(8, 1, quote("0000000a"))])
    await cycle(changed=[change(7, upstream="ab1"), change(8, upstream="ab2")])
    assert await traces.by_text_id(connection, "7") == [7]
    assert await traces.by_text_id(connection, "0000000A") == [8]
    assert await traces.by_text_id(connection, "99999999999999999999") == []
    assert await traces.by_carrier_id(connection, 8, ["ab1", "x"], 0) == [7]
    assert await traces.by_carrier_id(connection, 9, ["ab1"], 0) == []
    assert await traces.by_carrier_id(connection, 8, ["ab1"], 8) == []
