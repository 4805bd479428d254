"""Token buckets for what an account may send: parts per second, with a burst. Stateful, synchronous, time passed in.

A bucket starts full, so that the first burst passes whole; it refills continuously at the account's rate.

Never here: sleeping, SQL, a decision about the status that a refusal gets.
"""

from __future__ import annotations

from smsgw.model import Account


class Bucket:
    """`rate` tokens a second, at most `burst` of them."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: int, burst: int, now: float) -> None:
        """Start full at `now` (monotonic seconds)."""
        self.rate = rate
        self.burst = max(burst, rate, 1)
        self._tokens = float(self.burst)
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Take `count` tokens; False, and nothing taken, when there are not that many.

        More than the whole burst pass when the bucket is full, and leave it in debt: else they would never pass.
        """
        tokens = self._tokens + (now - self._at) * self.rate
        self._at = now
        if tokens > self.burst:
            tokens = float(self.burst)
        if tokens < count and tokens < self.burst:
            self._tokens = tokens
            return False
        self._tokens = tokens - count
        return True

    def give_back(self, count: int) -> None:
        """Return tokens of a message that was refused after all."""
        self._tokens = min(float(self.burst), self._tokens + count)


class Throttle:
    """The buckets of all accounts that have a rate."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        """Start with no bucket; each is made when its account first sends."""
        self._buckets: dict[int, Bucket] = {}

    def take(self, account: Account, parts: int, now: float) -> bool:
        """Take the account's tokens for a message of `parts` parts; True when it has them or has no limit."""
        if not account.rate:
            return True
        bucket = self._buckets.get(account.id)
        if bucket is None or bucket.rate != account.rate:
            bucket = self._buckets[account.id] = Bucket(account.rate, account.burst, now)
        else:
            bucket.burst = max(account.burst, account.rate)
        return bucket.take(parts, now)

    def forget(self, known: set[int]) -> None:
        """Drop the buckets of accounts that exist no more."""
        for account in self._buckets.keys() - known:
            del self._buckets[account]
