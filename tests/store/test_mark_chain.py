"""What recipients said as a chain: whatever row is altered, removed or slipped in is named."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from smsgw.store import audits, mark_chain, marks
from smsgw.store.chain import Fault, Head
from smsgw.store.database import Connection, connect
from smsgw.store.migrations import migrate
from tests.store.test_audits import FORGING, SCHEMA
from tests.store.test_marks import codes, put, setting

WAITING = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
                   AND database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))"""
"""Whether somebody waits for a lock here."""


async def said(connection: Connection, count: int, start: int = 1) -> None:
    """So many numbers refuse, each in a transaction of its own, and one of them comes back."""
    out, _ = await codes(connection)
    for number in range(start, start + count - 1):
        await put(connection, setting(number, out))
    await put(connection, setting(start, out, active=False, word="退订, 1:x"))


async def test_what_recipients_say_is_one_chain(connection: Connection):
    """Also several in one statement; the walk comes to the head that the store notes, and only the newest can be asked for."""
    out, blocked = await codes(connection)
    await said(connection, 3)
    await put(connection, setting(7, out), setting(8, out), setting(7, blocked))
    found = await mark_chain.verify(connection)
    assert (found.rows, found.fault, found.head) == (6, None, await mark_chain.head(connection))
    assert (await mark_chain.verify(connection, last=2)).rows == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE mark_event SET word = 'x' WHERE id = 2",
        "UPDATE mark_event SET number = number + 1 WHERE id = 2",
        "UPDATE mark_event SET active = false WHERE id = 2",
        "UPDATE mark_event SET at = at + interval '1 microsecond' WHERE id = 2",
        "UPDATE mark_event SET actor = 'eve', reason = '' WHERE id = 2",
        "UPDATE mark_link SET content = sha256('x') WHERE event = 2",
        "UPDATE mark_link SET hash = sha256('x') WHERE event = 2",
        "DELETE FROM mark_event WHERE id = 2",
    ],
)
async def test_the_row_that_was_tampered_with_is_named(connection: Connection, change: str):
    """Whatever of it was changed, in the row or its link, or if it is gone."""
    await said(connection, 4)
    await connection.execute(FORGING)
    await connection.execute(change)
    found = (await mark_chain.verify(connection)).fault
    assert found is not None
    assert (found.number, found.id) == (2, 2)


async def test_a_scope_that_was_changed_is_found(connection: Connection):
    """Whose refusal it was is part of what a row says."""
    await said(connection, 2)
    await connection.execute(FORGING)
    await connection.execute("UPDATE mark_scope SET owner = 9")
    assert (await mark_chain.verify(connection)).fault == Fault(1, 1, "does not say what it said: the row was changed")


@pytest.mark.parametrize(("which", "place"), [("2", 2), ("4", 4)])
async def test_a_row_removed_with_its_link_is_missed(connection: Connection, which: str, place: int):
    """Also the newest: the head says how far the chain had come."""
    await said(connection, 4)
    await connection.execute(FORGING)
    await connection.execute(f"DELETE FROM mark_event WHERE id = {which}; DELETE FROM mark_link WHERE event = {which}")
    found = (await mark_chain.verify(connection)).fault
    assert found is not None
    assert (found.number, "is missing" in found.why) == (place, True)


async def test_a_row_slipped_in_is_named(connection: Connection):
    """One that was written past the trigger has no link."""
    await said(connection, 2)
    await connection.execute(FORGING)
    await connection.execute(
        "INSERT INTO mark_event (at, number, scope, active, source, actor) VALUES (now(), 5, 1, true, 'x', 'x')"
    )
    assert (await mark_chain.verify(connection)).fault == Fault(3, 3, "has no place in the chain")


async def test_a_chain_made_anew_does_not_meet_what_the_audit_noted(connection: Connection):
    """The head is noted once for each time that the chain has gone on; who rewrites it whole is found out by that."""
    assert not await mark_chain.note(connection)
    await said(connection, 3)
    assert await mark_chain.note(connection)
    assert not await mark_chain.note(connection)
    assert (await audits.verify(connection)).rows == 1
    assert (await mark_chain.verify(connection)).fault is None
    await connection.execute(FORGING)
    await connection.execute("DELETE FROM mark_event WHERE id = 2; DELETE FROM mark_link; DELETE FROM mark_scope WHERE id > 2")
    head = "UPDATE mark_head SET place = 0, hash = decode(repeat('00', 32), 'hex')"
    await connection.execute(f"{head}; CREATE TEMP TABLE kept AS SELECT * FROM mark_event; DELETE FROM mark_event")
    await connection.execute("RESET session_replication_role")
    await connection.execute("INSERT INTO mark_event OVERRIDING SYSTEM VALUE SELECT * FROM kept ORDER BY id")
    assert (await mark_chain.verify(connection)).fault == Fault(3, 0, "was noted in the audit, and the chain does not go there")
    await said(connection, 3, start=50)
    found = (await mark_chain.verify(connection)).fault
    assert found is not None
    assert (found.number, "noted" in found.why) == (3, True)


async def test_nobody_changes_or_removes_what_was_said(connection: Connection):
    """Rows, links, scopes and the head: SG002."""
    await said(connection, 2)
    for statement in (
        *("UPDATE mark_event SET word = ''", "DELETE FROM mark_event", "TRUNCATE mark_event", "UPDATE mark_link SET place = 0"),
        *("DELETE FROM mark_link", "TRUNCATE mark_link CASCADE", "UPDATE mark_scope SET key = 'x'", "DELETE FROM mark_head"),
    ):
        with pytest.raises(asyncpg.PostgresError) as raised:
            await connection.execute(statement)
        assert raised.value.sqlstate == "SG002"


async def test_old_rows_are_chained_by_the_migration(connection: Connection, tmp_path: Path):
    """What was said before there was a chain gets its place in the order in which it was written."""
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for file in sorted(SCHEMA.glob("*.sql")):
        if file.name < "0017":
            shutil.copy(file, tmp_path)
    await migrate(connection, tmp_path)
    await said(connection, 4)
    await migrate(connection)
    await said(connection, 2, start=90)
    found = await mark_chain.verify(connection)
    assert (found.rows, found.fault, Head.parse(str(found.head))) == (6, None, found.head)


async def test_what_another_node_notes_during_the_migration_is_chained(connection: Connection, database: str, tmp_path: Path):
    """Its row is in no snapshot of the migration's, and would have no place in the chain for good."""
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for file in sorted(SCHEMA.glob("*.sql")):
        if file.name < "0017":
            shutil.copy(file, tmp_path)
    await migrate(connection, tmp_path)
    await said(connection, 2)
    other = await connect(database)
    try:
        out, _ = await codes(other)
        async with asyncio.TaskGroup() as group:
            async with other.transaction():
                await marks.lock(other)
                await marks.put(other, [setting(50, out)])
                migrating = group.create_task(migrate(connection))
                while not await other.fetchval(WAITING):
                    assert not migrating.done()
            await migrating
    finally:
        await other.close()
    found = await mark_chain.verify(connection)
    assert (found.rows, found.fault) == (3, None)


async def test_a_number_is_shown_with_its_middle_hidden(connection: Connection):
    """Once for each number, as it was written first; one of which nothing is shown has no row."""
    out, blocked = await codes(connection)
    await put(connection, setting(1, out)._replace(masked="8613****8000"), setting(2, out))
    await put(connection, setting(1, blocked)._replace(masked="other"))
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM recipient_mask")] == [(1, "8613****8000")]
    assert await marks.last_change(connection) == 3
