"""The budget of the hot path, in what no busy machine changes: function calls."""

from __future__ import annotations

from pathlib import Path

from smsgw.bench.rules import made_set
from tests.bench.hot_path import calls
from tests.builds import plain_only
from tests.policy.sets import compiled

BUDGET = 116
"""Calls of functions of smsgw for a message with its receipt, constructors too. Whoever needs more says in the commit what for."""


@plain_only
def test_a_message_costs_no_more_calls_than_it_may(tmp_path: Path):
    """Accepted, sent, answered, receipted, delivered and closed: all of it within the budget."""
    spent = calls(2_000, str(tmp_path))
    assert 0.5 * BUDGET < spent <= BUDGET


JUDGING = 12
"""What a rule set with terms in both forms, patterns and templates may add to it."""


@plain_only
def test_judging_adds_no_more_calls_than_it_may(tmp_path: Path):
    """From accept to the verdict, for a plain message that no rule stops."""
    without = calls(2_000, str(tmp_path))
    judged = calls(2_000, str(tmp_path), {"made": compiled(*made_set(200))})
    assert 5 < judged - without <= JUDGING
