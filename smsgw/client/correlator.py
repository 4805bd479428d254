"""Requests by sequence number and messages by id, each found in O(1), each kept for a time and up to a number.

The interface is aiosmpplib's AbstractCorrelator, whose own implementation looks through everything it keeps three
times a message. Long messages go as message_payload, so there are no segments to follow.

Promises: what is put is found once; the oldest is forgotten first, by age or by number; nothing grows without bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from aiosmpplib import AbstractCorrelator, SubmitSm
from aiosmpplib.correlator import STATUS_SENT

from smsgw.smpp import const

T = TypeVar("T")

SEGMENTS_KEPT: Final = 1_000


class Remembered(Generic[T]):
    """Values by key, oldest first; an entry is forgotten when it is older than `ttl_s` or when there are more than `most`."""

    __slots__ = ("_clock", "_entries", "most", "ttl_s")

    def __init__(self, ttl_s: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing."""
        self.ttl_s = ttl_s
        self.most = most
        self._clock = clock
        self._entries: dict[Any, tuple[float, T]] = {}

    def __len__(self) -> int:
        """Return how much is kept."""
        return len(self._entries)

    def put(self, key: Any, value: T) -> None:
        """Keep a value; forget what is too old or too much. O(1) on average."""
        now = self._clock()
        entries = self._entries
        entries.pop(key, None)
        entries[key] = now, value
        while len(entries) > self.most or next(iter(entries.values()))[0] < now - self.ttl_s:
            del entries[next(iter(entries))]

    def get(self, key: Any) -> T | None:
        """Return a value and keep it; None when there is none."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None else None

    def take(self, key: Any) -> T | None:
        """Return a value and forget it; None when there is none."""
        entry = self._entries.pop(key, None)
        return entry[1] if entry is not None else None


class Correlator(AbstractCorrelator):  # type: ignore[misc]  # the library is not typed
    """What aiosmpplib asks for, in O(1). Messages are kept by their id until their final receipt (`sent`)."""

    def __init__(self, response_ttl_s: float = 120.0, remember_s: float = 259_200.0, remember: int = 100_000) -> None:
        """Keep requests for `response_ttl_s`, and up to `remember` messages for `remember_s`."""
        self._requests: Remembered[Any] = Remembered(response_ttl_s, remember)
        self.sent: Remembered[Any] = Remembered(remember_s, remember)
        self._segments: Remembered[dict[int, str]] = Remembered(remember_s, SEGMENTS_KEPT)

    async def put(self, smpp_message: Any) -> None:
        """A request goes out and is kept; or an answer, which bears the other side's number: that may be a request of ours, too."""
        if not int(smpp_message.smpp_command) & const.RESP:
            self._requests.put(smpp_message.sequence_num, smpp_message)

    async def get(self, response: Any) -> Any:
        """An answer came: return its request."""
        return self._requests.take(response.sequence_num)

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None:
        """A message was given an id."""
        self.sent.put(smsc_message_id, submit_sm)

    async def get_delivery(self, receipt: Any) -> Any:
        """A receipt came: return its message."""
        return self.sent.take(str(receipt.parse_receipt().get("id", "")))

    async def put_delivery_segmented(self, deliver_sm: Any) -> Any:
        """A part of a long message came: return the whole one with its last part, None before."""
        reference, number, total = deliver_sm.get_segmentation_data()
        key = (deliver_sm.source.number, deliver_sm.destination.number, reference, total)
        parts = self._segments.get(key) or {}
        parts[number] = deliver_sm.short_message or deliver_sm.message_payload
        if len(parts) < total:
            self._segments.put(key, parts)
            return None
        self._segments.take(key)
        deliver_sm.short_message = "".join(text for _, text in sorted(parts.items()))
        return deliver_sm

    async def get_segmented(self, smpp_seq_num: int, remove: bool = False) -> tuple[None, int]:  # noqa: ARG002, FBT001, FBT002 - its signature
        """No message of ours is in segments."""
        return None, 0

    def get_cumulated_status(self, ref_num: int) -> int:  # noqa: ARG002 - its signature
        """No message of ours is in segments."""
        return int(STATUS_SENT)

    async def expired(self, smpp_message: Any) -> None:
        """The client has its own time-outs."""
