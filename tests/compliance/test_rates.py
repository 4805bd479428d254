from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from smsgw.compliance.rates import Rate, month_of, next_step
from smsgw.config import Compliance
from smsgw.model import Standing


@pytest.mark.parametrize(
    ("complaints", "messages", "level"),
    [(2, 9_000_000, ""), (2, 8_000_000, "over"), (2, 5_000_000, "high"), (1, 100, ""), (5, 0, ""), (0, 10, "")],
)
def test_a_rate_is_held_against_the_thresholds(complaints: int, messages: int, level: str):
    """0.25 and 0.4 per million messages of a month; one complaint alone says nothing, nor does an account that sent nothing."""
    assert Rate("acme1", "", complaints, messages).level(Compliance()) == level


def test_the_next_step_depends_on_how_it_stands():
    """Over: limit, then freeze. High: freeze, then terminate. Where a measure holds already nothing is proposed."""
    assert [next_step("over", one) for one in (Standing.ACTIVE, Standing.LIMITED, Standing.FROZEN)] == ["limit", "freeze", ""]
    assert [next_step("high", one) for one in (Standing.ACTIVE, Standing.FROZEN, Standing.CLOSED)] == ["freeze", "terminate", ""]
    assert next_step("", Standing.ACTIVE) == ""


def test_a_month_ends_where_the_next_begins():
    """Also in December, where the year changes."""
    name, begin, end = month_of(date(2026, 12, 31))
    assert (name, begin, end) == (
        "2026-12",
        datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
        datetime(2027, 1, 1, tzinfo=UTC).timestamp(),
    )
    assert month_of(date(2026, 11, 1))[2] == begin
