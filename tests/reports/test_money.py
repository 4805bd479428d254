from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given

from smsgw.reports.money import MINOR_DIGITS, rounded, rounded_fraction


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (5_000, "CNY", "0.01"),
        (4_999, "CNY", "0.00"),
        (-5_000, "CNY", "-0.01"),
        (-4_999, "CNY", "0.00"),
        (1_005_000, "CNY", "1.01"),
        (1_500_000, "JPY", "2"),
        (-1_499_999, "JPY", "-1"),
        (1_234_500, "KWD", "1.235"),
        (0, "EUR", "0.00"),
    ],
)
def test_a_half_is_rounded_up(amount: int, currency: str, written: str):
    """Half a minor unit counts as a whole one, on both sides of nought; the currency says how many digits."""
    assert rounded(amount, currency) == written


@given(st.integers(-(10**15), 10**15), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_rounding_is_that_of_decimal_arithmetic(amount: int, currency: str):
    """Every amount is rounded as Python's decimals round half-up."""
    digits = MINOR_DIGITS.get(currency, 2)
    exact = (Decimal(amount) / 1_000_000).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    assert Decimal(rounded(amount, currency)) == exact


def test_products_are_rounded_once():
    """A share of an amount has twelve decimals and is rounded from those."""
    assert rounded_fraction(5 * 10**9, 10**12, "CNY") == "0.01"
    assert rounded_fraction(5 * 10**9 - 1, 10**12, "CNY") == "0.00"
