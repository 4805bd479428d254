"""limits: what token buckets have let through is told to the other nodes, and to the process that comes after this one.

Once in `share_s` what was taken from each bucket goes to the store, and what all nodes have taken comes back. So the rate holds
over all nodes in the long run; what it can be off meanwhile:

- several nodes: until they have told each other, each lets through what it thinks is there. At most (nodes - 1) × (burst +
  rate × `share_s`) parts too many pass; they are a debt, and nothing passes until the rate has paid it;
- kill -9: what was taken in the last `share_s` is forgotten, at most burst + rate × `share_s` parts; a drained stop forgets
  nothing;
- the store away: each node goes on by what it knows.

Beside that the counters of caps, which the unit of work counts in, are pruned in the store: those that are over, and over their
bound those that would be over first.

Must never: hold up a message; fail a start or a drain.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

from smsgw.policy.throttle import Throttle
from smsgw.store import limits
from smsgw.store.database import LOST, heed_cancellation

if TYPE_CHECKING:
    from smsgw.directory import Directory
    from smsgw.telemetry import Meters

PRUNE_EVERY_S: Final = 60.0
AT_ONCE: Final = 2_000
"""Buckets that tell at a time; with more than that the rest tells `share_s` later."""


class Limits:
    """The throttle, and the errand that shares it."""

    def __init__(self, throttle: Throttle, pool: Any, clock: Any, *, share_s: float, caps: int) -> None:
        """Take what is shared, and where; nothing runs before `load`. `caps`: counters of caps that may be in the store."""
        self.throttle = throttle
        self._pool = pool
        self._clock = clock
        self._share_s = share_s
        self._most_caps = caps
        self._pruned_at = clock.now()
        self.caps = 0
        self.caps_dropped = 0
        self.failures = 0
        self._log = structlog.get_logger().bind()

    def register(self, meters: Meters) -> None:
        """Export how many buckets there are."""
        meters.gauge("smsgw_limit_buckets", "Token buckets of senders and recipients.", lambda: len(self.throttle))
        meters.counter("smsgw_limit_buckets_dropped", "Buckets dropped for limits.buckets.", lambda: self.throttle.dropped)
        meters.gauge("smsgw_recipient_caps", "Counters of caps in the store, as last seen.", lambda: self.caps)
        meters.counter("smsgw_recipient_caps_dropped", "Counters dropped for limits.recipient_caps.", lambda: self.caps_dropped)
        meters.counter("smsgw_limit_share_failures", "Times that nodes could not tell each other.", lambda: self.failures)

    async def load(self) -> None:
        """Learn what was taken before this process began."""
        async with self._pool.acquire() as connection:
            buckets = await limits.load_buckets(connection, self.throttle.most)
        self.throttle.know(buckets, self._clock.now())

    async def run(self) -> None:
        """Share for ever, until cancelled."""
        while True:
            heed_cancellation()
            await asyncio.sleep(self._share_s)
            await self.share()
            if self._clock.now() - self._pruned_at >= PRUNE_EVERY_S:
                self._pruned_at = self._clock.now()
                await self.prune()

    async def prune(self) -> None:
        """Forget counters of caps that are over, or too many."""
        try:
            async with self._pool.acquire() as connection:
                self.caps, dropped = await limits.prune_caps(connection, self._most_caps)
        except LOST as error:
            self._log.warning("caps_not_pruned", error=type(error).__name__)
            return
        if dropped:
            self.caps_dropped += dropped
            self._log.error("caps_dropped", counters=dropped, most=self._most_caps, mend="raise limits.recipient_caps")

    async def share(self) -> None:
        """Tell what was taken since the last time, and hear what all have taken."""
        told = list(self.throttle.shares(self._clock.now(), AT_ONCE))
        if not told:
            return
        rows = [(one.kind, one.key, one.taken / one.rate, one.age_s, one.full_in_s) for _, one in told]
        try:
            async with self._pool.acquire() as connection:
                heard = await limits.share_buckets(connection, rows)
        except LOST as error:
            self.failures += 1
            self._log.warning("limits_not_shared", error=type(error).__name__)
            for bucket, share in told:
                self.throttle.untold(bucket, share)
            return
        now = self._clock.now()
        for bucket, share in told:
            bucket.learn(heard[share.kind, share.key], now)

    async def settle(self, within_s: float) -> None:
        """Tell everything before the end, in so many seconds."""
        failures = self.failures
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.throttle.changed and self.failures == failures:
                    await self.share()

    def follow(self, directory: Directory) -> None:
        """Forget the buckets of accounts that are gone."""
        self.throttle.forget({account.id for account in directory.accounts()}, self._clock.now())
