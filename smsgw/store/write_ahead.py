"""Segments of the write-ahead log, made before they are needed.

A new segment is 16 MiB of zeros that must reach the disk while every commit waits: 50 to 100 ms, each 12,000 messages. A server
that has been through its first checkpoints uses old segments again and is spared that; this brings a new server to that point
before anybody is let in.

Must never: touch the server's files, or take the last room of a disk: what is made here the server makes, when there is plenty.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import asyncpg

SEGMENT: Final = 16 * 1024 * 1024
SPARE: Final = 4
"""How many times the room that the segments take must be free on the disk."""

_AHEAD: Final = """
SELECT count(*) FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(pg_current_wal_lsn())
"""
_USE_UP: Final = "SELECT pg_logical_emit_message(false, 'smsgw', ''), pg_switch_wal()"


async def make_ahead(connection: asyncpg.Connection[Any], mebibytes: int, disk: Path) -> int:
    """Make segments until about `mebibytes` lie ready, if less than half does; returns how many were made. Superuser only."""
    wanted = mebibytes * 1024 * 1024 // SEGMENT
    ready = int(await connection.fetchval(_AHEAD))
    if ready * 2 >= wanted or shutil.disk_usage(disk).free < SPARE * wanted * SEGMENT:
        return 0
    for _ in range(wanted - ready):
        await connection.execute(_USE_UP)
    await connection.execute("CHECKPOINT")  # it gives the used segments the names of coming ones
    return wanted - ready
