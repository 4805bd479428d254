"""What is to be done later, in order of time: O(1) as long as things are entered in order, a heap for those that are
not.

Never here: a clock, a task, a decision about what is done.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """Things with the time (seconds, of any clock) at which they are due. Equal times keep their order of entry."""

    __slots__ = ("_entered", "_in_order", "_others")

    def __init__(self) -> None:
        """Start empty."""
        self._in_order: deque[tuple[float, int, T]] = deque()
        self._others: list[tuple[float, int, T]] = []
        self._entered = 0

    def __len__(self) -> int:
        """Return how many things are still to be done."""
        return len(self._in_order) + len(self._others)

    def enter(self, due: float, thing: T) -> None:
        """Put a thing on the agenda."""
        self._entered += 1
        in_order = self._in_order
        if not in_order or due >= in_order[-1][0]:
            in_order.append((due, self._entered, thing))
        else:
            heapq.heappush(self._others, (due, self._entered, thing))

    def take(self, now: float) -> Iterator[T]:
        """Take out everything that is due, oldest first. What is entered meanwhile and due comes too."""
        in_order, others = self._in_order, self._others
        while True:
            first = in_order[0] if in_order else None
            other = others[0] if others else None
            if other is not None and (first is None or other[:2] < first[:2]):
                if other[0] > now:
                    return
                yield heapq.heappop(others)[2]
            elif first is not None and first[0] <= now:
                yield in_order.popleft()[2]
            else:
                return

    def clear(self) -> int:
        """Forget everything; returns how much that was."""
        count = len(self)
        self._in_order.clear()
        self._others.clear()
        return count
