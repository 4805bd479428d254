"""recover: what a start, or the death of another node, leaves to be taken up.

Both are the same short pass in the store (`adopt`, schema 0004): every open row is spilled, its claims are freed, and from then on
the claim owns a message. What follows is ordinary life: due rows are claimed, waiting messages go to links with room, owed rows to
receivers that bind, parked receipts to their messages.

This is also the upkeep that only somebody must do now and then: partitions, tokens, receipts that never came, rows whose time to
live is over, dead nodes.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from smsgw.journey.receipt import may_mean
from smsgw.model import Message
from smsgw.store import cancels, limits, messages, nodes, partitions, receipts, retentions
from smsgw.store.database import LOST, heed_cancellation
from smsgw.store.ids import least_id_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from smsgw.journey.deliver import Deliver
    from smsgw.journey.desk import Desk
    from smsgw.journey.due import Due
    from smsgw.journey.recall import Recall
    from smsgw.journey.receipt import ReceiptJourney

RECEIPT_WAIT_S: Final = 72 * 3600
PAGE: Final = 500
MINUTE: Final = 60


class Recover:
    """Keeps watch over what no journey looks after."""

    def __init__(  # noqa: PLR0917 - whom it hands over to
        self,
        desk: Desk,
        pool: Any,
        recall: Recall,
        receipt: ReceiptJourney,
        deliver: Deliver,
        due: Due,
        *,
        takeover_s: float,
    ) -> None:
        """Take whom it hands over to; `takeover_s`: how old a heartbeat makes a node dead."""
        self._desk = desk
        self._pool = pool
        self._recall = recall
        self._receipt = receipt
        self._deliver = deliver
        self._due = due
        self._takeover_s = takeover_s
        self._log = structlog.get_logger().bind()
        self._swept_at = 0.0
        self._expiring: set[int] = set()
        self._sweeping = asyncio.Lock()
        self._stale_after = 0
        self._stale_more = False
        self._days_due = False
        self._keep_more = False
        self.hash_number: Callable[[str], str] | None = None
        """What makes of an old number the hash that takes its place."""
        self.taken_over = 0
        self.default_rows = 0

    async def run(self) -> None:
        """Do the rounds, until cancelled: parked receipts and awaited links each second, other nodes a third, upkeep a minute."""
        second = 0
        while True:
            heed_cancellation()
            try:
                if self._desk.commit.available:
                    second += 1
                    await self._round(second - 1)
            except LOST as error:
                self._log.warning("upkeep_failed", error=type(error).__name__)
            await asyncio.sleep(1.0)

    async def _round(self, second: int) -> None:
        own = self._desk.commit.seat.node
        if self._receipt.parked or second % 5 == 0:
            await self._sweep_parked()
        self._due.waited_for = await messages.waited_for(self._pool)
        if second % 3 == 0:
            async with self._pool.acquire() as connection:
                self._desk.several_nodes = await nodes.others_live(connection, own, self._takeover_s)
                for node in await nodes.dead_nodes(connection, own, self._takeover_s):
                    await self._take_over(connection, node)
        if second % MINUTE == 0:
            await self._upkeep()
        if self._stale_more:
            await self._give_up_receipts()
        if self._days_due and not self._stale_more:  # whose receipt never came is found by its reference: not before that is told
            await self._drop_days()
        if self._keep_more and self.hash_number is not None:
            async with self._pool.acquire() as connection:
                self._keep_more = (await retentions.keep(connection, self._desk.clock.time(), self.hash_number)).more

    async def _take_over(self, connection: Any, node: int) -> None:
        adopted = await nodes.take_over(connection, node, int(self._desk.clock.time() * 1000), self._takeover_s)
        if adopted is not None:
            self.taken_over += 1
            self._log.warning("node_taken_over", dead_node=node, **adopted)

    async def _sweep_parked(self) -> None:
        """Match parked receipts again: those of dead processes, and those whose message another node has settled.

        Fresh ones each time, all of them each minute: most receipts that match at all do so soon. One sweep at a time: what one has
        found to be over, another that began earlier does not know.
        """
        async with self._sweeping:
            await self._sweep()

    async def _sweep(self) -> None:
        journey, now = self._receipt, self._desk.clock.time()
        whole = now - self._swept_at >= MINUTE
        fresh = least_id_at(now - MINUTE)
        after, kept, expired = 0 if whole else fresh, set[int](), set[int]()
        while page := await receipts.load_parked(self._pool, after, PAGE, self._desk.opened):
            after = page[-1].id
            arrivals = []
            for parked in page:
                if now >= parked.expires_at:
                    expired.add(parked.id)
                    self._expire(parked)
                    continue
                kept.add(parked.id)
                if parked.id in journey.given_up:
                    continue
                remembered = journey.remember(parked)
                if (arrival := journey.arrival_of(parked)) is not None:
                    arrivals.append((parked, arrival, remembered))
            found = await self._recall.search([arrival for _, arrival, _ in arrivals]) if arrivals else {}
            for parked, arrival, remembered in arrivals:
                message = found.get(id(arrival))
                # One that is not remembered any more has found its message while the store was being asked.
                if message is None or not may_mean(parked, message):
                    continue
                if journey.forget(parked) or not remembered:
                    journey.found(arrival, message)
        if whole:
            self._swept_at = now
            self._expiring &= expired
            gone = [one for waiting in journey.parked.values() for one in waiting if one.id < fresh and one.id not in kept]
            for parked in gone:  # another node has matched it
                journey.forget(parked)

    def _expire(self, parked: receipts.ParkedReceipt) -> None:
        """The time of a parked receipt is over; counted once, also where the next sweep comes before its row is gone."""
        self._receipt.given_up.discard(parked.id)
        if parked.id not in self._expiring:
            self._expiring.add(parked.id)
            self._desk.commit.unpark(parked.id)
            self._receipt.forget(parked)
            self._desk.process.parked_expired += 1

    async def _upkeep(self) -> None:
        now = self._desk.clock.time()
        async with self._pool.acquire() as connection:
            await nodes.prune_tokens(connection)
            await limits.prune(connection)
            await partitions.ensure_days(connection, datetime.fromtimestamp(now, UTC))
            await self._drop_owed(connection, int(now * 1000))
        self._stale_more = self._days_due = self._keep_more = True

    async def _drop_days(self) -> None:
        """What has been kept for its time goes."""
        self._days_due = False
        async with self._pool.acquire() as connection:
            gone = await partitions.drop_old(connection, datetime.fromtimestamp(self._desk.clock.time(), UTC))
            if any(name.startswith("message_") for name in gone.dropped):
                await messages.forget_short_ids(connection)
                await cancels.forget(connection)

    async def _drop_owed(self, connection: Any, now_ms: int) -> None:
        """What is owed too long, or more than an account's cap, goes: the oldest first, in pages."""
        process = self._desk.process
        while expired := await receipts.expire_owed(connection, now_ms):
            process.receipts_expired += len(expired)
        for account_id, count in (await receipts.free_receipts(connection)).items():
            account = self._desk.directory.account_by_id(account_id)
            over = count - account.receipt_cap if account is not None and account.receipt_cap else 0
            while over > 0 and (dropped := await receipts.drop_oldest(connection, account_id, min(over, PAGE))):
                process.receipts_dropped += dropped
                over -= dropped

    async def _give_up_receipts(self) -> None:
        """Messages whose receipt never came: a page at a time, those of the time since the last look."""
        before = least_id_at(self._desk.clock.time() - RECEIPT_WAIT_S)
        async with self._pool.acquire() as connection:
            stale = await messages.stale_sent(connection, before, PAGE, after_id=self._stale_after)
        self._stale_more = len(stale) == PAGE
        if stale:
            self._recall.load_messages(stale, self._never_receipted)
        if not self._stale_more:
            self._stale_after = before

    def _never_receipted(self, message: Message) -> None:
        self._due.never_receipted(message)
