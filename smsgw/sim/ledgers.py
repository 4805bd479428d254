"""What either simulated end saw, counted: the oracle of crash tests, and the figures of a bench.

Promises: a counter never goes down; what is kept for each message is an octet, or a number where `keep` asks for it.

Never here: a judgement of the gateway, beyond "this cannot be right" (`wrong`).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from smsgw.sim.texts import read_index

MAX_VERIFIED: int = 1 << 26
"""Indexes from here on are not verified: an octet is kept for each one below."""


class Seen:
    """How often each index was seen, up to 255 times."""

    __slots__ = ("bad", "counts", "duplicates", "good", "highest")

    def __init__(self) -> None:
        """Start with none seen."""
        self.counts = bytearray()
        self.good = 0
        self.bad = 0
        self.duplicates = 0
        self.highest = -1

    def text(self, text: bytes) -> int:
        """Verify an indexed text and count it; returns its index, -1 for a text that is not what its sender wrote."""
        index = read_index(text)
        if index < 0 or index >= MAX_VERIFIED:
            self.bad += 1
            return -1
        self.index(index)
        return index

    def index(self, index: int) -> None:
        """Count an index."""
        counts = self.counts
        if index >= len(counts):
            counts.extend(bytes(max(index + 1, 2 * len(counts), 4096) - len(counts)))
        if counts[index]:
            self.duplicates += 1
        if counts[index] < 255:
            counts[index] += 1
        self.good += 1
        self.highest = max(self.highest, index)

    def missing(self, first: int = 0) -> int:
        """Return how many indexes from `first` to the highest one seen were never seen."""
        return self.counts.count(0, first, self.highest + 1)

    def twice(self) -> list[int]:
        """Return the indexes seen more than once."""
        return [index for index, count in enumerate(self.counts) if count > 1]


@dataclass(slots=True)
class CarrierLedger:
    """What a simulated carrier took and sent. `submits` = `ok` + `refused` + `throttled` + `swallowed` + `malformed`.

    With `keep`: `taken` is number of the message here → index of its text (-1 without one), `acknowledged` number →
    how often a receipt of it was answered ESME_ROK. `bodies`: the last submit_sm as they came, whole PDUs.
    """

    submits: int = 0
    ok: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    throttled: int = 0
    swallowed: int = 0
    malformed: int = 0
    mute: int = 0
    receipts_due: int = 0
    receipts_sent: int = 0
    receipts_acknowledged: int = 0
    receipts_refused: Counter[int] = field(default_factory=Counter)
    receipts_unanswered: int = 0
    receipts_dropped: int = 0
    mo_sent: int = 0
    mo_acknowledged: int = 0
    binds: int = 0
    binds_refused: int = 0
    connections: int = 0
    drops: int = 0
    other: int = 0
    most_unanswered: int = 0
    seen: Seen = field(default_factory=Seen)
    taken: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[int, int] = field(default_factory=dict)
    bodies: deque[bytes] = field(default_factory=deque)

    def figures(self) -> dict[str, Any]:
        """Return the counters for a report; `verify_*` speak of indexed texts."""
        names = (
            "submits ok throttled swallowed malformed mute receipts_due receipts_sent receipts_acknowledged receipts_unanswered"
            " receipts_dropped mo_sent mo_acknowledged binds binds_refused connections drops other most_unanswered"
        )
        figures: dict[str, Any] = {name: getattr(self, name) for name in names.split()}
        for name, counts in (("refused", self.refused), ("receipts_refused", self.receipts_refused)):
            figures[name] = {f"0x{status:x}": count for status, count in sorted(counts.items())}
        figures["verify_ok"] = self.seen.good
        figures["verify_bad"] = self.seen.bad
        figures["verify_dup"] = self.seen.duplicates
        figures["verify_missing_below_max"] = self.seen.missing()
        return figures


@dataclass(slots=True)
class TenantLedger:
    """What a simulated tenant sent and got.

    `waiting`: id that ESME_ROK brought → (index of its message, when it was sent), until the final receipt comes;
    then, with `keep`, it moves to `done`. `early`: id of a receipt that no answer has brought (yet) → how often; what
    is left there at the end is a stray, or a duplicate where nothing is kept. `unsure`: indexes of which nobody knows
    whether they were taken. `wrong`: what cannot be right.
    """

    sent: int = 0
    responses: int = 0
    ok: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    expired: int = 0
    lost: int = 0
    late_responses: int = 0
    receipts: int = 0
    matched: int = 0
    duplicates: int = 0
    intermediate: int = 0
    mo: int = 0
    states: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    disconnects: Counter[str] = field(default_factory=Counter)
    binds: int = 0
    binds_refused: Counter[int] = field(default_factory=Counter)
    other: int = 0
    waiting: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    done: dict[bytes, int] = field(default_factory=dict)
    early: dict[bytes, int] = field(default_factory=dict)
    unsure: deque[int] = field(default_factory=lambda: deque(maxlen=1_000_000))

    def acknowledged(self) -> dict[bytes, int]:
        """Return every id that ESME_ROK brought → index of its message. Needs `keep` for those that have their receipt."""
        return {**self.done, **{message_id: index for message_id, (index, _) in self.waiting.items()}}

    def figures(self) -> dict[str, Any]:
        """Return the counters for a report."""
        names = "sent responses ok expired lost late_responses receipts matched duplicates intermediate mo binds other"
        figures: dict[str, Any] = {name: getattr(self, name) for name in names.split()}
        figures["statuses"] = {f"0x{status:x}": count for status, count in sorted(self.statuses.items())}
        figures["binds_refused"] = {f"0x{status:x}": count for status, count in sorted(self.binds_refused.items())}
        figures["states"] = dict(self.states)
        figures["wrong"] = dict(self.wrong)
        figures["disconnects"] = dict(self.disconnects)
        figures["unmatched"] = len(self.early)
        figures["integrity_errors"] = sum(self.wrong.values())
        return figures
