"""One SMPP session, seen from either side: octets in, events out, requests and answers back into octets. Sans-IO.

A session moves OPEN → BOUND_TX | BOUND_RX | BOUND_TRX → UNBINDING → CLOSED (SMPP 3.4 §2.2, 5.0 §2.3). What a peer may ask in
which state is the table `LEGAL`; a missing entry IS the protocol error, and the core answers it by itself: a known command in
the wrong state with <cmd>_resp and ESME_RINVBNDSTS, a second bind with ESME_RALYBND, an unknown command with generic_nack and
ESME_RINVCMDID. enquire_link and unbind are answered here too. The application sees only requests that it must answer, and the
answers to its own requests. Both roles share this machine; only their rows in the table differ.

Promises: `receive` never raises on what a peer sends; a broken frame is answered and ends the session, a broken body costs one
answer; each request of the application comes back exactly once: answered, expired or lost; each response goes out with the
sequence number of its request; nothing is answered that is a response.

Never here: sockets, clocks (time is an argument, monotonic seconds), accounts, the meaning of a message.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from smsgw.smpp import const
from smsgw.smpp.pdu import HEADER, Pdu
from smsgw.smpp.timers import Due, Timers
from smsgw.smpp.window import LateResponse, Window

__all__ = ["LEGAL", "LateResponse", "Role", "Session", "SessionSettings", "SessionState"]

HEADER_LENGTH: Final = 16


class Role(enum.Enum):
    """Which side we are: the message centre that is bound to, or the ESME that binds."""

    MC = "mc"
    ESME = "esme"


class SessionState(enum.Enum):
    """SMPP 3.4 §2.2, and the moments before and after."""

    OPEN = "open"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    CLOSED = "closed"


_BINDS: Final = frozenset({const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER})
_SUBMITS: Final = frozenset({const.SUBMIT_SM, const.SUBMIT_MULTI, const.DATA_SM, const.QUERY_SM, const.CANCEL_SM, const.REPLACE_SM})
_DELIVERS: Final = frozenset({const.DELIVER_SM, const.DATA_SM, const.ALERT_NOTIFICATION})
_NOTHING: Final[frozenset[int]] = frozenset()

LEGAL: Final[Mapping[tuple[Role, SessionState], frozenset[int]]] = {
    (Role.MC, SessionState.OPEN): _BINDS,
    (Role.MC, SessionState.BOUND_TX): _SUBMITS,
    (Role.MC, SessionState.BOUND_TRX): _SUBMITS,
    # 3.4 table 2-1 would let a receiver send data_sm; 5.0 does not, and a receiver has no submit window here.
    (Role.MC, SessionState.BOUND_RX): _NOTHING,
    (Role.ESME, SessionState.OPEN): frozenset({const.OUTBIND}),
    # Message centres that deliver on a transmitter exist: answering them keeps the bind (the field's habit, not the
    # text's).
    (Role.ESME, SessionState.BOUND_TX): _DELIVERS,
    (Role.ESME, SessionState.BOUND_RX): _DELIVERS,
    (Role.ESME, SessionState.BOUND_TRX): _DELIVERS,
}
"""What the peer may ask of us in a state, and the application answers. UNBINDING and CLOSED: nothing."""

_ANSWERED: Final = _BINDS | _SUBMITS | frozenset({const.DELIVER_SM})
"""Requests that have a response of their own, with which an illegal one is answered."""

_STATE_OF_BIND: Final[Mapping[int, SessionState]] = {
    const.BIND_RECEIVER: SessionState.BOUND_RX,
    const.BIND_TRANSMITTER: SessionState.BOUND_TX,
    const.BIND_TRANSCEIVER: SessionState.BOUND_TRX,
}
_BOUND: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TX, SessionState.BOUND_TRX})


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Limits of one session; times in seconds, 0 switches a timer off. `max_pdu` admits a full message_payload (65,535)."""

    max_pdu: int = 70_000
    session_init_s: float = 10.0
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0
    inactivity_s: float = 0.0
    slow_pdu_s: float = 30.0
    unbind_wait_s: float = 5.0
    bad_pdu_limit: int = 1_000


class Session:
    """The protocol state of one connection."""

    __slots__ = (
        "_buffer",
        "_enquiry",
        "_legal",
        "_peer_unbind",
        "_unbind",
        "_unbind_by",
        "_written",
        "bad_pdus",
        "closing",
        "out",
        "role",
        "settings",
        "state",
        "timers",
        "unanswered",
        "unwritten",
        "version",
        "window",
    )

    def __init__(self, role: Role, settings: SessionSettings, now: float) -> None:
        """Start in OPEN, on a connection that came up at `now`."""
        self.role = role
        self.settings = settings
        self.state = SessionState.OPEN
        self.version = const.V34
        self.window = Window()
        self.timers = Timers(now)
        self.out: list[bytes] = []
        self.closing = ""
        self.unanswered = 0
        self.bad_pdus = 0
        self._buffer = b""
        self._legal = LEGAL[role, SessionState.OPEN]
        self._enquiry = 0
        self._unbind = 0
        self._unbind_by = 0.0
        self._peer_unbind = 0
        self._written = 0
        self.unwritten = 0

    @property
    def bound(self) -> bool:
        """True between a successful bind and the first unbind."""
        return self.state in _BOUND

    @property
    def outstanding(self) -> int:
        """How many of the application's own requests wait for their answer."""
        return len(self.window)

    # ---- octets in ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Pdu]:
        """Take octets as they come; returns requests to be answered and responses to own requests (`pdu.context` set)."""
        if self.closing:
            return []
        buffer = self._buffer + data if self._buffer else data
        timers = self.timers
        timers.heard_at = now
        timers.enquired_at = 0.0
        at, end, limit = 0, len(buffer), self.settings.max_pdu
        pdus: list[Pdu] = []
        unpack, take = HEADER.unpack_from, self.window.pop
        while end - at >= HEADER_LENGTH:
            length, command, status, sequence = unpack(buffer, at)
            if length > limit or length < HEADER_LENGTH:
                self._broken_frame(sequence)
                break
            stop = at + length
            if stop > end:
                break
            pdu = Pdu(buffer[at:stop], command, status, sequence)
            at = stop
            if command & 0x80000000:
                pdu.context = take(sequence)
                if (pdu.context is not None and self.state is not SessionState.OPEN) or self._response(pdu):
                    pdus.append(pdu)
            elif command in self._legal:
                timers.worked_at = now
                self.unanswered += 1
                pdus.append(pdu)
            else:
                self._not_for_application(pdu, now)
        self._keep(buffer, at, now)
        if self._peer_unbind:
            self._finish_unbind()
        return pdus

    def _keep(self, buffer: bytes, at: int, now: float) -> None:
        """Keep the beginning of a PDU that is not whole yet; four octets of it are enough to see a length that cannot be."""
        rest = len(buffer) - at
        if 4 <= rest < HEADER_LENGTH and not self.closing:
            length = int.from_bytes(buffer[at : at + 4], "big")
            if length < HEADER_LENGTH or length > self.settings.max_pdu:
                self._broken_frame(0)
        self._buffer = b"" if self.closing else buffer[at:] if at else buffer
        if not self._buffer:
            self.timers.partial_since = 0.0
        elif at or not self.timers.partial_since:
            self.timers.partial_since = now

    def _broken_frame(self, sequence: int) -> None:
        # command_length is nonsense: where the next PDU starts is unknown, so the stream is lost (3.4 §4.3, 5.0 §2.8.2).
        self.bad_pdus += 1
        status = const.ESME_RINVCMDLEN
        self.out.append(HEADER.pack(HEADER_LENGTH, const.GENERIC_NACK, status, sequence))
        self.closing = "bad_length"

    def _response(self, pdu: Pdu) -> bool:
        """Judge a response that is none to a request of a bound session; False when the application has nothing to do with it."""
        if pdu.context is not None:
            if self.state is SessionState.OPEN and not pdu.status and pdu.command & ~const.RESP in _STATE_OF_BIND:
                # What stands behind the bind_resp in the same octets is legal already; the application confirms later.
                self._enter(_STATE_OF_BIND[pdu.command & ~const.RESP])
            return True
        if pdu.sequence == self._enquiry and pdu.command in {const.ENQUIRE_LINK_RESP, const.GENERIC_NACK}:
            self._enquiry = 0
        elif pdu.sequence == self._unbind and self._unbind:
            self._unbind = 0
            self.closing = self.closing or "unbound"
        else:
            # A response to nothing is never answered: a nack of a response can loop.
            self._count_bad()
        return False

    def _not_for_application(self, pdu: Pdu, now: float) -> None:
        """Answer by ourselves what needs no application: keep-alive, unbind, and everything illegal."""
        command = pdu.command
        if command == const.ENQUIRE_LINK:
            self.out.append(HEADER.pack(HEADER_LENGTH, const.ENQUIRE_LINK_RESP, 0, pdu.sequence))
        elif command == const.UNBIND and self.state is not SessionState.CLOSED:
            self._peer_unbound(pdu, now)
        elif command in _BINDS and self.role is Role.MC and self.bound:
            self._refuse(pdu, const.ESME_RALYBND)
        elif command in _ANSWERED:
            self._refuse(pdu, const.ESME_RINVBNDSTS)
        elif command == const.ALERT_NOTIFICATION:
            self._count_bad()
        else:
            self.out.append(HEADER.pack(HEADER_LENGTH, const.GENERIC_NACK, const.ESME_RINVCMDID, pdu.sequence))
            self._count_bad()

    def _refuse(self, pdu: Pdu, status: int) -> None:
        self.out.append(HEADER.pack(HEADER_LENGTH, pdu.command | const.RESP, status, pdu.sequence))
        self._count_bad()

    def _count_bad(self) -> None:
        self.bad_pdus += 1
        if self.bad_pdus > self.settings.bad_pdu_limit and not self.closing:
            self.closing = "too_many_bad_pdus"

    def _peer_unbound(self, pdu: Pdu, now: float) -> None:
        """Take no more requests; the unbind_resp goes out behind the answers that are owed (3.4 §4.2, 5.0 §2.3.5).

        An ESME also waits for the answers that it is owed itself: a centre that shuts down has taken those messages already.
        """
        self._enter(SessionState.UNBINDING)
        self._peer_unbind = pdu.sequence
        self._unbind_by = now + self.settings.unbind_wait_s
        self._finish_unbind()

    def _finish_unbind(self) -> None:
        if self._peer_unbind and self.unanswered <= 0 and (self.role is Role.MC or not len(self.window)):
            self._answer_unbind()

    def _answer_unbind(self) -> None:
        self.out.append(HEADER.pack(HEADER_LENGTH, const.UNBIND_RESP, 0, self._peer_unbind))
        self._peer_unbind = 0
        self.closing = self.closing or "unbound_by_peer"

    # ---- octets out -----------------------------------------------------------------------------------------------

    def request(self, command: int, body: bytes, context: Any, now: float) -> int:
        """Send an own request; its answer, expiry or loss brings `context` (not None) back. Returns the sequence number."""
        sequence = self.window.add(context, now)
        self.timers.worked_at = now
        self.out.append(HEADER.pack(HEADER_LENGTH + len(body), command, 0, sequence) + body)
        return sequence

    def respond(self, pdu: Pdu, status: int, body: bytes = b"") -> None:
        """Answer a request that `receive` returned."""
        self.answer(pdu.command, pdu.sequence, status, body)

    def answer(self, command: int, sequence: int, status: int, body: bytes = b"") -> None:
        """Answer the request `command` with this sequence number, once."""
        self.unanswered -= 1
        if self.state is SessionState.CLOSED:
            return
        self.out.append(HEADER.pack(HEADER_LENGTH + len(body), command | const.RESP, status, sequence) + body)
        if self._peer_unbind:
            self._finish_unbind()

    def unanswerable(self) -> None:
        """A request without a response of its own (alert_notification, outbind) has been dealt with."""
        self.unanswered -= 1
        if self._peer_unbind:
            self._finish_unbind()

    def nack(self, pdu: Pdu, status: int) -> None:
        """Answer a request with generic_nack: we know the command but do not offer it (3.4 §4.3.1)."""
        self.unanswered -= 1
        self.out.append(HEADER.pack(HEADER_LENGTH, const.GENERIC_NACK, status, pdu.sequence))
        if self._peer_unbind:
            self._finish_unbind()

    def bound_as(self, bind_command: int, version: int) -> None:
        """Enter the bound state of this bind command with the effective interface version. Call after the bind_resp."""
        self.version = version
        self._enter(_STATE_OF_BIND[bind_command])

    def unbind(self, now: float) -> None:
        """Ask the peer to end the session; requests that cross are still answered (5.0 §2.3.5). Closes at its answer."""
        if self._unbind or self.state is SessionState.CLOSED:
            return
        self._unbind = self.window.next_sequence()
        self._unbind_by = now + self.settings.unbind_wait_s
        self.out.append(HEADER.pack(HEADER_LENGTH, const.UNBIND, 0, self._unbind))

    def tick(self, now: float) -> list[Any]:
        """Let time pass; returns the contexts of own requests that have expired. May send enquire_link or set `closing`."""
        settings = self.settings
        due = self.timers.due(
            now,
            bound=self.state is not SessionState.OPEN,
            session_init_s=settings.session_init_s,
            enquire_link_s=settings.enquire_link_s,
            response_timeout_s=settings.response_timeout_s,
            inactivity_s=settings.inactivity_s,
            slow_pdu_s=settings.slow_pdu_s,
        )
        if due is not Due.NOTHING and not self.closing:
            self._act(due, now)
        if self._unbind_by and now > self._unbind_by and not self.closing:
            if self._peer_unbind:
                self._answer_unbind()
            else:
                self.closing = "unbind_timeout"
        if self.window and settings.response_timeout_s:
            return self.window.expire(now - settings.response_timeout_s)
        return []

    def _act(self, due: Due, now: float) -> None:
        if due is Due.ENQUIRE:
            self._enquiry = self.window.next_sequence()
            self.timers.enquired_at = now
            self.out.append(HEADER.pack(HEADER_LENGTH, const.ENQUIRE_LINK, 0, self._enquiry))
        elif due is Due.INACTIVE:
            self.unbind(now)
        else:
            self.closing = due.value

    def written(self) -> None:
        """Everything in `out` is the transport's now: whether the peer gets it nobody knows from here on."""
        self._written = self.window.newest

    def lost(self) -> list[Any]:
        """The connection is gone: returns the contexts of all own requests without an answer, oldest first.

        Of the last `unwritten` of them no octet has left `out`.
        """
        self._enter(SessionState.CLOSED)
        self.closing = self.closing or "lost"
        self._buffer = b""
        self.unwritten = self.window.newer(self._written)
        return self.window.clear()

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self._legal = LEGAL.get((self.role, state), _NOTHING)
