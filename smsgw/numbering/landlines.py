"""What is dialled within China with a 0 before it: a fixed line, by its area code and as many digits as numbers there have, or a
mobile number from elsewhere.

Digits in a text that begin with 0 are an order's number as often as a telephone's: the plan tells most of them apart.
Never here: whether a number exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from smsgw.numbering.plan import rows

LANDLINES: Final = "china_landlines.csv"
_MOBILE: Final = re.compile(r"01[3-9]\d{9}")
_TRUNK: Final = "0"


@cache
def _areas() -> Mapping[str, tuple[int, ...]]:
    """Return how many digits numbers have, by area code."""
    return {area: tuple(map(int, digits.split("&"))) for area, digits in rows(LANDLINES)}


def dialled_in_china(digits: str) -> bool:
    """Tell whether digits with a 0 before them may be a number there."""
    if _MOBILE.fullmatch(digits) is not None:
        return True
    if not digits.startswith(_TRUNK):
        return False
    areas = _areas()
    return any(len(digits) - end in areas.get(digits[1:end], ()) for end in (3, 4))
