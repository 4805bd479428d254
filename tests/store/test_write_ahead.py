"""Segments of the write-ahead log, made ahead on a server of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsgw.store.database import EmbeddedServer, connect, remove_scratch, scratch_directory
from smsgw.store.write_ahead import make_ahead

_READY = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn()) AND name ~ '^[0-9A-F]{24}$'"


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory for a server; the server and the directory are gone afterwards."""
    path = scratch_directory("smsgw-ahead-")
    yield path
    asyncio.run(EmbeddedServer(path).stop())
    remove_scratch(path)


async def test_segments_lie_ready_once_and_survive_a_checkpoint(scratch: Path) -> None:
    """A new server gets its segments made; one that has them gets no more, and a checkpoint takes none away."""
    connection = await connect(await EmbeddedServer(scratch).start())
    try:
        made = await make_ahead(connection, 96, scratch)
        assert made >= 5
        assert await connection.fetchval(_READY) >= made - 1
        await connection.execute("CHECKPOINT")
        assert await make_ahead(connection, 96, scratch) == 0
        assert await connection.fetchval(_READY) >= made - 1
    finally:
        await connection.close()


async def test_a_disk_without_room_is_left_alone(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where four times the room is not free, nothing is made: a full disk would stop the server."""
    monkeypatch.setattr("smsgw.store.write_ahead.SPARE", 1 << 40)
    connection = await connect(await EmbeddedServer(scratch).start())
    try:
        assert await make_ahead(connection, 96, scratch) == 0
    finally:
        await connection.close()
