"""hold: parts of a long text are kept until the whole can be judged; what a rule wants a person to see, until one has decided.

A held message was answered like any other: it is durable and paid for, in state HELD. `place` is asked by accept; the unit of work
puts parts to their text in the accept transaction and tells which texts are whole (`on_held`); what time brings (parts that never
came, reviews that nobody decided, what a dead node has left) is looked for each second. Then, for all texts at hand at once:

    load → judge, as the handset will join it (journey/weigh) → decide, which only one node can → carry out: release all, in order,
    or refuse all

Promises: a verdict falls on a text once, wherever it is judged, and holds for all its parts, late ones too (a late part that makes
a released text objectionable is refused); all messages of a text change in one cycle; bodies stay as they came.
Must never: judge what it did not read from the store; keep content; hold more than its settings say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import structlog

from smsgw.journey.cancel import error_of
from smsgw.journey.holdings import Holdings
from smsgw.journey.weigh import KEPT, LEASE_S, Weigh
from smsgw.model import Message, Rejected, State
from smsgw.policy.numbers import canonical
from smsgw.policy.verdict import Part, Verdict
from smsgw.store import holds, messages, provisioning
from smsgw.store.cancels import CANCELLED
from smsgw.store.database import LOST, heed_cancellation
from smsgw.store.holds import Decision, Fate, Text

if TYPE_CHECKING:
    from smsgw.carriers.pool import Carriers
    from smsgw.config import Hold as HoldSettings
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.ending import Ending
    from smsgw.policy.docket import Docket
    from smsgw.telemetry import Meters

PAGE: Final = 256
"""Texts that are read, decided and carried out together: each page costs the same looks into the store, however few it holds."""
BREATH: Final = 32
"""After so many of them the loop goes on to other things."""
LOOK_S: Final = 1.0
"""How often it looks into the store for texts whose time is over, and for what can be forgotten."""
FORGOTTEN: Final = 5_000
SUBMITTING_S: Final = 86_400.0
"""Until when the row of a message that is on the wire is nobody else's business."""


class Hold:
    """The journey of what may not go yet."""

    def __init__(  # noqa: PLR0917 - the parties
        self,
        desk: Desk,
        pool: Any,
        docket: Docket,
        carriers: Carriers,
        dispatch: Dispatch,
        ending: Ending,
        settings: HoldSettings,
        *,
        key: bytes,
        probe: Callable[[str], None] | None = None,
    ) -> None:
        """Take the parties; `key` is for the hashes of texts, which contain phone numbers; `probe` is told crash points."""
        self._desk = desk
        self._pool = pool
        self.holdings = Holdings(settings)
        self._weigh = Weigh(desk, docket, settings, self.holdings)
        self._marks = docket.marks
        self._carriers = carriers
        self._dispatch = dispatch
        self._ending = ending
        self._settings = settings
        self._key = key
        self._probe = probe or _unwatched
        self._wake = asyncio.Event()
        self._ready: dict[int, None] = {}
        self._owners: list[int] = []
        self._adopted: list[Message] = []
        self._done: list[tuple[int, int]] = []
        self._looked_at = 0.0
        self.look_s = LOOK_S
        self._overdue = False
        self._log = structlog.get_logger().bind()
        self.fates: Counter[tuple[str, ...]] = Counter()

    # ---- on the way in --------------------------------------------------------------------------------------------

    def place(self, message: Message, part: Part | None, now: float) -> Rejected | None:
        """Have a new message held, as part of a long text or by itself; or refuse it, when too much is held already."""
        account, settings = message.account, self._settings
        full = self.holdings.enter(account)
        if full is not None:
            return full
        wait_s = min(settings.wait_s, message.expires_at) if message.expires_at else settings.wait_s
        due_ms = int((now + wait_s) * 1000)
        if part is None:
            message.held = ("", 1, 1, due_ms, "")
        else:
            source = canonical(message.source) if message.source.lstrip("+").isdecimal() else message.source
            whole = f"{account.id}/{source}/{self._marks.whole(message.destination)}/{part.reference}:{part.total}"
            key = blake2b(whole.encode(), digest_size=16, key=self._key).hexdigest()
            message.held = (key, part.number, part.total, due_ms, part.digest)
        message.state = State.HELD
        return None

    def on_held(self, texts: Iterable[int]) -> None:
        """The unit of work says that these are to be judged."""
        self._ready.update(dict.fromkeys(texts))
        self._wake.set()

    def take_up(self, message: Message) -> None:
        """A held message that a start, or the end of another node, has left: its text is looked for."""
        self._owners.append(message.id)
        self._wake.set()

    def adopt(self, message: Message) -> None:
        """A message that waited for its hours is to be seen by a person now: it is held by itself."""
        self._adopted.append(message)
        self._wake.set()

    # ---- rounds ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Judge what is to be judged, until cancelled."""
        while True:
            heed_cancellation()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.look_s):
                    await self._wake.wait()
            self._wake.clear()
            if not self._desk.commit.available:
                continue
            try:
                async with self._pool.acquire() as connection:
                    await self._round(connection)
            except LOST as error:
                self._log.warning("hold_failed", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _round(self, connection: Any) -> None:
        late = set[int]()
        if (now := self._desk.clock.now()) - self._looked_at >= self.look_s:
            self._looked_at, self._overdue = now, True
            await self._look(connection)
        if self._overdue:
            late.update(await holds.due(connection, LEASE_S, PAGE))
            self._overdue = len(late) == PAGE
        if self._adopted:
            adopted = self._adopted[:PAGE]
            await holds.put(connection, [(one.id, one.account.id) for one in adopted], LEASE_S)
            del self._adopted[: len(adopted)]
            for one in adopted:
                self._desk.commit.unwait(one.id)
                self._ready[one.id] = None
        if self._owners:
            owners, self._owners = self._owners[:PAGE], self._owners[PAGE:]
            self._ready.update(dict.fromkeys(await holds.of_messages(connection, owners)))
        ids = list(dict.fromkeys([*late, *self._ready]))[: PAGE + len(late)]
        for number in ids:
            self._ready.pop(number, None)
        if ids:
            await self._settle(connection, ids, late)
        if self._ready or self._owners or self._adopted or self._overdue:
            self._wake.set()

    async def _look(self, connection: Any) -> None:
        """Once a second: what is done, how much is held, what can be forgotten."""
        if self._done:
            done, self._done = self._done, []
            await holds.done(connection, done)
        self.holdings.count(await holds.counts(connection))
        await holds.forget(connection, FORGOTTEN)

    async def _settle(self, connection: Any, ids: Sequence[int], late: set[int]) -> None:
        """Judge, decide and carry out for these texts; of those in `late` the time is over."""
        texts = await holds.load(connection, ids)
        numbers = [message for text in texts for _, message in text.parts]
        loaded, closed = await messages.by_id(connection, numbers, self._desk.account_of, self._desk.opened)
        self._desk.process.unreadable += len(closed)
        texts = [text for text in texts if closed.keys().isdisjoint(message for _, message in text.parts)]
        verdicts, decisions = dict[int, Verdict](), dict[int, Decision]()
        for at, text in enumerate(texts, 1):
            if at % BREATH == 0:
                await asyncio.sleep(0)
            made = self._weigh(text, loaded, verdicts, late=text.id in late)
            if made is not None:
                decisions[text.id] = made
        fell = await self._weigh.decide(connection, decisions, verdicts, loaded) if decisions else set()
        if fell:
            self._probe("held_judged")
        for at, text in enumerate(texts, 1):
            if at % BREATH == 0:
                await asyncio.sleep(0)
            decided = decisions.get(text.id)
            if decided is not None:
                if text.id not in fell:
                    continue  # somebody else was first, or another part has come: then it is ready again, or due in a moment
                if text.fate is Fate.REVIEW:
                    await self._audit_expired(connection, text)
                if decided.deferred:
                    if not decided.unable:
                        self.fates["deferred", "rules"] += 1
                    continue
                by = "person" if text.actor and decided.fate is text.fate else "rules"
                text.fate, text.error, text.reason, text.rule = decided.fate, decided.error, decided.reason, decided.rule
                self.fates[decided.fate.name.lower(), by] += 1
            if text.fate <= Fate.REVIEW:
                continue
            held = [loaded[message] for _, message in text.parts if message in loaded and loaded[message].state in KEPT]
            if not held:
                self._done.append((text.id, text.seen))
                continue
            if text.actor and decided is None:
                self.fates[CANCELLED if text.reason == CANCELLED else text.fate.name.lower(), "person"] += 1
            self._carry_out(text, held, loaded, verdicts.get(text.id))

    async def _audit_expired(self, connection: Any, text: Text) -> None:
        """Nobody has decided a review in time."""
        said = {"decision": "expired", "rule": text.rule}
        await provisioning.audit(
            connection, "smsgw", ("review", str(text.id)), {"decision": "review"}, said, "nobody decided in time"
        )

    # ---- carrying out ---------------------------------------------------------------------------------------------

    def _carry_out(self, text: Text, held: list[Message], loaded: dict[int, Message], verdict: Verdict | None) -> None:
        """Let all messages of a text that are still held go the way that was decided."""
        for message in held:
            message.rule = text.rule
            message.waiting = True  # a start may have put it among what waits
        if text.fate is Fate.RELEASED:
            verdict = verdict or self._weigh.judge(text, loaded, self._desk.clock.time())
            told = self._weigh.barred(held[0], verdict)
            if told is None:
                allowed = self._weigh.links_of(held[0], verdict)
                gone = [loaded[one].link for _, one in text.parts if one in loaded and loaded[one].state not in KEPT]
                self._release(text, held, allowed, next((link for link in gone if link in allowed), 0))
                return
            text.error, text.reason = told.status, told.reason  # between the verdict and now
            for message in held:
                message.rule = told.rule
        wave = _Wave(held, lambda _: self._told(text))
        expired = text.fate is Fate.EXPIRED  # its receipts say so, and not for what it had been held
        cancelled = text.reason == CANCELLED and not expired
        for message in held:
            message.state = State.EXPIRED if expired else State.CANCELLED if cancelled else State.REJECTED
            message.error = error_of(message) if cancelled else text.error
            self._ending.end(message, "" if expired else text.reason)
        self._desk.commit.change_all(held, wave.effect)

    def _release(self, text: Text, held: list[Message], links: tuple[int, ...], same: int) -> None:
        """All on one link, in the order of their parts; those that find no room there wait for it in the store."""
        link = same or self._link_for(len(held), links)
        later = self._desk.clock.time() + SUBMITTING_S
        commit, room = self._desk.commit, True
        for message in held:
            message.link, message.links = link, links
            bind = self._carriers.reserve((link,)) if room else None
            room = bind is not None
            if bind is not None:
                self._dispatch.take_slot(message, bind)
                self._desk.transit.enter(message)  # its receipt may come at once
            else:
                message.state, message.waiting, message.spilled = State.QUEUED, False, True

        def released(told: list[tuple[Message, Rejected | None]]) -> None:
            self._told(text)
            for message, verdict in told:
                if message.bind is not None:
                    self._dispatch.submit(message, verdict)

        commit.change_all(held, _Wave(held, released).effect)
        for message in held:
            sending = message.bind is not None
            commit.wait(message, link, later if sending else 0.0, claimed=sending)

    def _link_for(self, count: int, links: tuple[int, ...]) -> int:
        """Return the first link with room for all, else the first that is bound, else the first."""
        bound = [link for link in links if self._carriers.bound(link)]
        return next((link for link in bound if self._carriers.room(link) >= count), (bound or links)[0])

    def _told(self, text: Text) -> None:
        """The verdict is carried out, and durable."""
        self._probe("held_carried_out")
        self.holdings.leave(text.account, len(text.parts), waited=text.waits)
        self._done.append((text.id, text.seen))

    # ---- seen from outside ----------------------------------------------------------------------------------------

    def register(self, meters: Meters) -> None:
        """Export what is held and what became of it."""
        self.holdings.register(meters)
        meters.counter(
            "smsgw_held_decided", "Verdicts on held texts, and whose they are.", lambda: dict(self.fates), ("verdict", "by")
        )


def _unwatched(_point: str) -> None:
    """No crash test is watching."""


class _Wave:
    """The effects of messages that change in one cycle, gathered: `then` gets all in order, with their verdicts."""

    def __init__(self, messages: list[Message], then: Callable[[list[tuple[Message, Rejected | None]]], None]) -> None:
        self._order = messages
        self._verdicts: dict[int, Rejected | None] = {}
        self._then = then

    def effect(self, message: Message, verdict: Rejected | None) -> None:
        """One has been told."""
        self._verdicts[message.id] = verdict
        if len(self._verdicts) == len(self._order):
            self._then([(one, self._verdicts[one.id]) for one in self._order])
