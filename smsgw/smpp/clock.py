"""SMPP times (3.4 §7.1.1, 5.0 §4.7.23): absolute YYMMDDhhmmsstnnp, relative YYMMDDhhmmss000R, and the dates of receipts.

"Now" is an argument. Two-digit years below 38 are of this century, the others of the last (3.4 Appendix C).
Must never: guess a value that is out of range.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

LENGTH: Final = 16
PIVOT: Final = 38
QUARTERS_MAX: Final = 48
LOCAL_LENGTH: Final = 12
DAYS_MAX_S: Final = 99 * 86_400 + 86_399


def parse_time(text: bytes, now: datetime) -> datetime | None:
    """Read an absolute or relative time; b"" is None. Raises ValueError for anything that is neither.

    `now` (aware) is what a relative time counts from. The short local form YYMMDDhhmmss of 3.4 §7.1.1 is taken as UTC.
    """
    if not text:
        return None
    if len(text) not in {LENGTH, LOCAL_LENGTH} or not text[:12].isdigit():
        raise ValueError("not a time")
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    if len(text) == LOCAL_LENGTH:
        return datetime(_century(year), month, day, hour, minute, second, tzinfo=UTC)
    sign = text[15:16]
    if not text[12:15].isdigit():
        raise ValueError("not a time")
    if sign == b"R":
        return _later(now, year, month, timedelta(days=day, hours=hour, minutes=minute, seconds=second))
    quarters = int(text[13:15])
    if sign not in {b"+", b"-"} or quarters > QUARTERS_MAX:
        raise ValueError("not a time zone")
    offset = timedelta(minutes=15 * quarters)
    zone = timezone(offset if sign == b"+" else -offset)
    tenths = int(text[12:13]) * 100_000
    return datetime(_century(year), month, day, hour, minute, second, tenths, tzinfo=zone)


def _century(year: int) -> int:
    return year + (2000 if year < PIVOT else 1900)


def _later(now: datetime, years: int, months: int, rest: timedelta) -> datetime:
    """Add calendar years and months, then the rest; the 31st becomes the last day of a shorter month."""
    whole = now.month - 1 + months
    year, month = now.year + years + whole // 12, whole % 12 + 1
    day = min(now.day, calendar.monthrange(year, month)[1])
    return now.replace(year=year, month=month, day=day) + rest


def format_absolute(when: datetime) -> bytes:
    """Write an absolute time in UTC."""
    utc = when.astimezone(UTC)
    return b"%s%d00+" % (utc.strftime("%y%m%d%H%M%S").encode(), utc.microsecond // 100_000)


def format_relative(seconds: float, now: datetime | None = None) -> bytes:
    """Write a relative time of whole seconds, in days; what has over 99 of them in years and months from `now`, and days.

    Without `now` at most 99 days, 23:59:59.
    """
    whole = max(0, int(seconds))
    months = 0
    if whole > DAYS_MAX_S:
        if now is None:
            whole = DAYS_MAX_S
        else:
            months, whole = _whole_months(now, whole)
    years = min(months // 12, 99)
    days, rest = divmod(whole, 86_400)
    return b"%02d%02d%02d%02d%02d%02d000R" % (years, months - 12 * years, days, rest // 3600, rest // 60 % 60, rest % 60)


def _whole_months(now: datetime, seconds: int) -> tuple[int, int]:
    """Split a time into calendar months from `now` and the seconds that are left."""
    end = now + timedelta(seconds=seconds)
    months = 12 * (end.year - now.year) + end.month - now.month
    while (reached := _later(now, 0, months, timedelta())) > end:
        months -= 1
    return months, int((end - reached).total_seconds())


def format_receipt_date(when: datetime) -> bytes:
    """Write the date of a receipt's text: YYMMDDhhmm (3.4 Appendix B)."""
    return when.strftime("%y%m%d%H%M").encode()


def parse_receipt_date(text: bytes) -> datetime | None:
    """Read a receipt's date as UTC: YYMMDDhhmm, with seconds, or with a four-digit year; None when it is none of them.

    Twelve digits are YYMMDDhhmmss, unless they make no such date and make one as YYYYMMDDhhmm.
    """
    if not text.isdigit():
        return None
    match len(text):
        case 10:
            return _date(text[:2], text[2:])
        case 12:
            return _date(text[:2], text[2:]) or _date(text[:4], text[4:])
        case 14:
            return _date(text[:4], text[4:])
        case _:
            return None


def _date(year: bytes, rest: bytes) -> datetime | None:
    """Make a date of a year of two or four digits and pairs of digits; None if there is no such day or hour."""
    month, day, *clock = (int(rest[at : at + 2]) for at in range(0, len(rest), 2))
    hour, minute, second = (*clock, 0)[:3]
    try:
        return datetime(_century(int(year)) if len(year) == 2 else int(year), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
