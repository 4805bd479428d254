"""How fast a link may be used: its configured rate, and a slow-down while the carrier throttles.

A throttle answer halves the allowed rate and holds the link for a moment; every second without one adds a tenth of the way back, until
the slow-down is gone. The message that was throttled loses nothing: it waits.

Never here: which message waits. Time is passed in (monotonic seconds).
"""

from __future__ import annotations

from typing import Final

LEAST_RATE: Final = 1.0
HOLD_S: Final = 0.2
FREE_RATE: Final = 100_000.0
RECOVERY_S: Final = 10.0


class Pace:
    """Messages a second on one link; `rate` 0 means as fast as its window."""

    __slots__ = ("_allowed", "_at", "_held_until", "_measured", "_measured_at", "_tokens", "_used", "rate")

    def __init__(self, rate: int, now: float) -> None:
        """Start unthrottled."""
        self.rate = rate
        self._allowed = 0.0
        self._tokens = float(max(rate, 1))
        self._at = now
        self._held_until = 0.0
        self._used = 0
        self._measured = 0.0
        self._measured_at = now

    @property
    def limit(self) -> float:
        """The rate in force; 0 for none."""
        return self._allowed or float(self.rate)

    @property
    def slowed(self) -> bool:
        """True while the carrier's throttle answers keep the link below its own rate."""
        return self._allowed > 0.0

    def take(self, now: float) -> bool:
        """Take leave for one message; False when it must wait."""
        if self._held_until:
            if now < self._held_until:
                return False
            self._held_until = 0.0
        limit = self._allowed or self.rate
        if not limit:
            self._used += 1
            return True
        tokens = self._tokens + (now - self._at) * limit
        self._at = now
        burst = max(1.0, limit * 0.1) if self._allowed else max(1.0, limit)
        tokens = min(tokens, burst)
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        self._used += 1
        return True

    def give_back(self) -> None:
        """The leave was not used."""
        self._tokens += 1.0

    def throttled(self, now: float) -> None:
        """The carrier asked to slow down."""
        if now < self._held_until:
            return  # one window's worth of throttle answers is one event
        current = self._allowed or float(self.rate) or max(self._measured, LEAST_RATE * 2)
        self._allowed = max(LEAST_RATE, current / 2)
        self._held_until = now + HOLD_S
        self._tokens = 0.0
        self._at = now

    def tick(self, now: float) -> None:
        """Let time pass, once a second or so: speed up again after quiet seconds."""
        elapsed = now - self._measured_at
        if elapsed < 1.0:
            return
        self._measured = self._used / elapsed
        self._used = 0
        self._measured_at = now
        if self._allowed and now > self._held_until + 1.0:
            full = float(self.rate) or FREE_RATE
            self._allowed += max(self._allowed * 0.25, 1.0)
            if self._allowed >= full:
                self._allowed = 0.0
