from __future__ import annotations

import pytest

from smsgw.model import State
from smsgw.store import texts
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at, seconds_of
from smsgw.store.sealed import ContentKeys
from tests.store.cycles import DAY_IDS, Cycles
from tests.store.work import fund, seat


async def test_texts_come_in_pages_oldest_first(connection: Connection, monkeypatch: pytest.MonkeyPatch):
    """Of the accounts asked for, between two moments, opened by whoever has the keys."""
    monkeypatch.setattr(texts, "PAGE", 2)
    await seat(connection)
    await fund(connection, 100)
    first = DAY_IDS
    await Cycles(connection)(new=[Cycles(connection).new(first + at, account=1 + (at == 3)) for at in range(6)])
    assert least_id_at(seconds_of(first)) == first
    at = seconds_of(first)
    pages = [
        page async for page in texts.pages(connection, [1], at, at + 1, lambda message, body: b"%d:" % (message - first) + body[:0])
    ]
    assert [[(one.id - first, one.body) for one in page] for page in pages] == [
        [(0, b"0:"), (1, b"1:")],
        [(2, b"2:"), (4, b"4:")],
        [(5, b"5:")],
    ]
    assert pages[0][0].state is State.SUBMITTING
    assert [page async for page in texts.pages(connection, [1], at + 1, at + 2)] == []
    await connection.execute("UPDATE content SET body = $1", ContentKeys(lambda: [bytes(32)]).seal(1, b"x"))
    shut = [one async for page in texts.pages(connection, [1], at, at + 1) for one in page]
    assert shut == [], "what does not open is left out"
