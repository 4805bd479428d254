"""What a node stands on: laid on a real database, given up at the end, refused where it would not hold."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from smsgw import config as settings
from smsgw.ground import Ground
from smsgw.store import nodes
from smsgw.store.database import Connection, connect
from smsgw.wire import Clock
from tests.rig import process_settings, provision, provisioning


def ground(database: str, data_dir: Path, *, more: str = "", probed: list[str] | None = None) -> Ground:
    """Return the ground of node 1, not laid yet."""
    config = settings.parse(process_settings(database, data_dir, more=more))
    return Ground(config, Clock(), probe=None if probed is None else probed.append)


async def test_it_stands_until_its_stack_ends(database: str, tmp_path: Path):
    """Laid, it has the keys, what is provisioned and the seat; the connection that took the seat is handed out, its pool ends."""
    await provision(database, tmp_path, provisioning(1))
    probed: list[str] = []
    found = ground(database, tmp_path, probed=probed)
    async with AsyncExitStack() as stack:
        await found.lay(stack)
        assert probed == ["seated"]
        assert found.directory.account("acme1") is not None
        assert found.seating.seat.node == 1
        first = await found.connect_again()
        assert await first.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
        await first.close()
        assert await found.pool.fetchval("SELECT 1") == 1
    with pytest.raises(asyncpg.InterfaceError):
        await found.pool.fetchval("SELECT 1")


async def test_a_lost_connection_is_replaced_with_the_lock(database: str, connection: Connection, tmp_path: Path):
    """The second connection of the unit of work holds the node's lock, as the first one did."""
    await provision(database, tmp_path, provisioning(1))
    found = ground(database, tmp_path)
    async with AsyncExitStack() as stack:
        await found.lay(stack)
        (await found.connect_again()).terminate()
        second = await found.connect_again()
        locks = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1", second.get_server_pid()
        )
        assert locks == 1
        await second.close()


async def test_a_clock_far_behind_is_refused(database: str, tmp_path: Path):
    """Ids given far ahead of this clock mean that one of the two clocks is wrong: that is said, and nothing serves."""
    connection = await connect(database)
    await connection.execute("INSERT INTO node (id, last_ms) VALUES (1, (1::int8 << 40))")
    await connection.close()
    async with AsyncExitStack() as stack:
        with pytest.raises(nodes.ClockAhead, match="ahead of this clock"):
            await ground(database, tmp_path).lay(stack)
