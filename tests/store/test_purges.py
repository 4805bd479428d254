"""What there is of a tenant and what went, in pages; the whole of it, with a certificate: tests/admin/test_purging.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsgw.store import purges
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.purges import PURGED, Found, Gone
from tests.store.test_marks import put, setting

ENDED = datetime(2026, 11, 1, tzinfo=UTC)
SENT = datetime(2026, 10, 1, tzinfo=UTC)
FIRST = least_id_at(SENT.timestamp())


@pytest.fixture
async def store(connection: Connection) -> Connection:
    """Five messages of a tenant, one of another."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY'), ('borg', 'EUR')")
    await connection.execute("INSERT INTO account (tenant, system_id) VALUES (1, 'a1'), (2, 'b1')")
    for number in range(6):
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination) VALUES ($1, $2, $2, 10, 0, 0, 0, 1, 4, 0, 1, 'ACME', '8613800138000')",
            FIRST + number, 2 if number == 5 else 1,
        )  # fmt: skip
    return connection


async def test_a_page_follows_the_one_before_it(store: Connection, monkeypatch: pytest.MonkeyPatch):
    """In order of id, each message once; what went is counted with its span, and is no more there to be found."""
    monkeypatch.setattr(purges, "PAGE", 2)
    seen: list[int] = []
    while page := await purges.page_of(store, "numbers", 1, ENDED, seen[-1] if seen else 0):
        await purges.take(store, "numbers", 1, page)
        seen += page
    assert seen == [FIRST + number for number in range(5)]
    assert await purges.gone(store, 1) == [Gone("numbers", 5, SENT, SENT)]
    assert {found.kind: found.free for found in await purges.survey(store, 1, ENDED)} == dict.fromkeys(purges.KINDS, 0)
    assert await store.fetchval("SELECT count(*) FROM message WHERE destination = $1", PURGED) == 5


async def test_rows_of_marks_go_only_once_they_are_let_go(store: Connection):
    """With their number as people see it, unless it is on record elsewhere; and the marks themselves."""
    code = await store.fetchval("INSERT INTO mark_scope (kind, level, owner) VALUES ('opt_out', 'account', 1) RETURNING id")
    other = await store.fetchval("INSERT INTO mark_scope (kind, level, owner) VALUES ('block', 'platform', 0) RETURNING id")
    await put(store, setting(7, code)._replace(masked="86*7"), setting(8, code)._replace(masked="86*8"), setting(8, other))
    ids = await purges.page_of(store, "marks", 1, ENDED, 0)
    assert ids == [1, 2]
    with pytest.raises(Exception, match="never changed or deleted"):
        await purges.take(store, "marks", 1, ids)
    async with store.transaction():
        page, digest = await purges.let_go(store, ids)
        assert (page, len(digest), await purges.take(store, "marks", 1, ids)) == (1, 64, 2)
    assert [tuple(row) for row in await store.fetch("SELECT number, scope FROM mark")] == [(8, other)]
    assert [row["masked"] for row in await store.fetch("SELECT masked FROM recipient_mask")] == ["86*8"]


async def test_what_a_court_holds_is_named(store: Connection):
    """With how much it is; nobody can say until when."""
    await store.execute(
        "INSERT INTO legal_hold (tenant, from_id, until_id, reason, actor) VALUES (1, $1, $2, 'court', 'ann')", FIRST, FIRST + 2
    )
    found = {one.kind: one for one in await purges.survey(store, 1, ENDED)}
    assert found["numbers"] == Found("numbers", 3, (purges.Held(2, "under a legal hold"),))
