from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.reports.cycle import cycle_at, cycle_of, following, form_of


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


@pytest.mark.parametrize(
    ("name", "zone", "day", "start", "end"),
    [
        ("2026-W47", "UTC", 1, "2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        ("2026-W47", "Asia/Shanghai", 7, "2026-11-22T00:00:00+08:00", "2026-11-29T00:00:00+08:00"),
        ("2026-W53", "UTC", 1, "2026-12-28T00:00:00+00:00", "2027-01-04T00:00:00+00:00"),
        ("2026-W43", "Europe/Berlin", 1, "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
    ],
)
def test_a_cycle_may_be_a_week(name: str, zone: str, day: int, start: str, end: str):
    """Seven days from the start day of that ISO week on, at midnight of the zone, over the end of summer time and of the year."""
    cycle = cycle_of(name, zone, day, "week")
    assert (cycle.start.isoformat(), cycle.end.isoformat()) == (start, end)


def test_a_cycle_may_be_a_day():
    """From midnight to midnight of the zone; the day on which summer time ends has 25 hours."""
    cycle = cycle_of("2026-10-25", "Europe/Berlin", 1, "day")
    assert (cycle.until_ms - cycle.from_ms) == 25 * 3_600_000
    assert cycle.start.isoformat() == "2026-10-25T00:00:00+02:00"


@pytest.mark.parametrize(
    ("form", "names", "how"),
    [
        ("month", ["2026", "2026-13", "2026-1", "26-11", "2026-11-01", "2026-W47", ""], "such as 2026-11"),
        ("week", ["2026-11", "2026-47", "2026-W0", "2026-W54", "2026-11-01", "2026-w47"], "such as 2026-W47"),
        ("day", ["2026-11", "2026-W47", "2026-11-1", "25.11.2026"], "such as 2026-11-25"),
    ],
)
def test_what_is_no_cycle_of_the_form_is_refused(form: str, names: list[str], how: str):
    """The error says how a cycle of this contract is written."""
    for name in names:
        with pytest.raises(ValueError, match=f"{form}.*{how}"):
            cycle_of(name, form=form)


@pytest.mark.parametrize(("form", "name"), [("day", "2026-02-30"), ("week", "2025-W53")])
def test_what_looks_like_a_cycle_and_is_none_is_refused(form: str, name: str):
    """There is no such day, or no such week of that year."""
    with pytest.raises(ValueError, match=f"no such {form}"):
        cycle_of(name, form=form)


def test_names_tell_their_form():
    """Each form's names are of no other; what is none is told all of them."""
    assert [form_of(name) for name in ("2026-11", "2026-W47", "2026-11-25")] == ["month", "week", "day"]
    with pytest.raises(ValueError, match=r"2026-11; or .*2026-W47; or .*2026-11-25"):
        form_of("November")


def test_cycles_follow_each_other():
    """December is followed by January; where one ends the next begins."""
    assert (following("2026-11"), following("2026-12")) == ("2026-12", "2027-01")
    assert (following("2026-W53"), following("2025-W52"), following("2026-12-31")) == ("2027-W01", "2026-W01", "2027-01-01")
    assert cycle_of("2026-12", "Asia/Shanghai", 5).end == cycle_of("2027-01", "Asia/Shanghai", 5).start


@given(
    at=st.integers(1_704_067_200, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    zone=st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
    form=st.sampled_from(["day", "week", "month"]),
    day=st.integers(1, 28),
)
def test_each_moment_belongs_to_one_cycle(at: datetime, zone: str, form: str, day: int):
    """The cycle of a moment has it in it, is the one of its name, and ends where the following one begins."""
    day = min(day, 7) if form == "week" else day
    cycle = cycle_at(at, zone, day, form)
    assert cycle.from_ms <= at.timestamp() * 1000 < cycle.until_ms
    assert cycle == cycle_of(cycle.name, zone, day, form)
    assert cycle_of(following(cycle.name), zone, day, form).from_ms == cycle.until_ms
