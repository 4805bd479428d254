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
SHORT_LENGTHS: Final = (10, 12)
LONG_LENGTHS: Final = (12, 14)


def parse_time(text: bytes, now: datetime) -> datetime | None:
    """Read an absolute or relative time; b"" is None. Raises ValueError for anything that is neither."""
    if not text:
        return None
    if len(text) not in {LENGTH, 12} or not text[:12].isdigit():
        raise ValueError("not a time")
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    if len(text) == 12:
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


def format_relative(seconds: float) -> bytes:
    """Write a relative time of whole seconds; at most 99 days, 23:59:59."""
    whole = max(0, min(int(seconds), 99 * 86_400 + 86_399))
    days, rest = divmod(whole, 86_400)
    return b"0000%02d%02d%02d%02d000R" % (days, rest // 3600, rest // 60 % 60, rest % 60)


def format_receipt_date(when: datetime) -> bytes:
    """Write the date of a receipt's text: YYMMDDhhmm (3.4 Appendix B)."""
    return when.strftime("%y%m%d%H%M").encode()


def parse_receipt_date(text: bytes) -> datetime | None:
    """Read a receipt's date: YYMMDDhhmm, with seconds, or with a four-digit year; None when it is none of them."""
    if not text.isdigit():
        return None
    try:
        if len(text) in SHORT_LENGTHS:
            fields = [int(text[at : at + 2]) for at in range(0, len(text), 2)]
            if len(text) == LONG_LENGTHS[0] and text[:2] == b"20" and fields[2] <= 31 and fields[1] > 12:
                return datetime(fields[0] * 100 + fields[1], *fields[2:], tzinfo=UTC)  # type: ignore[misc,arg-type]
            return datetime(_century(fields[0]), *fields[1:], tzinfo=UTC)  # type: ignore[misc,arg-type]
        if len(text) == LONG_LENGTHS[1]:
            rest = [int(text[at : at + 2]) for at in range(4, 14, 2)]
            return datetime(int(text[:4]), *rest, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return None
