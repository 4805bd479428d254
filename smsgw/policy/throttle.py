"""Token buckets for what an account may send: parts per second, with a burst. Stateful, synchronous, time passed in.

Four kinds, each with a rate and a burst of its own: the account, one session of it, one sender (source address) and one
recipient. A bucket starts full, so that the first burst passes whole, and refills continuously. A message takes its parts from
all of them or from none.

What is shared, with other nodes and with the process that comes after this one, is told in `Share`s: what was taken lately from
each bucket that is not a session's. `journey.limits` carries them. A bucket that hears of what others took may go into debt; then
nothing passes until the rate has paid it.

Bounded: senders and recipients have `most` buckets together; over it the one that was used longest ago goes, which most likely is
full again. Never here: sleeping, SQL, an address in clear (keys are keyed hashes), the status that a refusal gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from smsgw.model import Account

ACCOUNT: Final = 0
SENDER: Final = 1
RECIPIENT: Final = 2
SESSION: Final = 3
REASONS: Final = ("rate", "sender_rate", "recipient_rate", "session_rate")
"""The word that a refusal has, by the kind of the bucket that was too empty."""
MOST: Final = 100_000
_DUST: Final = 1e-6  # of a token: what floating point loses


class Share(NamedTuple):
    """What a bucket tells: `taken` parts since it last told, the first of them `age_s` ago.

    `full_in_s`: when it is full again, for all that it knows.
    """

    kind: int
    key: int
    rate: float
    taken: int
    age_s: float
    full_in_s: float


class Bucket:
    """`rate` tokens a second, at most `burst` of them."""

    __slots__ = ("_full_at", "_since", "burst", "key", "kind", "rate", "taken")

    def __init__(self, rate: float, burst: int, now: float, *, kind: int = SESSION, key: int = 0, full_at: float = 0.0) -> None:
        """Start full at `now` (monotonic seconds), or as far from it as `full_at` says."""
        self.rate = rate
        self.burst = max(burst, int(rate), 1)
        self.kind = kind
        self.key = key
        self.taken = 0
        self._full_at = max(now, full_at)
        self._since = now

    def has(self, count: int, now: float) -> bool:
        """Tell whether `count` tokens can be taken.

        More than the whole burst can when the bucket is full, and leave it in debt: else they never could.
        """
        missing = (self._full_at - now) * self.rate
        return missing <= _DUST or self.burst - missing + _DUST >= count

    def spend(self, count: int, now: float) -> None:
        """Take `count` tokens, whether they are there or not."""
        if not self.taken:
            self._since = now
        self.taken += count
        self._full_at = max(self._full_at, now) + count / self.rate

    def take(self, count: int, now: float) -> bool:
        """Take `count` tokens; False, and nothing taken, when there are not that many."""
        if not self.has(count, now):
            return False
        self.spend(count, now)
        return True

    def give_back(self, count: int) -> None:
        """Return tokens of a message that was refused after all."""
        self.taken -= count
        self._full_at -= count / self.rate

    def level(self, now: float) -> float:
        """Return how many tokens there are; below nought it is in debt."""
        return self.burst - max(0.0, self._full_at - now) * self.rate

    def share(self, now: float) -> Share:
        """Tell what was taken since the last time."""
        told = Share(self.kind, self.key, self.rate, self.taken, now - self._since, max(0.0, self._full_at - now))
        self.taken = 0
        return told

    def learn(self, full_in_s: float, now: float) -> None:
        """Hear when it is full, all that everybody told counted."""
        self._full_at = now + full_in_s + self.taken / self.rate


class Holder(Protocol):
    """Who keeps the bucket of a session."""

    bucket: Bucket | None


class Throttle:
    """The buckets of all accounts that have a rate."""

    __slots__ = ("_accounts", "_addresses", "_changed", "_key", "_known", "dropped", "most")

    def __init__(self, key: bytes = b"", *, most: int = MOST) -> None:
        """Start with no bucket; each is made when it is first needed. `key`: for the hashes of addresses."""
        self._accounts: dict[int, Bucket] = {}
        self._addresses: dict[tuple[int, int, str], Bucket] = {}
        self._changed: dict[Bucket, None] = {}
        self._known: dict[tuple[int, int], float] = {}
        self._key = key
        self.most = most
        self.dropped = 0

    def __len__(self) -> int:
        """How many buckets of senders and recipients there are."""
        return len(self._addresses)

    def take(
        self, account: Account, parts: int, now: float, *, source: str = "", to: str = "", session: Holder | None = None
    ) -> str:
        """Take a message's parts from all buckets that limit it; returns "" or the word of the first that has too few."""
        buckets = self._of(account, now, source, to, session)
        for bucket in buckets:
            if not bucket.has(parts, now):
                return REASONS[bucket.kind]
        changed = self._changed
        for bucket in buckets:
            bucket.spend(parts, now)
            if bucket.kind != SESSION:
                changed[bucket] = None
        return ""

    def give_back(
        self, account: Account, parts: int, now: float, *, source: str = "", to: str = "", session: Holder | None = None
    ) -> None:
        """Return the tokens of a message that was refused after it had taken them."""
        for bucket in self._of(account, now, source, to, session):
            bucket.give_back(parts)
            if bucket.kind != SESSION:
                self._changed[bucket] = None

    def _of(self, account: Account, now: float, source: str, to: str, session: Holder | None) -> list[Bucket]:
        """Return the buckets that limit a message, made where they are missing."""
        found = []
        if account.rate:
            bucket = self._accounts.get(account.id)
            if bucket is None or bucket.rate != account.rate:
                bucket = self._accounts[account.id] = self._made(account.rate, account.burst, now, ACCOUNT, account.id)
            else:
                bucket.burst = max(account.burst, account.rate)
            found.append(bucket)
        if account.session_rate and session is not None:
            bucket = session.bucket
            if bucket is None or bucket.rate != account.session_rate:
                bucket = session.bucket = Bucket(account.session_rate, account.session_burst, now)
            else:
                bucket.burst = max(account.session_burst, account.session_rate)
            found.append(bucket)
        if account.sender_rate:
            found.append(self._address((account.id, SENDER, source), account.sender_rate, account.sender_burst, now))
        if account.recipient_rate:
            name = (account.id, RECIPIENT, to.removeprefix("+"))
            found.append(self._address(name, account.recipient_rate, account.recipient_burst, now))
        return found

    def _address(self, name: tuple[int, int, str], rate: float, burst: int, now: float) -> Bucket:
        """Return the bucket of a sender or a recipient (account, kind, address), as the last one used."""
        addresses = self._addresses
        bucket = addresses.pop(name, None)
        if bucket is None or bucket.rate != rate:
            digest = blake2b("{}/{}/{}".format(*name).encode(), digest_size=8, key=self._key).digest()
            bucket = self._made(rate, burst, now, name[1], int.from_bytes(digest, "big", signed=True))
            if len(addresses) >= self.most:
                del addresses[next(iter(addresses))]
                self.dropped += 1
        else:
            bucket.burst = max(burst, int(rate), 1)
        addresses[name] = bucket
        return bucket

    def _made(self, rate: float, burst: int, now: float, kind: int, key: int) -> Bucket:
        return Bucket(rate, burst, now, kind=kind, key=key, full_at=self._known.pop((kind, key), 0.0))

    # ---- shared -------------------------------------------------------------------------------------------------------

    @property
    def changed(self) -> int:
        """How many buckets have something to tell."""
        return len(self._changed)

    def know(self, buckets: Iterable[tuple[int, int, float]], now: float) -> None:
        """Hear of (kind, key, full in so many seconds) before the first message: what was taken before this process began."""
        self._known = {(kind, key): now + full_in_s for kind, key, full_in_s in buckets}

    def shares(self, now: float, most: int) -> Iterator[tuple[Bucket, Share]]:
        """Yield what at most so many buckets have to tell, the longest silent first; they have told it then."""
        for bucket in list(self._changed)[:most]:
            del self._changed[bucket]
            yield bucket, bucket.share(now)

    def untold(self, bucket: Bucket, share: Share) -> None:
        """Take back what could not be told."""
        bucket.taken += share.taken
        self._changed[bucket] = None

    def forget(self, known: set[int], now: float = 0.0) -> None:
        """Drop the buckets of accounts that exist no more, and what was known of buckets that are full meanwhile."""
        for account in self._accounts.keys() - known:
            del self._accounts[account]
        for name in [name for name in self._addresses if name[0] not in known]:
            del self._addresses[name]
        self._known = {key: full_at for key, full_at in self._known.items() if full_at > now}
