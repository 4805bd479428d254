from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from smsgw.reports.table import FORMULA, neutral


@pytest.mark.parametrize(
    "cell", ["=1+1", "+8613800138000", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "-1-1", "-1.2.3", "-"]
)
def test_what_begins_like_a_formula_is_text(cell: str):
    """It gets an apostrophe before it and is otherwise the same."""
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-12.30", "-5", "1=1", "", "对账单", 7, -7])
def test_amounts_and_text_stay_as_they_are(cell: str | int):
    """A negative amount is a number and no formula."""
    assert neutral(cell) == cell


@given(st.text())
def test_no_cell_begins_a_formula(cell: str):
    """Whatever a tenant writes into a field, no cell that leaves begins with a formula's sign, but negative numbers."""
    left = str(neutral(cell))
    assert not left.startswith(FORMULA) or float(left) <= 0
