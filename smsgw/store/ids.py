"""MessageIds: 64 bits = 41 bits of milliseconds since 2025-01-01 | 10 bits node | 12 bits sequence.

They rise strictly within a node, also when the clock steps back: the time part is max(clock, last), and a start begins above every
id in the store (an id that never got there was never seen by anybody).

Never here: SQL; the text form (that is `Message.text_id`).
"""

from __future__ import annotations

from typing import Any, Final

from smsgw.model import EPOCH_MS

NODE_BITS: Final = 10
SEQUENCE_BITS: Final = 12
TIME_SHIFT: Final = NODE_BITS + SEQUENCE_BITS
DAY_SPAN: Final = 86_400_000 << TIME_SHIFT
MAX_ID: Final = (1 << 63) - 1
MAX_NODE: Final = (1 << NODE_BITS) - 1


class Ids:
    """Gives ids for one node. `last_ms` is the time part of the newest, in milliseconds since the ids' epoch."""

    __slots__ = ("_count", "_low", "_time", "last_ms")

    def __init__(self, node: int, clock: Any, last_ms: int = 0) -> None:
        """Start above `last_ms`, the highest time part that may have been given before."""
        if not 0 <= node <= MAX_NODE:
            msg = f"node {node} is not in 0..{MAX_NODE}"
            raise ValueError(msg)
        self._time = clock.time
        self.last_ms = last_ms + 1
        self._low = node << SEQUENCE_BITS
        self._count = -1

    def next(self) -> int:
        """Return the next id."""
        ms = int(self._time() * 1000) - EPOCH_MS
        if ms > self.last_ms:
            self.last_ms = ms
            self._count = 0
            return (ms << TIME_SHIFT) | self._low
        self._count += 1
        if self._count >> SEQUENCE_BITS:
            self.last_ms += 1
            self._count = 0
        return (self.last_ms << TIME_SHIFT) | self._low | self._count

    def moment(self) -> int:
        """Return an id of this moment, for partition keys; not given to anything."""
        return max(int(self._time() * 1000) - EPOCH_MS, self.last_ms) << TIME_SHIFT


def seconds_of(message_id: int) -> float:
    """Return when an id was given, in seconds since 1970."""
    return ((message_id >> TIME_SHIFT) + EPOCH_MS) / 1000


def least_id_at(seconds: float) -> int:
    """Return the least id that could be given at a moment (seconds since 1970); the greatest there is from 2094 on."""
    return min(max(0, int(seconds * 1000) - EPOCH_MS) << TIME_SHIFT, MAX_ID)
