"""CountedBinds: an account's binds counted over all nodes, in the store.

A bind is taken while it is being answered; what sessions give back is written soon after, some at a time, so that a thousand
sessions that end at once cost one statement.

Must never: hold a session up; lose count of a bind that was taken (`adopt()` clears what a dead node has left).
"""

from __future__ import annotations

from smsgw.store import binds
from smsgw.store.commit import Seat
from smsgw.store.database import Pool


class CountedBinds:
    """What this node has taken of the accounts' binds."""

    def __init__(self, pool: Pool, seat: Seat) -> None:
        """Start with none; `seat` is whose they are."""
        self._pool = pool
        self._seat = seat
        self._numbers: dict[tuple[int, str], list[int]] = {}
        self._last = 0
        self._released: list[int] = []

    async def claim(self, account: int, kind: str, limit: int, of_kind: int, address: str = "") -> bool:
        """Take one of an account's binds over all nodes; False when it has them all, or all of this kind (0: no limit)."""
        self._last = number = self._last + 1
        seat = self._seat
        try:
            async with self._pool.acquire() as connection:
                free = await binds.claim(connection, seat.node, seat.epoch, number, account, kind, limit, of_kind, address)
        except BaseException:
            self._released.append(number)  # it may be counted, with its answer lost
            raise
        if free:
            self._numbers.setdefault((account, kind), []).append(number)
        return free

    def release(self, account: int, kind: str) -> None:
        """Note that a bind has ended."""
        numbers = self._numbers.get((account, kind))
        if numbers:
            self._released.append(numbers.pop())

    @property
    def owing(self) -> bool:
        """Whether there is something to give back."""
        return bool(self._released)

    async def give_back(self) -> None:
        """Give ended sessions' binds back to the store; what it does not take is given back the next time."""
        numbers, self._released = self._released, []
        try:
            async with self._pool.acquire() as connection:
                await binds.release(connection, self._seat.node, self._seat.epoch, numbers)
        except BaseException:
            self._released += numbers
            raise
