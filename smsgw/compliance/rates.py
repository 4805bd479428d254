"""How often an account, or one of its signatures, is complained of, and what the ladder of measures says to that.

A rate is complaints per million messages of a month. Where little was sent a single complaint is a high rate, so that fewer than
some say nothing. What follows is proposed to a person: nothing is done by itself.

Never here: the store; the notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from smsgw.config import Compliance
from smsgw.model import Standing

MILLION: Final = 1_000_000
_STEPS: Final = {Standing.ACTIVE: "limit", Standing.LIMITED: "freeze"}
_STEPS_HIGH: Final = {
    Standing.ACTIVE: "freeze",
    Standing.LIMITED: "freeze",
    Standing.SUSPENDED_ARREARS: "terminate",
    Standing.FROZEN: "terminate",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Complaints of an account, or of one signature of it ("" is all of it), in a month, beside the messages it sent."""

    account: str
    signature: str
    complaints: int
    messages: int

    @property
    def per_million(self) -> float:
        """Complaints per million messages."""
        return self.complaints * MILLION / self.messages if self.messages else 0.0

    def level(self, limits: Compliance) -> str:
        """Return "high" or "over" where it is above a threshold, "" where it is not or there are too few to tell."""
        if self.complaints < limits.complaints_least or not self.messages:
            return ""
        if self.per_million >= limits.complaint_rate_high:
            return "high"
        return "over" if self.per_million >= limits.complaint_rate else ""


def next_step(level: str, standing: Standing) -> str:
    """Return the next step of the ladder for an account that stands so; "" where it stands there already, or for no level."""
    steps = {"over": _STEPS, "high": _STEPS_HIGH}.get(level, {})
    return steps.get(standing, "")


def month_of(day: date) -> tuple[str, float, float]:
    """Return a day's month, such as 2026-11, with the moments (seconds since 1970, UTC) at which it begins and ends."""
    first = datetime(day.year, day.month, 1, tzinfo=UTC)
    after = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return f"{first:%Y-%m}", first.timestamp(), after.timestamp()
