"""The budget of the hot path, in what no busy machine changes: function calls."""

from __future__ import annotations

from pathlib import Path

from tests.bench.hot_path import calls

BUDGET = 110
"""Calls of functions of smsgw for a message with its receipt. Whoever needs more says in the commit what for."""


def test_a_message_costs_no_more_calls_than_it_may(tmp_path: Path):
    """Accepted, sent, answered, receipted, delivered and closed: all of it within the budget."""
    spent = calls(2_000, str(tmp_path))
    assert 0.5 * BUDGET < spent <= BUDGET
