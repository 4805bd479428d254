"""What a day brings for a contract: reminders, its end, the end of its grace, a verification that is over. (term, day) → Steps.

    … starts ─────────── remind ─── remind ─ ends ──── grace_days ────→ then_state (reason term_over)
    not begun: suspended (reason term_not_begun)         told once

A reminder is told once for its day and date, and only the nearest one: whoever sets a term of five days is not told that thirty
are left. Days are UTC days.

Never here: the store, who is told, how a state is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from smsgw.contracts.standing import TERM_NOT_BEGUN, TERM_OVER, VERIFICATION_OVER
from smsgw.store.terms import Term


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell once: `once` tells it from others of its kind."""

    kind: str
    once: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A state that follows, why, and at what rate."""

    state: str
    reason: str
    rate: int = 0


Step = Notice | Measure


def steps(term: Term, day: date) -> Iterator[Step]:
    """Yield what this day brings: notices first, then at most one measure of the term and one of the verification."""
    if term.starts is not None and day < term.starts:
        yield Measure("suspended_arrears", TERM_NOT_BEGUN)
    if term.ends is not None:
        yield from _reminder("term_ends", term.ends, term.remind_days, day)
        if day > term.ends:
            last = term.ends + timedelta(days=term.grace_days)
            yield Notice("term_ended", f"{term.ends}", {"date": f"{term.ends}", "sends_until": f"{last}", "then": term.then_state})
            if day > last:
                yield Measure(term.then_state, TERM_OVER)
    if term.verified_till is not None and term.gate != "none":
        yield from _reminder("verification_ends", term.verified_till, term.remind_days, day)
        if day > term.verified_till:
            yield Measure(term.gate, VERIFICATION_OVER, term.gate_rate if term.gate == "limited" else 0)


def reasons(term: Term, day: date) -> frozenset[str]:
    """Return the reasons for which the contract may not send freely on this day."""
    return frozenset(step.reason for step in steps(term, day) if isinstance(step, Measure))


def _reminder(kind: str, last: date, remind_days: tuple[int, ...], day: date) -> Iterator[Notice]:
    left = (last - day).days
    due = [days for days in remind_days if 0 <= left <= days]
    if due:
        yield Notice(kind, f"{last}:{min(due)}", {"date": f"{last}", "days_left": left})
