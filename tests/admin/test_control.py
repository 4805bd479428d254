from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from smsgw.admin.control import ControlError, ControlServer, Provider, ask, drain


@asynccontextmanager
async def served(
    path: Path, providers: Mapping[str, Provider] | None = None, begin: Callable[[], None] | None = None
) -> AsyncIterator[Path]:
    """A control server on `path`."""
    server = ControlServer(providers or {}, drain=begin)
    await server.start(path)
    try:
        yield path
    finally:
        await server.stop()


async def _async_rows() -> list[dict[str, Any]]:
    return [{"queue": "owed", "messages": 7}]


async def test_rows_come_back_as_they_are(tmp_path: Path):
    """What a provider gives, at once or after a wait, is what `ask` returns."""
    providers = {"binds": lambda: [{"account": "acme1", "binds": 2}], "queues": _async_rows}
    async with served(tmp_path / "admin.sock", providers) as path:
        assert await ask(path, "binds") == [{"account": "acme1", "binds": 2}]
        assert await ask(path, "queues") == [{"queue": "owed", "messages": 7}]


async def test_an_unknown_word_is_answered_with_the_known_ones(tmp_path: Path):
    """Who asks for something that is not there learns what is there."""
    async with served(tmp_path / "admin.sock", {"links": list, "binds": list}) as path:
        with pytest.raises(ControlError, match=r"'bindz'.*known: binds, links") as caught:
            await ask(path, "bindz")
        assert caught.value.status == 404


async def test_a_provider_that_fails_is_an_answer(tmp_path: Path):
    """A provider that raises gives an error with its kind and without its text, and the server goes on."""

    def broken() -> list[dict[str, Any]]:
        raise ValueError("8613800138000")

    async with served(tmp_path / "admin.sock", {"links": broken, "binds": list}) as path:
        with pytest.raises(ControlError, match=r"links cannot be shown: ValueError$"):
            await ask(path, "links")
        assert await ask(path, "binds") == []


async def test_only_the_owner_may_open_it(tmp_path: Path):
    """The socket has mode 0600, and is gone after the stop."""
    async with served(tmp_path / "admin.sock") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else takes root")
async def test_another_user_is_refused_whatever_the_mode():
    """Even where mode and directories let another user in, the kernel's word about its uid keeps it out."""
    asking = (
        "import os, socket, sys; os.setuid(int(sys.argv[2])); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'GET /show/binds HTTP/1.0\\r\\n\\r\\n'); print(s.recv(100).split()[1].decode())"
    )
    place = Path(tempfile.gettempdir()) / f"smsgw-control-{os.getpid()}.sock"  # tmp_path is closed to others
    async with served(place, {"binds": list}) as path:
        path.chmod(0o666)
        for uid, status in ((65_534, "403"), (0, "200")):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", asking, str(path), str(uid), stdout=asyncio.subprocess.PIPE
            )
            out, _ = await child.communicate()
            assert out.decode().strip() == status


def test_it_works_in_the_loop_of_the_gateway(tmp_path: Path):
    """uvloop's sockets tell who asks as well."""

    async def scenario() -> list[dict[str, Any]]:
        async with served(tmp_path / "admin.sock", {"binds": lambda: [{"n": 1}]}) as path:
            return await ask(path, "binds")

    assert uvloop.run(scenario()) == [{"n": 1}]


async def test_what_a_killed_gateway_left_is_taken_away(tmp_path: Path):
    """A socket file that nobody listens on does not keep the next gateway from starting."""
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with served(path, {"binds": list}):
        assert await ask(path, "binds") == []


async def test_a_second_gateway_does_not_take_the_first_ones_socket(tmp_path: Path):
    """While a gateway answers on the socket, another one is told so and the first goes on answering."""
    async with served(tmp_path / "admin.sock", {"binds": list}) as path:
        with pytest.raises(ControlError, match="another gateway is running"):
            await ControlServer({}).start(path)
        assert await ask(path, "binds") == []


async def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path):
    """A data_dir too deep for a unix socket is refused with what to change."""
    with pytest.raises(ControlError, match=r"shorter node\.data_dir"):
        await ControlServer({}).start(tmp_path / ("x" * 120))


async def test_nobody_there_is_said_plainly(tmp_path: Path):
    """Asking where no gateway runs is an error with the place."""
    with pytest.raises(ControlError, match="no gateway answers"):
        await ask(tmp_path / "admin.sock", "binds")


async def test_drain_begins_once_asked_by_post(tmp_path: Path):
    """POST /drain calls the hook; a gateway without one says how it is drained."""
    asked: list[int] = []
    async with served(tmp_path / "a.sock", begin=lambda: asked.append(1)) as path:
        await drain(path)
        assert asked == [1]
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get("http://smsgw/drain") as answer,
        ):
            assert answer.status == 405
    async with served(tmp_path / "b.sock") as path:
        with pytest.raises(ControlError, match="SIGTERM"):
            await drain(path)
