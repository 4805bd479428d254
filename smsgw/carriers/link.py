"""A bind to a carrier: dial → bind → run → back off, for as long as its link is provisioned.

`LinkBind` is one session; `LinkRunner` keeps the binds of one link alive, one supervised task a bind. A bind's room is its window less
what waits for an answer and what is reserved; whoever reserved a slot uses it or gives it back.

Promises: each submit leads to one outcome (an answer, a time-out, a loss), and a late ESME_ROK to a second one; nothing is submitted on a
session that is not bound; back-off grows with jitter and starts anew after a bind that held.
Must never: log a password; decide what an outcome means for the message.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiosmpplib import protocol as esme

from smsgw.carriers.pace import Pace
from smsgw.model import Link, Message, Outcome, Refused, Sent, Throttled, Unknown
from smsgw.smpp import bodies, const
from smsgw.smpp.pdu import HEADER_LENGTH, Pdu, read_message_id
from smsgw.smpp.receipt import for_version
from smsgw.smpp.session import LateResponse, Role, Session, SessionSettings
from smsgw.telemetry import LinkMeter
from smsgw.wire import TimeSource, Wire, WireLimits, dial

HELD_S: Final = 30.0
REFUSED_FACTOR: Final = 5.0
BIND_RESPONSE: Final = "bind"
_BIND_COMMANDS: Final = {
    "transceiver": (const.BIND_TRANSCEIVER,),
    "transmitter": (const.BIND_TRANSMITTER,),
    "receiver": (const.BIND_RECEIVER,),
    "pair": (const.BIND_TRANSMITTER, const.BIND_RECEIVER),
}


@dataclass(slots=True)
class LinkEvents:
    """Where a link's events go: set by the daemon before anything runs."""

    on_outcome: Callable[[Message, Outcome], None] = field(default=lambda _m, _o: None)
    on_deliver: Callable[[LinkBind, Pdu], None] = field(default=lambda _b, _p: None)
    on_room: Callable[[int], None] = field(default=lambda _l: None)


class LinkBind:
    """One session with a carrier. `state`: connecting, binding, bound, draining, backing_off, down."""

    __slots__ = (
        "_bound",
        "_clock",
        "_full",
        "_lost",
        "_strip_tlvs",
        "command",
        "events",
        "last_error",
        "link",
        "meter",
        "pace",
        "reserved",
        "since",
        "state",
        "wire",
    )

    def __init__(self, link: Link, command: int, pace: Pace, events: LinkEvents, meter: LinkMeter, clock: TimeSource) -> None:
        """Describe a bind that is not connected yet."""
        self.link = link
        self.command = command
        self.pace = pace
        self.events = events
        self.meter = meter
        self.state = "down"
        self.since = clock.now()
        self.last_error = ""
        self.reserved = 0
        self.wire: Wire | None = None
        self._clock = clock
        self._full = False
        self._strip_tlvs = False
        self._bound: asyncio.Future[int] | None = None
        self._lost: asyncio.Future[str] | None = None

    # ---- room -----------------------------------------------------------------------------------------------------

    @property
    def outstanding(self) -> int:
        """Submits that wait for their answer."""
        return len(self.wire.session.window) if self.wire is not None else 0

    @property
    def sends(self) -> bool:
        """True when submits may go out here."""
        return self.state == "bound" and self.command != const.BIND_RECEIVER

    def room(self) -> int:
        """Return how many more submits this bind can take now."""
        wire = self.wire
        if self.state != "bound" or wire is None or self.command == const.BIND_RECEIVER or not wire.writable:
            return 0
        return self.link.window - len(wire.session.window) - self.reserved

    def submit(self, message: Message, _now: float) -> None:
        """Use a reserved slot. On a bind that has gone, the outcome is Unknown and nothing was written."""
        self.reserved -= 1
        wire = self.wire
        if self.state != "bound" or wire is None:
            self.events.on_outcome(message, Unknown("link_down", written=False))
            return
        body = message.body
        if self._strip_tlvs:
            body = for_version(body, const.V33)
        message.due_at = self._clock.now()
        wire.request(message.command, body, message)
        self.meter.submitted += 1

    def release(self) -> None:
        """Give a reserved slot back."""
        self.reserved -= 1
        self.pace.give_back()
        self._roomier()

    def answer(self, pdu: Pdu, status: int) -> None:
        """Answer a deliver_sm or data_sm; the message_id of a deliver_sm_resp is a single NUL (CONFORMANCE 170)."""
        if self.wire is not None:
            self.wire.answer(pdu.command, pdu.sequence, status, b"\0")

    def _roomier(self) -> None:
        """Tell that a bind which was full has room again."""
        if self._full:
            self._full = False
            self.events.on_room(self.link.id)

    def found_full(self) -> None:
        """Somebody wanted a slot and there was none: tell when there is."""
        self._full = True

    # ---- what the wire calls --------------------------------------------------------------------------------------

    def on_response(self, pdu: Pdu, context: Any) -> None:
        """An answer to a submit (or to our bind)."""
        if context is BIND_RESPONSE:
            self._bind_answered(pdu)
            return
        if type(context) is LateResponse:
            if pdu.status == 0 and isinstance(context.context, Message):
                self.events.on_outcome(context.context, Sent(read_message_id(pdu.octets)))
            return
        meter = self.meter
        meter.latency.observe(self._clock.now() - context.due_at)
        status = pdu.status
        if status == 0 and pdu.command == context.command | const.RESP:
            meter.sent += 1
            self.events.on_outcome(context, Sent(read_message_id(pdu.octets)))
        else:
            self._not_taken(context, status or const.ESME_RUNKNOWNERR)
        if self._full:
            self._roomier()

    def _not_taken(self, message: Message, status: int) -> None:
        dialect = self.link.dialect
        kind = const.status_class(status)
        if kind is const.StatusClass.THROTTLE and status not in dialect.permanent:
            self.meter.throttled += 1
            self.pace.throttled(self._clock.now())
            self.events.on_outcome(message, Throttled(status))
            return
        self.meter.refused[status] += 1
        temporary = kind in {const.StatusClass.TEMPORARY, const.StatusClass.SESSION}
        retryable = (temporary or status in dialect.retryable) and status not in dialect.permanent
        self.events.on_outcome(message, Refused(status, retryable))

    def on_request(self, pdu: Pdu) -> None:
        """A deliver_sm or data_sm goes on; an alert_notification is counted; an outbind is no business of a dialled link."""
        if pdu.command in {const.DELIVER_SM, const.DATA_SM}:
            self.events.on_deliver(self, pdu)
        else:
            assert self.wire is not None
            self.wire.session.unanswerable()
            self.meter.alerts += 1

    def on_expired(self, context: Any) -> None:
        """No answer in time: nobody knows."""
        if context is BIND_RESPONSE:
            if self.wire is not None:
                self.wire.abort("bind_timeout")
            return
        self.meter.timeouts += 1
        self.events.on_outcome(context, Unknown("timeout", written=True))
        if self._full:
            self._roomier()

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        """The connection is gone, and with it every answer that was still to come."""
        was_bound = self.state in {"bound", "draining"}
        self.state = "down"
        self.wire = None
        self.meter.disconnects[reason] += 1
        for context in contexts:
            if context is not BIND_RESPONSE:
                self.events.on_outcome(context, Unknown("link_lost", written=True))
        if self._bound is not None and not self._bound.done():
            self._bound.set_exception(ConnectionResetError(reason))
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)
        if was_bound:
            self.last_error = reason

    # ---- connecting -----------------------------------------------------------------------------------------------

    async def run_once(self) -> str:
        """Connect, bind and stay until the session ends; returns why it ended. Raises OSError, TimeoutError, BindRefused."""
        link = self.link
        loop = asyncio.get_running_loop()
        settings = SessionSettings(session_init_s=0, enquire_link_s=link.enquire_link_s, response_timeout_s=link.response_timeout_s)
        session = Session(Role.ESME, settings, self._clock.now())
        wire = Wire(session, self._clock, self, WireLimits(pause_reading=False))
        self._bound, self._lost = loop.create_future(), loop.create_future()
        self._enter("connecting")
        await dial(
            wire,
            link.host,
            link.port,
            ssl=_tls_context(link),
            server_hostname=link.host,
            local_addr=(link.source_address, 0) if link.source_address else None,
        )
        self.wire = wire
        self._enter("binding")
        wire.request(self.command, _bind_octets(link, self.command), BIND_RESPONSE)
        try:
            async with asyncio.timeout(link.response_timeout_s):
                status = await self._bound
        except TimeoutError:
            wire.abort("bind_timeout")
            raise
        if status:
            wire.close("bind_refused")
            raise BindRefused(status)
        self._enter("bound")
        self.meter.connects += 1
        self.reserved = max(self.reserved, 0)
        self.events.on_room(link.id)
        try:
            return await self._lost
        except asyncio.CancelledError:
            wire.abort("stopped")
            raise

    def _bind_answered(self, pdu: Pdu) -> None:
        assert self.wire is not None
        if pdu.status == 0:
            theirs = bodies.read_bind_resp(pdu.octets).version
            version = min(self.link.interface_version, theirs if theirs is not None else self.link.interface_version)
            self.wire.session.bound_as(self.command, max(version, const.V33))
            rule = self.link.dialect.tlvs
            self._strip_tlvs = rule == "never" or (rule == "auto" and version < const.V34)
        if self._bound is not None and not self._bound.done():
            self._bound.set_result(pdu.status)

    def _enter(self, state: str) -> None:
        self.state = state
        self.since = self._clock.now()

    def drain(self) -> None:
        """Take no more submits; unbind once everything is answered (`LinkRunner.tick` looks)."""
        if self.state == "bound":
            self._enter("draining")

    def unbind_if_drained(self, now: float, *, force: bool = False) -> None:
        """Unbind a draining bind that waits for nothing any more."""
        if self.state == "draining" and self.wire is not None and (force or not self.outstanding):
            self.wire.session.unbind(now)
            self.wire.touch()


class BindRefused(Exception):
    """The carrier refused the bind with this status."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(const.status_name(status))
        self.status = status


class LinkRunner:
    """Keeps the binds of one link alive."""

    def __init__(self, link: Link, events: LinkEvents, meter: LinkMeter, clock: TimeSource) -> None:
        """Describe the binds of a link; nothing runs before `start`."""
        self.link = link
        self._clock = clock
        self._log = structlog.get_logger().bind(link=link.name)
        self.pace = Pace(link.rate, clock.now())
        commands = _BIND_COMMANDS[link.bind] * max(1, link.binds)
        self.binds = [LinkBind(link, command, self.pace, events, meter, clock) for command in commands]
        self.stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run each bind in a task of its own; a bind's failure is its own affair, so none of them ever raises."""
        self._tasks = [group.create_task(self._keep(bind), name=f"link {self.link.name}") for bind in self.binds]

    async def _keep(self, bind: LinkBind) -> None:
        pause = self.link.reconnect_min_s
        while not self.stopping:
            began = self._clock.now()
            factor = 1.0
            try:
                reason = await bind.run_once()
                self._log.info("link_down", reason=reason)
            except BindRefused as refusal:
                bind.last_error = str(refusal)
                # A stale session of ours (RALYBND) goes away; wrong credentials do not by asking often.
                factor = 1.0 if refusal.status == const.ESME_RALYBND else REFUSED_FACTOR
                self._log.warning("link_bind_refused", status=str(refusal))
            except (OSError, TimeoutError, ssl.SSLError) as error:
                bind.last_error = str(error) or type(error).__name__
                self._log.warning("link_unreachable", error=type(error).__name__)
            if self._is_stopping():
                break
            if self._clock.now() - began > HELD_S:
                pause = self.link.reconnect_min_s
            bind.state = "backing_off"
            bind.since = self._clock.now()
            await asyncio.sleep(pause * factor * random.uniform(0.5, 1.5))
            pause = min(pause * 2, self.link.reconnect_max_s)
        bind.state = "down"

    def _is_stopping(self) -> bool:
        """It may have been told while a session ran."""
        return self.stopping

    def tick(self, now: float) -> None:
        """Let time pass for every session of the link."""
        self.pace.tick(now)
        for bind in self.binds:
            if bind.wire is not None:
                bind.wire.tick(now)
                bind.unbind_if_drained(now)
            if bind._full and bind.room() > 0:
                bind._roomier()

    def change(self, link: Link) -> bool:
        """Take over what can change in place (window, rate, dialect, time-outs of new sessions); False: reconnect instead."""
        fixed = ("host", "port", "system_id", "password", "system_type", "bind", "binds", "tls", "tls_ca", "source_address")
        if any(getattr(link, name) != getattr(self.link, name) for name in (*fixed, "interface_version", "tls_verify")):
            return False
        self.link = link
        self.pace.rate = link.rate
        for bind in self.binds:
            bind.link = link
        return True

    def stop(self) -> None:
        """Drain: no new submits, answers awaited, unbind, no reconnect."""
        self.stopping = True
        for bind in self.binds:
            bind.drain()
            if bind.state != "draining" and bind.wire is None:
                bind.state = "down"
        for task, bind in zip(self._tasks, self.binds, strict=False):
            if bind.state != "draining":
                task.cancel()

    def abandon(self) -> None:
        """End at once whatever still runs."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()

    @property
    def done(self) -> bool:
        """True once all its tasks have ended."""
        return all(task.done() for task in self._tasks)


def _tls_context(link: Link) -> ssl.SSLContext | None:
    if not link.tls:
        return None
    context = ssl.create_default_context(cafile=link.tls_ca or None)
    if not link.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


_LIBRARY_BINDS: Final = {
    const.BIND_TRANSCEIVER: esme.BindTransceiver,
    const.BIND_TRANSMITTER: esme.BindTransmitter,
    const.BIND_RECEIVER: esme.BindReceiver,
}


def _bind_octets(link: Link, command: int) -> bytes:
    """Return the body of our bind: made by aiosmpplib where its limits allow, else by ourselves (a longer password, 3.3, 5.0)."""
    if link.interface_version == const.V34 and len(link.password) <= 8 and 0 < len(link.system_id) <= 15 and link.password:
        pdu = _LIBRARY_BINDS[command](system_id=link.system_id, password=link.password, system_type=link.system_type)
        octets: bytes = pdu.pdu()
        return octets[HEADER_LENGTH:]
    return bodies.bind_body(
        system_id=link.system_id.encode(),
        password=link.password.encode(),
        system_type=link.system_type.encode(),
        interface_version=link.interface_version,
    )
