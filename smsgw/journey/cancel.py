"""cancel: what was accepted and has not been sent, and is not to be → ended, paid back, told its tenant.

Somebody asks for it by a row (admin/cancelling). Each node finds it within a second and ends what is its own to end: what waits in
its memory, and in pages what waits in the store, which it claims first, as a link claims what it will send. What a link has claimed
it takes out of its hands (`takes`, asked by journey/due), so that a slow one does not hide it. Of held texts it says the verdict,
and journey/hold carries that out. What is on the wire is looked at again: when the carrier throttles, refuses or loses it, it comes
back and is caught then. So a cancellation is done when nothing that it means is open any more; who sees that first says what came
of it.

    CANCELLED   the carrier surely does not have it: given back, receipt DELETED
    UNKNOWN     it was in doubt, and is not sent again

Promises: a message is sent or cancelled, never both, never neither: its row's revision lets one change win; a page is durable
before the next is read, so neither memory nor the unit of work fills with it.
Must never: change a row behind the back of who has its message; end what somebody else has claimed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

from smsgw.billing.tariff import format_money
from smsgw.model import Message, Mode, Rejected, State
from smsgw.policy.statuses import refusal
from smsgw.store import cancels, messages, provisioning
from smsgw.store.cancels import CANCELLED, Cancellation, Filter
from smsgw.store.database import LOST, heed_cancellation
from smsgw.store.sealed import Unreadable

if TYPE_CHECKING:
    from smsgw.config import Limits
    from smsgw.journey.desk import Desk
    from smsgw.journey.dispatch import Dispatch
    from smsgw.journey.ending import Ending
    from smsgw.telemetry import Meters

PAGES_TAKEN: Final = 4
"""How many pages of those that links had claimed wait here for their end; what is claimed beyond goes on, and is counted."""
# Below stand no limits: nothing is refused, dropped or made to wait by them, they only divide work into steps.
BREATH: Final = 2_048
"""After so many that were looked at the loop goes on to other things."""
EVERY_S: Final = 1.0
SELDOM_S: Final = 16.0
"""How often the store is looked through at last, where nothing is found any more and something is still on the wire."""
SETTLE_S: Final = 2.0
"""A message may have been accepted before a cancellation and be in the store after it: so long one is looked for at least."""


class Cancel:
    """The journey of what must not go any more."""

    def __init__(  # noqa: PLR0917 - the parties
        self, desk: Desk, pool: Any, dispatch: Dispatch, ending: Ending, limits: Limits, probe: Callable[[str], None] | None = None
    ) -> None:
        """Take the parties, and how many messages make a page; `probe` is told crash points."""
        self._desk = desk
        self._pool = pool
        self._dispatch = dispatch
        self._ending = ending
        self._limits = limits
        self._page = limits.cancel_page
        self._probe = probe or _unwatched
        self._log = structlog.get_logger().bind()
        self.ended: Counter[tuple[str, ...]] = Counter()
        self.passed = 0
        self._active: list[Cancellation] = []
        self._taken: list[tuple[Cancellation, Message]] = []
        self._again: set[int] = set()
        self._later: dict[int, tuple[float, float]] = {}
        self._wake = asyncio.Event()
        self._looked_at = 0.0

    def register(self, meters: Meters) -> None:
        """Export how much was ended, and how many cancellations are being carried out."""
        meters.counter(
            "smsgw_cancelled",
            "Messages that people had cancelled, by where they were: memory, store, held; doubt: given up, not sent again.",
            lambda: dict[tuple[str, ...], float](self.ended),
            ("where",),
        )
        meters.counter(
            "smsgw_cancel_passed", "Messages that went on because too many waited for their end already.", lambda: self.passed
        )
        meters.gauge("smsgw_cancellations_open", "Cancellations that are being carried out.", lambda: len(self._active))
        meters.gauge("smsgw_cancellations_most", "How many may be carried out at a time.", lambda: self._limits.cancellations)

    def takes(self, message: Message) -> bool:
        """Tell whether a message that this node has claimed and that waits is not to go: it is this journey's to end, then."""
        for one in self._active:
            if not one.filter.rule and means(one.filter, message):
                if len(self._taken) >= PAGES_TAKEN * self._page:
                    self.passed += 1
                    return False
                self._taken.append((one, message))
                self._wake.set()
                return True
        return False

    # ---- rounds ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out what is asked for, until cancelled."""
        while True:
            heed_cancellation()
            try:
                if self._desk.commit.available:
                    await self._end_taken()
                    await self._round()
            except LOST as error:
                self._log.warning("cancel_failed", error=type(error).__name__)
                self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()

    async def _end_taken(self) -> None:
        """End what links had claimed."""
        self._wake.clear()
        while self._taken:
            page = self._taken[: self._page]
            for number in {one.id for one, _ in page}:
                await cancels.note(self._pool, number, [message.id for one, message in page if one.id == number])
            del self._taken[: len(page)]
            await self._end([message for _, message in page], "store")

    async def _round(self) -> None:
        if (now := self._desk.clock.now()) - self._looked_at < EVERY_S:
            return
        self._looked_at = now
        self._active = await cancels.under_way(self._pool)
        self._later = {one.id: self._later.get(one.id, (0.0, EVERY_S)) for one in self._active}
        for one in self._active:
            began = await self._in_memory(one)
            due_at, pause = self._later[one.id]
            if not began and now < due_at:
                continue
            began += await self._in_store(one) + await self._held(one)
            self._again.discard(one.id)
            await self._end_taken()
            self._later[one.id] = (0.0, EVERY_S) if began else (now + pause, min(2 * pause, SELDOM_S))
            if not began and one.age_s >= SETTLE_S and not await cancels.left(self._pool, one.filter):
                await self._finish(one)

    async def _in_memory(self, one: Cancellation) -> int:
        """End what waits in this node's memory for a link."""
        if one.filter.rule:
            return 0  # what has met a rule was held, and what was let go and found no room waits in the store
        waiting = [message for message in self._desk.transit.oldest() if _waits(message)]
        meant: list[Message] = []
        for at in range(0, len(waiting), BREATH):
            meant += [message for message in waiting[at : at + BREATH] if means(one.filter, message)]
            await asyncio.sleep(0)
        ended = 0
        for at in range(0, len(meant), self._page):
            page = meant[at : at + self._page]
            await cancels.note(self._pool, one.id, [message.id for message in page])
            ended += await self._end([message for message in page if _waits(message)], "memory")
        for link_id in {message.link for message in meant}:
            self._dispatch.drop_spilled(link_id)
        return ended

    async def _in_store(self, one: Cancellation) -> int:
        """End what waits in the store and nobody has claimed; and what this node had claimed for it when the store was lost."""
        desk, ended, again = self._desk, 0, one.id in self._again
        after: int | None = 0
        self._again.add(one.id)  # until the round is over
        while after is not None:
            ids, after = await cancels.claim(self._pool, one, desk.commit.seat, after, self._page, again=again)
            self._probe("cancel_claimed")
            loaded = await messages.load(self._pool, ids, desk.account_of, self._opened)
            for message in loaded:
                message.waiting = True
                if message.state >= State.SENT:  # a late answer has settled it meanwhile
                    desk.commit.unwait(message.id)
            ended += await self._end([message for message in loaded if message.state < State.SENT], "store")
        return ended

    def _opened(self, owner: int, body: bytes) -> bytes:
        """Open content; what this node has no key for is cancelled no less, and its receipt told from its row."""
        try:
            return self._desk.opened(owner, body)
        except Unreadable:
            return b""

    async def _held(self, one: Cancellation) -> int:
        """Have held texts refused, in pages."""
        after = ended = 0
        while texts := await cancels.refuse_held(self._pool, one, after, self._page):
            after = max(texts)
            ended += len(texts)
            self.ended["held",] += sum(texts.values())
        return ended

    async def _end(self, ending: Sequence[Message], where: str) -> int:
        """End messages that nobody else has, and wait until that is durable; returns of how many it is."""
        if not ending:
            return 0
        left, ended, done = len(ending), 0, asyncio.Event()

        def told(word: str, verdict: Rejected | None) -> None:
            nonlocal left, ended
            left -= 1
            if verdict is None:
                ended += 1
                self.ended[word,] += 1
            if not left:
                done.set()

        for message in ending:
            doubted = _is_doubted(message)
            message.state = State.UNKNOWN if doubted else State.CANCELLED
            if not doubted:
                message.error = error_of(message)
            self._ending.end(message, "" if doubted else CANCELLED)
            self._desk.commit.change(message, told, "doubt" if doubted else where)
        await done.wait()
        self._probe("cancel_page")
        return ended

    async def _finish(self, one: Cancellation) -> None:
        """Nothing that it means is open any more: say so, once."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await cancels.finish(connection, one)
            if rows is None:
                return
            accounts = {row["account"]: {**row, "refund": format_money(row["refund"])} for row in rows}
            sums = {key: sum(row[key] for row in rows) for key in ("messages", "parts", "in_doubt", "out")}
            said = {"state": "done", **sums, "accounts": accounts}
            await provisioning.audit(connection, "smsgw", ("cancellation", str(one.id)), {"state": "open"}, said, one.reason)
        self._log.info("cancellation_done", cancellation=one.id, **sums)


def means(meant: Filter, message: Message) -> bool:
    """Tell whether a filter means a message of memory, but for its rule."""
    if not meant.since_id <= message.id < meant.until_id:
        return False
    if (meant.account and meant.account != message.account.id) or (meant.tenant and meant.tenant != message.account.tenant.id):
        return False
    if (meant.link and meant.link != message.link) or (meant.source and meant.source != message.source):
        return False
    number = message.destination.lstrip("+0") if meant.number or meant.prefix else ""
    return number.startswith(meant.prefix) and (not meant.number or number == meant.number)


def error_of(message: Message) -> int:
    """Return the status that the receipt of a cancelled message tells."""
    told = refusal(CANCELLED, strict_34=message.account.strict_34)
    assert told is not None
    return told.status


def _waits(message: Message) -> bool:
    """Tell whether a message of memory is durable, waits for a link, and is not where others may claim it."""
    return message.state is State.QUEUED and not message.spilled and (bool(message.answered_at) or message.session is None)


def _is_doubted(message: Message) -> bool:
    """Tell whether the carrier may have it: it was sent, and no answer came."""
    return message.state in {State.IN_DOUBT, State.SUBMITTING} or message.resends > 0 or message.mode == Mode.RELAY


def _unwatched(_point: str) -> None:
    """No crash test is watching."""
