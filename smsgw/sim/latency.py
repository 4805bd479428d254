"""Percentiles of durations in constant memory: log-linear classes, at most 1/32 wide (3 %).

Never here: a clock.
"""

from __future__ import annotations

from typing import Final

_UNITS_A_SECOND: Final = 10_000_000  # 0.1 µs
_BITS: Final = 5
_CLASSES: Final = 64 << _BITS


class Latency:
    """Durations, counted by class."""

    __slots__ = ("_classes", "count", "highest_s", "total_s")

    def __init__(self) -> None:
        """Start with nothing recorded."""
        self._classes = [0] * _CLASSES
        self.count = 0
        self.total_s = 0.0
        self.highest_s = 0.0

    def record(self, seconds: float) -> None:
        """Count a duration; a negative one counts as 0."""
        units = int(seconds * _UNITS_A_SECOND) if seconds > 0 else 0
        exponent = units.bit_length() - _BITS - 1
        self._classes[units if exponent <= 0 else ((exponent << _BITS) + (units >> exponent))] += 1
        self.count += 1
        self.total_s += seconds
        self.highest_s = max(self.highest_s, seconds)

    def percentile(self, share: float) -> float:
        """Return the duration (seconds) that `share` (0..1) of all stay under, rounded up to its class; 0.0 without any."""
        wanted = share * self.count
        seen = 0
        for index, count in enumerate(self._classes):
            seen += count
            if count and seen >= wanted:
                return min(_upper_edge(index), self.highest_s)
        return self.highest_s

    def merge(self, other: Latency) -> None:
        """Add what another one has recorded."""
        self._classes = [mine + theirs for mine, theirs in zip(self._classes, other._classes, strict=True)]
        self.count += other.count
        self.total_s += other.total_s
        self.highest_s = max(self.highest_s, other.highest_s)

    def milliseconds(self) -> dict[str, float]:
        """Return p50, p95, p99 and max in milliseconds, for a report."""
        shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
        figures = {name: round(self.percentile(share) * 1000, 3) for name, share in shares.items()}
        return {**figures, "max": round(self.highest_s * 1000, 3)}


def _upper_edge(index: int) -> float:
    exponent = (index >> _BITS) - 1
    if exponent <= 0:
        return (index + 1) / _UNITS_A_SECOND
    mantissa = index - (exponent << _BITS)
    return ((mantissa + 1) << exponent) / _UNITS_A_SECOND
