"""Cycles: a month, a week or a day of the tenant's calendar, from midnight to midnight in its time zone.

    month   2026-11       from `start_day` of that month (1 to 28) to the same day of the next
    week    2026-W47      from `start_day` of that week (1 is Monday, 7 Sunday) for seven days; weeks are ISO 8601's
    day     2026-11-25    that day

A cycle is called by the month, week or day in which it starts. Never here: which cycles are closed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "month": (re.compile(r"(20\d\d)-(0[1-9]|1[0-2])"), "the month in which it starts, such as 2026-11"),
    "week": (re.compile(r"(20\d\d)-W(0[1-9]|[1-4]\d|5[0-3])"), "the week in which it starts, such as 2026-W47"),
    "day": (re.compile(r"(20\d\d)-(\d\d)-(\d\d)"), "its day, such as 2026-11-25"),
}
"""Form of a cycle → how its names look, and how that is said."""
_WEEKS_DAYS: Final = 7


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


def form_of(name: str) -> str:
    """Return the form of cycle that a name is of. Raises ValueError for what is no name of any."""
    for form, (pattern, _) in FORMS.items():
        if pattern.fullmatch(name):
            return form
    said = "; or ".join(how for _, how in FORMS.values())
    raise ValueError(f"{name!r} is no cycle: write {said}")


def cycle_of(name: str, timezone: str = "UTC", start_day: int = 1, form: str = "month") -> Cycle:
    """Return the cycle of this name. Raises ValueError for what is no name of one of this form."""
    pattern, how = FORMS[form]
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no cycle of a contract whose cycle is a {form}: write {how}")
    return _between(name, _start(name, start_day), _start(following(name), start_day), timezone)


def cycle_at(moment: datetime, timezone: str = "UTC", start_day: int = 1, form: str = "month") -> Cycle:
    """Return the cycle that a moment belongs to. Raises ValueError for a start day that the form does not have."""
    day = moment.astimezone(ZoneInfo(timezone)).date()
    if form == "week":
        day -= timedelta(days=(day.isoweekday() - start_day) % _WEEKS_DAYS)
    elif form == "month" and day.day < start_day:
        day = day.replace(day=1) - timedelta(days=1)
    year, week, _ = day.isocalendar()
    name = {"month": f"{day:%Y-%m}", "week": f"{year}-W{week:02d}", "day": f"{day}"}[form]
    return cycle_of(name, timezone, start_day, form)


def following(name: str) -> str:
    """Return the name of the cycle after this one."""
    match form_of(name):
        case "month":
            year, month = map(int, name.split("-"))
            return f"{year}-{month + 1:02d}" if month < 12 else f"{year + 1}-01"
        case "week":
            year, week, _ = (_start(name, 1) + timedelta(days=_WEEKS_DAYS)).isocalendar()
            return f"{year}-W{week:02d}"
        case _:
            return f"{_start(name, 1) + timedelta(days=1)}"


def _start(name: str, start_day: int) -> date:
    form = form_of(name)
    try:
        if form == "month":
            return date.fromisoformat(f"{name}-{start_day:02d}")
        if form == "day":
            return date.fromisoformat(name)
        year, week = name.split("-W")
        return date.fromisocalendar(int(year), int(week), start_day)
    except ValueError:
        raise ValueError(f"{name!r}, from day {start_day} on, is no cycle: there is no such {form}") from None


def _between(name: str, start: date, end: date, timezone: str) -> Cycle:
    zone = ZoneInfo(timezone)
    return Cycle(name, *(datetime(day.year, day.month, day.day, tzinfo=zone) for day in (start, end)))
