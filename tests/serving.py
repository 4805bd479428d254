"""Servers of tests, which leave no connection open behind them: not even one that came while they ended.

`asyncio.start_server` with a coroutine makes a task for each connection. The end of a loop cancels tasks, and one that has not
begun closes nothing: its connection is found by the garbage collector in the middle of another test, which then fails for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

_accept = BaseSelectorEventLoop._accept_connection2  # type: ignore[attr-defined] - there is no public word for it


async def _accept_or_close(  # noqa: PLR0917 - its own parameters
    loop: BaseSelectorEventLoop,
    factory: Callable[[], asyncio.BaseProtocol],
    accepted: socket.socket,
    extra: Any,
    ssl: Any = None,
    server: asyncio.Server | None = None,
    *limits: Any,
) -> None:
    """Close what was accepted a turn before its server was closed: asyncio's own way asserts that it was not, and forgets it."""
    if server is not None and not server.sockets:
        accepted.close()
        return
    await _accept(loop, factory, accepted, extra, ssl, server, *limits)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """The loop of tests forgets no connection (uvloop's, on which the product runs, never did)."""
    BaseSelectorEventLoop._accept_connection2 = _accept_or_close  # type: ignore[attr-defined]
    yield
    BaseSelectorEventLoop._accept_connection2 = _accept  # type: ignore[attr-defined]


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection on a port of its own, which is given; in the end each is reset, and what served it cancelled."""
    tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
    ended = False

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if ended:
            writer.transport.abort()
            return
        task = group.create_task(one(reader, writer))
        tasks[task] = writer
        task.add_done_callback(tasks.pop)

    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            ended = True
            server.close()
            for task, writer in tasks.items():
                writer.transport.abort()
                task.cancel()
