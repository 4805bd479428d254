"""Connections of the HTTP API, by real ones: too many, idle ones, heads that do not come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from tests.admin.api.scene import SOON_S, Client, serving

HEAD = b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Api:
    """An API with small limits, and who connects to it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.connections = client.daemon.api._server._connections
        self.ends: list[Ends] = []

    @property
    def refused(self) -> dict[tuple[str, ...], float]:
        """What limits have refused."""
        return dict(self.client.daemon.meters.counters["smsgw_api_refused"][2]())

    async def connect(self, octets: bytes = b"") -> Ends:
        """Connect and send; returns once the API has let it in, or has not."""

        def seen() -> float:
            return len(self.connections) + self.refused.get(("connections",), 0)

        before = seen()
        ends = await asyncio.open_connection("127.0.0.1", self.client.daemon.api.port)
        self.ends.append(ends)
        ends[1].write(octets)
        await until(lambda: seen() > before)
        return ends


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something that another protocol or task of this loop does has been done."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API with room for three connections, each a second for a head, and two without a request."""
    async with serving(database, tmp_path, more="connections = 3\nhead_s = 1.0\nidle_s = 2.0\nbody_s = 30.0\n") as client:
        made = Api(client)
        yield made
        for _, writer in made.ends:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def answered(ends: Ends) -> bool:
    """Whether a request is answered, and the connection stays."""
    reader, writer = ends
    writer.write(HEAD + b"\r\n")
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"HTTP/1.1 200")


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side ends a connection: whether it said nothing before."""
    async with asyncio.timeout(2 * SOON_S):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


def test_it_answers_in_the_loop_of_the_gateway(database: str, tmp_path: Path):
    """uvloop's connections are let in, answered and limited as well, although its transports are of no class of asyncio's."""

    async def scenario() -> None:
        async with serving(database, tmp_path, more="connections = 2\n") as client:
            api = Api(client)
            first, second = [await api.connect() for _ in range(2)]
            assert await answered(first)
            third = await api.connect()
            assert await ended(second[0])
            assert [await answered(one) for one in (first, third)] == [True] * 2
            for _, writer in api.ends:
                writer.close()

    uvloop.run(scenario())


async def test_the_one_idle_for_longest_makes_room(api: Api):
    """Of three the one that asked last stays; there are never four."""
    first, second, third = [await api.connect() for _ in range(3)]
    assert await answered(first)
    fourth = await api.connect()
    assert await ended(second[0])
    assert [await answered(one) for one in (first, third, fourth)] == [True] * 3
    assert api.refused == {("connections",): 1}
    assert api.client.daemon.meters.gauges["smsgw_api_connections"][2]() == 3


async def test_heads_that_do_not_come_keep_nobody_out(api: Api):
    """Where none is idle the oldest one without its head makes room."""
    slow = [await api.connect(HEAD) for _ in range(3)]
    await until(lambda: all(not one.idle for one in api.connections._all.values()))
    assert await answered(await api.connect())
    assert await ended(slow[0][0])
    assert api.refused["connections",] == 1


async def test_where_all_are_at_work_the_new_one_is_closed(api: Api):
    """Connections that bring a body are at work; once one of them is over, there is room."""
    head = f"PUT /v1/policies/content HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nAuthorization: Bearer {api.client.token}\r\n\r\n"
    busy = [await api.connect(head.encode()) for _ in range(3)]
    await until(lambda: all(one.working for one in api.connections._all.values()))
    refused = await api.connect()
    assert not await answered(refused)
    assert api.refused["connections",] == 1
    busy[0][1].close()
    await until(lambda: len(api.connections) == 2)
    assert await answered(await api.connect())


async def test_a_head_has_its_time(api: Api):
    """One that does not come whole ends its connection, also one that was used before."""
    used = await api.connect()
    assert await answered(used)
    used[1].write(HEAD)
    slow = await api.connect(HEAD)
    assert await ended(slow[0])
    assert await ended(used[0])
    assert api.refused == {("head_s",): 2}


async def test_an_idle_connection_is_closed(api: Api):
    """One that says nothing, before its first request or after it, is closed in its time, which is no refusal."""
    silent, used = await api.connect(), await api.connect()
    assert await answered(used)
    assert await ended(silent[0])
    assert await ended(used[0])
    assert (api.refused, len(api.connections)) == ({}, 0)
