"""Working days: Monday to Friday, but for a list of holidays, and with the days that are worked instead of them.

The list is a plain file, one day a line: `2026-10-01` is a holiday, `+2026-10-10` a Saturday or Sunday that is worked, as in China
around long holidays. # begins a comment.

Never here: which holidays there are; they are told each year anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from smsgw.config import ConfigError

_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days that are not worked although they are no weekend, and days of a weekend that are."""

    holidays: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Tell whether a day is worked."""
        return day in self.worked or (day.weekday() < _SATURDAY and day not in self.holidays)

    def after(self, day: date, count: int) -> date:
        """Return the working day that is so many after a day, which does not count itself."""
        while count > 0:
            day += _DAY
            count -= self.works(day)
        return day


def read_calendar(text: str, name: str) -> Calendar:
    """Read a list. Raises ConfigError with file and line of everything that is no day."""
    days: dict[bool, set[date]] = {True: set(), False: set()}
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        try:
            if entry:
                days[entry.startswith("+")].add(date.fromisoformat(entry.removeprefix("+")))
        except ValueError:
            errors.append(f"{name}:{number}: {entry!r} is no day: write 2026-10-01, or +2026-10-10 for one that is worked")
    if errors:
        raise ConfigError(errors)
    return Calendar(frozenset(days[False]), frozenset(days[True]))


def load_calendar(path: str) -> Calendar:
    """Read the file of the settings; "" is none. Raises ConfigError."""
    if not path:
        return Calendar()
    try:
        return read_calendar(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"compliance.holidays: {path} cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
