"""What a state does to submits: refuse them with the state's own status, or slow them down. Stateful, synchronous, time passed in.

Asked only for accounts with a restriction; for all others the hot path has looked at one attribute.

Never here: who decided it, the store.
"""

from __future__ import annotations

from typing import Final

from smsgw.model import Account, Rejected
from smsgw.policy.statuses import refusal
from smsgw.policy.throttle import Bucket
from smsgw.smpp import const

LIMITED: Final = Rejected(const.ESME_RTHROTTLED, "limited")
BUCKETS_CAP: Final = 10_000


class Gate:
    """The buckets of limited accounts and tenants; a bucket is made when its owner first sends, and again at another rate."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        """Start with no bucket."""
        self._buckets: dict[tuple[str, int], Bucket] = {}

    def refuse(self, account: Account, parts: int, now: float) -> Rejected | None:
        """Judge a message of a restricted account; None lets it pass, and has taken its parts."""
        held = account.restriction
        assert held is not None
        if held.refusal:
            return refusal(held.refusal, strict_34=account.strict_34)
        shared = self._bucket("tenant", account.tenant.id, held.tenant_rate, now)
        if shared is not None and not shared.take(parts, now):
            return LIMITED
        own = self._bucket("account", account.id, held.account_rate, now)
        if own is not None and not own.take(parts, now):
            if shared is not None:
                shared.give_back(parts)
            return LIMITED
        return None

    def give_back(self, account: Account, parts: int) -> None:
        """Return the parts of a message that was refused after it had passed."""
        for owner in (("tenant", account.tenant.id), ("account", account.id)):
            bucket = self._buckets.get(owner)
            if bucket is not None:
                bucket.give_back(parts)

    def _bucket(self, of: str, owner: int, rate: int, now: float) -> Bucket | None:
        if not rate:
            return None
        bucket = self._buckets.get((of, owner))
        if bucket is None or bucket.rate != rate:
            self._buckets.pop((of, owner), None)
            bucket = self._buckets[of, owner] = Bucket(rate, rate, now)
            if len(self._buckets) > BUCKETS_CAP:
                del self._buckets[next(iter(self._buckets))]
        return bucket


def reworded(account: Account, reason: str) -> str:
    """Return the reason of a refusal as the account's state has it: an end of money ends an account that is closing."""
    held = account.restriction
    return "closing" if reason == "balance" and held is not None and held.closing else reason
