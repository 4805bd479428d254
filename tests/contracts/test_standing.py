"""The table of states: who may move what where, and what holds again when a decision is over."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smsgw.contracts import standing
from smsgw.contracts.standing import AUTOMATIC, AUTOMATICALLY, BY_PERSON, RENEWED, TERM_OVER, NotAllowed, after, decide
from smsgw.model import Standing
from smsgw.store.standing import Decision

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def decision(state: Standing, actor: str = "ops", **fields: Any) -> Decision:
    """A decision of a person, unless another actor is given."""
    rate = 5 if state is Standing.LIMITED else 0
    return Decision(state, fields.pop("reason", "x"), actor, fields.pop("since", NOW), rate=rate, **fields)


@pytest.mark.parametrize(("was", "shall"), [*itertools.product(Standing, Standing)])
def test_only_the_edges_of_the_table_are_taken(was: Standing, shall: Standing):
    """Each pair of states is a move or a refusal, for persons and for smsgw, as the table says."""
    for actor, table in (("ops", BY_PERSON), (AUTOMATIC, AUTOMATICALLY)):
        if shall in table[was]:
            assert decide(decision(was), decision(shall, actor)).standing is shall
        else:
            with pytest.raises(NotAllowed):
                decide(decision(was), decision(shall, actor))


def test_only_a_term_sets_to_closing_by_itself():
    """smsgw may set an active or limited contract to closing when its term is over, for no other reason and from nowhere else."""
    for was in Standing:
        for reason in (TERM_OVER, "balance", RENEWED):
            allowed = reason == TERM_OVER and was in {Standing.ACTIVE, Standing.LIMITED}
            wanted = Decision(Standing.CLOSING, reason, AUTOMATIC, NOW)
            rate = 5 if was is Standing.LIMITED else 0
            if allowed:
                assert decide(Decision(was, "x", "ops", NOW, rate=rate), wanted).standing is Standing.CLOSING
            else:
                with pytest.raises(NotAllowed):
                    decide(Decision(was, "x", "ops", NOW, rate=rate), wanted)


def test_the_essay_shows_the_table():
    """The table in the module's docstring is the one that it acts by."""
    assert standing.__doc__ is not None
    lines = [line.split() for line in standing.__doc__.splitlines() if line.startswith("    ")]
    columns = [Standing[word.upper()] for word in lines[0][2:]]
    for line in lines[1:]:
        was = Standing[line[0].upper()]
        for shall, mark in zip(columns, line[1:], strict=True):
            ways = (shall in BY_PERSON[was], shall in AUTOMATICALLY[was])
            assert mark == {(False, False): "-", (True, False): "p", (True, True): "a"}[ways], (was, shall)


def test_what_smsgw_may_do_a_person_may_too():
    """No move is open to smsgw alone, and none of its moves ends a contract that no person had set to closing."""
    assert all(AUTOMATICALLY[was] <= BY_PERSON[was] for was in Standing)
    assert [was for was in Standing if Standing.CLOSED in AUTOMATICALLY[was]] == [Standing.CLOSING]


def test_a_decision_that_is_over_gives_way_to_the_one_before():
    """Limited, then frozen for an hour: an hour later limited again, with its rate, and then nothing is left under it."""
    frozen = decide(decision(Standing.LIMITED), decision(Standing.FROZEN, until=LATER))
    back = after(frozen, LATER)
    assert (back.standing, back.rate, back.under) == (Standing.LIMITED, 5, ())
    assert after(back, LATER).standing is Standing.ACTIVE


def test_what_ended_meanwhile_does_not_come_back():
    """A limit that was over before the freeze that lay on it does not hold again."""
    limited = decision(Standing.LIMITED, until=NOW + timedelta(minutes=5))
    assert after(decide(limited, decision(Standing.FROZEN, until=LATER)), LATER).standing is Standing.ACTIVE


def test_a_milder_decision_takes_the_place_of_a_stricter_one():
    """From frozen to limited by a person: the freeze is gone for good, and so is what was stricter than the new one."""
    under = decide(decision(Standing.SUSPENDED_ARREARS), decision(Standing.FROZEN))
    assert decide(under, decision(Standing.LIMITED)).under == ()
    assert decide(under, decision(Standing.ACTIVE)).under == ()


def test_a_top_up_lifts_what_money_brought_and_nothing_else():
    """smsgw resumes into the limit that a person had set before; a suspension for a term that is over it does not lift."""
    suspended = decide(decision(Standing.LIMITED), decision(Standing.SUSPENDED_ARREARS, AUTOMATIC, reason="arrears"))
    assert decide(suspended, decision(Standing.ACTIVE, AUTOMATIC, reason="top_up")).standing is Standing.LIMITED
    over = decision(Standing.SUSPENDED_ARREARS, reason=standing.TERM_OVER)
    for actor in ("ops", AUTOMATIC):
        with pytest.raises(NotAllowed, match="new dates lift it"):
            decide(over, decision(Standing.ACTIVE, actor, reason="top_up"))


def test_new_dates_lift_what_the_calendar_brought():
    """A freeze for a term that is over is lifted by its renewal, and what lay under it holds again; no other freeze is."""
    over = decide(decision(Standing.LIMITED), decision(Standing.FROZEN, AUTOMATIC, reason=standing.TERM_OVER))
    for actor in ("ops", AUTOMATIC):
        assert decide(over, decision(Standing.ACTIVE, actor, reason=standing.RENEWED)).standing is Standing.LIMITED
    with pytest.raises(NotAllowed):
        decide(decision(Standing.FROZEN), decision(Standing.ACTIVE, AUTOMATIC, reason=standing.RENEWED))


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Decision(Standing.LIMITED, "x", "ops", NOW), "needs a rate"),
        (Decision(Standing.FROZEN, "x", "ops", NOW, rate=3), "only limited has one"),
        (Decision(Standing.CLOSING, "x", "ops", NOW, until=LATER), "has no end"),
        (Decision(Standing.FROZEN, "x", "ops", NOW, until=NOW), "over already"),
    ],
)
def test_a_state_needs_what_belongs_to_it(wanted: Decision, why: str):
    """A rate belongs to limited alone; an end to what may end, and it lies ahead."""
    with pytest.raises(NotAllowed, match=why):
        decide(decision(Standing.ACTIVE), wanted)


def test_a_refusal_says_what_to_do():
    """Closing at once, closing what is closed, and what only a person may do are told apart."""
    with pytest.raises(NotAllowed, match="freeze it or set it to closing first"):
        decide(decision(Standing.ACTIVE), decision(Standing.CLOSED))
    with pytest.raises(NotAllowed, match="for good"):
        decide(decision(Standing.CLOSED), decision(Standing.ACTIVE))
    with pytest.raises(NotAllowed, match="a person has to decide"):
        decide(decision(Standing.FROZEN), decision(Standing.CLOSED, AUTOMATIC))
