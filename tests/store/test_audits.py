"""The audit's chain in a real store: made by whoever commits, walked by whoever doubts."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from smsgw.store import audits, provisioning
from smsgw.store.chain import Fault, Head
from smsgw.store.database import Connection, connect
from smsgw.store.migrations import migrate

SCHEMA = Path(provisioning.__file__).parent / "schema"
FORGING = "SET session_replication_role = replica"


async def write(connection: Connection, count: int, actor: str = "ann") -> None:
    """Leave so many rows, each in a transaction of its own."""
    for number in range(count):
        await provisioning.audit(connection, actor, ("account", f"acme{number}"), None, {"name": "张三", "n": [1.50, None]}, "why")


async def given_up(connection: Connection) -> None:
    """Leave rows, and take them back."""
    async with connection.transaction():
        await write(connection, 2)
        raise RuntimeError


async def test_a_chain_of_rows_fits(connection: Connection):
    """Rows of one and of several to a transaction are one chain, and its end is the head that the store notes."""
    await write(connection, 2)
    async with connection.transaction():
        await write(connection, 3)
    found = await audits.verify(connection)
    assert (found.rows, found.fault, found.head) == (5, None, await audits.head(connection))


async def test_what_is_taken_back_leaves_no_gap(connection: Connection):
    """A transaction that fails, and a savepoint that is left, take no place."""
    await write(connection, 1)
    with pytest.raises(RuntimeError):
        await given_up(connection)
    async with connection.transaction():
        await write(connection, 1)
        with pytest.raises(RuntimeError):
            await given_up(connection)
    assert (await audits.verify(connection)) == audits.Verified(2, await audits.head(connection))


@pytest.mark.parametrize(
    "flip",
    [
        "actor = 'bob'",
        "at = at + interval '1 microsecond'",
        "new = jsonb_set(new, '{name}', '\"x\"')",
        "old = '{}'",
        "reason = 'Why'",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 1)",
        "previous = set_byte(previous, 0, get_byte(previous, 0) # 1)",
    ],
)
@pytest.mark.parametrize("place", [1, 3, 5])
async def test_a_flipped_byte_is_found_at_its_row(connection: Connection, flip: str, place: int):
    """Whatever is changed in whichever row behind the triggers' back, the walk stops there."""
    await write(connection, 5)
    await connection.execute(FORGING)
    await connection.execute(f"UPDATE audit SET {flip} WHERE number = {place}")
    found = await audits.verify(connection)
    assert found.fault is not None
    assert found.fault.number == place
    assert found.fault.id == await connection.fetchval("SELECT id FROM audit WHERE number = $1", place)
    assert found.rows == place - 1


@pytest.mark.parametrize("place", [1, 3, 5])
async def test_a_deleted_row_is_missed(connection: Connection, place: int):
    """Also the first and the last: the head says how far the chain had come."""
    await write(connection, 5)
    await connection.execute(FORGING)
    await connection.execute("DELETE FROM audit WHERE number = $1", place)
    found = await audits.verify(connection)
    assert found.fault is not None
    assert (found.fault.number, found.fault.id) == (place, 0)


async def test_a_row_slipped_in_is_found(connection: Connection):
    """What was written past the triggers has no place in the chain."""
    await write(connection, 2)
    await connection.execute(FORGING)
    await write(connection, 1, "mallory")
    found = await audits.verify(connection)
    assert found.fault is not None
    assert "no place" in found.fault.why


async def test_a_chain_made_anew_does_not_meet_its_anchor(connection: Connection):
    """Who rewrites all of it and its head is found out by a head that was noted elsewhere."""
    await write(connection, 3)
    noted = await audits.head(connection)
    assert (await audits.verify(connection, anchors=[noted])).fault is None
    await connection.execute(FORGING)
    await connection.execute("DELETE FROM audit; UPDATE audit_head SET number = 0, hash = decode(repeat('00', 32), 'hex')")
    await connection.execute("RESET session_replication_role")
    await write(connection, 2, "mallory")
    assert (await audits.verify(connection)).fault is None
    found = (await audits.verify(connection, anchors=[noted])).fault
    assert found == Fault(3, 0, "was noted elsewhere, and the chain does not go there")
    await write(connection, 2, "mallory")
    found = (await audits.verify(connection, anchors=[noted])).fault
    assert found == Fault(3, 0, "has not the hash that was noted for it")


async def test_rows_are_kept(connection: Connection):
    """Nobody changes, deletes or empties: SG002."""
    await write(connection, 1)
    for statement in (
        "UPDATE audit SET reason = 'x'",
        "UPDATE audit SET hash = NULL",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DELETE FROM audit_head",
    ):
        with pytest.raises(asyncpg.PostgresError, match="evidence"):
            await connection.execute(statement)


async def test_several_write_at_once(database: str, connection: Connection):
    """Six connections, each with transactions of several rows, make one chain without a gap."""

    async def busy(actor: str) -> None:
        own = await connect(database, name=actor)
        try:
            for _ in range(15):
                async with own.transaction():
                    await write(own, 3, actor)
        finally:
            await own.close()

    await asyncio.gather(*(busy(f"actor{number}") for number in range(6)))
    found = await audits.verify(connection)
    assert (found.rows, found.fault) == (6 * 15 * 3, None)


async def test_who_waits_for_a_balance_holds_up_no_audit(database: str, connection: Connection):
    """The chain is locked at COMMIT alone: one may audit and then wait for what another, who audits meanwhile, holds."""
    await connection.execute("INSERT INTO balance (tenant, amount) VALUES (1, 0)")
    other = await connect(database)
    async with asyncio.TaskGroup() as group, other.transaction():
        await other.execute("UPDATE balance SET amount = 1")

        async def waits() -> None:
            async with connection.transaction():
                await write(connection, 1)
                await connection.execute("UPDATE balance SET amount = 2")

        group.create_task(waits())
        await asyncio.sleep(0)
        await write(other, 1)
    await other.close()
    assert (await audits.verify(connection)).rows == 2


async def test_only_the_newest_can_be_asked_for(connection: Connection):
    """A bounded walk does not see what lies before it."""
    await write(connection, 6)
    await connection.execute(FORGING)
    await connection.execute("UPDATE audit SET actor = 'bob' WHERE number = 2")
    assert (await audits.verify(connection, last=3)).fault is None
    assert (await audits.verify(connection, last=3)).rows == 3
    assert (await audits.verify(connection, last=99)).fault is not None


async def test_rows_are_found(connection: Connection):
    """By kind, name and actor, the newest first."""
    await write(connection, 3)
    await write(connection, 1, "bob")
    assert [row["number"] for row in await audits.find(connection, "account", None, "ann", None, 2)] == [3, 2]
    (row,) = await audits.find(connection, None, "acme0", "bob", None, 9)
    assert (row["new"]["name"], row["old"], row["reason"]) == ("张三", None, "why")
    assert Head.parse(f"{row['number']}:{row['hash']}") == await audits.head(connection)


async def test_old_rows_are_chained_by_the_migration(connection: Connection, tmp_path: Path):
    """A store that was there before gets its chain in the order of its rows, and goes on from there."""
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for file in sorted(SCHEMA.glob("*.sql")):
        if file.name < "0010":
            shutil.copy(file, tmp_path)
    await migrate(connection, tmp_path)
    await write(connection, 4)
    await migrate(connection)
    await write(connection, 1)
    found = await audits.verify(connection)
    assert (found.rows, found.fault) == (5, None)
