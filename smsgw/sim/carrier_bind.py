"""One connection to the simulated carrier: its bind, the messages it takes, the receipts it sends.

Promises: every request is answered once, unless the settings say that it is not; whatever came is counted in the
ledger.

Never here: what happens on another connection (`carrier.Carrier` decides that).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from smsgw.sim.fates import STATS, Fate
from smsgw.smpp import bodies, const, pdu, tlv
from smsgw.smpp.pdu import BadPdu, DataSm, Pdu, Sm
from smsgw.wire import Wire

if TYPE_CHECKING:
    from smsgw.sim.carrier import Carrier

_RECEIPT: Final = 0x04
_INTERMEDIATE: Final = 0x20
_QUOTED: Final = 20
_TEMPORARY: Final = frozenset({const.ESME_RX_T_APPN, const.ESME_RTHROTTLED, const.ESME_RMSGQFUL, const.ESME_RSYSERR})
_ONE_OCTET: Final = frozenset({0, 1, 3})  # data codings whose text may be quoted in a receipt


class Delivery(NamedTuple):
    """A deliver_sm body on its way to the peer; `number` is the message it speaks of, 0 for none."""

    number: int
    body: bytes
    receipt: bool = True


class _Taken(NamedTuple):
    """What a receipt repeats of a message: both addresses with TON, NPI and NUL, and the first octets of the text."""

    number: int
    source: bytes
    destination: bytes
    text: bytes


class CarrierBind:
    """A `Peer`: the carrier's side of one connection."""

    __slots__ = ("_receiver", "carrier", "pending", "submits", "system_id", "unanswered", "wire")

    def __init__(self, carrier: Carrier, wire: Wire) -> None:
        """Serve a new connection of this carrier."""
        self.carrier = carrier
        self.wire = wire
        self.system_id = ""
        self.pending: deque[Delivery] = deque()
        self.submits = 0
        self.unanswered = 0
        self._receiver = False

    @property
    def receives(self) -> bool:
        """True while the peer may be sent receipts here."""
        return self._receiver and self.wire.open and self.wire.session.bound

    # ---- Peer -----------------------------------------------------------------------------------------------------

    def on_request(self, request: Pdu) -> None:
        """Answer a request of the peer."""
        command = request.command
        if command in {const.SUBMIT_SM, const.DATA_SM}:
            self._take(request)
        elif command in {const.BIND_TRANSCEIVER, const.BIND_TRANSMITTER, const.BIND_RECEIVER}:
            self._bind(request)
        else:
            self.carrier.ledger.other += 1
            self.wire.respond(request, const.ESME_RINVCMDID)

    def on_response(self, response: Pdu, context: Any) -> None:
        """The peer answers for a delivery; a late answer comes wrapped and counts like any other."""
        ledger = self.carrier.ledger
        delivery: Delivery = context if isinstance(context, Delivery) else context.context
        if response.status == 0:
            if delivery.receipt:
                ledger.receipts_acknowledged += 1
                if self.carrier.settings.keep:
                    ledger.acknowledged[delivery.number] = ledger.acknowledged.get(delivery.number, 0) + 1
            else:
                ledger.mo_acknowledged += 1
        else:
            ledger.receipts_refused[response.status] += 1
            if response.status in _TEMPORARY:
                self.carrier.unanswered(self, [delivery])
        if self.pending and self.wire.session.outstanding < self.carrier.settings.receipt_window:
            self._send(self.pending.popleft())

    def on_expired(self, context: Any) -> None:
        """No answer for a delivery within the time-out."""
        self.carrier.unanswered(self, [context])

    def on_lost(self, reason: str, contexts: list[Any]) -> None:  # noqa: ARG002 - Peer's signature
        """The connection is gone: what it owed goes to another one."""
        carrier = self.carrier
        if self in carrier.binds:
            carrier.binds.remove(self)
        self._receiver = False
        carrier.unanswered(self, contexts)
        for delivery in self.pending:
            carrier.deliver(self.system_id, delivery)
        self.pending.clear()

    # ---- binding --------------------------------------------------------------------------------------------------

    def _bind(self, request: Pdu) -> None:
        carrier = self.carrier
        settings = carrier.settings
        try:
            bind = bodies.read_bind(request.octets)
        except BadPdu as bad:
            self.wire.respond(request, bad.status)
            return
        status = settings.bind_status
        if settings.system_id and (bind.system_id, bind.password) != (settings.system_id.encode(), settings.password.encode()):
            status = status or const.ESME_RBINDFAIL
        if settings.max_binds and sum(other.wire.session.bound for other in carrier.binds) >= settings.max_binds:
            status = status or const.ESME_RALYBND
        if status:
            carrier.ledger.binds_refused += 1
            self.wire.respond(request, status)
            return
        self.system_id = bind.system_id.decode("latin-1")
        version = settings.version if bind.interface_version >= const.V34 else 0
        self.wire.respond(request, 0, bodies.bind_resp_body(b"carrier", version or None))
        effective = min(settings.version, bind.interface_version) if version else const.V33
        self.wire.session.bound_as(request.command, effective)
        self._receiver = request.command != const.BIND_TRANSMITTER
        carrier.bound(self)

    # ---- messages in ----------------------------------------------------------------------------------------------

    def _take(self, request: Pdu) -> None:
        """Take a submit_sm or data_sm, refuse it, or swallow it."""
        carrier = self.carrier
        settings = carrier.settings
        ledger = carrier.ledger
        ledger.submits += 1
        self.submits += 1
        octets = request.octets
        if settings.keep_bodies:
            ledger.bodies.append(octets)
        silent = carrier.silent or 0 < settings.silent_after < self.submits
        if silent and not settings.silent_takes:
            ledger.swallowed += 1
            self.wire.session.unanswerable()
            return
        try:
            sm: Sm | DataSm = (
                pdu.read_sm(octets, self.wire.session.version) if request.command == const.SUBMIT_SM else pdu.read_data_sm(octets)
            )
        except BadPdu as bad:
            ledger.malformed += 1
            self.wire.respond(request, bad.status)
            return
        fate = carrier.next_fate()
        if not fate.status and self._overload():
            ledger.throttled += 1
            self.wire.respond(request, const.ESME_RTHROTTLED)
        elif fate.status:
            if fate.status == const.ESME_RTHROTTLED:
                ledger.throttled += 1
            else:
                ledger.refused[fate.status] += 1
            self._respond(request, fate.status, b"", mute=False)
        else:
            self._accept(request, sm, fate, mute=silent or fate.mute)
        if 0 < settings.drop_after <= self.submits:
            ledger.drops += 1
            self.wire.close("dropped")

    def _overload(self) -> bool:
        settings = self.carrier.settings
        if settings.window and self.unanswered >= settings.window:
            return True
        return bool(settings.rate) and not self.carrier.allow(self.carrier.clock.now())

    def _accept(self, request: Pdu, sm: Sm | DataSm, fate: Fate, *, mute: bool) -> None:
        carrier = self.carrier
        settings = carrier.settings
        ledger = carrier.ledger
        number = carrier.numbers = carrier.numbers + 1
        octets = request.octets
        text = _text(octets, sm)
        index = ledger.seen.text(text) if settings.verify else -1
        if settings.keep:
            ledger.taken[number] = index
        ledger.ok += 1
        body = carrier.id_of(number) + b"\0"
        asked = sm.registered_delivery & 0x03 if settings.receipts else 0
        if not asked and not (sm.registered_delivery & 0x10 and settings.receipts):
            self._respond(request, 0, body, mute=mute)
            return
        split = sm.source_at + 3 + len(sm.source)
        quoted = text[:_QUOTED] if sm.data_coding in _ONE_OCTET else b""
        taken = _Taken(number, octets[sm.source_at : split], octets[split : sm.esm_at], quoted)
        if fate.early:
            self._owe_receipts(taken, sm.registered_delivery, fate, -1.0)
            self._respond(request, 0, body, mute=mute)
        else:
            self._respond(request, 0, body, mute=mute)
            self._owe_receipts(taken, sm.registered_delivery, fate, settings.response_delay_ms + settings.receipt_delay_ms)

    def _respond(self, request: Pdu, status: int, body: bytes, *, mute: bool) -> None:
        carrier = self.carrier
        settings = carrier.settings
        if mute or (settings.drop_unanswered and 0 < settings.drop_after <= self.submits):
            carrier.ledger.mute += 1
            self.wire.session.unanswerable()
            return
        if settings.response_delay_ms or settings.response_jitter_ms:
            self.unanswered += 1
            carrier.ledger.most_unanswered = max(carrier.ledger.most_unanswered, self.unanswered)
            carrier.later(self, request, status, body)
        else:
            self.wire.respond(request, status, body)

    def answer(self, command: int, sequence: int, status: int, body: bytes) -> None:
        """Give an answer whose time has come."""
        self.unanswered -= 1
        if self.wire.open:
            self.wire.answer(command, sequence, status, body)

    # ---- receipts out ---------------------------------------------------------------------------------------------

    def _owe_receipts(self, taken: _Taken, registered: int, fate: Fate, delay_ms: float) -> None:
        """Owe what registered_delivery asks for (3.4 §5.2.17; success only: 5.0 §4.7.21)."""
        carrier = self.carrier
        settings = carrier.settings
        if fate.intermediate and registered & 0x10:
            carrier.owe(self, self._receipt(taken, "ENROUTE", _INTERMEDIATE, taken.number), delay_ms / 2)
        delivered = fate.stat == "DELIVRD"
        if fate.lost or (registered & 0x03) not in ({1, 3} if delivered else {1, 2}):
            return
        if fate.late:
            delay_ms += settings.late_receipt_ms
        receipt = self._receipt(taken, fate.stat, _RECEIPT, taken.number)
        carrier.owe(self, receipt, delay_ms)
        if fate.duplicate:
            carrier.owe(self, receipt, delay_ms)
        if fate.stray:
            carrier.owe(self, self._receipt(taken, fate.stat, _RECEIPT, taken.number + 500_000_000_000), delay_ms)

    def _receipt(self, taken: _Taken, word: str, esm_class: int, number: int) -> Delivery:
        """Build a deliver_sm body: the addresses change places, the text is that of 3.4 Appendix B."""
        carrier = self.carrier
        settings = carrier.settings
        stat, state, error = STATS[word]
        message_id = carrier.receipt_id_of(number)
        text = b""
        if settings.receipt_text:
            now = carrier.clock.time()
            text = b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:%b" % (
                message_id,
                b"001" if state == const.STATE_DELIVERED else b"000",
                carrier.submit_dates.at(now),
                carrier.done_dates.at(now + settings.receipt_delay_ms / 1000),
                stat,
                error,
                taken.text,
            )
        tlvs = b""
        if settings.receipt_tlvs:
            tlvs = b"\0\x1e\0%c%b\0\x04\x27\0\x01%c" % (len(message_id) + 1, message_id, state)
        # esm_class, then protocol_id to sm_default_msg_id: eight octets of zero
        body = b"\0%b%b%c\0\0\0\0\0\0\0\0%c%b%b" % (taken.destination, taken.source, esm_class, len(text), text, tlvs)
        return Delivery(number, body)

    def deliver(self, delivery: Delivery) -> None:
        """Send a delivery, or keep it until the peer has answered for others."""
        window = self.carrier.settings.receipt_window
        if window and self.wire.session.outstanding >= window:
            self.pending.append(delivery)
        else:
            self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        if delivery.receipt:
            self.carrier.ledger.receipts_sent += 1
        self.wire.request(const.DELIVER_SM, delivery.body, delivery)


def _text(octets: bytes, sm: Sm | DataSm) -> bytes:
    """Return the text of a message without its UDH; of data_sm, or with an empty short_message, the message_payload."""
    short = isinstance(sm, Sm) and sm.sm_length
    text = octets[sm.tlv_at - short : sm.tlv_at] if short else (tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b"")
    if sm.esm_class & 0x40 and text and text[0] < len(text):
        return text[text[0] + 1 :]
    return text
