"""accept: a tenant's submit_sm or data_sm → read, admitted, judged, routed, priced → durable → submit_sm_resp.

Two halves. `__call__` runs while the PDU is on the table: it refuses at once, or hands the message to the unit of work with a slot
on a link reserved if one is free. `committed` runs once the cycle has decided it: only then is the tenant answered.

Promises: no answer but an error before COMMIT; a refusal leaves no row, no debit and no slot taken; the body goes on as it came,
but for the changes that the README names, which are made here and nowhere else.
Must never: await, log a message, guess a default alphabet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from smsgw.journey.reading import count_by, fingerprint, read_submit
from smsgw.journey.transform import change
from smsgw.model import Basis, Duplicate, Message, Mode, Rejected, State
from smsgw.policy.docket import blocked
from smsgw.policy.docket import refused as refusal_of
from smsgw.policy.standing import Gate, reworded
from smsgw.policy.statuses import STATUSES, refusal
from smsgw.policy.throttle import REASONS
from smsgw.policy.verdict import Action, Finding
from smsgw.smpp import const

if TYPE_CHECKING:
    from smsgw.carriers.link import LinkBind
    from smsgw.carriers.pool import Carriers
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.hold import Hold
    from smsgw.policy.docket import Docket
    from smsgw.policy.throttle import Throttle
    from smsgw.smpp.pdu import Pdu
    from smsgw.tenants.session import TenantSession

STORE_UNAVAILABLE: Final = Rejected(const.ESME_RSYSERR, "store_unavailable")
DRAINING: Final = Rejected(const.ESME_RSYSERR, "draining")
QUEUE_FULL: Final = Rejected(const.ESME_RMSGQFUL, "undecided_full")
THROTTLED: Final = {reason: Rejected(const.ESME_RTHROTTLED, reason) for reason in REASONS}
NO_ROUTE: Final = Rejected(const.ESME_RINVDSTADR, "no_route")
NO_PRICE: Final = Rejected(const.ESME_RSUBMITFAIL, "no_price")
LINK_BUSY: Final = Rejected(const.ESME_RTHROTTLED, "link_busy")
LINK_DOWN: Final = Rejected(const.ESME_RSYSERR, "link_down")
NO_SHORT_ID: Final = Rejected(const.ESME_RTHROTTLED, "short_ids_not_ready")
PARTS_IN_RELAY: Final = Rejected(STATUSES["parts"][0], "parts", "text.parts")
HOURS_IN_RELAY: Final = Rejected(STATUSES["hours"][0], "hours", "hours")
NOT_FILED: Final = Finding(Action.REJECT, "signature", "signature.carrier")
PARTS_REMEMBERED: Final = 10_000
TIMED: Final = 64
"""Of so many messages that are judged one is timed: to look at the clock twice for each would cost what it tells."""


class Accept:
    """The journey of a new message, with everything it needs."""

    def __init__(  # noqa: PLR0917 - the parties
        self,
        desk: Desk,
        carriers: Carriers,
        dispatch: Dispatch,
        throttle: Throttle,
        docket: Docket,
        hold: Hold,
        short_id: Callable[[int], str],
        *,
        max_undecided: int,
        key: bytes = b"",
    ) -> None:
        """Take the parties; `short_id(account id)` gives the next 8-hex-digit id of an account, "" when none is leased yet.

        `key` is for the hashes of duplicate windows.
        """
        self._desk = desk
        self._carriers = carriers
        self._dispatch = dispatch
        self._throttle = throttle
        self._docket = docket
        self._judged = docket.__call__
        self._hold = hold
        self._marks = docket.marks
        self._gate = Gate()
        self._short_id = short_id
        self._max_undecided = max_undecided
        self._key = key
        self._observe_response = desk.meters.submit_response.observe
        self._judged_since = 0
        self._parts: dict[tuple[int, str, str, str], int] = {}
        self.draining = False

    def __call__(self, session: TenantSession, pdu: Pdu) -> Rejected | None:
        """Judge a submit_sm or data_sm; None means that the answer follows from `committed`."""
        desk = self._desk
        commit = desk.commit
        if not commit.available or self.draining or len(commit.new) >= self._max_undecided:
            return self._closed()
        account = session.account
        assert account is not None
        message = read_submit(pdu, account, session.version)
        if isinstance(message, Rejected):
            return message
        directory = desk.directory
        now = desk.clock.time()
        routes = directory.routes
        message.links = links = routes.choose(message.destination)
        if routes.ruled and (rule := routes.part_rule(message.destination)) != "gsm_ucs2":
            message.parts = count_by(rule, pdu, session.version)
        held = account.restriction
        if held is not None and (refused := refusal(held.refusal, strict_34=account.strict_34)):
            return refused
        if self._marks.blocking and (block := self._marks.block_of(account, message.destination)) is not None:
            return blocked(account, block)
        category = ""
        if account.policy:
            judged = self._judge(message, pdu, session.version, now)
            if isinstance(judged, Rejected):
                return judged
            category, links = judged, message.links
        if not links:
            return NO_ROUTE
        tariff = directory.tariff
        route = routes.name(message.destination) if tariff.routed else ""
        price = tariff.price(account.tenant.id, message.destination, now, route, category)
        if price is None:
            return NO_PRICE
        message.price = price * message.parts
        if held is not None or account.limited:
            throttled = self._throttled(session, message)
            if throttled is not None:
                return throttled
        message.id = desk.ids.next()
        message.accepted_at = now
        message.content_class = account.content_class
        if message.expires_at:
            message.expires_at += now
        message.session = session
        message.sequence = pdu.sequence
        if session.version < const.V34:
            message.short_id = self._short_id(account.id)
            if not message.short_id:
                return self._unaccepted(session, message, NO_SHORT_ID)
        if account.duplicate_window_s:
            message.fingerprint = fingerprint(message, pdu, session.version, self._key)
        return self._append(message)

    def _judge(self, message: Message, pdu: Pdu, version: int, now: float) -> Rejected | str:
        """Ask the account's policy for the category; the carriers with which the signature is filed are all that may have it."""
        account, directory = message.account, self._desk.directory
        self._judged_since += 1
        began = self._desk.clock.now() if self._judged_since >= TIMED else 0.0
        verdict = self._judged(
            account, message.source, message.destination, pdu.octets, now, directory.owner_of, pdu.command, version
        )
        if began:
            self._judged_since = 0
            self._desk.meters.judging.observe(self._desk.clock.now() - began)
        if verdict.simply:
            return verdict.category
        docket = self._docket
        objection = verdict.objection
        if objection is not None and (objection.action is not Action.HOLD or message.mode == Mode.RELAY):
            return refusal_of(account, objection, docket.rule_of(account, objection))
        if verdict.added or verdict.sender is not None:
            change(message, verdict, version)
            if verdict.sender is not None:
                docket.replaced(account)
        if objection is not None or verdict.part is not None:
            if message.mode == Mode.RELAY:
                return PARTS_IN_RELAY
            return self._hold.place(message, verdict.part, now) or verdict.category
        message.caps = verdict.caps
        if verdict.due:
            if message.mode == Mode.RELAY:
                return HOURS_IN_RELAY
            message.state, message.due_at = State.SCHEDULED, verdict.due
            return verdict.category
        if verdict.flags:
            message.rule = " ".join(docket.rule_of(account, flag) for flag in verdict.flags)
        if verdict.carriers is not None and message.links:
            message.links = directory.links_of(message.links, verdict.carriers)
            if not message.links:
                return refusal_of(account, NOT_FILED, docket.rule_of(account, NOT_FILED))
        return verdict.category

    def _throttled(self, session: TenantSession, message: Message) -> Rejected | None:
        """Take the tokens of a message: those of its account's state, and of its rates; from all or from none."""
        account, parts, now = message.account, message.parts, self._desk.clock.now()
        if account.restriction is not None:
            limited = self._gate.refuse(account, parts, now)
            if limited is not None:
                return limited
        if not account.limited:
            return None
        lacking = self._throttle.take(account, parts, now, source=message.source, to=message.destination, session=session)
        if not lacking:
            return None
        if account.restriction is not None:
            self._gate.give_back(account, parts)
        return THROTTLED[lacking]

    def _unaccepted(self, session: TenantSession, message: Message, rejected: Rejected) -> Rejected:
        """Give back the tokens of a message that is refused after it took them."""
        account = message.account
        if account.limited:
            now = self._desk.clock.now()
            self._throttle.give_back(account, message.parts, now, source=message.source, to=message.destination, session=session)
        if account.restriction is not None:
            self._gate.give_back(account, message.parts)
        return rejected

    def _append(self, message: Message) -> Rejected | None:
        """Hand the message to the unit of work, with a slot on a link if one is free."""
        if message.state < State.QUEUED:
            message.link = message.links[0]
            self._desk.commit.add(message, self.held)
            if message.state is State.SCHEDULED:
                self._desk.commit.wait(message, message.link, message.due_at, claimed=False)
            return None
        bind = self._reserve(message)
        if bind is not None:
            message.bind = bind
            message.link = bind.link.id
            message.attempt = 1
            message.state = State.SUBMITTING
        elif message.mode == Mode.RELAY:
            busy = any(map(self._carriers.bound, message.links))
            return self._unaccepted(message.session, message, LINK_BUSY if busy else LINK_DOWN)
        elif not message.link:
            message.link = self._dispatch.behind(message.links)
        if message.long_message:
            self._remember_part(message)
        desk = self._desk
        desk.transit.enter(message)
        desk.commit.add(message, self.committed)
        if bind is None:
            self._dispatch.spill_if_unsendable(message)
        return None

    def _reserve(self, message: Message) -> LinkBind | None:
        """Take a slot on the first link that has one; for a part, on the link of the parts before it while it is up."""
        if message.long_message:
            link = self._parts.get(_whole(message), 0)
            if link in message.links and self._carriers.bound(link):
                message.link = link
                return self._carriers.reserve((link,))
        return self._carriers.reserve(message.links)

    def _remember_part(self, message: Message) -> None:
        """The parts that follow are to take the same link."""
        seen = self._parts
        whole = _whole(message)
        seen.pop(whole, None)
        seen[whole] = message.link
        if len(seen) > PARTS_REMEMBERED:
            del seen[next(iter(seen))]

    def committed(self, message: Message, rejected: Rejected | None) -> None:
        """The cycle has decided: answer the tenant, and let the message go."""
        session: TenantSession = message.session
        if rejected is not None:
            self._refused(session, message, rejected)
            return
        if message.caps:
            self._capped(message, refused=False)
        desk = self._desk
        message.answered_at = desk.clock.time()
        if message.mode != Mode.RELAY:
            session.answer_submit(message.command, message.sequence, 0, message.text_id)
            session.meter.accepted += 1
            session.meter.accepted_parts += message.parts
            self._observe_response(message.answered_at - message.accepted_at)
        bind = message.bind
        if bind is None:
            self._dispatch.queue(message)
        elif message.expires_at:
            self._dispatch.submit_in_time(message, message.answered_at)
        else:
            bind.submit(message, message.answered_at)

    def held(self, message: Message, rejected: Rejected | None) -> None:
        """The cycle has decided, and the message waits: its tenant is answered like any other, and memory lets go of it."""
        session: TenantSession = message.session
        if rejected is not None:
            self._refused(session, message, rejected)
            return
        if message.caps:
            self._capped(message, refused=False)
        session.answer_submit(message.command, message.sequence, 0, message.text_id)
        session.meter.accepted += 1
        session.meter.accepted_parts += message.parts
        self._observe_response(self._desk.clock.time() - message.accepted_at)

    def _refused(self, session: TenantSession, message: Message, rejected: Rejected) -> None:
        """A durable limit said no, or it is a duplicate: nothing was written. Give back the slot and answer."""
        if message.bind is not None:
            message.bind.release()
            message.bind = None
        self._desk.transit.leave(message)
        self._dispatch.forget(message)
        if isinstance(rejected, Duplicate):
            session.answer_submit(message.command, message.sequence, const.ESME_ROK, rejected.text_id)
            session.meter.refuse(rejected.reason)
            self._desk.record_refused(message, const.ESME_ROK, rejected.reason)
            return
        self._unaccepted(session, message, rejected)
        if message.caps:
            self._capped(message, refused=True)
        reason = reworded(message.account, rejected.reason)
        told = refusal(reason, strict_34=message.account.strict_34)
        status = told.status if told is not None else rejected.status
        session.answer_submit(message.command, message.sequence, status, b"")
        session.meter.refuse(reason)
        self._desk.record_refused(message, status, reason)

    def _capped(self, message: Message, *, refused: bool) -> None:
        """Count the caps that a message was over, and name them in its record line."""
        rules = self._docket.capped(message.account, message.caps)
        message.rule = rules if refused else f"{message.rule} {rules}".lstrip()

    def refused_at_door(self, session: TenantSession, pdu: Pdu, rejected: Rejected) -> None:
        """A submit was refused before it was a message: it leaves a record line, and nothing else."""
        account = session.account
        if account is not None and self._desk.records_refusals:
            message = read_submit(pdu, account, session.version) if pdu.command != const.SUBMIT_MULTI else None
            shown = message if isinstance(message, Message) else Message(0, account, "", "", b"")
            self._desk.record_refused(shown, rejected.status, rejected.reason, rejected.rule)

    def _closed(self) -> Rejected:
        if self.draining:
            return DRAINING
        return QUEUE_FULL if self._desk.commit.available else STORE_UNAVAILABLE


def _whole(message: Message) -> tuple[int, str, str, str]:
    """What the parts of one long message have in common."""
    return message.account.id, message.source, message.destination, message.long_message


def needs_receipt(message: Message) -> bool:
    """Tell whether SENT is not the end: the tenant or the price waits for the carrier's receipt."""
    return bool(message.registered & 3) or message.basis == Basis.DELIVERED
