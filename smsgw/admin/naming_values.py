"""What names things in a provisioning file, and where and when they hold: names, numbers, prefixes, currencies, zones, moments.

A check by key: value → the value that is kept; raises ValueError, which says what would do. Never here: what keys there are, the
store.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

_LONGEST_SYSTEM_ID: Final = 15
_NAME: Final = re.compile(r"\w[\w.-]{0,62}")
_PREFIX: Final = re.compile(r"\d{0,20}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: letters, digits, dot, dash and underscore, at most 63")
    return value


def _name_or_none(value: str) -> str:
    return value and _name(value)


def _system_id(value: str) -> str:
    if not 0 < len(value) <= _LONGEST_SYSTEM_ID or not all(" " < letter <= "~" for letter in value):
        raise ValueError(f"{value!r} is no system_id: 1 to {_LONGEST_SYSTEM_ID} printable ASCII characters without spaces")
    return value


def _prefix(value: str) -> str:
    digits = value.removeprefix("+")
    if not _PREFIX.fullmatch(digits):
        raise ValueError(f"{value!r} is no prefix: at most 20 digits")
    return digits


def _number(value: str) -> str:
    digits = _prefix(value)
    if not digits:
        raise ValueError("is empty")
    return digits


def _prefixes(value: list[str]) -> list[str]:
    if not value:
        raise ValueError("must name at least one prefix")
    return sorted({_number(prefix) for prefix in value})


def _moment(value: Any) -> int:
    """Return when a price begins, in Unix ms."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(f"{value} is no moment: a date, a time and an offset, such as 2026-12-01T00:00:00+08:00")
    return round(moment.timestamp() * 1000)


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError(f"{value!r} is no currency: three capitals, such as CNY")
    return value


def _links(value: list[str]) -> list[str]:
    if not value or len(set(value)) < len(value):
        raise ValueError("must name at least one link, and each only once")
    return value


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone: a name such as Asia/Shanghai or UTC") from None
    return value


NAMING_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _name,
    "system_id": _system_id,
    "prefix": _prefix,
    "number": _number,
    "currency": _currency,
    "links": _links,
    "timezone": _timezone,
    "operator": _name_or_none,
    "category": _name_or_none,
    "route": _name_or_none,
    "prefixes": _prefixes,
    "from": _moment,
}
