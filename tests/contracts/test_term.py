"""What days bring for contracts."""

from __future__ import annotations

from datetime import date

from smsgw.contracts.standing import TERM_NOT_BEGUN, TERM_OVER, VERIFICATION_OVER
from smsgw.contracts.term import Measure, Notice, reasons, steps
from smsgw.store.terms import Term

TERM = Term(starts=date(2026, 1, 1), ends=date(2026, 12, 31), grace_days=10)


def on(term: Term, month: int, day: int, year: int = 2026) -> list[str]:
    """What a day brings: notices by kind and key, measures by state and reason."""
    return [
        f"{step.kind} {step.once}" if isinstance(step, Notice) else f"{step.state} {step.reason} {step.rate}"
        for step in steps(term, date(year, month, day))
    ]


def test_a_term_from_its_first_day_to_its_grace():
    """Suspended before it begins, free until its end, reminded thirty, seven and one day before, suspended after the grace."""
    assert on(TERM, 12, 31, 2025) == ["suspended_arrears term_not_begun 0"]
    assert on(TERM, 1, 1) == on(TERM, 11, 30) == []
    assert on(TERM, 12, 1) == on(TERM, 12, 23) == ["term_ends 2026-12-31:30"]
    assert on(TERM, 12, 24) == ["term_ends 2026-12-31:7"]
    assert on(TERM, 12, 30) == on(TERM, 12, 31) == ["term_ends 2026-12-31:1"]
    assert on(TERM, 1, 1, 2027) == on(TERM, 1, 10, 2027) == ["term_ended 2026-12-31"]
    assert on(TERM, 1, 11, 2027) == ["term_ended 2026-12-31", "suspended_arrears term_over 0"]


def test_the_state_that_follows_is_a_setting():
    """A contract may freeze at its end."""
    term = Term(ends=date(2026, 12, 31), then_state="frozen", remind_days=())
    assert list(steps(term, date(2027, 1, 1)))[-1] == Measure("frozen", TERM_OVER)


def test_a_verification_that_is_over_shuts_the_gate_that_was_set():
    """Without a gate nothing follows; else its state does, at its rate, and the end is reminded of."""
    last = date(2026, 6, 30)
    assert on(Term(verified_till=last), 7, 1) == []
    assert on(Term(verified_till=last, gate="limited", gate_rate=3), 7, 1) == ["limited verification_over 3"]
    assert on(Term(verified_till=last, gate="frozen"), 6, 30) == ["verification_ends 2026-06-30:1"]
    assert reasons(Term(verified_till=last, gate="frozen"), date(2026, 7, 1)) == {VERIFICATION_OVER}


def test_no_term_no_steps():
    """A tenant without any day set is never reminded and never stopped."""
    assert list(steps(Term(), date(2026, 1, 1))) == []
    assert reasons(TERM, date(2025, 1, 1)) == {TERM_NOT_BEGUN}
