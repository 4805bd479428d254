from __future__ import annotations

from datetime import datetime

import pytest

from smsgw.reports.cycle import cycle_of, following


@pytest.mark.parametrize(
    ("name", "zone", "day", "start", "end"),
    [
        ("2026-11", "UTC", 1, "2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("2026-12", "Asia/Shanghai", 1, "2026-12-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00"),
        ("2026-02", "UTC", 28, "2026-02-28T00:00:00+00:00", "2026-03-28T00:00:00+00:00"),
        ("2026-10", "Europe/Berlin", 1, "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_a_cycle_is_a_month_of_the_tenants_calendar(name: str, zone: str, day: int, start: str, end: str):
    """From the start day at midnight of the zone to the same day of the next month, summer time or not."""
    cycle = cycle_of(name, zone, day)
    assert (cycle.start.isoformat(), cycle.end.isoformat()) == (start, end)
    assert cycle.from_ms == datetime.fromisoformat(start).timestamp() * 1000
    assert cycle.until_ms == datetime.fromisoformat(end).timestamp() * 1000


@pytest.mark.parametrize("name", ["2026", "2026-13", "2026-1", "26-11", "2026-11-01", ""])
def test_what_is_no_cycle_is_refused(name: str):
    """The error says how a cycle is written."""
    with pytest.raises(ValueError, match="such as 2026-11"):
        cycle_of(name)


def test_cycles_follow_each_other():
    """December is followed by January; where one ends the next begins."""
    assert (following("2026-11"), following("2026-12")) == ("2026-12", "2027-01")
    assert cycle_of("2026-12", "Asia/Shanghai", 5).end == cycle_of("2027-01", "Asia/Shanghai", 5).start
