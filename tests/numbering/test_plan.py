from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from smsgw.numbering.plan import NOWHERE, Place, Plan, minutes_of_day, next_within, the_plan


@pytest.mark.parametrize(
    ("number", "country", "operator"),
    [
        ("8613800000000", "CN", "CMCC"),
        ("+8613012345678", "CN", "CUCC"),
        ("8613312345678", "CN", "CTCC"),
        ("8613491234567", "CN", "CTCC"),
        ("8619212345678", "CN", "CBN"),
        ("8617061234567", "CN", "CMCC"),
        ("8617091234567", "CN", "CUCC"),
        ("861012345678", "CN", ""),
        ("85291234567", "HK", ""),
        ("12125550100", "US", ""),
        ("14165550100", "CA", ""),
        ("447700900123", "GB", ""),
        ("919812345678", "IN", ""),
        ("999", "", ""),
    ],
)
def test_a_number_is_found_by_its_longest_prefix(number: str, country: str, operator: str):
    """Calling codes give the country, Chinese ranges the operator too, North American area codes their own country."""
    place = the_plan().locate(number)
    assert (place.country, place.operator) == (country, operator)


def test_the_longest_prefix_wins():
    """A range inside a country's code is more than the country."""
    plan = Plan({"1": Place("US", "", ()), "12": Place("CA", "x", ())})
    assert plan.locate("123").operator == "x"
    assert plan.locate("13").country == "US"
    assert plan.locate("") == NOWHERE


def test_every_zone_of_the_data_is_known_to_this_python():
    """A zone that no clock knows would stop a rule of hours: none is in the files."""
    plan = the_plan()
    zones = {zone for place in plan._places.values() for zone in place.zones}
    assert len(zones) > 200
    assert zones <= available_timezones()


def test_the_time_of_day_is_that_of_the_number():
    """At noon UTC it is 20:00 in China, and several times at once in a country of several zones."""
    noon = 1_764_072_000.0
    assert minutes_of_day(("Asia/Shanghai",), noon) == {20 * 60}
    assert minutes_of_day(("America/New_York", "America/Los_Angeles"), noon) == {7 * 60, 4 * 60}
    assert minutes_of_day((), noon) == set()


def test_the_next_moment_within_a_span():
    """Within it: now. Before or after it: its beginning by the wall clock there, today or tomorrow, also where clocks change."""
    span = (8 * 60, 21 * 60)
    at = lambda *moment: datetime(*moment, tzinfo=ZoneInfo("America/New_York")).timestamp()  # noqa: E731
    assert next_within("America/New_York", span, at(2026, 1, 5, 9, 30)) == at(2026, 1, 5, 9, 30)
    assert next_within("America/New_York", span, at(2026, 1, 5, 7, 59, 59)) == at(2026, 1, 5, 8)
    assert next_within("America/New_York", span, at(2026, 1, 5, 21)) == at(2026, 1, 6, 8)
    assert next_within("America/New_York", span, at(2026, 3, 7, 22)) == at(2026, 3, 8, 8)
