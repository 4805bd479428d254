"""What paying late costs: a closed cycle's debt, what was paid since, and the contract's words → a fee, in integers.

    cycle ends ──── due_days ───→ due ──── grace_days ────→ … unpaid, a rate for each day after `due`

Days are days of the tenant's calendar. A day counts when something of the cycle's debt was unpaid at its end; today is not over
and does not count. Who has paid within the grace owes no fee; who has not owes it from the day after `due` on. Payments pay the
oldest debt first, and what was spent before fees: no fee bears a fee. Rates are millionths; the sum of all days is rounded once,
down to a 10⁻⁶ of the currency.

Never here: the store, the clock, who decides whether a fee is booked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from smsgw.model import MONEY_UNIT

ONE: Final = MONEY_UNIT
"""Rates and caps are millionths, as money is: 500 a day is 0.0005."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a contract says: `rate` a day and `cap` of what was owed, in millionths (cap 0: none)."""

    rate: int
    due_days: int = 0
    grace_days: int = 0
    cap: int = 0


@dataclass(frozen=True, slots=True)
class Debt:
    """What was owed at the end of a cycle (Money): `owed` is what this cycle added to it, `total` all of it.

    `ended`: the first day after the cycle. `paid`: what came in since, by day.
    """

    owed: int
    total: int
    ended: date
    paid: tuple[tuple[date, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Fee:
    """What is to be paid for `days` days after `due` on which something was unpaid."""

    amount: int
    due: date
    days: int


def debts(closings: Sequence[int], paid_within: Sequence[int]) -> list[tuple[int, int]]:
    """Return (added, total) debt at each cycle's end, of closing balances without unpaid fees and what came in within each."""
    found = []
    before = 0
    for closing, paid in zip(closings, paid_within, strict=True):
        total = max(0, -closing)
        older = min(total, max(0, before - paid))
        found.append((total - older, total))
        before = total
    return found


def late_fee(debt: Debt, conditions: Conditions, today: date) -> Fee | None:
    """Return the fee as it stands at the beginning of a day; None: nothing is to be paid, or not yet."""
    due = debt.ended + timedelta(days=conditions.due_days)
    patience = due + timedelta(days=conditions.grace_days)
    if today <= patience or not _unpaid(debt, patience):
        return None
    amount = days = 0
    day = due + _DAY
    while day < today and (left := _unpaid(debt, day)):
        amount += left
        days += 1
        day += _DAY
    amount = amount * conditions.rate // ONE
    if conditions.cap:
        amount = min(amount, debt.owed * conditions.cap // ONE)
    return Fee(amount, due, days) if amount else None


def _unpaid(debt: Debt, day: date) -> int:
    """Return what of the cycle's own debt was unpaid at the end of a day."""
    paid = sum(amount for at, amount in debt.paid if at <= day)
    return min(debt.owed, max(0, debt.total - paid))
