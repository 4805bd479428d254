"""New messages that wait for their cycle, in turns by account: a tenant with a thousand in flight is one among others.

Within an account they go in the order in which they came. Of one cycle's places each waiting account gets an equal share, and
what some do not need the others get; who was served last goes behind who was not.

Must never: reorder an account's messages; keep anything of an account that has nothing waiting.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from smsgw.model import Effect, Message

Entry = tuple[Message, Effect]
NO_ID: Final = 1 << 63


class Turns:
    """The queue of new messages. True while something waits, as long as what waits."""

    __slots__ = ("_count", "_queues")

    def __init__(self) -> None:
        """Start empty."""
        self._queues: dict[int, deque[Entry]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many messages wait."""
        return self._count

    def append(self, message: Message, effect: Effect) -> None:
        """Put a message behind those of its account."""
        self._count += 1
        queue = self._queues.get(message.account.id)
        if queue is None:
            queue = self._queues[message.account.id] = deque()
        queue.append((message, effect))

    def take(self, most: int) -> list[Entry]:
        """Take at most so many out, in equal shares by account."""
        queues = self._queues
        taken: list[Entry] = []
        while queues and (left := most - len(taken)) > 0:
            share = left // len(queues) or 1
            for account_id in list(queues)[:left]:
                queue = queues.pop(account_id)
                if len(queue) <= share:
                    taken.extend(queue)
                else:
                    taken.extend([queue.popleft() for _ in range(share)])
                    queues[account_id] = queue  # now behind the others
        self._count -= len(taken)
        return taken

    def least_id(self, account_id: int) -> int:
        """Return the least id of an account that waits: its messages below were taken. One above all others when none waits."""
        queue = self._queues.get(account_id)
        return queue[0][0].id if queue is not None else NO_ID
