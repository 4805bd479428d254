"""Which message is meant: the open messages of this process, by id and by the carrier's id.

A message enters when it is accepted and leaves when it is final, or when it has been spilled to the store. What is not found
here is looked for in the store; what is not found there is parked. Memory is bounded by whoever spills (journey/due).

Never here: SQL, receipts' text, decisions.
"""

from __future__ import annotations

from collections.abc import Iterator

from smsgw.model import Message


class Transit:
    """The messages on their way through this process. `open` is in order of id, so the first one is the oldest."""

    __slots__ = ("_by_upstream", "open")

    def __init__(self) -> None:
        """Start empty."""
        self.open: dict[int, Message] = {}
        self._by_upstream: dict[int, dict[str, Message]] = {}

    def enter(self, message: Message) -> None:
        """A message has been accepted here."""
        self.open[message.id] = message

    def sent(self, message: Message) -> None:
        """The carrier took the message: a receipt will name (message.link, message.upstream_id). Without an id none can."""
        if not message.upstream_id:
            return
        links = self._by_upstream.get(message.link)
        if links is None:
            links = self._by_upstream[message.link] = {}
        links[message.upstream_id] = message

    def find(self, link: int, upstream_id: str) -> Message | None:
        """Return the message that a receipt of this link means; None when it is not in memory."""
        links = self._by_upstream.get(link)
        return links.get(upstream_id) if links is not None else None

    def leave(self, message: Message) -> None:
        """The message is final, spilled, or was refused: forget it."""
        self.open.pop(message.id, None)
        links = self._by_upstream.get(message.link)
        # A carrier may have given the id again meanwhile: then it means the newer message.
        if links is not None and links.get(message.upstream_id) is message:
            del links[message.upstream_id]

    def oldest(self) -> Iterator[Message]:
        """Iterate over the open messages, oldest first. Do not change `open` meanwhile."""
        return iter(self.open.values())

    def low_water(self) -> int:
        """Return the least open id, 0 when there is none."""
        return next(iter(self.open), 0)

    def __len__(self) -> int:
        """Return how many messages are open here."""
        return len(self.open)
