"""receipt: a carrier's delivery receipt → its message → durable → answered, and owed to the tenant.

Matched in memory first, then among the references in the store, then parked until its message is known. The carrier is answered
after the COMMIT that holds the new state, the refund and the owed row, or the parked receipt: never before, or it forgets what we
have not got.

Promises: one final state a message (a second receipt changes nothing and is answered), but for UNKNOWN, and for the failure of one
attempt where another one was delivered (`_still_moves`); an intermediate state never closes; a receipt that matches nothing is
kept, answered and counted; the tenant gets its own id, its own addresses, and every other octet as the carrier sent it.
Must never: refuse a carrier's receipt for what it says; answer before COMMIT.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from smsgw.billing.ledger import refund_due
from smsgw.carriers.dialect import key_of
from smsgw.journey.accept import needs_receipt
from smsgw.journey.arrival import Arrival, error_of, read, state_of_code
from smsgw.journey.desk import class_of
from smsgw.model import FIRST_FINAL, STATE_OF_RECEIPT, TRANSITIONS, Message, Mode, Owed, OwedKind, Rejected, State
from smsgw.receipts.owed import addresses, wants, wants_intermediate
from smsgw.smpp import const
from smsgw.smpp import receipt as receipts
from smsgw.smpp.pdu import HEADER, BadPdu, Pdu
from smsgw.smpp.receipt_plain import PlainReceipt, rewrite_plain
from smsgw.store.commit import POISON
from smsgw.store.ids import TIME_SHIFT, seconds_of
from smsgw.store.receipts import ParkedReceipt
from smsgw.wire import where_raised

if TYPE_CHECKING:
    from collections.abc import Callable

    from smsgw.carriers.link import LinkBind
    from smsgw.journey.deliver import Deliver
    from smsgw.journey.desk import Desk
    from smsgw.journey.ending import Ending

ACCEPTED: Final = 6
CLOSED_REMEMBERED: Final = 25_000
CLOCKS_APART: Final = 10_000 << TIME_SHIFT
PARKED_CAP: Final = 200_000
"""Receipts of nothing known that are kept at most, by this process; over it carriers are to try again."""


class ReceiptJourney:
    """The journey of carriers' receipts."""

    def __init__(
        self,
        desk: Desk,
        ending: Ending,
        deliver: Deliver,
        inbound: Callable[[LinkBind, Pdu], None],
        look_up: Callable[[], None],
        *,
        hold_s: float,
        unmatched_cap: int,
        parked_ttl_s: float,
    ) -> None:
        """`look_up` wakes whoever searches the store for `take_unmatched()` and then calls `found` or `park` (journey/recall)."""
        self._desk = desk
        self._ending = ending
        self._deliver = deliver
        self._inbound = inbound
        self._look_up = look_up
        self._hold_s = hold_s
        self._unmatched_cap = unmatched_cap
        self._parked_ttl_s = parked_ttl_s
        self._unmatched: deque[Arrival] = deque()
        self._unanswered: dict[int, Arrival] = {}
        self.parked: dict[tuple[int, str], list[ParkedReceipt]] = {}
        self.parked_count = 0
        self.given_up: set[int] = set()
        self._closed: tuple[dict[int, int], dict[int, int]] = ({}, {})  # hash of (link, id) → hash of the body that closed it

    # ---- in -------------------------------------------------------------------------------------------------------

    def on_deliver(self, bind: LinkBind, pdu: Pdu) -> None:
        """A deliver_sm or data_sm has come from a carrier."""
        try:
            sm, receipt = read(pdu.octets, pdu.command)
        except BadPdu as error:
            bind.answer(pdu, error.status)
            bind.meter.malformed += 1
            return
        if receipt is None:
            self._inbound(bind, pdu)
            return
        desk = self._desk
        if len(self._unanswered) >= self._unmatched_cap:
            bind.answer(pdu, const.ESME_RX_T_APPN)
            return
        bind.meter.receipts[receipt.state] += 1
        link = bind.link
        key = key_of(link.dialect, receipt)
        arrival = Arrival(pdu, link, key, receipt, sm, sm.source.decode("latin-1"), bind, desk.clock.now())
        self._unanswered[id(arrival)] = arrival
        message = desk.transit.find(link.id, key, arrival.address)
        if message is not None:
            self.found(arrival, message)
            return
        if self._repeated(arrival):
            desk.process.duplicate_receipts += 1
            self._answer(arrival, 0)
            return
        if len(self._unmatched) >= self._unmatched_cap:
            self._answer(arrival, const.ESME_RX_T_APPN)
            return
        self._unmatched.append(arrival)
        self._look_up()

    def take_unmatched(self) -> list[Arrival]:
        """Hand over all receipts that memory does not know."""
        taken = list(self._unmatched)
        self._unmatched.clear()
        return taken

    def put_back(self, arrival: Arrival) -> None:
        """The store could not be asked: look again with the next round."""
        self._unmatched.append(arrival)

    # ---- matched --------------------------------------------------------------------------------------------------

    def found(self, arrival: Arrival, message: Message) -> None:
        """The receipt means this message: change its state, owe the tenant, and answer once both are durable."""
        try:
            self._settle(arrival, message)
        except Exception as error:  # noqa: BLE001 - the wall around one receipt, whoever has found its message
            self._broken(arrival, error)

    def _settle(self, arrival: Arrival, message: Message) -> None:
        arrival.message = message
        receipt = arrival.receipt
        desk = self._desk
        state = STATE_OF_RECEIPT.get(receipt.state) if not receipt.intermediate else None
        if receipt.state == ACCEPTED and arrival.link.dialect.closing_accepted:
            state = State.DELIVERED
        if state is None:
            self._intermediate(arrival, message)
            return
        if state is State.UNKNOWN and arrival.link.dialect.codes:
            state = state_of_code(arrival)
        if message.state >= FIRST_FINAL and not _still_moves(message, state):
            # The second receipt of a message: nothing changes. Its answer still waits for what the first one wrote.
            desk.process.duplicate_receipts += 1
            desk.commit.change(message, self._durable, arrival)
            return
        body = self._rewritten(arrival, message) if wants(message.registered, state) else b""
        now = desk.clock.time()
        if not message.sent_at:
            message.sent_at = now
        if message.waiting or message.spilled or (message.state < State.SENT and message.id not in desk.transit.open):
            message.waiting = False
            desk.commit.unwait(message.id)
        message.state = state
        arrival.ends = True
        message.done_at = now
        desk.meters.receipt_delay.observe(now - (message.accepted_at or seconds_of(message.id)))
        if state is State.DELIVERED:
            message.error = 0
        else:
            message.error = error_of(arrival)
            if arrival.link.dialect.codes:
                desk.meters.link(arrival.link.name).codes[class_of(arrival.link, message.error)] += 1
            message.refund = message.refund or refund_due(message)
        if state is State.UNKNOWN or (message.resends and state is not State.DELIVERED):
            desk.commit.refer(message)  # a later receipt may still move it
        owed: Owed | None = None
        if body:
            owed = self._ending.owe(message, body, command=_command(arrival))
            arrival.owed = owed
        desk.commit.change(message, self._durable, arrival, owed)

    def _intermediate(self, arrival: Arrival, message: Message) -> None:
        """ENROUTE, ACCEPTD, BUFFERED: passed on only where it was asked for; never closes; late ones are dropped."""
        desk = self._desk
        if message.state < FIRST_FINAL and wants_intermediate(message.registered):
            body = self._rewritten(arrival, message)
            arrival.owed = self._ending.owe(message, body, OwedKind.INTERMEDIATE, _command(arrival))
        desk.commit.change(message, self._durable, arrival, arrival.owed)

    def _rewritten(self, arrival: Arrival, message: Message) -> bytes:
        source, dest = addresses(message)
        receipt = arrival.receipt
        if type(receipt) is PlainReceipt:
            return rewrite_plain(arrival.pdu.octets, receipt, our_id=message.text_id, source=dest, dest=source)
        if not receipt.message_id:  # nowhere to put our id: the same in words of our own
            return receipts.build(
                our_id=message.text_id,
                source=dest,
                dest=source,
                state=receipt.state,
                stat=receipt.stat,
                error=receipt.error,
                submit_date=receipt.submit_date[:10],
                done_date=receipt.done_date[:10],
                sub=message.parts,
                text=receipt.text,
                esm_class=arrival.sm.esm_class,
                data_coding=arrival.sm.data_coding,
            )
        return receipts.rewrite(arrival.pdu.octets, arrival.sm, receipt, our_id=message.text_id, source=dest, dest=source)

    def _durable(self, arrival: Arrival, verdict: Rejected | None) -> None:
        """What the receipt meant is committed: answer the carrier, and let the tenant have it."""
        message = arrival.message
        assert message is not None
        if verdict is not None and message.mode == Mode.RELAY and message.session is not None:
            self._ending.fail_relay(message)  # whatever the carrier answers now finds a message of the past
        if verdict is POISON:
            self._give_up(arrival)
            return
        if verdict is not None:
            # Somebody else changed the row first (another node had the first receipt): read it afresh and judge again.
            arrival.message = arrival.owed = None
            arrival.ends = False
            self._unmatched.append(arrival)
            self._look_up()
            return
        self._answer(arrival, 0)
        owed = arrival.owed
        if owed is not None:
            owed.session = message.session
        if arrival.ends and message.mode == Mode.RELAY and message.session is not None:
            self._ending.answer_relay(message)  # it has come before the answer, and proves that the carrier has the message
        if arrival.ends:
            self._close(arrival, message)
        if owed is not None:
            self._deliver.push(owed, message.answered_at)

    def _give_up(self, arrival: Arrival) -> None:
        """PostgreSQL will not take what the receipt says, now or ever: the carrier is told so, because "later" would come again.

        One that had been parked was answered then: its row stays for whoever looks into it, until its time is over.
        """
        self._desk.process.receipts_not_stored += 1
        if arrival.parked_id:
            if len(self.given_up) < PARKED_CAP:
                self.given_up.add(arrival.parked_id)
            arrival.parked_id = 0
        self._answer(arrival, const.ESME_RX_P_APPN)

    def _broken(self, arrival: Arrival, error: Exception) -> None:
        """A fault of ours, before anything was changed: the carrier is to try again, and what had been parked stays as it is."""
        log = structlog.get_logger()
        log.error("receipt_failed", link=arrival.link.name, error=type(error).__name__, where=where_raised(error))
        if arrival.parked_id:
            if len(self.given_up) < PARKED_CAP:
                self.given_up.add(arrival.parked_id)
            return
        self._answer(arrival, const.ESME_RX_T_APPN)

    def _close(self, arrival: Arrival, message: Message) -> None:
        """The message has come to its end; a repetition of its receipt will mean nothing new."""
        if needs_receipt(message) or message.id in self._desk.transit.open:
            self._ending.ended(message, None)
        if message.state is not State.UNKNOWN and arrival.key:
            recent, _ = self._closed
            recent[hash((arrival.link.id, arrival.key))] = hash(arrival.pdu.octets[16:])
            if len(recent) >= CLOSED_REMEMBERED:
                self._closed = ({}, recent)

    def _repeated(self, arrival: Arrival) -> bool:
        """Tell whether the very same receipt has brought its message to its end, and its id was not given again since."""
        fate = hash((arrival.link.id, arrival.key))
        recent, earlier = self._closed
        said = recent.get(fate) or earlier.get(fate)
        return said is not None and said == hash(arrival.pdu.octets[16:])

    def _answer(self, arrival: Arrival, status: int) -> None:
        self._unanswered.pop(id(arrival), None)
        if arrival.parked_id:
            self._desk.commit.unpark(arrival.parked_id)
            arrival.parked_id = 0
        if arrival.bind is not None:
            arrival.bind.answer(arrival.pdu, status)
            arrival.bind = None

    # ---- not matched ----------------------------------------------------------------------------------------------

    def park(self, arrival: Arrival) -> None:
        """Nothing is known that this receipt could mean: keep it, then answer. Its message may be settled any moment."""
        desk = self._desk
        if arrival.parked_id:
            return
        message = desk.transit.find(arrival.link.id, arrival.key, arrival.address)
        if message is not None:
            self.found(arrival, message)
            return
        if self.parked_count >= PARKED_CAP:  # asked last: what has a message must not suffer from what has none
            self._answer(arrival, const.ESME_RX_T_APPN)
            return
        desk.process.parked_receipts += 1
        parked = ParkedReceipt(
            id=desk.ids.next(),
            link=arrival.link.id,
            command=arrival.pdu.command,
            upstream_id=arrival.key,
            body=arrival.pdu.octets[16:],
            expires_at=desk.clock.time() + self._parked_ttl_s,
        )
        self.remember(parked)
        arrival.parked = parked
        desk.commit.park(parked, self._parked, arrival)

    def remember(self, parked: ParkedReceipt) -> bool:
        """Have a parked receipt at hand for the moment when its message is settled here; False where there is no room for it."""
        key = (parked.link, parked.upstream_id)
        waiting = self.parked.get(key, [])
        if any(other.id == parked.id for other in waiting):
            return True
        if self.parked_count >= PARKED_CAP:
            return False
        self.parked[key] = [*waiting, parked]
        self.parked_count += 1
        return True

    def _parked(self, arrival: Arrival, verdict: Rejected | None) -> None:
        if verdict is None:
            self._answer(arrival, 0)
            return
        assert arrival.parked is not None
        self.forget(arrival.parked)
        self._give_up(arrival)

    def forget(self, parked: ParkedReceipt) -> bool:
        """Take a parked receipt out of memory; False when it has found its message meanwhile."""
        key = (parked.link, parked.upstream_id)
        waiting = self.parked.get(key)
        if waiting is None:
            return False
        left = [other for other in waiting if other.id != parked.id]
        if len(left) == len(waiting):
            return False
        self.parked_count -= 1
        if left:
            self.parked[key] = left
        else:
            del self.parked[key]
        return True

    def on_known(self, message: Message) -> None:
        """A message has just got its carrier's id: a receipt may have been waiting for it."""
        if not message.upstream_id:
            return
        fate = hash((message.link, message.upstream_id))
        recent, earlier = self._closed
        if fate in recent:  # the carrier has given the id again: what it says of it from now on is new
            del recent[fate]
        if fate in earlier:
            del earlier[fate]
        if not self.parked:
            return
        key = (message.link, message.upstream_id)
        waiting = self.parked.get(key)
        if not waiting:
            return
        meant = [parked for parked in waiting if may_mean(parked, message)]
        left = [parked for parked in waiting if not may_mean(parked, message)]
        if left:
            self.parked[key] = left
        else:
            del self.parked[key]
        self.parked_count -= len(meant)
        for parked in meant:
            self.unparked(parked, message)

    def unparked(self, parked: ParkedReceipt, message: Message) -> None:
        """A parked receipt has found its message."""
        arrival = self.arrival_of(parked)
        if arrival is not None:
            self.found(arrival, message)

    def arrival_of(self, parked: ParkedReceipt) -> Arrival | None:
        """Read a parked receipt again; None when its link was deleted or it can't be read."""
        link = self._desk.directory.link(parked.link)
        octets = HEADER.pack(16 + len(parked.body), parked.command, 0, 0) + parked.body
        try:
            sm, receipt = read(octets, parked.command)
        except BadPdu:
            return None
        if receipt is None or link is None:
            return None
        pdu = Pdu(octets, parked.command, 0, 0)
        address = sm.source.decode("latin-1")
        return Arrival(pdu, link, parked.upstream_id, receipt, sm, address, None, self._desk.clock.now(), parked_id=parked.id)

    # ---- time -----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """While the store is away, or slow, a carrier is answered after `hold_s` at the latest: try again later."""
        overdue = []
        for arrival in self._unanswered.values():  # in the order in which they came
            if now - arrival.arrived <= self._hold_s:
                break
            overdue.append(arrival)
        for arrival in overdue:
            bind = arrival.bind
            self._unanswered.pop(id(arrival), None)
            if bind is not None:
                bind.answer(arrival.pdu, const.ESME_RX_T_APPN)
                arrival.bind = None

    @property
    def unanswered(self) -> int:
        """How many receipts wait for their COMMIT."""
        return len(self._unanswered)


def may_mean(parked: ParkedReceipt, message: Message) -> bool:
    """Tell whether a receipt came after its message: else its id was another one's before. Clocks of nodes may differ a little."""
    return parked.id > message.id - CLOCKS_APART


def _still_moves(message: Message, state: State) -> bool:
    """Tell whether a receipt of this state moves a message that has come to its end.

    UNKNOWN is moved by what says more; a failure by a delivery, where the message was sent again: either is told of one attempt,
    and the handset has it. (An answer to a keyword has its resends used up from the first: it never is.)
    """
    if message.state is State.UNKNOWN:
        return state is not State.UNKNOWN
    return state is State.DELIVERED and state in TRANSITIONS[message.state] and message.resends > 0 and not message.reply


def _command(arrival: Arrival) -> int:
    """What the tenant gets it by: as it came, but for what had to be written anew."""
    return arrival.pdu.command if arrival.receipt.message_id else const.DELIVER_SM
