"""How fast a link may be used: its configured rate, and a slow-down while the carrier throttles.

A throttle answer halves the speed and holds the link for a moment; each second without one adds a twentieth, until the
configured rate (or, where none is configured, twice the speed that was too much) is reached and the slow-down is over. Throttle
answers to messages that were sent before the last slow-down say nothing new: they were on their way already.

Promises: the message that was throttled loses nothing, it waits; a slow-down always ends by itself.
Never here: which message waits. Time is passed in (monotonic seconds), speeds are messages a second.
"""

from __future__ import annotations

import math
from typing import Final

LEAST: Final = 1.0
"""A link is never slower than one message a second: something must find out when the carrier takes more."""
HOLD_S: Final = 0.2
BURST_S: Final = 0.125
"""Leave to send that may be saved up: a little more than the time between two ticks, so that none is lost."""
FEW: Final = 0.25
"""Of what may be saved up: less is not worth a look into the store, and so much comes while one looks."""
DECREASE: Final = 0.5
INCREASE: Final = 0.05
LEAST_INCREASE: Final = 0.5
SPAN_S: Final = 1.0


class Pace:
    """Leave to send on one link. `rate`: configured messages a second, 0 for none; it may be changed at any time."""

    __slots__ = (
        "_allowed",
        "_at",
        "_goal",
        "_seen",
        "_slowed_at",
        "_tokens",
        "_used",
        "_used_since",
        "held_until",
        "rate",
    )

    def __init__(self, rate: float, now: float) -> None:
        """Start unthrottled."""
        self.rate = rate
        self.held_until = 0.0
        self._allowed = 0.0
        self._goal = 0.0
        self._slowed_at = now - 1.0
        self._tokens = max(1.0, rate * BURST_S)
        self._at = now
        self._used = 0
        self._used_since = now
        self._seen = 0.0

    @property
    def limit(self) -> float:
        """The speed in force; 0 for none."""
        return self._allowed or float(self.rate)

    @property
    def slowed(self) -> bool:
        """True while the carrier's throttle answers keep the link below its own rate."""
        return self._allowed > 0.0

    def take(self, now: float) -> bool:
        """Take leave for one message; False when it must wait."""
        limit = self._allowed or self.rate
        if limit:
            if now < self.held_until:
                return False
            tokens = self._refilled(now, limit)
            if tokens < 1.0:
                return False
            self._tokens = tokens - 1.0
        self._used += 1
        return True

    def ready(self, now: float) -> bool:
        """Tell whether `take` would be granted now."""
        limit = self._allowed or self.rate
        return not limit or (now >= self.held_until and self._refilled(now, limit) >= 1.0)

    def leave(self, now: float, most: int) -> int:
        """Return for how many of `most` leave will be given now and in the next moment; 0 while that would be a few.

        For who fetches what he sends: each time costs him the same, and what he fetches in vain he has to put back.
        """
        limit = self._allowed or self.rate
        if not limit:
            return most
        few = limit * BURST_S * FEW
        if now < self.held_until or (saved := self._refilled(now, limit)) < max(few, 1.0):
            return 0
        return min(most, math.ceil(saved + few))

    def give_back(self) -> None:
        """The leave was not used."""
        self._tokens += 1.0
        self._used -= 1

    def _refilled(self, now: float, limit: float) -> float:
        self._tokens = tokens = min(self._tokens + (now - self._at) * limit, max(limit * BURST_S, 1.0))
        self._at = now
        return tokens

    def throttled(self, now: float, sent_at: float) -> bool:
        """The carrier asked to slow down, answering a message sent at `sent_at`. True when that began a slow-down."""
        if sent_at <= self._slowed_at:
            return False
        began = not self._allowed
        speed = self._allowed or self.rate or self._speed(now)
        self._allowed = max(LEAST, speed * DECREASE)
        self._goal = speed * 2.0
        self._slowed_at = now
        self.held_until = now + HOLD_S
        self._tokens = 0.0
        self._at = self.held_until
        return began

    def tick(self, now: float) -> bool:
        """Let time pass, some times a second. True when a slow-down has just ended."""
        elapsed = now - self._used_since
        if elapsed < SPAN_S:
            return False
        self._seen = self._used / elapsed
        self._used = 0
        self._used_since = now
        if not self._allowed or now < self.held_until:
            return False
        self._allowed += max(self._allowed * INCREASE, LEAST_INCREASE) * elapsed
        if self._allowed < (self.rate or self._goal):
            return False
        self._allowed = 0.0
        self.held_until = 0.0
        return True

    def _speed(self, now: float) -> float:
        """How fast the link has been going: over the last whole span, or over this one where that is more."""
        return max(self._seen, self._used / max(now - self._used_since, 0.1), LEAST)
