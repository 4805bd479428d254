"""What becomes of a message at the simulated carrier: drawn from a seed. And how carriers write message ids.

Promises: with the same seed and shares, the n-th message has the same fate. Shares are parts of 1.

Never here: PDUs, time, connections.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from smsgw.smpp import const

T = TypeVar("T")

STATS: Final[Mapping[str, tuple[bytes, int, bytes]]] = {
    "DELIVRD": (b"DELIVRD", const.STATE_DELIVERED, b"000"),
    "UNDELIV": (b"UNDELIV", const.STATE_UNDELIVERABLE, b"001"),
    "EXPIRED": (b"EXPIRED", const.STATE_EXPIRED, b"002"),
    "DELETED": (b"DELETED", const.STATE_DELETED, b"003"),
    "REJECTD": (b"REJECTD", const.STATE_REJECTED, b"008"),
    "UNKNOWN": (b"UNKNOWN", const.STATE_UNKNOWN, b"255"),
    "ACCEPTD": (b"ACCEPTD", const.STATE_ACCEPTED, b"000"),
    "ENROUTE": (b"ENROUTE", const.STATE_ENROUTE, b"000"),
}
"""The word of a receipt → (word, message_state, err)."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How often what happens.

    `errors`: status → share of submit_sm refused with it (vendor values too); `stats`: word → share of final
    receipts, the rest is DELIVRD. `throttled`: refused with ESME_RTHROTTLED. `mute`: taken, but the answer never
    comes. `early`: the receipt overtakes the answer. `late`: it takes `late_receipt_ms` longer. `duplicate`: it comes
    twice. `lost`: it never comes. `stray`: one comes for an id that was never given. `intermediate`: an ENROUTE
    notification comes first.
    """

    errors: Mapping[int, float] = field(default_factory=dict)
    stats: Mapping[str, float] = field(default_factory=dict)
    throttled: float = 0.0
    mute: float = 0.0
    early: float = 0.0
    late: float = 0.0
    duplicate: float = 0.0
    lost: float = 0.0
    stray: float = 0.0
    intermediate: float = 0.0


class Fate(NamedTuple):
    """What becomes of one message."""

    status: int = 0
    stat: str = "DELIVRD"
    mute: bool = False
    early: bool = False
    late: bool = False
    duplicate: bool = False
    lost: bool = False
    stray: bool = False
    intermediate: bool = False


_GOOD: Final = Fate()


def fates(seed: int, shares: Shares) -> Callable[[], Fate]:
    """Return what gives the next message its fate; free of cost when nothing can go wrong."""
    if shares == Shares():
        return lambda: _GOOD
    draw = random.Random(seed).random
    refusals = [*shares.errors.items(), (const.ESME_RTHROTTLED, shares.throttled)]
    words = list(shares.stats.items())

    def next_fate() -> Fate:
        # Always the same number of draws, so that one share does not shift what the others do.
        status = _pick(draw(), refusals, 0)
        stat = _pick(draw(), words, "DELIVRD")
        happens = [draw() < share for share in flags]
        return Fate(status, stat, *happens)

    flags = (
        shares.mute,
        shares.early,
        shares.late,
        shares.duplicate,
        shares.lost,
        shares.stray,
        shares.intermediate,
    )
    return next_fate


def _pick(value: float, choices: list[tuple[T, float]], otherwise: T) -> T:
    """Return the choice in whose share the value (0..1) falls."""
    for choice, share in choices:
        if value < share:
            return choice
        value -= share
    return otherwise


def _uuid(number: int) -> bytes:
    mixed = (number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return b"%08x-%04x-4%03x-%04x-%012x" % (
        mixed >> 32,
        (mixed >> 16) & 0xFFFF,
        mixed & 0xFFF,
        0x8000 | ((mixed >> 12) & 0x3FFF),
        number & 0xFFFFFFFFFFFF,
    )


ID_STYLES: Final[Mapping[str, Callable[[int], bytes]]] = {
    "dec": lambda number: b"%d" % number,
    "hex": lambda number: b"%x" % number,
    "HEX": lambda number: b"%X" % number,
    "dec10": lambda number: b"%010d" % number,
    "hex8": lambda number: b"%08x" % number,
    "HEX8": lambda number: b"%08X" % number,
    "uuid": _uuid,
    "UUID": lambda number: _uuid(number).upper(),
}
"""Notation of a message id: decimal or hexadecimal, small or capital letters, padded with zeros to a width, or like a UUID."""
