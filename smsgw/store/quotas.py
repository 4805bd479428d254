"""Windows of quotas: into which a moment falls, by the calendar of a time zone or rolling.

Calendar windows begin where the tenant's clock shows the minute, hour, day or month beginning; a change of the zone begins new
ones. Rolling windows are 60 s, 60 min, 24 h and 30 days long and are counted in parts of 1 s, 1 min, 15 min and 6 h: a
message counts for as long as its part touches the window, so the quota is never exceeded and is free again up to a part late.

A message belongs to the windows of the moment when it was accepted, which its id says. All times are Unix seconds.
Never here: SQL, a decision.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from smsgw.model import Account
from smsgw.spans import DAY, HOUR, LENGTHS, MINUTE, MONTH, by_calendar

__all__ = ["DAY", "HOUR", "MINUTE", "MONTH", "ROLLING", "Window", "window", "windows_of"]

ROLLING: Final = 10
"""Added to the number of a span whose windows roll."""
_BUCKETS: Final = (1, 60, 900, 21_600)


class Window(NamedTuple):
    """What is counted together: the row that begins at `start`, and for rolling windows all rows from `since` on."""

    since: int
    start: int
    till: int


def window(span: int, zone: str, moment: int) -> Window:
    """Return the window of a span (0 to 3, by the calendar of a zone; from 10 on rolling) into which a moment falls."""
    if span >= ROLLING:
        bucket = _BUCKETS[span - ROLLING]
        start = moment - moment % bucket
        return Window(start - LENGTHS[span - ROLLING], start, start + bucket)
    start, till = by_calendar(span, zone, moment)
    return Window(start, start, till)


def windows_of(account: Account, moment: int) -> list[tuple[int, ...]]:
    """Return the rows that a message of this moment is counted by: (account, span, since, start, till, messages, parts)."""
    zone = account.tenant.timezone
    rolling = ROLLING if account.quota_window == "rolling" else 0
    return [
        (account.id, span + rolling, *window(span + rolling, zone, moment), messages, parts)
        for span, messages, parts in account.quotas
    ]
