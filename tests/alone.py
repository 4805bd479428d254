"""What measurements that run by themselves share (`python -m tests.storm`): a server of their own, and a sender beside them.

Gateway, database, carrier and sender are processes of their own, as they are for whoever runs smsgw; under pytest the database is
the session's instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory


@contextlib.asynccontextmanager
async def own_server(name: str) -> AsyncIterator[tuple[EmbeddedServer, Path]]:
    """Start a migrated server in a directory of its own, beside it one for gateways; neither is left behind."""
    directory = scratch_directory(f"smsgw-{name}-")
    server = EmbeddedServer(directory)
    try:
        connection = await connect(await server.start())
        await migrate(connection)
        await connection.close()
        gateways = directory / "gateways"
        gateways.mkdir()
        yield server, gateways
    finally:
        try:
            await server.stop()
        finally:
            remove_scratch(directory)


async def send(port: int, report: Path, *, most_s: float, **options: Any) -> dict[str, Any]:
    """Let a simulated tenant send, so long at the most (`smsgw.sim tenant`, its options by their names); returns its report."""
    report.unlink(missing_ok=True)
    asked = {"port": port, "password": "secret", "sessions": 4, "octets": 100, "json": report, **options}
    words = (f"--{key.replace('_', '-')}={value}" for key, value in asked.items())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "smsgw.sim", "tenant", *words, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(most_s):
        await process.wait()
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


async def until_stored(dsn: str, count: float) -> None:
    """Wait until so many messages are stored."""
    connection = await connect(dsn)
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT count(*) FROM message") < count:
                await connection.execute("SELECT pg_sleep(0.05)")
    finally:
        await connection.close()
