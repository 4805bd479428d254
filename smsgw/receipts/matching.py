"""Which message is meant: the open messages of this process, by id and by the carrier's id.

A message enters when it is accepted and leaves when it is final, or when it has been spilled to the store. What is not found
here is looked for in the store; what is not found there is parked. Memory is bounded by whoever spills (journey/due).

Carriers give ids again: of several messages with one id, the newest that went to the receipt's address is meant.

Never here: SQL, receipts' text, decisions.
"""

from __future__ import annotations

from collections.abc import Iterator

from smsgw.model import Message, State
from smsgw.receipts.owed import sent_from


def same_number(number: str, other: str) -> bool:
    """Tell whether two addresses are one number: carriers write it with and without + or 00."""
    return number == other or number.lstrip("+0") == other.lstrip("+0")


class Transit:
    """The messages on their way through this process. `open` is in order of id, so the first one is the oldest."""

    __slots__ = ("_by_upstream", "_reused", "open")

    def __init__(self) -> None:
        """Start empty."""
        self.open: dict[int, Message] = {}
        self._by_upstream: dict[int, dict[str, Message]] = {}
        self._reused: dict[tuple[int, str], list[Message]] = {}

    def enter(self, message: Message) -> None:
        """A message has been accepted here."""
        self.open[message.id] = message

    def sent(self, message: Message) -> None:
        """The carrier took the message: a receipt will name (message.link, message.upstream_id). Without an id none can."""
        key = message.upstream_id
        if not key:
            return
        links = self._by_upstream.get(message.link)
        if links is None:
            links = self._by_upstream[message.link] = {}
        earlier = links.get(key)
        if earlier is not None and earlier is not message:
            self._reused.setdefault((message.link, key), []).append(earlier)
        links[key] = message

    def find(self, link: int, upstream_id: str, destination: str = "") -> Message | None:
        """Return the newest message of this id, that went to `destination` where one is given; None when it is not in memory."""
        links = self._by_upstream.get(link)
        message = links.get(upstream_id) if links is not None else None
        if message is None or not destination or same_number(message.destination, destination):
            return message
        earlier = self._reused.get((link, upstream_id), ())
        return next((one for one in reversed(earlier) if same_number(one.destination, destination)), None)

    def named(self, link: int, upstream_id: str) -> list[Message]:
        """Return all messages of this id in memory, newest first, wherever they went."""
        links = self._by_upstream.get(link)
        message = links.get(upstream_id) if links is not None else None
        return [] if message is None else [message, *reversed(self._reused.get((link, upstream_id), ()))]

    def leave(self, message: Message) -> None:
        """The message is final, spilled, or was refused: forget it."""
        self.open.pop(message.id, None)
        links = self._by_upstream.get(message.link)
        if links is None:
            return
        key = (message.link, message.upstream_id)
        earlier = self._reused.get(key) if self._reused else None
        if links.get(message.upstream_id) is message:
            if earlier:
                links[message.upstream_id] = earlier.pop()
            else:
                del links[message.upstream_id]
        elif earlier is not None:  # the carrier has given the id again meanwhile: it means the newer message too
            earlier[:] = [one for one in earlier if one is not message]
        if earlier is not None and not earlier:
            del self._reused[key]

    def displaced(self, message: Message) -> None:
        """Its row is not what we think: what we have is history. What was read again since, as another object, is not."""
        if self.open.get(message.id, message) is message:
            self.leave(message)

    def between(self, wanted: set[tuple[int, str, str]]) -> dict[tuple[int, str, str], list[Message]]:
        """Return what a carrier has, or may have, by (link, destination, source), for these; addresses without + and 0 in front."""
        found: dict[tuple[int, str, str], list[Message]] = {}
        for message in self.open.values():
            if State.SUBMITTING <= message.state <= State.SENT:
                source = message.source if not message.transform else sent_from(message)
                key = (message.link, message.destination.lstrip("+0"), source.lstrip("+0"))
                if key in wanted:
                    found.setdefault(key, []).append(message)
        return found

    def oldest(self) -> Iterator[Message]:
        """Iterate over the open messages, oldest first. Do not change `open` meanwhile."""
        return iter(self.open.values())

    def low_water(self) -> int:
        """Return the least open id, 0 when there is none."""
        return next(iter(self.open), 0)

    def __len__(self) -> int:
        """Return how many messages are open here."""
        return len(self.open)
