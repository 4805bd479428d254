"""Money in text, and the price of a part."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.billing.tariff import Tariff, format_money, parse_money
from smsgw.model import Operator, Price


def test_amounts_are_read_exactly():
    """Up to six decimals become an integer of millionths, without a float in between."""
    read = [parse_money(text) for text in ("0.038", "1000.00", "0", "-5", "0.000001", "999999999999.999999")]
    assert read == [38_000, 1_000_000_000, 0, -5_000_000, 1, 999_999_999_999_999_999]


@pytest.mark.parametrize(
    "text", ["", "1.", ".5", "1,5", "0.0380000", "1e3", "+1", " 1", "1 ", "１", "--1", "1.2.3", "nan", "1234567890123"]
)
def test_what_is_no_amount_is_refused(text: str):
    """Seven decimals are an error and not a rounding; so is everything else that is no plain amount."""
    with pytest.raises(ValueError, match="is no amount"):
        parse_money(text)


def test_amounts_are_written_with_two_decimals_or_more():
    """No decimal that counts is left out."""
    assert [format_money(n) for n in (0, 38_000, 1_000_000, -5_500_000, 1, -1)] == [
        *("0.00", "0.038", "1.00"),
        *("-5.50", "0.000001", "-0.000001"),
    ]


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_what_is_written_is_read_back(amount: int):
    """Writing and reading an amount loses nothing."""
    assert parse_money(format_money(amount)) == amount


def test_the_longest_prefix_has_the_price():
    """Each tenant pays its own price of the most particular destination; 0 is a price."""
    tariff = Tariff([Price("a", "", 9), Price("a", "86", 5), Price("a", "86138", 0), Price("b", "86", 7)], {"a": 1, "b": 2})
    assert [tariff.price(1, to) for to in ("8613812345678", "8613912345678", "49171", "")] == [0, 5, 9, 9]
    assert [tariff.price(2, to) for to in ("8613812345678", "49171")] == [7, None]
    assert tariff.price(3, "8613812345678") is None


def test_prices_of_nobody_are_left_out():
    """A price of a tenant that does not exist harms nobody."""
    assert Tariff([Price("x", "", 9)], {"a": 1}).price(1, "86") is None


@pytest.mark.alone(reason="it measures microseconds")
def test_a_price_costs_little():
    """Among 10,000 prices one is found in well under 2 µs, even on a busy machine (0.3 µs on an idle one)."""
    tariff = Tariff([Price("a", str(10_000 + n), n) for n in range(10_000)] + [Price("a", "", 1), Price("a", "86", 2)], {"a": 1})
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(1_000):
            tariff.price(1, "8613812345678")
        best = min(best, (time.perf_counter() - began) / 1_000)
    assert best < 2e-6


def test_the_price_of_an_instant():
    """A dated price holds from its very instant on, without anything being loaded again; none ends one."""
    tariff = Tariff(
        [Price("a", "86", 5), Price("a", "86", 7, since=1_000.5), Price("a", "86", None, since=2_000.0), Price("a", "", 1)],
        {"a": 1},
    )
    at = [0.0, 1_000.499, 1_000.5, 1_999.999, 2_000.0]
    assert [tariff.price(1, "8613", now) for now in at] == [5, 5, 7, 7, 1]


def test_a_price_to_come_is_none_yet():
    """Before its date a destination has the price of the next shorter prefix, or none."""
    tariff = Tariff([Price("a", "86", 7, since=1_000.0)], {"a": 1})
    assert (tariff.price(1, "8613", 999.0), tariff.price(1, "8613", 1_000.0)) == (None, 7)


def test_the_most_particular_price_of_a_prefix_goes_first():
    """An operator's before a category's, before a route's, before the one for all; a longer prefix before any of them."""
    book = [
        Price("a", "86", 1),
        Price("a", "86", 2, route="direct"),
        Price("a", "86", 3, category="otp"),
        Price("a", "86", 4, operator="cmcc"),
        Price("a", "86", 5, operator="cmcc", route="direct"),
        Price("a", "8617", 6),
    ]
    tariff = Tariff(book, {"a": 1}, [Operator("cmcc", ("86138", "8617")), Operator("cucc", ("861", "86130"))])
    assert tariff.routed
    asked = [
        ("85", "", ""), ("8699", "", ""), ("8699", "direct", ""), ("8699", "direct", "otp"), ("+86138", "", "otp"),
        ("86138", "direct", ""), ("86130", "direct", ""), ("8617", "direct", ""),
    ]  # fmt: skip
    assert [tariff.price(1, to, 0.0, route, category) for to, route, category in asked] == [None, 1, 2, 3, 4, 5, 2, 6]
    assert [tariff.operator(to) for to in ("86138", "86139", "86130", "49")] == ["cmcc", "cucc", "cucc", ""]
    assert not Tariff(book[:1], {"a": 1}).routed


def test_an_operators_dated_price_falls_back():
    """While a particular price has not begun, or has ended, the less particular one holds."""
    tariff = Tariff(
        [Price("a", "", 9), Price("a", "", 4, operator="x", since=10.0), Price("a", "", None, operator="x", since=20.0)],
        {"a": 1},
        [Operator("x", ("8",))],
    )
    assert [tariff.price(1, "86", now) for now in (9.0, 10.0, 20.0)] == [9, 4, 9]
