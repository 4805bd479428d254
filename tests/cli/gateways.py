"""A gateway's outer face for the command line's tests: its two servers, in a loop of their own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from smsgw.admin.control import Answer, ControlServer, Provider
from smsgw.admin.http import AdminServer
from smsgw.telemetry import Meters


@dataclass
class Answering:
    """What answers: its settings file, and what it lacks to be ready (change it at will)."""

    config: Path
    missing: list[str] = field(default_factory=list)


@contextmanager
def answering(
    directory: Path, providers: Mapping[str, Provider], answers: Mapping[str, Answer] | None = None
) -> Iterator[Answering]:
    """Serve admin address and control socket until the block ends."""
    gateway = Answering(directory / "smsgw.toml")
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        admin, control = AdminServer(Meters(), lambda: list(gateway.missing)), ControlServer(providers, answers=answers)
        port = await admin.start("127.0.0.1", 0)
        await control.start(directory / "admin.sock")
        gateway.config.write_text(f'[node]\ndata_dir = "{directory}"\n[admin]\nlisten = "127.0.0.1:{port}"\n')
        up.set()
        await asyncio.to_thread(down.wait)
        await control.stop()
        await admin.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(10)
        yield gateway
    finally:
        down.set()
        thread.join()
