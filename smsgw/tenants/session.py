"""TenantSession: a connection of a tenant's ESME, and the one place where a refusal becomes a status.

Requests go to the journeys; their answers come back through `answer_submit` and `respond`; what the account is owed goes
out through `deliver`. Both directions have a window of their own, so neither starves the other: `window` bounds submits
without an answer (over it ESME_RTHROTTLED), `deliver_window` bounds deliver_sm without an answer (over it `room` is 0, as
it is while the peer does not read).

Promises: each submit_sm and data_sm is answered once; each owed row comes back once through `on_delivered`, with the peer's
status or None when there was no answer; nothing of SMPP 3.4 or 5.0 goes to a session that cannot know it.
Must never: await, make a task, or log per message; show content or a password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from smsgw.model import Account, Owed, Rejected
from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu, Pdu, encode, read_data_sm, sm_body
from smsgw.smpp.receipt import for_version
from smsgw.smpp.session import LateResponse, SessionState
from smsgw.smpp.tlv import find
from smsgw.wire import Wire, where_raised

if TYPE_CHECKING:
    from smsgw.telemetry import AccountMeter

_SUBMIT_SM: Final = const.SUBMIT_SM
_DATA_SM: Final = const.DATA_SM
_SUBMITS: Final = frozenset({const.SUBMIT_SM, const.DATA_SM, const.SUBMIT_MULTI})
_BINDS: Final = frozenset({const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER})
_DELIVERED: Final = frozenset({const.DELIVER_SM_RESP, const.DATA_SM_RESP})
_NO_LIMIT: Final = 0x7FFFFFFF
_MAX_SHORT_MESSAGE: Final = 254
_MAX_ADDRESS: Final = 20

KINDS: Final = {const.BIND_TRANSMITTER: "tx", const.BIND_RECEIVER: "rx", const.BIND_TRANSCEIVER: "trx"}
"""bind command → the word in logs, metrics and `show binds`."""

_BOUND_STATE: Final = {
    const.BIND_TRANSMITTER: SessionState.BOUND_TX,
    const.BIND_RECEIVER: SessionState.BOUND_RX,
    const.BIND_TRANSCEIVER: SessionState.BOUND_TRX,
}

WINDOW: Final = Rejected(const.ESME_RTHROTTLED, "window")
LEAVING: Final = Rejected(const.ESME_RSYSERR, "leaving")
BROKEN: Final = Rejected(const.ESME_RSYSERR, "internal_error")


@dataclass(slots=True)
class Journeys:
    """What a session hands its requests to; the daemon fills it in.

    `accept(session, pdu)`: a submit_sm or data_sm; None when the answer follows through `answer_submit`. `other(session, pdu)`:
    query_sm, cancel_sm, replace_sm, submit_multi; it answers by itself. `on_delivered(owed, session, status)`: the tenant answered
    for what it is owed (None: it did not). `on_refused(session, pdu, rejected)`: a submit was refused at the door.
    """

    accept: Callable[[TenantSession, Pdu], Rejected | None]
    other: Callable[[TenantSession, Pdu], None]
    on_delivered: Callable[[Owed, TenantSession, int | None], None]
    on_refused: Callable[[TenantSession, Pdu, Rejected], None] | None = None


class Door(Protocol):
    """Where sessions come in: the listener."""

    journeys: Journeys

    def connected(self, session: TenantSession) -> None:
        """A connection came up."""
        ...

    def bind(self, session: TenantSession, pdu: Pdu) -> None:
        """The peer wants to bind."""
        ...

    def leaving(self, session: TenantSession) -> None:
        """A bound session is about to be unbound by us: deliver nothing more, watch it."""
        ...

    def lost(self, session: TenantSession, reason: str) -> None:
        """The connection is gone."""
        ...


class TenantSession:
    """A `Peer`: one connection of a tenant. `account` and `meter` are set while, and after, it is bound."""

    __slots__ = (
        "_accept",
        "_bound_state",
        "_door",
        "_journeys",
        "_left",
        "account",
        "address",
        "bind_task",
        "bound_at",
        "bound_kind",
        "bucket",
        "deliver_window",
        "delivering",
        "failed_binds",
        "leave_by",
        "leaving",
        "meter",
        "number",
        "receiver",
        "undecided",
        "version",
        "window",
        "wire",
    )

    account: Account | None
    meter: AccountMeter

    def __init__(self, wire: Wire, door: Door, number: int) -> None:
        """Serve a connection that is coming up; `number` is unique in this process."""
        self.wire = wire
        self.number = number
        self.account = None
        self.address = ""
        self.version = const.V34
        self.bound_kind = ""
        self.bound_at = 0.0
        self.receiver = False
        self.window = 0
        self.deliver_window = 0
        self.undecided = 0
        self.delivering = 0
        self.failed_binds = 0
        self.bind_task: Any = None
        self.bucket: Any = None  # what session_rate leaves it
        self.leaving = ""
        self.leave_by = 0.0
        self._left = False
        self._door = door
        self._journeys = door.journeys
        self._accept = door.journeys.accept
        self._bound_state = SessionState.CLOSED

    def __repr__(self) -> str:
        """Show who and how."""
        return f"<TenantSession {self.number} {self.system_id or '-'} {self.bound_kind or 'unbound'}>"

    @property
    def system_id(self) -> str:
        """The account's system_id; "" before a bind."""
        return self.account.system_id if self.account is not None else ""

    @property
    def bound(self) -> bool:
        """True from the bind until either side unbinds or the connection is gone."""
        return self.wire.session.state is self._bound_state

    # ---- binding --------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The connection is up."""
        self._door.connected(self)

    def enter(self, account: Account, pdu: Pdu, version: int, meter: AccountMeter, body: bytes) -> None:
        """Answer a bind with ESME_ROK and be bound; `version` is the effective one, `body` that of the response."""
        self.version = version
        self.meter = meter
        self.bound_kind = KINDS[pdu.command]
        self.bound_at = self.wire.clock.time()
        self._bound_state = _BOUND_STATE[pdu.command]
        self.serve(account)
        self.wire.respond(pdu, 0, body)
        self.wire.session.bound_as(pdu.command, version)
        self.receiver = pdu.command != const.BIND_TRANSMITTER

    def serve(self, account: Account) -> None:
        """Take over the account as it is provisioned now: its windows change at once, its bind stays."""
        self.account = account
        self.window = account.window or _NO_LIMIT
        self.deliver_window = account.deliver_window or account.window or _NO_LIMIT

    # ---- from the tenant ------------------------------------------------------------------------------------------

    def on_request(self, pdu: Pdu) -> None:
        """Take a request: a submit into the window and on to the journey, anything else to who knows it."""
        command = pdu.command
        if command == _SUBMIT_SM or command == _DATA_SM:  # noqa: PLR1714, SIM109 - the fastest way
            if self.undecided >= self.window:
                self.refuse(pdu, WINDOW)
                return
            self.undecided += 1
            try:
                rejected = self._accept(self, pdu)
            except Exception as error:  # noqa: BLE001 - the wall around one message
                self._failed(error)
                rejected = BROKEN
            if rejected is not None:
                self.undecided -= 1
                self.refuse(pdu, rejected)
        elif command in _BINDS:
            self._door.bind(self, pdu)
        else:
            try:
                self._journeys.other(self, pdu)
            except Exception as error:  # noqa: BLE001 - the wall around one message
                self._failed(error)
                self.refuse(pdu, BROKEN)

    def on_response(self, pdu: Pdu, context: Any) -> None:
        """The tenant answers for something it was owed. A late answer changes nothing: the row is on its way again."""
        if type(context) is LateResponse:
            return
        self.delivering -= 1
        status = pdu.status
        if pdu.command not in _DELIVERED and not status:
            status = const.ESME_RUNKNOWNERR  # a nack without a reason, or the answer to another kind of request
        self._journeys.on_delivered(context, self, status)

    def on_expired(self, context: Any) -> None:
        """The tenant did not answer in time."""
        self.delivering -= 1
        self._journeys.on_delivered(context, self, None)

    def on_lost(self, reason: str, contexts: list[Any]) -> None:
        """The connection is gone: what was not answered for goes back to the journey."""
        self.receiver = False
        self._door.lost(self, reason)
        self.delivering = 0
        for owed in contexts:
            self._journeys.on_delivered(owed, self, None)
        self.wire.peer = None  # no cycle is left: the garbage collector may be resting

    # ---- to the tenant --------------------------------------------------------------------------------------------

    def answer_submit(self, command: int, sequence: int, status: int, message_id: bytes) -> None:
        """Answer a submit_sm or data_sm that `accept` took: with its id, or with a status that this version knows."""
        self.undecided -= 1
        if status:
            version = self.version
            body = b"\0" if version >= const.V50 else b""
            self.wire.answer(command, sequence, const.status_for_version(status, version), body)
        else:
            self.wire.answer(command, sequence, 0, message_id + b"\0")

    def refuse(self, pdu: Pdu, rejected: Rejected) -> None:
        """Turn a refusal into a command_status, here only; 5.0 keeps an empty message_id, 3.x has no body."""
        version = self.version
        command = pdu.command
        body = b"\0" if version >= const.V50 and command in _SUBMITS else b""
        self.wire.answer(command, pdu.sequence, const.status_for_version(rejected.status, version), body)
        if command in _SUBMITS:
            self.meter.refuse(rejected.reason)
            on_refused = self._journeys.on_refused
            if on_refused is not None:
                on_refused(self, pdu, rejected)

    def respond(self, pdu: Pdu, status: int, body: bytes = b"") -> None:
        """Answer a request other than a submit."""
        self.wire.respond(pdu, const.status_for_version(status, self.version), body)

    def nack(self, pdu: Pdu, status: int) -> None:
        """Answer a request that is known but not offered with generic_nack."""
        self.wire.session.nack(pdu, status)
        self.wire.touch()

    @property
    def room(self) -> int:
        """How many more deliver_sm the session takes now; 0 when it is no receiver, leaves, or does not read."""
        wire = self.wire
        if not self.receiver or not wire.writable or wire.session.state is not self._bound_state:
            return 0
        return max(self.deliver_window - self.delivering, 0)

    def deliver(self, owed: Owed) -> None:
        """Send what the account is owed; what comes of it goes to `on_delivered`, once."""
        owed.session = self
        if self.version >= const.V34:
            self.delivering += 1
            self.wire.request(owed.command, owed.body, owed)
            return
        try:
            body = _as_33(owed)
        except BadPdu as bad:
            self._journeys.on_delivered(owed, self, bad.status)
            return
        self.delivering += 1
        self.wire.request(const.DELIVER_SM, body, owed)

    # ---- leaving --------------------------------------------------------------------------------------------------

    def close_door(self) -> None:
        """Refuse every further submit with ESME_RSYSERR; what is undecided is still answered."""
        self._accept = _refuse_all

    def unbind(self, reason: str, wait_s: float = 5.0) -> None:
        """End the session politely: no new requests either way, what is outstanding is settled, then unbind.

        `wait_s` bounds the settling; the session's own time-out bounds the wait for unbind_resp.
        """
        if self.leaving:
            return
        self.leaving = reason
        if not self.bound:
            self.wire.close(reason)
            return
        self.close_door()
        self.receiver = False
        self.leave_by = self.wire.clock.now() + wait_s
        self._door.leaving(self)
        self.settle(self.wire.clock.now())

    def settle(self, now: float) -> None:
        """While leaving: send the unbind once nothing is outstanding, or when the time for that is over."""
        if not self.leaving or self._left or (now < self.leave_by and (self.undecided > 0 or self.delivering > 0)):
            return
        self._left = True
        self.wire.session.unbind(now)
        self.wire.touch()

    def _failed(self, error: Exception) -> None:
        log = structlog.get_logger()
        log.error("request_failed", system_id=self.system_id, error=type(error).__name__, where=where_raised(error))


def _refuse_all(_session: TenantSession, _pdu: Pdu) -> Rejected:
    return LEAVING


def _as_33(owed: Owed) -> bytes:
    """Return the deliver_sm body for a 3.3 session, which knows neither data_sm nor TLVs. Raises BadPdu where none will do."""
    if owed.command != _DATA_SM:
        return for_version(owed.body, const.V33)
    octets = encode(_DATA_SM, 0, 0, owed.body)
    sm = read_data_sm(octets)
    if len(sm.source) > _MAX_ADDRESS or len(sm.dest) > _MAX_ADDRESS:
        raise BadPdu(const.ESME_RINVDSTADR, "address_too_long")
    return sm_body(
        service_type=sm.service_type,
        source_ton=sm.source_ton,
        source_npi=sm.source_npi,
        source=sm.source,
        dest_ton=sm.dest_ton,
        dest_npi=sm.dest_npi,
        dest=sm.dest,
        esm_class=sm.esm_class,
        registered_delivery=sm.registered_delivery,
        data_coding=sm.data_coding,
        short_message=(find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b"")[:_MAX_SHORT_MESSAGE],
    )
