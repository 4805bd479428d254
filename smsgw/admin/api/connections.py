"""Connections of the HTTP API: how many there are at the same time, and how long the head of a request may take.

Each stands before the protocol of aiohttp, which knows no limit of either kind, and hands everything on. Over the limit the one
that has been idle for longest makes room, else the oldest one whose head has not come; where all are at work the new one is closed.
The time of idle connections is aiohttp's own (its keep-alive), and so is HTTP; that of bodies is the server's.

Never here: what a request says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web


class Connections:
    """All connections of one server. Falsy never; `len` is how many."""

    def __init__(self, most: int, head_s: float, refused: Counter[tuple[str, ...]]) -> None:
        """`most` at the same time; `head_s`: from a head's first octet to its last; `refused`: where either limit is counted."""
        self._most = most
        self._head_s = head_s
        self._refused = refused
        self._all: OrderedDict[Any, _Connection] = OrderedDict()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def before(self, make: Callable[[], Any]) -> Callable[[], asyncio.Protocol]:
        """Return what makes the protocol of a new connection, before one that `make` returns."""
        return lambda: _Connection(self, make(), self._head_s)

    @contextmanager
    def at_work(self, inner: Any) -> Iterator[None]:
        """A request of the connection is being answered: its head is whole, and it is idle only afterwards."""
        connection = self._all.get(inner)
        if connection is not None:
            connection.head_is_whole()
        try:
            yield
        finally:
            if connection is not None:
                connection.is_idle()
                if inner in self._all:
                    self._all.move_to_end(inner)

    def _came(self, inner: Any, connection: _Connection) -> bool:
        """Count a new connection in, if there is room or can be made."""
        if len(self._all) >= self._most:
            self._refused["connections",] += 1
            spare = next((key for key, one in self._all.items() if one.idle), None)
            spare = spare or next((key for key, one in self._all.items() if not one.working), None)
            if spare is None:
                return False
            self._all.pop(spare).close()
        self._all[inner] = connection
        return True

    def _went(self, inner: Any) -> None:
        self._all.pop(inner, None)

    def _late(self) -> None:
        self._refused["head_s",] += 1


class _Connection(asyncio.Protocol):
    """One connection: what comes goes on to `inner`, which answers by the transport itself."""

    __slots__ = ("_all", "_head_s", "_inner", "_let_in", "_timer", "_transport", "working")

    def __init__(self, connections: Connections, inner: Any, head_s: float) -> None:
        self._all = connections
        self._inner = inner
        self._head_s = head_s
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._let_in = self.working = False

    @property
    def idle(self) -> bool:
        """Nothing of a request has come that was not answered."""
        return not self.working and self._timer is None

    def head_is_whole(self) -> None:
        """A request is being answered."""
        self.working = True
        self._stop_timer()

    def is_idle(self) -> None:
        """It was answered."""
        self.working = False

    def close(self) -> None:
        """End it at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _late(self) -> None:
        self._timer = None
        self._all._late()
        self.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- asyncio's words ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it on, if there is room."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of asyncio's
        self._let_in = self._all._came(self._inner, self)
        if self._let_in:
            self._inner.connection_made(transport)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Octets that belong to no request under way begin a head: its time runs."""
        if not self._let_in:
            return
        if self.idle:
            self._timer = asyncio.get_running_loop().call_later(self._head_s, self._late)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Nothing more comes."""
        return bool(self._inner.eof_received()) if self._let_in else None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_timer()
        self._all._went(self._inner)
        if self._let_in:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not read."""
        if self._let_in:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._let_in:
            self._inner.resume_writing()


class Site(web.TCPSite):
    """Where the API listens: as aiohttp's own, with `connections` before it, and a limit for a handshake of TLS."""

    __slots__ = ("_connections", "_handshake_s")

    def __init__(  # noqa: PLR0917 - where, and what is before it
        self,
        runner: web.AppRunner,
        host: str | None,
        port: int,
        tls: ssl.SSLContext | None,
        connections: Connections,
        handshake_s: float,
    ) -> None:
        """Nothing listens before `start`."""
        super().__init__(runner, host, port, ssl_context=tls)
        self._connections = connections
        self._handshake_s = handshake_s

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._connections.before(server),
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=self._handshake_s if self._ssl_context is not None else None,
            backlog=self._backlog,
        )
