"""How a message ends: the one place that gives money back, makes the receipt that smsgw itself owes, and writes the record line.

`end` is called with the final state set and everything else still to do; the carrier's own receipts come through journey/receipt,
which shares `ended`. Whoever ends a message has checked that its state may change.

Must never: answer before the COMMIT; refund twice (the state table and the refund table both forbid it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgw.billing.ledger import refund_due
from smsgw.model import Message, Mode, Owed, OwedKind, Rejected, State
from smsgw.receipts.owed import own_receipt, wants
from smsgw.smpp import const

if TYPE_CHECKING:
    from smsgw.journey.deliver import Deliver
    from smsgw.journey.desk import Desk


class Ending:
    """The last step of every journey of a message."""

    def __init__(self, desk: Desk, deliver: Deliver) -> None:
        """Take who shares the step: the desk, and who delivers what is owed."""
        self._desk = desk
        self._deliver = deliver

    def end(self, message: Message, reason: str = "") -> None:
        """The message has come to a final state by our own word: book it, and owe its tenant the receipt it asked for.

        `reason`: a word of `policy.statuses` that the receipt says as its text.
        """
        desk = self._desk
        now = desk.clock.time()
        message.done_at = now
        message.refund = message.refund or refund_due(message)
        if message.waiting or message.spilled:
            message.waiting = False
            desk.commit.unwait(message.id)
        if message.mode == Mode.RELAY and message.session is not None:
            desk.commit.change(message, self._relay_refused, message)
            return
        owed: Owed | None = None
        if wants(message.registered, message.state) and (message.mode != Mode.RELAY or message.sent_at):
            owed = self.owe(message, own_receipt(message, now, reason.encode()))
        desk.commit.change(message, self._ended_owing if owed is not None else self.ended, owed or message, owed)
        if owed is not None:
            owed.session = message  # the effect needs both; `deliver` gets the session from the message

    def end_unsent(self, message: Message, state: State) -> None:
        """No carrier takes the message any more, and it was on no wire since its last answer: it ends in this state.

        But for one that was sent again after a doubt: an earlier attempt may have arrived, and may yet bring its receipt.
        (Of an answer to a keyword all resends are used up from the first, so that it never is.)
        """
        message.state = State.UNKNOWN if message.resends and not message.reply else state
        self.end(message)

    def owe(self, message: Message, body: bytes, kind: OwedKind = OwedKind.RECEIPT, command: int = const.DELIVER_SM) -> Owed:
        """Make what the account is owed for a message, claimed for a receiver bound here if there is one with room."""
        account = message.account
        return Owed(
            id=self._desk.ids.next(),
            account=account.id,
            message=message.id,
            kind=int(kind),
            body=body,
            command=command,
            expires_at=self._desk.clock.time() + account.receipt_ttl_s,
            claimed=self._deliver.takes(account.id),
        )

    def _ended_owing(self, owed: Owed, verdict: Rejected | None) -> None:
        message: Message = owed.session
        owed.session = message.session
        self.ended(message, verdict)
        if verdict is None:
            self._deliver.push(owed, message.answered_at)

    def ended(self, message: Message, verdict: Rejected | None) -> None:
        """The final state is durable: write the record line and forget the message."""
        desk = self._desk
        desk.transit.leave(message)
        message.session = None
        if verdict is None:
            desk.process.ended(message.state)
            desk.record_final(message)
            if message.account.policy:
                desk.on_ended(message, desk.clock.time())

    def answer_relay(self, message: Message) -> None:
        """The carrier has a relay tenant's message, and that is durable: answer."""
        session = message.session
        message.session = None
        message.answered_at = self._desk.clock.time()
        session.meter.accepted += 1
        session.meter.accepted_parts += message.parts
        session.answer_submit(message.command, message.sequence, 0, message.text_id)
        self._desk.meters.submit_response.observe(message.answered_at - message.accepted_at)

    def fail_relay(self, message: Message) -> None:
        """What became of a relay tenant's message could not be written: it is told an error, and gets its money back in the end."""
        session = message.session
        message.session = None
        session.answer_submit(message.command, message.sequence, const.ESME_RSYSERR, b"")
        session.meter.refuse("unknown")

    def left_memory(self, message: Message, _verdict: Rejected | None) -> None:
        """The message waits in the store now: memory lets go of it."""
        self._desk.transit.leave(message)
        message.session = None

    def _relay_refused(self, message: Message, verdict: Rejected | None) -> None:
        session = message.session
        session.answer_submit(message.command, message.sequence, message.error or const.ESME_RSYSERR, b"")
        session.meter.refuse("carrier" if message.state is State.REFUSED else "unknown")
        self.ended(message, verdict)
