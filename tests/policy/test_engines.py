from __future__ import annotations

import pytest

from smsgw.policy import engines
from smsgw.policy.engines import Engines


def test_what_is_the_same_is_taken_over():
    """Words and expressions of the version before are its very engines; anything else is built, in the order given."""
    first = Engines()
    words, expressions = first.automaton(["甲乙", "丙"]), first.pattern_set(["a+", "b"], whole=False)
    first.settle()
    second = Engines(first)
    assert second.automaton(["甲乙", "丙"]) is words
    assert second.pattern_set(["a+", "b"], whole=False) is expressions
    assert second.pattern_set(["a+", "b"], whole=True) is not expressions
    assert second.automaton(["丙", "甲乙"]) is not words
    assert second.automaton(["甲乙丙"]).find_matches_as_indexes("甲乙丙") == [(0, 0, 3)]
    assert (second.kept, second.built) == (2, 3)


def test_what_a_version_has_not_is_let_go():
    """A version lends what it is made of itself, not what the one before it was."""
    first = Engines()
    first.automaton(["甲"])
    second = Engines(first)
    second.automaton(["乙"])
    second.settle()
    third = Engines(second)
    third.automaton(["甲"])
    assert (third.kept, third.built) == (0, 1)


def test_an_expression_that_was_sound_is_not_asked_about_again(monkeypatch: pytest.MonkeyPatch):
    """What RE2 has taken it takes again; what it refused, and what is new, it is asked."""
    first = Engines()
    assert first.fault("a|b") == ""
    assert first.fault("(a").startswith("missing )")
    first.settle()
    monkeypatch.setattr(engines, "pattern_fault", lambda expression: f"asked about {expression}")
    second = Engines(first)
    assert [second.fault(one) for one in ("a|b", "(a", "c")] == ["", "asked about (a", "asked about c"]


def test_there_is_a_rest_after_each_step():
    """Whoever compiles may rest after each engine that was built and each expression that was looked at; not after the end."""
    rests: list[str] = []
    one = Engines(None, lambda: rests.append("rest"))
    one.automaton(["a"])
    assert len(rests) == 1
    one.pattern_set(["a", "b"], whole=False)
    assert len(rests) == 4
    one.fault("a")
    assert len(rests) == 5
    one.settle()
    one.rest()
    assert len(rests) == 5
