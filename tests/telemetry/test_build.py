"""Which build runs: told by what was loaded."""

from __future__ import annotations

from smsgw import model, wire
from smsgw.telemetry.build import BUILD


def test_the_word_is_that_of_what_was_loaded():
    """The whole data path is of one build, and it is the one that is told."""
    suffix = ".py" if BUILD == "plain" else ".so"
    assert [(module.__file__ or "").endswith(suffix) for module in (wire, model)] == [True, True]
