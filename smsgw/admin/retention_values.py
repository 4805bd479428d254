"""What a [[retention]] of a provisioning file may say: by its profile, what is the default and what the law behind it allows.

    cn_port   content and records for at least 150 days (Order 31 of the MIIT asks for five months)
    eu_min    content for at most 72 hours, numbers hashed after at most 180 days
    custom    as it is given

Never here: which keys there are; how anything is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

KEPT_DAYS: Final = 180
"""For how long messages themselves are kept: no content outlives its message."""
NUMBERS_LEAST_DAYS: Final = 7
"""Until then receipts are matched by number, and references name it."""


@dataclass(frozen=True, slots=True)
class _Profile:
    content_h: int
    content: tuple[int, int]
    numbers_days: int
    numbers: tuple[int, int]
    unhashed: bool


PROFILES: Final[Mapping[str, _Profile]] = {
    "cn_port": _Profile(150 * 24, (150 * 24, KEPT_DAYS * 24), 0, (150, KEPT_DAYS), unhashed=True),
    "eu_min": _Profile(24, (0, 72), 30, (NUMBERS_LEAST_DAYS, KEPT_DAYS), unhashed=False),
    "custom": _Profile(KEPT_DAYS * 24, (0, KEPT_DAYS * 24), 0, (NUMBERS_LEAST_DAYS, KEPT_DAYS), unhashed=True),
}


def retention(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all values of a class, with its profile's defaults. Raises ValueError."""
    profile = PROFILES[values.get("profile", "custom")]
    hours, days = values.get("content_h", profile.content_h), values.get("numbers_days", profile.numbers_days)
    least, most = profile.content
    if not least <= hours <= most:
        raise ValueError(f"content_h is from {least} to {most} with this profile")
    least, most = profile.numbers
    if not least <= days <= most and not (days == 0 and profile.unhashed):
        never = "0 (never), or " if profile.unhashed else ""
        raise ValueError(f"numbers_days is {never}from {least} to {most} with this profile")
    return {
        "profile": values.get("profile", "custom"),
        "content_h": hours,
        "numbers_days": days,
        "encrypted": values.get("encrypted", False),
    }
