"""The number plan: digits of an international number → the place they belong to, by the longest prefix.

The data are files beside this module: calling codes with their zones, and the mobile ranges of China. A number that was ported has
another operator than its range says, so `operator` is a hint. A number that no prefix covers is in no place.

Never here: whether a number exists, what a message to it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

WORLD: Final = "world.csv"
CHINA: Final = "china.csv"


class Place(NamedTuple):
    """Where a number is: ISO 3166 country ("001" for none), operator ("" unknown), and every IANA zone it may be in."""

    country: str
    operator: str
    zones: tuple[str, ...]


NOWHERE: Final = Place("", "", ())


class Plan:
    """Prefixes and their places."""

    __slots__ = ("_lengths", "_places")

    def __init__(self, places: Mapping[str, Place]) -> None:
        """Take places by prefix."""
        self._places = dict(places)
        self._lengths = sorted({len(prefix) for prefix in places}, reverse=True)

    @property
    def countries(self) -> frozenset[str]:
        """Return all countries that a number may be in."""
        return frozenset(place.country for place in self._places.values())

    def locate(self, digits: str) -> Place:
        """Return the place of an international number (digits, or + and digits); NOWHERE when no prefix fits."""
        digits = digits.removeprefix("+")
        places = self._places
        for length in self._lengths:
            place = places.get(digits[:length])
            if place is not None:
                return place
        return NOWHERE


@cache
def the_plan() -> Plan:
    """Return the plan of the files that come with smsgw, read once (some milliseconds)."""
    places = {prefix: Place(country, "", _zones(zones)) for prefix, country, zones in rows(WORLD)}
    for prefix, operator in rows(CHINA):
        places[prefix] = Place("CN", operator, ("Asia/Shanghai",))
    return Plan(places)


def _zones(text: str) -> tuple[str, ...]:
    return tuple(text.split("&")) if text else ()


def rows(name: str) -> Iterator[list[str]]:
    """Yield the rows of a file beside this module, without its comments."""
    text = resources.files("smsgw.numbering").joinpath("data", name).read_text(encoding="utf-8")
    return (line.split(",") for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def minutes_of_day(zones: Iterable[str], now: float) -> set[int]:
    """Return what time it is there, in minutes since midnight: one value for each zone that the number may be in."""
    return {moment.hour * 60 + moment.minute for moment in (datetime.fromtimestamp(now, _zone(name)) for name in zones)}


def next_within(zone: str, span: tuple[int, int], now: float) -> float:
    """Return the next moment from `now` on (Unix seconds) that lies within a span of the day (minutes since midnight) there."""
    begin, end = span
    local = datetime.fromtimestamp(now, _zone(zone))
    minute = local.hour * 60 + local.minute
    if begin <= minute < end:
        return now
    day = local.date() + timedelta(days=1) if minute >= end else local.date()
    opening = datetime.combine(day, time(), tzinfo=_zone(zone)) + timedelta(minutes=begin)  # by the wall clock there
    return max(opening.timestamp(), now)
