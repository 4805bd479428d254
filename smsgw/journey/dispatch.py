"""dispatch: a durable message → a link with room → the carrier's answer → settled.

State SUBMITTING, with link and attempt, is durable before the first octet leaves: inserted so by `accept` where a slot was
free, else written by the cycle whose effect is `submit`. A message that finds no room waits in memory behind its link; what
waits too long is spilled to the store (journey/due).

Promises: the next route only when the carrier surely did not take the message; a doubt is resent only as the account wants;
what is settled is in memory and marked changed before anything else happens, and the next cycle writes it.
Must never: await; resend a relay tenant's message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, assert_never

from smsgw.carriers.dialect import submit_key
from smsgw.journey.accept import needs_receipt
from smsgw.journey.ending import Ending
from smsgw.journey.reading import with_validity_left
from smsgw.model import (
    InDoubt,
    Message,
    Mode,
    Outcome,
    Refused,
    Rejected,
    Sent,
    State,
    Throttled,
    Unknown,
)
from smsgw.smpp import const
from smsgw.store.ids import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from smsgw.carriers.link import LinkBind
    from smsgw.carriers.pool import Carriers
    from smsgw.journey.desk import Desk

MAX_ATTEMPTS: Final = 10
"""Refusals that may pass, of one message; throttle answers, and slots that were lost before anything was written, are none."""
MOST_ATTEMPTS: Final = 32_767
"""What the row can count."""
MESSAGE_ID_MAX: Final = 64
"""Octets of a carrier's id (SMPP 3.4 §5.2.23); a longer one is taken for none."""
RETRY_S: Final = (1, 2, 5, 10, 30, 60, 120, 300)
DOUBT_KEPT_S: Final = 72 * 3600
ASIDE_S: Final = 30.0
"""After so long a message is looked at again that was claimed and that no link may take: others are to have their turn."""


class Dispatch:
    """The journey of a durable message to its carrier."""

    def __init__(self, desk: Desk, carriers: Carriers, ending: Ending, *, spill_over: int) -> None:
        """`spill_over`: messages queued in memory at most; more go to the store."""
        self._desk = desk
        self._carriers = carriers
        self._ending = ending
        self._spill_over = spill_over
        self._queues: dict[int, deque[Message]] = {}
        self._queued = 0
        self.on_known: Callable[[Message], None] = _nobody_waits
        self.in_doubt = 0
        self.resent = 0

    # ---- to the carrier -------------------------------------------------------------------------------------------

    def submit(self, message: Message, verdict: Rejected | None) -> None:
        """The message is SUBMITTING and durable: let it go on the slot that it holds."""
        bind = message.bind
        if verdict is not None or message.state is not State.SUBMITTING:
            # Another node was first, or a receipt has come meanwhile: it must not go out again.
            message.bind = None
            bind.release()
            if verdict is not None and message.mode == Mode.RELAY and message.session is not None:
                self._ending.fail_relay(message)
            return
        now = self._desk.clock.time()
        if message.expires_at:
            self.submit_in_time(message, now)
        else:
            bind.submit(message, now)

    def submit_in_time(self, message: Message, now: float) -> None:
        """Let a message go that has a validity; its cycle may have taken long, where the store was slow or away."""
        bind = message.bind
        if now >= message.expires_at:
            message.bind = None
            bind.release()
            self._ending.end_unsent(message, State.EXPIRED)
            return
        self._rebase(message, now)
        bind.submit(message, now)

    def queue(self, message: Message) -> None:
        """A durable message that no link could take yet: wait in memory behind its link.

        It asks for a slot, although the link may have none: whoever found none is told of the next, and what was asked for
        before the message was durable has been told by now, and in vain.
        """
        if message.state is not State.QUEUED or message.spilled:
            return
        link = message.link
        queue = self._queues.get(link)
        if queue is None:
            queue = self._queues[link] = deque()
        queue.append(message)
        self._queued += 1
        self.on_room(link)

    def behind(self, links: tuple[int, ...]) -> int:
        """Return the link behind which to wait: the first that is up, else the first."""
        return next(filter(self._carriers.bound, links), links[0])

    def spill_if_unsendable(self, message: Message) -> None:
        """A new message without a slot: to the store at once when no link here can take it, or memory is full."""
        if self._queued >= self._spill_over or not any(map(self._carriers.bound, message.links)):
            self._desk.commit.wait(message, message.link, 0.0, claimed=False)
            message.spilled = True
            self._desk.transit.leave(message)

    def forget(self, message: Message) -> None:
        """The message was refused before it was durable: it never waited."""
        self._desk.commit.waits.pop(message.id, None)

    def on_room(self, link_id: int) -> None:
        """A link has room: prepare as many of its queue as it can take now and a little ahead."""
        queue = self._queues.get(link_id)
        while queue:
            bind = self._carriers.reserve((link_id,))
            if bind is None:
                return
            message = queue.popleft()
            self._queued -= 1
            if message.state is not State.QUEUED or message.spilled:
                bind.release()
            elif message.expires_at and self._desk.clock.time() >= message.expires_at:
                bind.release()
                self._ending.end_unsent(message, State.EXPIRED)
            else:
                self._prepare(message, bind)

    def claimed(self, message: Message, *, down: bool = False) -> None:
        """A message of the store that is ours now: to any link of its routes with room, else back for whoever has.

        `down`: it was claimed although the link that it waits for is down.
        """
        message.links = self._links_of(message) or message.links
        message.waiting = True
        first = (message.link,) if message.link in message.links else ()  # it has waited for that one
        bind = self._carriers.reserve(first + message.links) if message.links else None
        if bind is not None:
            self._prepare(message, bind)
            return
        if message.links and message.link not in message.links:
            message.link = message.links[0]
        aside = not message.links or (down and not any(map(self._carriers.bound, message.links)))
        due_at = self._desk.clock.time() + ASIDE_S if aside else 0.0
        self._desk.commit.wait(message, message.link, due_at, claimed=False)

    def _links_of(self, message: Message) -> tuple[int, ...]:
        """Return the links that a message of the store may take; where signatures are filed with carriers, those of its own one."""
        directory = self._desk.directory
        links = directory.routes.choose(message.destination)
        policy = directory.policies.get(message.account.policy) if message.account.policy else None
        link = directory.link(message.link)
        if policy is None or link is None or not any(one.carriers for filings in policy.filed.values() for one in filings):
            return links
        return directory.links_of(links, {link.carrier.name}) or (message.link,)

    def _prepare(self, message: Message, bind: Any) -> None:
        """Make SUBMITTING durable before the first octet."""
        self.take_slot(message, bind)
        self._desk.commit.change(message, self.submit, message)

    def take_slot(self, message: Message, bind: Any) -> None:
        """The message is to go on this slot once that is durable: `submit`."""
        message.bind = bind
        message.link = bind.link.id
        message.attempt = min(message.attempt + 1, MOST_ATTEMPTS)
        message.state = State.SUBMITTING
        message.error = 0  # what an earlier attempt was told is over: adopt() is to leave a doubt that is new
        if message.expires_at:
            self._rebase(message, self._desk.clock.time())

    def _rebase(self, message: Message, now: float) -> None:
        """A relative validity counts from when the carrier gets it: take off what the message has waited, if over a second."""
        if now - (message.accepted_at or seconds_of(message.id)) > 1.0:
            message.body = with_validity_left(message, message.expires_at - now)

    # ---- from the carrier -----------------------------------------------------------------------------------------

    def on_outcome(self, message: Message, outcome: Outcome) -> None:
        """What became of a submit: settle it in memory and mark it changed."""
        bind = message.bind
        if type(outcome) is Sent:
            if outcome.late_on:
                self._late(message, outcome)
                return
        elif (type(outcome) is Refused or type(outcome) is Throttled) and outcome.late:
            self._not_taken_after_all(message, outcome)
            return
        message.bind = None
        if message.state >= State.SENT:
            # The late answer to an earlier attempt, or a receipt, has settled it: this one says nothing new, but for its id.
            if type(outcome) is Sent and bind is not None:
                self._known_too(message, outcome, bind.link.id)
            return
        match outcome:
            case Sent():
                self._sent(message, outcome, bind)
            case Refused():
                self._refused(message, outcome)
            case Throttled():
                self._throttled(message, outcome.status)
            case Unknown():
                self._unknown(message, outcome)
            case _:
                assert_never(outcome)

    def _sent(self, message: Message, outcome: Sent, bind: LinkBind | None) -> None:
        desk = self._desk
        message.state = State.SENT
        message.sent_at = desk.clock.time()
        link = bind.link if bind is not None else desk.directory.link(message.link)
        raw = outcome.upstream_id if len(outcome.upstream_id) <= MESSAGE_ID_MAX else b""
        message.upstream_id = submit_key(link.dialect, raw) if link is not None else ""
        message.error = 0
        awaited = needs_receipt(message)
        if not awaited:
            message.done_at = message.sent_at
        if message.mode == Mode.RELAY and message.session is not None:
            desk.commit.change(message, self._relayed, message)
        elif awaited:
            desk.commit.change(message)
        else:
            desk.commit.change(message, self._ending.ended, message)
        if message.waiting:
            message.waiting = False
            desk.commit.unwait(message.id)
            desk.commit.refer(message)
        elif desk.several_nodes or (awaited and not message.upstream_id):
            desk.commit.refer(message)  # a start refers to what has an id; without one only this tells that a receipt is awaited
        if message.id in desk.transit.open:  # what the store keeps is found by its reference, and memory stays bounded
            desk.transit.sent(message)
        self.on_known(message)

    def _late(self, message: Message, outcome: Sent) -> None:
        """The answer to an attempt that was given up: the carrier took it after all.

        A slot that is held for the next attempt stays held: `submit` gives it back once its cycle is done.
        """
        if message.state < State.SENT:
            message.link = outcome.late_on
            message.waiting = message.waiting or message.spilled
            self._sent(message, outcome, None)
        else:
            self._known_too(message, outcome, outcome.late_on)

    def _not_taken_after_all(self, message: Message, outcome: Refused | Throttled) -> None:
        """The answer to an attempt that was given up: the carrier did not take it, so of that one there is no doubt any more.

        A message that only waits for its doubt to end is as if it had been answered so in time; another one was sent again.
        """
        if message.state is State.IN_DOUBT and message.spilled:
            message.waiting = True
            if type(outcome) is Refused:
                self._refused(message, outcome)
            else:
                message.error = outcome.status
                self._not_taken(message)
        elif message.state < State.SENT and message.resends and not message.reply:
            message.resends -= 1

    def _known_too(self, message: Message, outcome: Sent, link_id: int) -> None:
        """A message that is settled has an id more, of another attempt: a receipt that names it means this message as well.

        Where the doubt was given up it is the one receipt that may come. Not in relay: that tenant was told that it was not sent.
        """
        link = self._desk.directory.link(link_id)
        if message.mode == Mode.RELAY or link is None or len(outcome.upstream_id) > MESSAGE_ID_MAX:
            return
        key = submit_key(link.dialect, outcome.upstream_id)
        if key and (link_id, key) != (message.link, message.upstream_id):
            self._desk.commit.refer(message, link_id, key)

    def _refused(self, message: Message, outcome: Refused) -> None:
        message.error = outcome.status
        refusals = message.attempt - (message.resends if not message.reply else 0)
        if outcome.retryable and message.mode == Mode.STORE and refusals < MAX_ATTEMPTS:
            self._again(message, RETRY_S[max(0, min(refusals, len(RETRY_S)) - 1)], other_link=True)
            return
        self._ending.end_unsent(message, State.REFUSED)

    def _throttled(self, message: Message, status: int) -> None:
        """The carrier wants less: the message was not taken and loses nothing by waiting."""
        message.error = status
        if message.mode == Mode.RELAY:
            later = message.links[message.links.index(message.link) + 1 :] if message.link in message.links else ()
            bind = self._carriers.reserve(later) if later else None
            if bind is not None:
                self._prepare(message, bind)
                return
            message.error = const.ESME_RTHROTTLED
            message.state = State.REFUSED
            self._ending.end(message)
            return
        self._not_taken(message)

    def _not_taken(self, message: Message) -> None:
        """The attempt was none: it is not counted, however often that happens, and the message goes on at once where it can."""
        message.attempt -= 1
        self._again(message, 0.0, other_link=True)

    def _unknown(self, message: Message, outcome: Unknown) -> None:
        if not outcome.written:
            if message.mode == Mode.RELAY:
                message.error = const.ESME_RSYSERR
                message.state = State.REFUSED
                self._ending.end(message)
            else:
                self._not_taken(message)
            return
        self.doubt(message)

    # ---- doubts and retries ---------------------------------------------------------------------------------------

    def doubt(self, message: Message, *, again: bool = False) -> None:
        """Nobody knows whether the carrier has it: do what the account wants. `again`: its waiting time is over."""
        account = message.account
        self.in_doubt += 0 if again else 1
        message.state = State.IN_DOUBT
        message.error = const.ESME_RSYSERR
        if message.mode == Mode.RELAY:
            if again or message.session is not None:
                message.state = State.UNKNOWN
                self._ending.end(message)
            else:
                self._wait(message, account.in_doubt_wait_s)
            return
        policy = account.in_doubt
        if policy is InDoubt.HOLD:
            if again:
                self._give_up(message)
            else:
                self._wait(message, DOUBT_KEPT_S)
        elif message.resends >= account.max_resends or ((policy is InDoubt.RESEND or again) and self._over(message)):
            self._give_up(message)
        elif policy is InDoubt.RESEND or again:
            message.resends += 1
            self.resent += 1
            self._again(message, 0.0, other_link=False)
        else:
            self._wait(message, account.in_doubt_wait_s)

    def _give_up(self, message: Message) -> None:
        message.state = State.UNKNOWN
        self._ending.end(message)

    def _wait(self, message: Message, seconds: float) -> None:
        """Leave memory and wait in the store until journey/due takes the message up."""
        self._leave(message, self._desk.clock.time() + seconds)

    def _over(self, message: Message) -> bool:
        """Tell whether a message's validity has ended."""
        return message.expires_at > 0 and self._desk.clock.time() >= message.expires_at

    def _again(self, message: Message, after_s: float, *, other_link: bool) -> None:
        """Back to QUEUED: on another route now, behind its link, or in the store for later. Over its validity: to its end."""
        desk = self._desk
        if self._over(message):
            self._ending.end_unsent(message, State.EXPIRED)
            return
        message.state = State.QUEUED
        if not message.links:
            message.links = self._links_of(message) or (message.link,)
        if other_link and not message.spilled:  # what the store has goes by its place there
            others = tuple(link for link in message.links if link != message.link)
            bind = self._carriers.reserve(others) if others else None
            if bind is not None:
                self._prepare(message, bind)
                return
        if after_s or not any(map(self._carriers.bound, message.links)) or message.id not in desk.transit.open:
            self._leave(message, desk.clock.time() + after_s if after_s else 0.0)
            return
        if not self._carriers.bound(message.link):
            message.link = self.behind(message.links)
        if message.waiting:  # its place says until when it is on the wire, and a start would leave it there so long
            desk.commit.wait(message, message.link, 0.0, claimed=True)
        desk.commit.change(message, self._requeue, message)

    def _leave(self, message: Message, due_at: float) -> None:
        commit = self._desk.commit
        commit.change(message, self._ending.left_memory, message)
        commit.wait(message, message.link, due_at, claimed=False)
        message.spilled = True
        message.waiting = False

    def _requeue(self, message: Message, verdict: Rejected | None) -> None:
        if verdict is None:
            self.queue(message)

    # ---- relay ----------------------------------------------------------------------------------------------------

    def _relayed(self, message: Message, verdict: Rejected | None) -> None:
        """A relay tenant is answered after the COMMIT of the settle; where that could not be, journey/due sees to the row."""
        if verdict is not None:
            self._ending.fail_relay(message)
            return
        self._ending.answer_relay(message)
        if not needs_receipt(message):
            self._ending.ended(message, verdict)

    # ---- seen from outside ----------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """How many messages wait in memory for a link."""
        return self._queued

    def depths(self) -> dict[int, int]:
        """Return how many messages wait in memory behind each link."""
        return {link: len(queue) for link, queue in self._queues.items() if queue}

    def drop_spilled(self, link_id: int) -> None:
        """Forget queue entries that have been spilled meanwhile."""
        queue = self._queues.get(link_id)
        if queue:
            kept = deque(m for m in queue if m.state is State.QUEUED and not m.spilled)
            self._queued -= len(queue) - len(kept)
            self._queues[link_id] = kept

    def links_with_queue(self) -> list[int]:
        """Return the links that have messages waiting in memory."""
        return [link for link, queue in self._queues.items() if queue]


def _nobody_waits(_message: Message) -> None:
    """No receipt is parked."""
