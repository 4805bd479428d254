"""Meters: what is counted, as plain integers that the hot path increments (0.06 µs against 1.3 µs for a labelled counter).

One meter a process, an account and a link. Everything is bounded, so that neither a set of tenants nor a carrier's
inventiveness can make a scrape or the memory large: from the `ACCOUNTS`-th on accounts share one meter named `other`, and a
`Tally` of what peers say counts its rarer words under one.

Never here: rendering, names of people or numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

ACCOUNTS: Final = 500
WORDS: Final = 64
OTHER: Final = "other"
OTHER_STATUS: Final = -1
SECONDS: Final[tuple[float, ...]] = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOMENTS: Final[tuple[float, ...]] = (5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.05)
DELAYS: Final[tuple[float, ...]] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0)

Word = TypeVar("Word")


class Tally(Counter[Word], Generic[Word]):
    """A Counter of at most `WORDS` words; what comes later is counted under `other`. `tally[word] += 1` is all it is for."""

    def __init__(self, other: Word) -> None:
        """Count the words that find no place under `other`."""
        super().__init__()
        self.other = other

    def __setitem__(self, word: Word, count: int) -> None:
        """Keep a count; a new word beyond the last place adds to `other`."""
        if word not in self and len(self) >= WORDS and word != self.other:
            super().__setitem__(self.other, self[self.other] + count)
        else:
            super().__setitem__(word, count)


class Histogram:
    """Counts by upper bound (inclusive); the last one is +Inf. `total` is the sum of what was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """Start with no observation."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class AccountMeter:
    """What one account did and had done to it. `refused`: submits by reason."""

    __slots__ = (
        "accepted",
        "accepted_parts",
        "mo_delivered",
        "name",
        "receipts_delivered",
        "receipts_refused",
        "receipts_retried",
        "refused",
    )

    def __init__(self, name: str) -> None:
        """Start at nought."""
        self.name = name
        self.accepted = 0
        self.accepted_parts = 0
        self.refused: Tally[str] = Tally(OTHER)
        self.receipts_delivered = 0
        self.receipts_retried = 0
        self.receipts_refused = 0
        self.mo_delivered = 0

    def refuse(self, reason: str) -> None:
        """Count a refusal by its reason, a constant word."""
        self.refused[reason] += 1


class LinkMeter:
    """What went over one link. `refused`: submits by command_status; `receipts`: by message_state; `codes`: failures by class."""

    __slots__ = (
        "alerts",
        "codes",
        "connects",
        "disconnects",
        "latency",
        "malformed",
        "mo",
        "name",
        "receipts",
        "refused",
        "sent",
        "submitted",
        "throttled",
        "timeouts",
    )

    def __init__(self, name: str) -> None:
        """Start at nought."""
        self.name = name
        self.submitted = 0
        self.sent = 0
        self.refused: Tally[int] = Tally(OTHER_STATUS)
        self.throttled = 0
        self.timeouts = 0
        self.receipts: Counter[int] = Counter()  # the reader knows ten states, so it needs no bound
        self.codes: Counter[str] = Counter()  # classes are those of a table
        self.mo = 0
        self.malformed = 0
        self.alerts = 0
        self.connects = 0
        self.disconnects: Tally[str] = Tally(OTHER)
        self.latency = Histogram()


class ProcessMeter:
    """What the process as a whole did. `final`: messages by state; `loop_lag_s`: the greatest since the last scrape."""

    __slots__ = (
        "binds_refused",
        "connections",
        "duplicate_receipts",
        "final",
        "loop_lag_s",
        "loop_stalls",
        "mo_unowned",
        "parked_expired",
        "parked_receipts",
        "receipts_dropped",
        "receipts_expired",
        "receipts_not_stored",
        "session_closes",
        "unreadable",
    )

    def __init__(self) -> None:
        """Start at nought."""
        self.final: Counter[int] = Counter()
        self.binds_refused: Tally[str] = Tally(OTHER)
        self.session_closes: Tally[str] = Tally(OTHER)
        self.connections = 0
        self.duplicate_receipts = 0
        self.parked_receipts = 0
        self.parked_expired = 0
        self.receipts_expired = 0
        self.receipts_dropped = 0
        self.receipts_not_stored = 0
        self.mo_unowned = 0
        self.unreadable = 0
        self.loop_lag_s = 0.0
        self.loop_stalls = 0

    def ended(self, state: int) -> None:
        """Count a message that has come to its end."""
        self.final[state] += 1


STALL_S: Final = 0.01
"""A turn of the loop that comes this much too late is counted as a stall."""

Reading = float | Mapping[tuple[str, ...], float]
Gauge = Callable[[], Reading]


class Meters:
    """All meters of the process, and gauges as callables that are read at a scrape, in the loop."""

    def __init__(self, *, accounts: int = ACCOUNTS) -> None:
        """`accounts`: how many accounts get a meter of their own."""
        self.process = ProcessMeter()
        self.submit_response = Histogram()
        self.receipt_delay = Histogram(DELAYS)
        self.judging = Histogram(MOMENTS)
        self.cycle = Histogram()
        self.loop_lag = Histogram()
        self.accounts: dict[str, AccountMeter] = {}
        self.links: dict[str, LinkMeter] = {}
        self.gauges: dict[str, tuple[str, tuple[str, ...], Gauge]] = {}
        self.counters: dict[str, tuple[str, tuple[str, ...], Gauge]] = {}
        self.folded: set[str] = set()
        self._most = accounts

    def account(self, name: str) -> AccountMeter:
        """Return an account's meter; the shared one once there are too many."""
        meter = self.accounts.get(name)
        if meter is None:
            if len(self.accounts) >= self._most and name != OTHER:
                if len(self.folded) < self._most:
                    self.folded.add(name)
                return self.account(OTHER)
            meter = self.accounts[name] = AccountMeter(name)
        return meter

    def link(self, name: str) -> LinkMeter:
        """Return a link's meter."""
        meter = self.links.get(name)
        if meter is None:
            meter = self.links[name] = LinkMeter(name)
        return meter

    def lagged(self, lag_s: float) -> None:
        """The loop came this much later than it was asked to (the daemon's ticker measures it)."""
        process = self.process
        self.loop_lag.observe(lag_s)
        process.loop_lag_s = max(process.loop_lag_s, lag_s)
        if lag_s > STALL_S:
            process.loop_stalls += 1

    def gauge(self, name: str, text: str, read: Gauge, labels: tuple[str, ...] = ()) -> None:
        """Export a value that goes up and down: a number, or numbers by label values. `read` is called in the loop."""
        self.gauges[name] = (text, labels, read)

    def counter(self, name: str, text: str, read: Gauge, labels: tuple[str, ...] = ()) -> None:
        """Export a count that somebody else keeps; `name` without `_total`. `read` is called in the loop."""
        self.counters[name] = (text, labels, read)
