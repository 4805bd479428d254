"""Money on documents: rounded half-up to the currency's minor unit, here and nowhere else.

Must never: compute with what was rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from smsgw.model import MONEY_UNIT

MINOR_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}
"""Digits behind the point where they are not two (ISO 4217)."""
_UNIT_DIGITS: Final = 6


def rounded(amount: int, currency: str) -> str:
    """Write an amount of Money as it is paid: half-up, away from nought for what is owed."""
    return rounded_fraction(amount, MONEY_UNIT, currency)


def rounded_fraction(amount: int, unit: int, currency: str) -> str:
    """Write amount/unit of a currency rounded half-up to its minor unit; for products that have more decimals than Money."""
    digits = MINOR_DIGITS.get(currency, 2)
    minor = (2 * abs(amount) * 10**digits + unit) // (2 * unit)
    whole, decimals = divmod(minor, 10**digits)
    sign = "-" if amount < 0 and minor else ""
    return f"{sign}{whole}.{decimals:0{digits}d}" if digits else f"{sign}{whole}"
