"""TenantWire: the wire of a tenant's connection, which takes no more than its turn.

An event loop reads from a socket for as long as there is something: of a peer that floods, up to 8 MiB at a time, while all others
wait for a quarter of a second. Here what comes beyond `TURN_OCTETS` at once waits, what is not yet read stays with the peer, and
the next slice is taken after `REST` times as long as this one took, for each connection that floods. So all that flood together
leave three quarters of the time to the others; a window of a hundred messages in one segment is still one turn.

It also tells the session when its connection is up, which for TLS is after the handshake: one that fails never was.

Must never: hold more than the loop reads at once; change, drop or reorder octets of a connection that lives.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from smsgw.smpp.session import Session
from smsgw.tenants.session import TenantSession
from smsgw.wire import TimeSource, Wire, WireLimits

TURN_OCTETS: Final = 16_384
REST: Final = 3.0


class Turnstile:
    """What the connections of a listener share: how many of them flood now."""

    __slots__ = ("floods",)

    def __init__(self) -> None:
        """Nobody does."""
        self.floods = 0


class TenantWire(Wire):
    """A wire that takes turns, and tells its session when the connection is up."""

    __slots__ = ("_held", "_timer", "_turnstile", "_waiting")

    def __init__(self, session: Session, clock: TimeSource, limits: WireLimits, turnstile: Turnstile) -> None:
        """Put a session on a wire that is not connected yet."""
        super().__init__(session, clock, limits=limits)
        self._turnstile = turnstile
        self._waiting = b""
        self._held = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a fresh connection."""
        super().connection_made(transport)
        assert isinstance(self.peer, TenantSession)
        self.peer.connected()

    def data_received(self, data: bytes) -> None:
        """Feed the session; of much at once, a slice."""
        if not self._held and len(data) <= TURN_OCTETS:
            Wire.data_received(self, data)
            return
        self._waiting += data
        if self._transport is not None:
            self._transport.pause_reading()
        if not self._held:
            self._held = True
            self._turnstile.floods += 1
            self._take_turn()

    def resume_writing(self) -> None:
        """The peer reads again: go on with what it has sent."""
        super().resume_writing()
        if self._held and self._transport is not None:
            self._transport.pause_reading()
            self._rest(0.0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not taken; nobody has been told that it was."""
        self._waiting = b""
        self._calm()
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _take_turn(self) -> None:
        """Feed a slice, then rest; read from the peer again when there is none."""
        self._timer = None
        if not self.open or not self.writable:
            return  # lost, or `resume_writing` goes on
        if not self._waiting:
            self._calm()
            if self._transport is not None:
                self._transport.resume_reading()
            return
        started = perf_counter()
        data, self._waiting = self._waiting[:TURN_OCTETS], self._waiting[TURN_OCTETS:]
        Wire.data_received(self, data)
        self._rest((perf_counter() - started) * REST * max(self._turnstile.floods, 1))

    def _calm(self) -> None:
        """It floods no more."""
        if self._held:
            self._held = False
            self._turnstile.floods -= 1

    def _rest(self, seconds: float) -> None:
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(seconds, self._take_turn)
