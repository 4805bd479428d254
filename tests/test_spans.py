"""Spans of time by the calendar of a zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from smsgw.spans import DAY, HOUR, MINUTE, MONTH, by_calendar, is_zone


def at(text: str, zone: str) -> int:
    """A moment by a zone's clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("span", "zone", "begin", "after"),
    [
        (MINUTE, "Asia/Shanghai", "2026-03-29 02:30", "2026-03-29 02:31"),
        (HOUR, "Asia/Kolkata", "2026-03-29 02:00", "2026-03-29 03:00"),
        (DAY, "Asia/Shanghai", "2026-03-29", "2026-03-30"),
        (DAY, "Europe/Berlin", "2026-03-29", "2026-03-30"),
        (MONTH, "Europe/Berlin", "2026-03-01", "2026-04-01"),
        (MONTH, "Asia/Shanghai", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_span_begins_and_ends_by_the_clock_of_its_zone(span: int, zone: str, begin: str, after: str):
    """Its first second and the last one before the next lie in it; a day on which the clock is changed is 23 hours long."""
    first, end = at(begin, zone), at(after, zone)
    assert by_calendar(span, zone, first) == by_calendar(span, zone, end - 1) == (first, end)
    assert by_calendar(span, zone, end)[0] == end


def test_what_is_a_zone_is_known():
    """Names of zones; no names of nothing, of directories, or of paths."""
    assert is_zone("Asia/Shanghai")
    assert not any(map(is_zone, ("", "Asia", "Asia/Nowhere", "../etc/passwd")))
