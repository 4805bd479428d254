from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from smsgw.model import Basis, Tenant
from smsgw.reports import statement
from smsgw.reports.cycle import cycle_of
from smsgw.reports.statement import Charge, Day, Ended, Entry, Figures, NotReconciled

ACME = Tenant(1, "示例科技", "CNY", 0, Basis.SENT, "Asia/Shanghai")
CYCLE = cycle_of("2026-11", "Asia/Shanghai")
FIGURES = Figures(
    opening=1_000_000,
    closing=1_000_000 + 500 - 300 + 100 + 38,
    charges=(Charge("acme1", 100, 3, 3, 300, 1, 100),),
    days=(Day("2026-11-01", 2, 2, 200), Day("2026-11-02", 1, 1, 100)),
    states=(Ended("DELIVERED", 2, 2), Ended("OPEN", 1, 1)),
    late_states=(Ended("FAILED", 1, 1),),
    refunds=100,
    late_refunds=38,
    late_refunded_messages=1,
    entries=(Entry(7, "2026-11-03T00:00:00Z", "top_up", 500, "=wire", ""),),
)


def test_the_content_is_canonical():
    """The same figures give the same octets, keys in order, amounts as whole numbers; the hash is of these octets."""
    text = statement.content(ACME, CYCLE, FIGURES)
    assert text == statement.content(ACME, CYCLE, FIGURES)
    said = json.loads(text)
    assert json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == text
    assert said["movements"] == {"top_up": 500, "charges": -300, "refunds": 100, "late_refunds": 38}
    assert (said["tenant"], said["basis"], said["from"]) == ("示例科技", "sent", "2026-11-01T00:00:00+08:00")
    assert statement.digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"closing": FIGURES.closing + 1}, r"0\.000001 is not explained"),
        ({"days": FIGURES.days[:1]}, "the sum of days is 0.0002"),
        ({"states": FIGURES.states[:1]}, "3 messages were charged, the states have 2"),
        ({"refunds": 50, "closing": FIGURES.closing - 50}, "of its messages 0.0001"),
        ({"differences": ("day 7: ledger and messages differ",)}, "day 7"),
    ],
)
def test_figures_that_contradict_each_other_are_no_content(changes: dict[str, Any], why: str):
    """Each contradiction is named; the store's own differences too."""
    with pytest.raises(NotReconciled, match=why):
        statement.content(ACME, CYCLE, replace(FIGURES, **changes))


def test_the_document_tells_it_in_both_languages():
    """Head, movements, charges, states, bookings, days; rounded beside exact; a draft says that it is one."""
    text = statement.content(ACME, CYCLE, FIGURES)
    made = statement.document(text)
    titles = [table.title.split()[-1] for table in made.tables]
    assert titles == ["Movements", "Charges", "end", "one", "Bookings", "Days"]
    moved = {str(row[0]).split()[-1]: row[1:] for row in made.tables[0].rows}
    assert list(moved["Messages"]) == ["-0.0003", "0.00"]
    assert statement.digest(text) in made.foot[0]
    assert not any("Draft" in name for name, _ in made.head)
    assert "Draft" in statement.document(text, draft=True).head[0][0]


def test_a_detail_line_says_what_was_fixed_at_accept():
    """Id, moment, ends, parts, price of one and of all, and what was given back."""
    row = {"id": 9, "account": "a", "source": "s", "destination": "d", "parts": 2, "price": 76_000, "refunded": 0}
    line = statement.detail_row(row, datetime(2026, 11, 1, tzinfo=UTC))
    assert line == ("9", "2026-11-01T00:00:00.000+00:00", "a", "s", "d", 2, "0.038", "0.076", "0.00")
    assert len(line) == len(statement.DETAIL_COLUMNS)
