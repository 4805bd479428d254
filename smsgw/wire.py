"""An SMPP session on a socket: `listen` and `dial` make one, a `Peer` above it gets its requests and answers.

Promises: all octets of one loop turn leave in one write (2.8 times the throughput of a write per PDU); a peer that does not
read is no longer read from, and closed when it goes on like that; whatever a peer sends, only its own connection can end.
The owner calls `tick` ten times a second: there is no task and no timer per connection.

Never here: what a PDU means; anything of tenants or carriers.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import structlog

from smsgw.smpp.pdu import Pdu
from smsgw.smpp.session import LateResponse, Session

TLS_HANDSHAKE_S: Final = 10.0
"""How long a peer may take for its TLS handshake; until then its connection counts nowhere."""


class Clock:
    """The time, as an object that tests replace."""

    __slots__ = ()

    now = staticmethod(time.monotonic)
    """Monotonic seconds: for timers."""
    time = staticmethod(time.time)
    """Seconds since 1970: for what is stored and shown."""


class TimeSource(Protocol):
    """What a clock offers; `Clock` is the real one."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def time(self) -> float:
        """Seconds since 1970."""
        ...


class Peer(Protocol):
    """Whoever uses a wire: a tenant's session, a bind to a carrier, a simulated end."""

    def on_request(self, pdu: Pdu) -> None:
        """Take a request that must be answered once, now or later."""
        ...

    def on_response(self, pdu: Pdu, context: Any) -> None:
        """Take the answer to an own request (a generic_nack counts); `context` is what was given with it."""
        ...

    def on_expired(self, context: Any) -> None:
        """No answer to an own request came in time."""
        ...

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        """The connection has ended, once; `contexts` are the own requests without an answer, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class WireLimits:
    """`write_high`/`write_low`: octets not yet taken by the peer at which writing stops being polite and may go on again.

    `stalled_s`: how long a peer may leave its octets unread. `pause_reading`: read nothing from a peer that does not read
    (right for tenants; a carrier that waits for us to read while we wait for it would wait for ever).
    """

    write_high: int = 262_144
    write_low: int = 65_536
    stalled_s: float = 30.0
    pause_reading: bool = True


class Wire(asyncio.Protocol):
    """One connection. `peer` may be set any time before the first octet comes."""

    __slots__ = (
        "_log",
        "_loop",
        "_scheduled",
        "_transport",
        "_until",
        "_untold",
        "blocked_since",
        "clock",
        "limits",
        "octets_in",
        "octets_out",
        "peer",
        "reason",
        "session",
        "writable",
    )

    def __init__(self, session: Session, clock: TimeSource, peer: Peer | None = None, limits: WireLimits | None = None) -> None:
        """Put a session on a wire that is not connected yet."""
        self.session = session
        self.clock = clock
        self.peer = peer
        self.limits = limits or WireLimits()
        self.reason = ""
        self.writable = True
        self.blocked_since = 0.0
        self.octets_in = 0
        self.octets_out = 0
        self._transport: asyncio.Transport | None = None
        self._scheduled = False
        self._untold: list[Any] = []
        self._until = 0.0  # once it is being closed: how long the peer may take to read what was written before
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = structlog.get_logger().bind()

    # ---- what asyncio calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a fresh connection."""
        transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass of it
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        transport.set_write_buffer_limits(high=self.limits.write_high, low=self.limits.write_low)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.session.out:
            self.touch()
        elif self.session.closing:  # it was ended while the connection was being made
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the session and hand on what it found; then write all answers at once."""
        session = self.session
        peer = self.peer
        assert peer is not None
        self.octets_in += len(data)
        pdus = iter(session.receive(data, self.clock.now()))
        try:
            for pdu in pdus:
                context = pdu.context
                if context is None:
                    peer.on_request(pdu)
                else:
                    peer.on_response(pdu, context)
        except Exception as error:  # noqa: BLE001 - the wall around one connection
            # The answers behind it are not taken any more: for their requests that is a loss like any other.
            contexts = (pdu.context for pdu in pdus)
            self._untold = [context for context in contexts if context is not None and type(context) is not LateResponse]
            self._failed(error)
            return
        if session.out or session.closing:
            self.flush()

    def eof_received(self) -> bool:
        """A peer that will send no more has left: half a PDU is discarded."""
        self.reason = self.reason or "closed_by_peer"
        return False

    def pause_writing(self) -> None:
        """The peer does not read: stop writing on purpose, and stop reading what it would have us answer."""
        self.writable = False
        self.blocked_since = self.clock.now()
        if self.limits.pause_reading and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.writable = True
        self.blocked_since = 0.0
        if self.limits.pause_reading and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the peer once, with everything that will never be answered now."""
        self.writable = False
        self._transport = None
        reason = self.reason or self.session.closing or (type(exc).__name__ if exc else "closed_by_peer")
        contexts = self._untold + self.session.lost()
        self._untold = []
        if self.peer is not None:
            self.peer.on_lost(reason, contexts)

    # ---- what its owner calls -------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """True while octets can be written."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def remote(self) -> tuple[str, int]:
        """Address and port of the other end; ("", 0) when there is none."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (name[0], name[1]) if name else ("", 0)

    @property
    def tls(self) -> bool:
        """True on an encrypted connection."""
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The peer's verified certificate, as `ssl.SSLObject.getpeercert` gives it."""
        ssl_object = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return ssl_object.getpeercert() if ssl_object is not None else None

    @property
    def certificate_der(self) -> bytes | None:
        """The same in its octets (DER)."""
        ssl_object = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None

    def request(self, command: int, body: bytes, context: Any) -> int:
        """Send an own request; see `Session.request`."""
        sequence = self.session.request(command, body, context, self.clock.now())
        if not self._scheduled:
            self.touch()
        return sequence

    def respond(self, pdu: Pdu, status: int, body: bytes = b"") -> None:
        """Answer a request that the peer was given."""
        self.session.answer(pdu.command, pdu.sequence, status, body)
        if not self._scheduled:
            self.touch()

    def answer(self, command: int, sequence: int, status: int, body: bytes = b"") -> None:
        """Answer the request `command` with this sequence number, once."""
        self.session.answer(command, sequence, status, body)
        if not self._scheduled:
            self.touch()

    def touch(self) -> None:
        """Have everything in `session.out` written at the end of this loop turn, in one write."""
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write everything in `session.out`; then close when the session wants that."""
        self._scheduled = False
        session = self.session
        transport = self._transport
        out = session.out
        if transport is None or transport.is_closing():
            out.clear()
            return
        if out:
            octets = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self.octets_out += len(octets)
            session.written()
            transport.write(octets)
        if session.closing:
            transport.close()

    def close(self, reason: str) -> None:
        """Write what is waiting, then close."""
        self.reason = self.reason or reason
        self.session.closing = self.session.closing or reason
        self.touch()

    def abort(self, reason: str) -> None:
        """Close now; what is not written is dropped."""
        self.reason = self.reason or reason
        self.session.closing = self.session.closing or reason
        if self._transport is not None:
            self._transport.abort()

    def tick(self, now: float) -> None:
        """Let time pass: keep-alive, time-outs, a peer that does not read."""
        session = self.session
        for context in session.tick(now):
            assert self.peer is not None
            try:
                self.peer.on_expired(context)
            except Exception as error:  # noqa: BLE001 - the wall around one connection
                self._failed(error)
        if self.blocked_since and now - self.blocked_since > self.limits.stalled_s:
            self.abort("peer_does_not_read")
        elif session.closing and self._transport is not None and self._transport.is_closing():
            self._until = self._until or now + self.limits.stalled_s
            if now > self._until:
                self.abort("peer_does_not_read")
        elif (session.out or session.closing) and not self._scheduled:
            self.flush()

    def _failed(self, error: Exception) -> None:
        """The peer above could not go on: its connection ends, and no other."""
        self._log.error("connection_failed", error=type(error).__name__, where=where_raised(error))
        self.abort("internal_error")


def where_raised(error: Exception) -> list[str]:
    """Say where an error happened, without its words: an exception's text may quote octets of a message."""
    return [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]


async def listen(
    factory: Callable[[], Wire],
    host: str | None = None,
    port: int = 0,
    *,
    ssl: tls.SSLContext | None = None,
    sock: socket.socket | None = None,
    backlog: int = 2_048,
) -> asyncio.Server:
    """Accept connections on an address, or on a socket that is already bound; `factory` makes the wire of each."""
    loop = asyncio.get_running_loop()
    handshake_s = TLS_HANDSHAKE_S if ssl is not None else None
    if sock is not None:
        return await loop.create_server(factory, sock=sock, ssl=ssl, backlog=backlog, ssl_handshake_timeout=handshake_s)
    return await loop.create_server(
        factory, host, port, ssl=ssl, backlog=backlog, ssl_handshake_timeout=handshake_s, reuse_address=True
    )


async def dial(
    wire: Wire,
    host: str,
    port: int,
    *,
    ssl: tls.SSLContext | None = None,
    server_hostname: str | None = None,
    local_addr: tuple[str, int] | None = None,
    timeout_s: float = 10.0,
) -> Wire:
    """Connect a wire. Raises OSError (also for a name that does not resolve or a TLS failure) or TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        await loop.create_connection(
            lambda: wire, host, port, ssl=ssl, server_hostname=server_hostname if ssl else None, local_addr=local_addr
        )
    return wire
