"""Pumping: attempts of an account that look as if messages were sent for what they earn. Stateful, synchronous, time passed in.

Attempts are counted apart from quotas and caps: also those that a rule, a limit or money refuses. They are looked at in blocks, so
that a message costs an append and a block some microseconds for each of its attempts. The signs, each with a threshold of its own:

- sequential: recipients whose number is next to another's of the block (n, n + 1, …);
- prefix: many recipients of one prefix (a number without its last four digits), far more than this account had before;
- country: the same of one country;
- delivery: few of the last messages that came to an end were delivered.

What an account did before is remembered as shares that fade. A block with a sign in it is remembered at a tenth of its weight, so
that what goes on for long becomes ordinary, and what goes on for a while does not.

Promises: bounded, by the block, by prefixes remembered and by accounts watched (the longest unseen is forgotten).
Must never: refuse a message (steps are taken by `admin.ladder`); keep a number beyond its block; tell one in full.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

import msgspec

from smsgw.model import Account
from smsgw.numbering.plan import the_plan
from smsgw.policy.file import Pumping as Table
from smsgw.policy.numbers import canonical

FADES: Final = 0.9
"""What a block leaves of the shares before it."""
LITTLE: Final = 0.1
"""The weight of a block with a sign in it."""
REMEMBERED: Final = 64
"""Prefixes, and countries, that are remembered of an account."""
SUFFIX: Final = 4
TOLD_EVERY_S: Final = 10.0
SIGNS_CAP: Final = 1_000


class Sign(msgspec.Struct, frozen=True, gc=False):
    """One signal over its threshold: a `share` of so many (`of`), most of it what `detail` says ("" for nothing in particular)."""

    account: Account
    table: Table
    signal: str
    share: float
    threshold: float
    of: int
    detail: str = ""
    shadow: bool = False

    @property
    def evidence(self) -> tuple[str, ...]:
        """What a notice and an audit row say of it."""
        said = f"{self.signal} {self.share:.2f} of {self.of}, threshold {self.threshold:.2f}"
        return (said, self.detail) if self.detail else (said,)


class _Past:
    """Shares of prefixes, or of countries, that fade."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}
        self.total = 0.0

    def share(self, word: str) -> float:
        return self.counts.get(word, 0.0) / self.total if self.total else 0.0

    def learn(self, block: Mapping[str, int], weight: float) -> None:
        counts = {word: count * FADES for word, count in self.counts.items()}
        for word, count in block.items():
            counts[word] = counts.get(word, 0.0) + count * weight
        self.total = self.total * FADES + sum(block.values()) * weight
        if len(counts) > REMEMBERED:
            counts = dict(sorted(counts.items(), key=lambda item: item[1], reverse=True)[:REMEMBERED])
        self.counts = counts


class _Watch:
    """What is known of one account."""

    __slots__ = ("block", "blocks", "countries", "delivered", "ended", "prefixes", "told")

    def __init__(self) -> None:
        self.block: list[str] = []
        self.blocks = 0
        self.prefixes = _Past()
        self.countries = _Past()
        self.ended = 0
        self.delivered = 0
        self.told: dict[str, float] = {}


class Pumping:
    """All accounts whose policy asks for it."""

    def __init__(self, *, most: int = 2_000) -> None:
        """Watch so many accounts at most."""
        self._most = most
        self._watches: dict[int, _Watch] = {}
        self.signs: deque[Sign] = deque(maxlen=SIGNS_CAP)
        self.counted: Counter[tuple[str, ...]] = Counter()
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many accounts are watched."""
        return len(self._watches)

    def attempt(self, account: Account, table: Table, destination: str, now: float, *, shadow: bool = False) -> None:
        """An account tries to send to a number; `shadow`: that of the whole set."""
        watch = self._watches.get(account.id) or self._watch(account.id)
        watch.block.append(destination)
        if len(watch.block) >= table.attempts:
            block, watch.block = watch.block, []
            self._look(account, watch, table, [canonical(number) for number in block], now, shadow=shadow)

    def ended(self, account: Account, table: Table, now: float, *, delivered: bool, shadow: bool = False) -> None:
        """A message of an account has come to an end that tells whether it was delivered."""
        watch = self._watches.get(account.id)
        if watch is None or not table.delivery:
            return
        watch.ended += 1
        watch.delivered += delivered
        if watch.ended >= table.attempts:
            share, of = watch.delivered / watch.ended, watch.ended
            watch.ended = watch.delivered = 0
            if share < table.delivery:
                self._found(watch, Sign(account, table, "delivery", share, table.delivery, of, "", _shadow(table, shadow)), now)

    def taken(self) -> list[Sign]:
        """Hand over the signs since the last time."""
        signs = list(self.signs)
        self.signs.clear()
        return signs

    def _watch(self, account: int) -> _Watch:
        watch = self._watches[account] = _Watch()
        if len(self._watches) > self._most:
            del self._watches[next(iter(self._watches))]
            self.dropped += 1
        return watch

    def _look(self, account: Account, watch: _Watch, table: Table, block: list[str], now: float, *, shadow: bool) -> None:
        """Look at a full block, tell of what is in it, remember it."""
        self._watches[account.id] = self._watches.pop(account.id)  # the last one seen is the last one forgotten
        count = len(block)
        prefixes = Counter(number[:-SUFFIX] for number in block)
        locate = the_plan().locate
        countries: Counter[str] = Counter()
        for prefix, times in prefixes.items():
            countries[locate(prefix).country] += times
        found = []
        if table.sequential and (share := in_a_row(block) / count) >= table.sequential:
            found.append(("sequential", share, table.sequential, f"{prefixes.most_common(1)[0][0]}****"))
        if watch.blocks >= table.history:
            for signal, threshold, past, now_there, end in (
                ("prefix", table.prefix, watch.prefixes, prefixes, "****"),
                ("country", table.country, watch.countries, countries, ""),
            ):
                most = _grown(now_there, past, count * threshold, count * table.times) if threshold else None
                if most is not None:
                    found.append((signal, most[1] / count, threshold, f"{most[0] or 'nowhere'}{end}"))
        for signal, share, threshold, detail in found:
            self._found(watch, Sign(account, table, signal, share, threshold, count, detail, _shadow(table, shadow)), now)
        weight = LITTLE if found else 1.0
        watch.prefixes.learn(prefixes, weight)
        watch.countries.learn(countries, weight)
        watch.blocks += 1

    def _found(self, watch: _Watch, sign: Sign, now: float) -> None:
        """Count a sign; tell of it unless the same was told of a moment ago."""
        self.counted[sign.signal, "shadow" if sign.shadow else "enforce"] += 1
        if now - watch.told.get(sign.signal, 0.0) >= TOLD_EVERY_S:
            watch.told[sign.signal] = now
            self.signs.append(sign)


def _shadow(table: Table, shadow: bool) -> bool:  # noqa: FBT001 - it is what it returns
    return shadow or table.mode == "shadow"


def _grown(words: Counter[str], past: _Past, least: float, times: float) -> tuple[str, int] | None:
    """Return the commonest word of at least so many that was so much rarer before; None if there is none."""
    for word, count in words.most_common():
        if count < least:
            break
        if past.share(word) <= count / times:
            return word, count
    return None


def in_a_row(block: list[str]) -> int:
    """Count the numbers of a block that have another one next to them."""
    numbers = {int(digits) for digits in block if digits.isdecimal()}
    return sum(number - 1 in numbers or number + 1 in numbers for number in numbers)
