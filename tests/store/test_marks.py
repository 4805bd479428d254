"""Marks in the store: set and lifted, told in the order of COMMITs, packed for nodes, kept for good."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from smsgw.policy.marks import Marks, Scope, packed
from smsgw.store import marks as store
from smsgw.store.database import Connection, connect
from tests.contract import contract

AT = datetime(2026, 11, 25, tzinfo=UTC)
OUT, BLOCKED = ("opt_out", "account", 1, ""), ("block", "platform", 0, "")


def setting(number: int, scope: int, *, active: bool = True, make: bool = True, word: str = "TD") -> store.Setting:
    """A mark as a handset sets it."""
    return store.Setting(number, scope, active, AT, "handset", "handset", word, "10690001", "17", "", make)


async def put(connection: Connection, *settings: store.Setting) -> int:
    """Set marks in a transaction of their own."""
    async with connection.transaction():
        await store.lock(connection)
        return await store.put(connection, list(settings))


async def codes(connection: Connection) -> tuple[int, int]:
    """The numbers of two scopes."""
    found = await store.codes_of(connection, [OUT, BLOCKED, OUT])
    assert await store.codes_of(connection, [OUT]) == {OUT: found[OUT]}
    assert await store.known_codes(connection, [OUT, ("block", "tenant", 9, "")]) == {OUT: found[OUT]}
    return found[OUT], found[BLOCKED]


async def test_what_is_set_twice_is_set_once(connection: Connection):
    """A mark that is there already changes nothing and leaves no event; lifted and set again it does."""
    out, _ = await codes(connection)
    assert await store.codes_of(connection, []) == {}
    assert await put(connection) == 0
    assert await put(connection, setting(-5, out), setting(7, out)) == 2
    assert await put(connection, setting(-5, out), setting(8, out)) == 1
    assert await put(connection, setting(-5, out, active=False, word="START")) == 1
    assert await put(connection, setting(99, out, active=False, make=False)) == 0
    rows = await connection.fetch("SELECT number, active, word FROM mark_event ORDER BY id")
    assert [tuple(row) for row in rows] == [(-5, True, "TD"), (7, True, "TD"), (8, True, "TD"), (-5, False, "START")]
    assert await connection.fetchval("SELECT count(*) FROM mark WHERE number = 99") == 0


async def test_nodes_read_what_changed_since(connection: Connection):
    """Changes come oldest first, above the one that is known; a mark that changed twice comes once, as it is now."""
    out, blocked = await codes(connection)
    assert await store.last_change(connection) == 0
    await put(connection, setting(1, out), setting(2, out))
    known = await store.last_change(connection)
    await put(connection, setting(1, out, active=False), setting(1, blocked))
    changes = await store.changes_above(connection, known, 100)
    assert [change[:3] for change in changes] == [(1, out, False), (1, blocked, True)]
    assert changes[-1][3] == await store.last_change(connection)
    assert await store.changes_above(connection, 0, 1) == [(2, out, True, changes[0][3] - 1)]
    assert await store.scopes_above(connection, out) == {blocked: BLOCKED}


async def test_a_writer_that_began_first_is_not_overtaken(connection: Connection, database: str):
    """Two writers take turns: whoever reads up to the newest change has missed none below it."""
    out, _ = await codes(connection)
    other = await connect(database, name="other")
    try:
        async with connection.transaction():
            await store.lock(connection)
            await store.put(connection, [setting(1, out)])
            waiting = asyncio.ensure_future(put(other, setting(2, out)))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        assert await waiting == 1
        assert [change[0] for change in await store.changes_above(connection, 0, 10)] == [1, 2]
    finally:
        await other.close()


async def test_a_snapshot_is_packed(connection: Connection):
    """All active marks in pages, sorted as the arrays want them, negative hashes too; lifted ones are left out."""
    out, blocked = await codes(connection)
    await put(connection, *(setting(number, out) for number in range(-5, 6)), setting(0, blocked))
    await put(connection, setting(3, out, active=False))
    everything = await store.snapshot(connection, page=4)
    assert [len(numbers) // 8 for numbers, _ in everything.pages] == [4, 4, 3]
    assert everything.change == await store.last_change(connection)
    numbers, scopes = packed(everything.pages)
    assert list(zip(numbers, scopes, strict=True)) == [
        *((number, out) for number in range(-5, 0)),
        *((0, min(out, blocked)), (0, max(out, blocked))),
        *((number, out) for number in (1, 2, 4, 5)),
    ]
    marks = Marks(b"k")
    marks.know({code: Scope(*key) for code, key in everything.scopes.items()})
    assert marks.blocking


async def test_events_are_never_changed(connection: Connection):
    """Who refused and who took it back when is evidence: PostgreSQL itself keeps it."""
    out, _ = await codes(connection)
    await put(connection, setting(1, out))
    for statement in ("UPDATE mark_event SET actor = 'x'", "DELETE FROM mark_event", "TRUNCATE mark_event"):
        with pytest.raises(asyncpg.PostgresError, match="never changed"):
            await connection.execute(statement)


async def test_a_change_wakes_whoever_listens(connection: Connection, database: str):
    """NOTIFY comes at COMMIT; nothing changed, nothing said; a lost connection wakes too."""
    out, _ = await codes(connection)
    async with store.listening(database) as (listener, changed):
        assert await put(connection, setting(1, out)) == 1
        await asyncio.wait_for(changed.wait(), 5)
        changed.clear()
        assert await put(connection, setting(1, out)) == 0
        pid = listener.get_server_pid()
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        await asyncio.wait_for(changed.wait(), 5)


async def test_people_see_names(connection: Connection):
    """The marks of a number, and the newest events, with whose they are; hashes alone, never numbers."""
    await contract(connection, "acme1")
    account = await connection.fetchval("SELECT id FROM account")
    tenant = await connection.fetchval("SELECT id FROM tenant")
    keys = [("opt_out", "signature", account, "某某"), ("block", "tenant", tenant, ""), BLOCKED]
    found = await store.codes_of(connection, keys)
    await put(connection, *(setting(-1, code) for code in found.values()))
    (row,) = await store.of_number(connection, "opt_out", -1)
    assert (row["account"], row["tenant"], row["level"], row["key"], row["active"]) == ("acme1", "acme", "signature", "某某", True)
    assert (row["word"], row["service"], row["reference"]) == ("TD", "10690001", "17")
    blocks = await store.newest(connection, "block", None, 10)
    assert [(row["level"], row["tenant"], row["account"]) for row in blocks] == [("platform", None, None), ("tenant", "acme", None)]
    assert blocks[0]["number"] == "f" * 16
    assert await store.newest(connection, "opt_out", "other", 10) == []
    assert await store.owner_name(connection, "account", account) == "acme1"
    assert await store.owner_name(connection, "tenant", 99) == "99"
