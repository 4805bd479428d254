"""Listeners that end: whoever connects in the last moment is told, and nothing stays open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from smsgw.sim.carrier import Carrier
from tests.interop.tap import Tap
from tests.serving import serving
from tests.smsc import Smsc
from tests.tenants.front import front_door

Listening = Callable[[], contextlib.AbstractAsyncContextManager[int]]


@contextlib.asynccontextmanager
async def _carrier() -> AsyncIterator[int]:
    async with Carrier().listening() as (_, port):
        yield port


@contextlib.asynccontextmanager
async def _listener() -> AsyncIterator[int]:
    async with front_door() as front:
        yield await front.listener.open("127.0.0.1:0")


@contextlib.asynccontextmanager
async def _drained() -> AsyncIterator[int]:
    async with front_door() as front:
        yield await front.listener.open("127.0.0.1:0")
        await front.listener.drain(0.0)


@contextlib.asynccontextmanager
async def _smsc() -> AsyncIterator[int]:
    async with Smsc() as smsc:
        yield smsc.port


@contextlib.asynccontextmanager
async def _tap() -> AsyncIterator[int]:
    async with front_door() as front, Tap(await front.listener.open("127.0.0.1:0")).listening() as tap:
        yield tap.port


def _served() -> contextlib.AbstractAsyncContextManager[int]:
    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    return serving(read)


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("listening", [_listener, _drained, _carrier, _smsc, _tap, _served])
async def test_who_connects_in_the_last_moment_is_not_left_open(listening: Listening, turns: int):
    """However many turns of the loop a connection had before its listener ended, the end that dialled hears of it."""
    with socket.socket() as dialled:
        async with listening() as port:
            dialled.connect(("127.0.0.1", port))
            for _ in range(turns):
                await asyncio.sleep(0)
        dialled.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(dialled, 1) == b""
