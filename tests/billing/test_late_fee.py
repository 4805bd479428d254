from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.billing.late_fee import ONE, Conditions, Debt, debts, late_fee

ENDED = date(2026, 12, 1)
UNIT = 1_000_000
CONDITIONS = Conditions(rate=500, due_days=15, grace_days=5)
"""Five in ten thousand a day, to be paid by the 16th, no fee for who pays by the 21st."""


def day(number: int) -> date:
    """A day of December 2026; 32 is the first of January."""
    return date(2026, 11, 30) + timedelta(days=number)


def test_within_the_grace_nothing_is_due():
    """On its last day there is no fee; on the next there is, from the day after the due one on."""
    debt = Debt(1_000 * UNIT, 1_000 * UNIT, ENDED)
    assert late_fee(debt, CONDITIONS, day(21)) is None
    fee = late_fee(debt, CONDITIONS, day(22))
    assert fee is not None
    assert (fee.amount, fee.due, fee.days) == (5 * UNIT // 2, day(16), 5)


def test_who_pays_within_the_grace_owes_nothing():
    """All of it until the last day of grace: no fee; a unit less: a fee for that unit from then on, and for all before."""
    whole = Debt(1_000 * UNIT, 1_000 * UNIT, ENDED, ((day(21), 1_000 * UNIT),))
    assert late_fee(whole, CONDITIONS, day(40)) is None
    less = Debt(1_000 * UNIT, 1_000 * UNIT, ENDED, ((day(21), 999 * UNIT),))
    fee = late_fee(less, CONDITIONS, day(24))
    assert fee is not None
    assert (fee.amount, fee.days) == ((4 * 1_000 + 3 * 1) * UNIT * 500 // ONE, 7)


def test_what_is_paid_bears_no_fee_from_that_day_on():
    """Half is paid on the 23rd, the rest on the 26th: that day has no fee, and none comes after it."""
    debt = Debt(1_000 * UNIT, 1_000 * UNIT, ENDED, ((day(23), 500 * UNIT), (day(26), 500 * UNIT)))
    fee = late_fee(debt, CONDITIONS, day(60))
    assert fee is not None
    assert (fee.amount, fee.days) == ((6 * 1_000 + 3 * 500) * UNIT * 500 // ONE, 9)


def test_the_oldest_debt_is_paid_first():
    """Of 300 owed 100 are of this cycle: a payment of 250 leaves 50 of them unpaid."""
    debt = Debt(100 * UNIT, 300 * UNIT, ENDED, ((day(5), 250 * UNIT),))
    fee = late_fee(debt, CONDITIONS, day(26))
    assert fee is not None
    assert fee.amount == 9 * 50 * UNIT * 500 // ONE


def test_a_cap_holds_and_a_rounded_fee_of_nought_is_none():
    """However long it takes, no more than the cap; what rounds to nothing is nothing."""
    capped = Conditions(rate=500, cap=20_000)
    fee = late_fee(Debt(1_000 * UNIT, 1_000 * UNIT, ENDED), capped, day(1_000))
    assert fee is not None
    assert fee.amount == 20 * UNIT
    assert late_fee(Debt(1, 1, ENDED), capped, day(100)) is None


@pytest.mark.parametrize(
    ("closings", "paid", "expected"),
    [
        ([-100, -150], [0, 0], [(100, 100), (50, 150)]),
        ([-100, -150], [0, 60], [(100, 100), (110, 150)]),
        ([-100, 20, -30], [0, 120, 0], [(100, 100), (0, 0), (30, 30)]),
        ([-100, -40], [0, 80], [(100, 100), (20, 40)]),
    ],
)
def test_each_debt_is_of_one_cycle(closings: list[int], paid: list[int], expected: list[tuple[int, int]]):
    """What a cycle adds is what is owed at its end and was not owed, unpaid, before: no debt bears two fees."""
    assert debts(closings, paid) == expected


@given(
    owed=st.tuples(st.integers(1, 10**15), st.integers(0, 10**15)),
    payments=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 10**15)), max_size=6),
    rate=st.integers(1, ONE),
    grace=st.integers(0, 20),
    cap=st.integers(0, ONE),
)
def test_a_fee_only_grows_and_never_beyond_its_bounds(
    owed: tuple[int, int], payments: list[tuple[int, int]], rate: int, grace: int, cap: int
):
    """From day to day it does not fall; it is at most the rate on all that was owed, and the cap."""
    paid = tuple((day(number), amount) for number, amount in sorted(payments))
    debt, conditions = Debt(owed[0], sum(owed), ENDED, paid), Conditions(rate, 10, grace, cap)
    amounts = [fee.amount if (fee := late_fee(debt, conditions, day(number))) else 0 for number in range(1, 100)]
    assert amounts == sorted(amounts)
    assert amounts[-1] <= 90 * owed[0] * rate // ONE
    assert not cap or amounts[-1] <= owed[0] * cap // ONE
