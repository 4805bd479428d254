"""Spans of time that things are counted in: minute, hour, day and month, by the calendar of a time zone or as so many seconds.

A calendar's span begins where the zone's clock shows the minute, hour, day or month beginning. All times are Unix seconds.
Never here: what is counted, a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE, HOUR, DAY, MONTH = range(4)
LENGTHS: Final = (60, 3_600, 86_400, 30 * 86_400)
"""Seconds of each span where it rolls."""


def by_calendar(span: int, zone: str, moment: int) -> tuple[int, int]:
    """Return (first second, first second after) of the span of a zone's calendar into which a moment falls."""
    return _by_calendar(span, zone, moment - moment % 60)


@lru_cache(maxsize=1_024)
def _by_calendar(span: int, zone: str, minute: int) -> tuple[int, int]:
    """Return a span by the beginning of a minute in it: zones differ by whole minutes."""
    if span == MINUTE:
        return minute, minute + 60
    local = datetime.fromtimestamp(minute, ZoneInfo(zone))
    if span == HOUR:  # by the clock, also where it shows an hour twice
        start = minute - local.minute * 60
        return start, start + 3_600
    day = local.replace(hour=0, minute=0, fold=0)
    begin, after = day, day + timedelta(days=1)
    if span == MONTH:
        begin = day.replace(day=1)
        after = (begin + timedelta(days=32)).replace(day=1)
    return int(begin.timestamp()), int(after.timestamp())


def is_zone(name: str) -> bool:
    """Tell whether there is such a time zone."""
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name of a directory
        return False
