"""The first look at a plain message: nearly all have none of a set's words and fit none of its patterns, which this alone tells.

What it has seen is handed on where it does not settle the matter, so that nothing is looked for twice.

Promises: `clear` means that no term stands in the text but where an exception covers it, and that no pattern matches it.
Must never: decide; that a word stands in a text says nothing yet.
"""

from __future__ import annotations

from smsgw.policy.matcher import NOTHING, Scan
from smsgw.policy.normal import lower, n1, n2
from smsgw.policy.ruleset import RuleSet

Look = tuple[str, str, Scan, bool]
"""A text, its first normal form, what the terms' engine saw in that, and whether terms and patterns have nothing against it."""


class Glance:
    """The engines of a set that look at words."""

    __slots__ = ("_n1", "_n2", "_rest", "_text")

    def __init__(self, policy: RuleSet) -> None:
        """Take them from the set."""
        self._n1 = policy.terms_n1
        self._n2 = policy.terms_n2
        self._rest = policy.patterns_rest
        self._text = policy.patterns_text

    def look(self, text: str) -> Look:
        """Look at a text that is whole and reads in one way."""
        form = lower(text) if text.isascii() else n1(text)
        scan = NOTHING if self._n1 is None else self._n1.scan(form)
        hits, marked = scan  # what they are is asked, not which object it is: compiled, a pair has no identity
        clear = (
            not hits
            and not marked
            and (self._n2 is None or not self._n2.find(n2(form)))
            and (self._rest is None or not self._rest.find(form))
            and (self._text is None or not self._text.find(text))
        )
        return text, form, scan, clear
