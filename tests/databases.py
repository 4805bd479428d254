"""A real PostgreSQL for the tests: one server a session, one database a test, copied from a migrated template.

The copies are made ahead by a thread, and dropped by it, so that a test seldom waits for either. The server is configured
like the product's own, and what a test shows with it holds outside: a process that is killed loses nothing that it has written.

Its data lie in memory (/dev/shm) where there is room: making and dropping a database is making and dropping 560 files, which a
disk takes a second or two for and memory a twentieth of one. Whether a disk keeps what it was given is no test's business here;
the crash campaigns, which come nearest to it, have servers of their own, on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import os
import queue
import re
import shutil
import tempfile
import threading
from pathlib import Path

import asyncpg

from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory
from smsgw.store.embedded import reachable_programs
from smsgw.store.partitions import ensure_days
from smsgw.store.server_user import server_user

_PREFIX = "smsgw-test-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the names below it
_ROOM = 1 << 30  # a run with two workers takes a third of it; a container may have 64 MiB in all
_SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "64MB",
    "min_wal_size": "64MB",  # what is not kept for later is room for databases
    "max_wal_size": "256MB",
}


class TestServer:
    """The server of this test session, with the migrated template in its database `smsgw`."""

    __test__ = False

    def __init__(self) -> None:
        _clear_leftovers()
        prefix = f"{_PREFIX}{os.getpid()}-"
        self._programs = scratch_directory(prefix)  # on the disk: nothing may be run from what is in memory
        self.directory = _in_memory(prefix) or scratch_directory(prefix)
        self._server = EmbeddedServer(self.directory, programs=reachable_programs(self._programs), settings=_SETTINGS)
        asyncio.run(self._make_template())

    async def _make_template(self) -> None:
        connection = await connect(await self._server.start())
        await migrate(connection)
        await ensure_days(connection, datetime.datetime.now(datetime.UTC))  # or each gateway of a test would make them
        await connection.execute("ANALYZE")
        await connection.close()

    @property
    def dsn(self) -> str:
        """Of the template, which nobody may stay connected to."""
        return self._server.dsn

    def close(self) -> None:
        """Stop the server and take its data away."""
        asyncio.run(self._server.stop())
        remove_scratch(self.directory)
        remove_scratch(self._programs)


class Databases:
    """Fresh copies of the template at `dsn`; `mark` keeps the names of parallel workers apart."""

    def __init__(self, dsn: str, mark: str = "t") -> None:
        self._dsn = dsn
        self._mark = mark
        self._ready: queue.Queue[str | BaseException] = queue.Queue(maxsize=1)
        self._used: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="databases", daemon=True)
        self._thread.start()

    def take(self) -> str:
        """The dsn of a database that nobody had before."""
        made = self._ready.get()
        if isinstance(made, BaseException):
            raise made
        return made

    def give_back(self, dsn: str) -> None:
        """Have it dropped, whoever is still connected."""
        self._used.put(dsn)

    def close(self) -> None:
        """Stop making databases; those that are left go with the server."""
        self._closed.set()
        with contextlib.suppress(queue.Empty):
            self._ready.get_nowait()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._make())
        except BaseException as error:  # noqa: BLE001 - whoever waits for a database raises it
            self._ready.put(error)

    async def _make(self) -> None:
        connection = await asyncpg.connect(self._dsn, database="postgres")
        for number in itertools.count():
            name = f"{self._mark}_{number}"
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE smsgw STRATEGY file_copy")
            self._ready.put(re.sub(r"///\w+", f"///{name}", self._dsn))
            with contextlib.suppress(queue.Empty):
                while True:
                    used = re.search(r"///(\w+)", self._used.get_nowait())
                    assert used
                    await connection.execute(f"DROP DATABASE {used[1]} WITH (FORCE)")
            if self._closed.is_set():
                break
        await connection.close()


def _in_memory(prefix: str) -> Path | None:
    """A new directory in memory that the server's user can enter; None where there is none, or not enough room in it."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and server_user().first_closed(_MEMORY) is None
    if not usable or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY))
    path.chmod(0o711)
    return path


def _clear_leftovers() -> None:
    """Stop the servers and take away the data of our own sessions that were killed."""
    for path in (*Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"), *_MEMORY.glob(f"{_PREFIX}*")):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if path.stat().st_uid == os.geteuid() and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            asyncio.run(EmbeddedServer(path).stop())
            remove_scratch(path)
