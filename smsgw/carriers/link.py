"""A bind to a carrier: one session at a time, from dialling to its end, and what is sent and heard on it.

What `LinkBind` shares with the other binds of its link (settings, pace, meter, who waits for room) is its `Line`. A bind's
room is its window less what waits for an answer and what is reserved; whoever reserved a slot uses it (`submit`) or gives it
back (`release`).

Promises: each submit leads to one outcome (an answer, a time-out, a loss), and a late answer to a second one; nothing is
submitted on a session that is not bound: its outcome is Unknown, and not one octet was written; no await, task or log line
for a message.
Must never: log a password; decide what an outcome means for the message.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from typing import Any, Final

from smsgw.carriers.credentials import bind_body, tls_context
from smsgw.carriers.dialect import without_tlvs
from smsgw.carriers.line import Line
from smsgw.model import Link, Message, Outcome, Refused, Sent, Throttled, Unknown
from smsgw.smpp import bodies, const
from smsgw.smpp.pdu import BadPdu, Pdu, read_message_id
from smsgw.smpp.session import LateResponse, Role, Session, SessionSettings, SessionState
from smsgw.wire import Wire, WireLimits, dial, where_raised

BIND: Final = "bind"
"""The context of our bind request, where submits have their Message."""
_DELIVERIES: Final = frozenset({const.DELIVER_SM, const.DATA_SM})
BAD_PDUS: Final = 1 << 60
"""A carrier may answer twice, or what nobody asked, for years: closing its bind would put what is unanswered in doubt."""
CLOSE_S: Final = 2.0
DRAIN_ANSWERS_S: Final = 2.0


class BindState(enum.StrEnum):
    """Where a bind stands, the words of `smsgw show links`."""

    DOWN = "down"
    CONNECTING = "connecting"
    BINDING = "binding"
    BOUND = "bound"
    DRAINING = "draining"
    BACKING_OFF = "backing_off"


# Every session ends in DOWN, whatever it was doing; only its runner leads out of it again, at once or after a pause. A
# draining bind still hears answers and receipts, and never becomes bound again.
NEXT: Final[Mapping[BindState, frozenset[BindState]]] = {
    BindState.DOWN: frozenset({BindState.CONNECTING, BindState.BACKING_OFF}),
    BindState.BACKING_OFF: frozenset({BindState.CONNECTING, BindState.DOWN}),
    BindState.CONNECTING: frozenset({BindState.BINDING, BindState.DOWN}),
    BindState.BINDING: frozenset({BindState.BOUND, BindState.DOWN}),
    BindState.BOUND: frozenset({BindState.DRAINING, BindState.DOWN}),
    BindState.DRAINING: frozenset({BindState.DOWN}),
}


class BindRefused(Exception):
    """The carrier refused the bind with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(const.status_name(status))
        self.status = status


class LinkBind:
    """One bind of a link; a Peer of each Wire that it dials, one after the other."""

    __slots__ = (
        "_answer",
        "_bare",
        "_ended",
        "_up",
        "bound_at",
        "command",
        "dial_at",
        "last_error",
        "line",
        "link",
        "meter",
        "reserved",
        "since",
        "state",
        "wire",
    )

    def __init__(self, line: Line, command: int) -> None:
        """Describe a bind that is not connected yet; `command` is the bind request it makes."""
        self.line = line
        self.link = line.link
        self.meter = line.meter
        self.command = command
        self.state = BindState.DOWN
        self.since = line.clock.now()
        self.bound_at = 0.0
        self.dial_at = 0.0  # when its runner dials again, while it backs off
        self.last_error = ""
        self.reserved = 0
        self.wire: Wire | None = None
        self._bare = False
        self._up: SessionState | None = None  # the session's state in which submits may go; None: never
        self._answer: asyncio.Future[int] | None = None
        self._ended: asyncio.Future[str] | None = None

    # ---- room -----------------------------------------------------------------------------------------------------

    @property
    def outstanding(self) -> int:
        """How many requests wait for their answer."""
        return len(self.wire.session.window) if self.wire is not None else 0

    @property
    def version(self) -> int:
        """The interface version in force; 0 when not bound."""
        return self.wire.session.version if self.wire is not None and self.state is BindState.BOUND else 0

    @property
    def sends(self) -> bool:
        """True when submits may go out here."""
        wire = self.wire
        return wire is not None and wire.session.state is self._up and not wire.session.closing

    def room(self) -> int:
        """Return how many more submits this bind can take now; 0 or less when none."""
        wire = self.wire
        if wire is None or not wire.writable:
            return 0
        session = wire.session
        if session.state is not self._up or session.closing:
            return 0
        return self.link.window - len(session.window) - self.reserved

    def submit(self, message: Message, _now: float) -> None:
        """Use a reserved slot. Where the bind has gone meanwhile, the outcome is Unknown and nothing was written."""
        self.reserved -= 1
        line = self.line
        wire = self.wire
        if wire is None or wire.session.state is not self._up or wire.session.closing:
            line.pace.give_back()
            line.events.on_outcome(message, Unknown("link_down", written=False))
            return
        body = message.body
        if self._bare:
            try:
                body = without_tlvs(message.command, body)
            except BadPdu as error:
                line.pace.give_back()
                line.events.on_outcome(message, Refused(error.status, retryable=True))
                return
        now = line.clock.now()
        message.due_at = now
        wire.session.request(message.command, body, message, now)
        wire.touch()
        self.meter.submitted += 1

    def release(self) -> None:
        """Give a reserved slot back."""
        self.reserved -= 1
        self.line.pace.give_back()
        if self.line.starved:
            self.line.freed()

    def answer(self, pdu: Pdu, status: int) -> None:
        """Answer a deliver_sm or data_sm; the message_id of a deliver_sm_resp is a single NUL (SMPP 3.4 §4.6.2).

        On the session that it came by or not at all: on the next one its sequence number may be another request's.
        """
        if self.wire is not None and self.wire is pdu.context:
            self.wire.answer(pdu.command, pdu.sequence, status, b"\0")

    # ---- what the wire calls --------------------------------------------------------------------------------------

    def on_response(self, pdu: Pdu, context: Any) -> None:
        """An answer to a submit (or to our bind, or to a submit that was given up)."""
        line = self.line
        if type(context) is not Message:
            self._answered_late(pdu, context)
            return
        self.meter.latency.observe(line.clock.now() - context.due_at)
        if pdu.status == 0 and pdu.command == context.command | const.RESP:
            self.meter.sent += 1
            outcome: Outcome = Sent(read_message_id(pdu.octets))
        else:
            outcome = self._not_taken(pdu, context)
        try:
            line.events.on_outcome(context, outcome)
        except Exception as error:  # noqa: BLE001 - the wall around one message
            self._failed("outcome_failed", error, message=context.id)
        if line.starved:
            line.freed()

    def _not_taken(self, pdu: Pdu, message: Message) -> Outcome:
        status = pdu.status
        if status == 0:  # ESME_ROK in a PDU that is no answer to this one: nobody knows
            return Unknown("wrong_response", written=True)
        outcome = self._refusal(status)
        if type(outcome) is Throttled:
            self.line.throttled(message.due_at)
        else:
            self.meter.refused[status] += 1
        return outcome

    def _refusal(self, status: int, *, late: bool = False) -> Refused | Throttled:
        """Return what an error status means on this link."""
        dialect = self.link.dialect
        kind = const.status_class(status)
        permanent = status in dialect.permanent
        if kind is const.StatusClass.THROTTLE and not permanent:
            return Throttled(status, late)
        passing = kind is not const.StatusClass.PERMANENT or status in dialect.retryable
        return Refused(status, passing and not permanent, late)

    def _answered_late(self, pdu: Pdu, context: Any) -> None:
        if context is BIND:
            self._bind_answered(pdu)
            return
        assert type(context) is LateResponse
        message = context.context
        if type(message) is not Message:
            return
        if pdu.status:
            self._tell(message, self._refusal(pdu.status, late=True))
        elif pdu.command == message.command | const.RESP:
            # Too late for the time-out, in time for the receipt: only now the carrier's id is known.
            self._tell(message, Sent(read_message_id(pdu.octets), late_on=self.link.id))

    def on_request(self, pdu: Pdu) -> None:
        """A deliver_sm or data_sm goes on, on a transmitter too; alert_notification and outbind have no answer and are counted."""
        if pdu.command in _DELIVERIES:
            pdu.context = self.wire
            try:
                self.line.events.on_deliver(self, pdu)
            except Exception as error:  # noqa: BLE001 - the wall around one message; the carrier is to try again
                self._failed("delivery_failed", error)
                self.answer(pdu, const.ESME_RX_T_APPN)
            return
        assert self.wire is not None
        self.wire.session.unanswerable()
        self.meter.alerts += 1

    def on_expired(self, context: Any) -> None:
        """No answer in time: the carrier may have taken the message, or not."""
        if context is BIND:
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(TimeoutError("no answer to the bind"))
            return
        self.meter.timeouts += 1
        self._tell(context, Unknown("timeout", written=True))
        if self.line.starved:
            self.line.freed()

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        """The connection is gone, and with it every answer that was still to come; what was not yet written is in no doubt."""
        written = len(contexts) - (self.wire.session.unwritten if self.wire is not None else 0)
        self._up = None
        self.wire = None
        self.enter(BindState.DOWN)
        self.meter.disconnects[reason] += 1
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(reason))
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)
        for at, context in enumerate(contexts):
            if context is not BIND:
                self._tell(context, Unknown("link_lost", written=at < written))

    def _tell(self, message: Message, outcome: Outcome) -> None:
        try:
            self.line.events.on_outcome(message, outcome)
        except Exception as error:  # noqa: BLE001 - the wall around one message: the others must hear of their fate
            self._failed("outcome_failed", error, message=message.id)

    def _failed(self, event: str, error: Exception, **named: int) -> None:
        # Not the error's words: they may quote the message.
        self.line.log.error(event, error=type(error).__name__, where=where_raised(error), **named)

    # ---- one session ----------------------------------------------------------------------------------------------

    async def run(self) -> str:
        """Connect, bind and stay until the session ends; returns why it ended. Raises OSError, TimeoutError, BindRefused.

        Cancelled, it closes the connection and reports what was outstanding.
        """
        line, link = self.line, self.link
        loop = asyncio.get_running_loop()
        self._answer, self._ended = loop.create_future(), loop.create_future()
        wire = Wire(Session(Role.ESME, settings_of(link), line.clock.now()), line.clock, self, WireLimits(pause_reading=False))
        self.enter(BindState.CONNECTING)
        reason, ended = "stopped", ""
        failure: BaseException | None = None
        try:
            ended = await self._stay(wire)
        except BaseException as error:  # noqa: BLE001 - raised again below: what is compiled must not wait while it handles one
            failure = error
            reason = {BindRefused: "bind_refused", TimeoutError: "bind_timeout"}.get(type(error), reason)
        await self._close(wire, reason)
        if failure is not None:
            raise failure
        return ended

    async def _stay(self, wire: Wire) -> str:
        """Be connected and bound until the session ends."""
        link = self.link
        assert self._answer is not None
        assert self._ended is not None
        await dial(
            wire,
            link.host,
            link.port,
            ssl=tls_context(link),
            server_hostname=link.host,
            local_addr=(link.source_address, 0) if link.source_address else None,
        )
        if self._ended.done():  # it came up and went at once
            raise ConnectionResetError(self._ended.result())
        self.wire = wire
        self.enter(BindState.BINDING)
        wire.request(self.command, bind_body(link, self.command), BIND)
        status = await self._answer
        if status:
            raise BindRefused(status)
        self._bound()
        return await self._ended

    def _bind_answered(self, pdu: Pdu) -> None:
        """Take over what the carrier's answer says at once: its receipts may come in the same octets."""
        status = pdu.status
        if status == 0 and pdu.command != self.command | const.RESP:
            status = const.ESME_RUNKNOWNERR
        if status == 0:
            assert self.wire is not None
            session, ours = self.wire.session, self.link.interface_version
            theirs = bodies.read_bind_resp(pdu.octets).version
            # Very many carriers send no sc_interface_version and take TLVs all the same; `tlvs` tells the others.
            version = max(min(ours, theirs if theirs is not None else ours), const.V33)
            session.bound_as(self.command, version)
            rule = self.link.dialect.tlvs
            self._bare = rule == "never" or (rule == "auto" and version < const.V34)
            self._up = session.state if self.command != const.BIND_RECEIVER else None
            self.enter(BindState.BOUND)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def _bound(self) -> None:
        self.bound_at = self.line.clock.now()
        self.last_error = ""
        self.meter.connects += 1
        self.line.log.info("link_bound", bind=const.command_name(self.command), version=f"0x{self.version:02x}")
        self.line.starved = True  # by what waits in the store
        self.line.freed()

    async def _close(self, wire: Wire, reason: str) -> None:
        """Leave nothing behind that could speak for a session of the past."""
        assert self._answer is not None
        assert self._ended is not None
        wire.abort(reason)
        if self.wire is wire:
            await asyncio.wait([self._ended], timeout=CLOSE_S)
        wire.peer = None
        if not self._answer.cancel() and not self._answer.cancelled():
            self._answer.exception()  # seen, so that the loop need not complain of it
        if self.state is not BindState.DOWN:
            self.enter(BindState.DOWN)

    def enter(self, state: BindState) -> None:
        """Move on in the table `NEXT`."""
        assert state in NEXT[self.state] or state is self.state, (self.state, state)
        self.state = state
        self.since = self.line.clock.now()

    # ---- changes and end ------------------------------------------------------------------------------------------

    def change(self, link: Link) -> None:
        """Take over new settings of the link that need no new session."""
        self.link = link
        if self.wire is not None:
            self.wire.session.settings = settings_of(link)

    def drain(self) -> None:
        """Take no more submits; `tick` unbinds once everything is answered."""
        self._up = None
        if self.state is BindState.BOUND:
            self.enter(BindState.DRAINING)

    def tick(self, now: float) -> None:
        """Let time pass for the session."""
        wire = self.wire
        if wire is None:
            return
        wire.tick(now)
        session = wire.session
        # What the carrier has delivered is answered first, but for a carrier that never stops delivering.
        answered = session.unanswered <= 0 or now - self.since > DRAIN_ANSWERS_S
        if self.state is BindState.DRAINING and not len(session.window) and answered:
            session.unbind(now)
            wire.touch()


def settings_of(link: Link) -> SessionSettings:
    """Return the limits of a link's sessions."""
    return SessionSettings(
        session_init_s=0.0,
        enquire_link_s=link.enquire_link_s,
        response_timeout_s=link.response_timeout_s,
        bad_pdu_limit=BAD_PDUS,
    )
