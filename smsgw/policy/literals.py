r"""What every match of a pattern has in it: a word that the terms' engine looks for as well, so that most texts meet no pattern.

Read from the expression itself, and only where it is plain to see: letters in a row at the top of each alternative. An expression
with anything else that matters (flags, \\Q, \\x, classes by name) has no such word, and is asked of every text.

Promises: where words are returned, a text in which none of them stands does not match.
Must never: guess.
"""

from __future__ import annotations

import re
from typing import Final

LEAST_LATIN: Final = 3
LEAST_OTHER: Final = 2
"""Shorter words stand in too many texts to be worth looking for."""

_SOME: Final = frozenset("dDsSwWbB")
_REPEAT: Final = re.compile(r"\{(\d+)(?:,\d*)?\}")
_FLAGS: Final = re.compile(r"\(\?(?!:)")


class _NotPlain(Exception):
    """The expression has something that is not read here."""


def required(expression: str) -> tuple[str, ...]:
    """Return words of which one stands in every text that matches; () where none is sure."""
    try:
        words = _Reading(expression).words() if not _FLAGS.search(expression) else []
    except (_NotPlain, IndexError):
        return ()
    return tuple(words) if words and all(map(_worth, words)) else ()


def _worth(word: str) -> bool:
    return len(word) >= (LEAST_LATIN if word.isascii() else LEAST_OTHER)


class _Reading:
    """One walk through an expression."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0

    def words(self) -> list[str]:
        """Return the longest word of each alternative, "" for one that has none."""
        found = [""]
        run = ""
        while self._at < len(self._text):
            if self._text[self._at] == "|":
                self._at += 1
                found.append("")
                run = ""
                continue
            letter = self._atom()
            least, repeated = self._repeat()
            run = run + letter if letter and least else ""
            found[-1] = max(found[-1], run, key=len)
            if repeated:
                run = ""
        return found

    def _atom(self) -> str:
        """Pass one atom; returns the letter that it is, "" for what is no certain letter."""
        letter = self._text[self._at]
        if letter == "\\":
            self._at += 2
            escaped = self._text[self._at - 1]
            if escaped in _SOME:
                return ""
            if escaped.isalnum():
                raise _NotPlain
            return escaped
        if letter == "[":
            self._class()
        elif letter == "(":
            self._group()
        elif letter in ")*+?{":
            raise _NotPlain
        else:
            self._at += 1
            return "" if letter in ".^$" else letter
        return ""

    def _class(self) -> None:
        """Pass [...]: a ] that stands first is one of its letters."""
        self._at += 2 if self._text[self._at + 1] == "^" else 1
        first = True
        while first or self._text[self._at] != "]":
            if self._text.startswith("[:", self._at):
                self._at = self._text.index(":]", self._at) + 2 if ":]" in self._text[self._at :] else len(self._text)
            else:
                self._at += 2 if self._text[self._at] == "\\" else 1
            first = False
        self._at += 1

    def _group(self) -> None:
        """Pass (...) with what is in it."""
        self._at += 3 if self._text.startswith("(?:", self._at) else 1
        while self._text[self._at] != ")":
            if self._text[self._at] in "|*+?{":
                self._at += 1
            else:
                self._atom()
        self._at += 1

    def _repeat(self) -> tuple[bool, bool]:
        """Pass what says how often; returns (at least once, otherwise than exactly once)."""
        mark = self._text[self._at : self._at + 1]
        if not mark or mark not in "*+?{":
            return True, False
        least = mark == "+"
        if mark == "{":
            match = _REPEAT.match(self._text, self._at)
            if match is None:
                raise _NotPlain
            least = int(match[1]) > 0
            self._at = match.end()
        else:
            self._at += 1
        if self._text[self._at : self._at + 1] == "?":  # the shortest match first: it is one all the same
            self._at += 1
        return least, True
