"""Cycles: from one day of the month to the same day of the next, at midnight in the tenant's time zone.

A cycle is called by the month in which it starts: 2026-11. Never here: which cycles are closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_NAME: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle: its name, and the moments from which and until which (exclusive) things belong to it."""

    name: str
    start: datetime
    end: datetime

    @property
    def from_ms(self) -> int:
        """The first millisecond, since 1970."""
        return round(self.start.timestamp() * 1000)

    @property
    def until_ms(self) -> int:
        """The first millisecond after it, since 1970."""
        return round(self.end.timestamp() * 1000)


def cycle_of(name: str, timezone: str = "UTC", start_day: int = 1) -> Cycle:
    """Return the cycle of this name. Raises ValueError for what is no name of one."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no cycle: write the month in which it starts, such as 2026-11")
    year, month = int(found[1]), int(found[2])
    zone = ZoneInfo(timezone)
    after = _end_of(name)
    return Cycle(name, datetime(year, month, start_day, tzinfo=zone), datetime(*after, start_day, tzinfo=zone))


def _end_of(name: str) -> tuple[int, int]:
    """Return year and month in which a cycle ends."""
    year, month = map(int, name.split("-"))
    return (year, month + 1) if month < 12 else (year + 1, 1)


def following(name: str) -> str:
    """Return the name of the cycle after this one."""
    return "{}-{:02d}".format(*_end_of(name))
