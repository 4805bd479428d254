"""Own requests that wait for an answer: oldest first, each with the context its sender gave.

Every request that enters leaves exactly once: answered (`pop`), expired (`expire`) or lost (`clear`). An expired one is
remembered for a while, so that its late answer is recognised as late and never matched to a reused sequence number
(SMPP 3.4 §5.1.4, §7.2). Expiry costs O(expired), because all requests of a session share one time-out.

Never here: octets, timers of the session, decisions about what an expiry means.
"""

from __future__ import annotations

from typing import Any, Final

MAX_SEQUENCE: Final = 0x7FFFFFFF
LATE_KEPT: Final = 1_000


class LateResponse:
    """The context of a request whose answer came after its time-out."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        """Wrap what was given to `Window.add`."""
        self.context = context


class Window:
    """Outstanding requests by sequence number, in the order in which they were sent."""

    __slots__ = ("_entries", "_late", "newest")

    def __init__(self) -> None:
        """Start empty; the first request gets sequence number 1."""
        self._entries: dict[int, tuple[float, Any]] = {}
        self._late: dict[int, Any] = {}
        self.newest = 0

    def __len__(self) -> int:
        """Return how many requests wait for their answer."""
        return len(self._entries)

    def next_sequence(self) -> int:
        """Return the next sequence number, 1..0x7FFFFFFF and then 1 again, never one that is outstanding."""
        sequence = self.newest + 1
        if sequence > MAX_SEQUENCE:
            sequence = 1
        while sequence in self._entries:
            sequence = sequence % MAX_SEQUENCE + 1
        self.newest = sequence
        return sequence

    def add(self, context: Any, now: float) -> int:
        """Enter a request sent at `now` with a context that is not None; returns its sequence number."""
        entries = self._entries
        sequence = self.newest + 1
        if sequence > MAX_SEQUENCE or sequence in entries:
            sequence = self.next_sequence()
        else:
            self.newest = sequence
        entries[sequence] = (now, context)
        return sequence

    def pop(self, sequence: int) -> Any | None:
        """Take out the request with this number; None when there is none, `LateResponse` when it had expired."""
        entry = self._entries.pop(sequence, None)
        if entry is not None:
            return entry[1]
        if self._late and sequence in self._late:
            return LateResponse(self._late.pop(sequence))
        return None

    def expire(self, before: float) -> list[Any]:
        """Take out all requests sent before this time, oldest first, and remember them as late."""
        expired: list[int] = []
        for sequence, (sent_at, _) in self._entries.items():
            if sent_at > before:
                break
            expired.append(sequence)
        contexts = [self._entries.pop(sequence)[1] for sequence in expired]
        self._late.update(zip(expired, contexts, strict=True))
        while len(self._late) > LATE_KEPT:
            del self._late[next(iter(self._late))]
        return contexts

    def newer(self, sequence: int) -> int:
        """Return how many of those that wait were added after this sequence number was given; they are the last of them."""
        return sum(0 < (one - sequence) % MAX_SEQUENCE < MAX_SEQUENCE // 2 for one in self._entries)

    def clear(self) -> list[Any]:
        """Take out everything, oldest first: the connection is gone."""
        contexts = [context for _, context in self._entries.values()]
        self._entries.clear()
        self._late.clear()
        return contexts
