"""Engines, built one at a time: what the version before has of the same words or expressions is taken over, the rest is made.

An engine keeps the interpreter to itself while it is built, so after each the thread that compiles may rest: `rest` is called
between any two steps that cost something, and what it does is its giver's business.

Promises: an engine is taken over only where what it is made of is the same, octet by octet, as far as SHA-256 tells.
Must never: hold on to what a version before has and this one has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeVar

import ahocorasick_rs as aho
import msgspec
import re2

_Engine = TypeVar("_Engine")

MAX_MEMORY: Final = 256 << 20
"""Octets that RE2 may use for a set; with its default of 8 MiB larger sets fail to compile."""


def never() -> None:
    """Rest not at all: nobody else needs the interpreter."""


def options() -> re2.Options:
    """Return how patterns are read: RE2's own syntax, UTF-8, a dot matches line ends too."""
    chosen = re2.Options()
    chosen.max_mem = MAX_MEMORY
    chosen.log_errors = False
    chosen.dot_nl = True
    return chosen


def pattern_fault(expression: str) -> str:
    """Return what the engine itself has against a pattern; "" for nothing."""
    try:
        re2.compile(expression, options())
    except re2.error as error:
        told = error.args[0] if error.args else error
        return told.decode() if isinstance(told, bytes) else str(told)
    return "" if expression else "it is empty"


class Engines:
    """What one version of a set is built of. `built`, `kept`: how many engines were made, and taken over."""

    __slots__ = ("_automata", "_before", "_sets", "_sound", "built", "kept", "rest")

    def __init__(self, before: Engines | None = None, rest: Callable[[], None] = never) -> None:
        """Take over from `before` what is the same; it is let go by `settle`."""
        self._before = before
        self._automata: dict[bytes, aho.AhoCorasick] = {}
        self._sets: dict[bytes, re2.Set] = {}
        self._sound: set[str] = set()
        self.rest = rest
        self.built = self.kept = 0

    def settle(self) -> None:
        """Everything is built: let go of what was not taken over."""
        self._before = None
        self.rest = never

    def automaton(self, words: Sequence[str]) -> aho.AhoCorasick:
        """Return what finds all these words, overlapping ones too."""
        named = _named(words, "")
        found = self._taken(self._before._automata if self._before is not None else {}, named)
        if found is None:
            found = aho.AhoCorasick(words, matchkind=aho.MatchKind.Standard, implementation=aho.Implementation.ContiguousNFA)
            self.rest()
        self._automata[named] = found
        return found

    def pattern_set(self, expressions: Sequence[str], *, whole: bool) -> re2.Set:
        """Return what tells which of these match a text: all of it where `whole`, else anywhere in it."""
        named = _named(expressions, "whole" if whole else "any")
        found = self._taken(self._before._sets if self._before is not None else {}, named)
        if found is None:
            found = re2.Set.FullMatchSet(options()) if whole else re2.Set.SearchSet(options())
            for expression in expressions:
                found.Add(expression)
                self.rest()
            found.Compile()
            self.rest()
        self._sets[named] = found
        return found

    def fault(self, expression: str) -> str:
        """Return what RE2 has against an expression; what the version before was made of is sound."""
        before = self._before
        fault = "" if before is not None and expression in before._sound else pattern_fault(expression)
        if not fault:
            self._sound.add(expression)
        self.rest()
        return fault

    def _taken(self, before: Mapping[bytes, _Engine], named: bytes) -> _Engine | None:
        found = before.get(named)
        self.kept += found is not None
        self.built += found is None
        return found


def _named(parts: Sequence[str], kind: str) -> bytes:
    """Name an engine by what it is made of."""
    return sha256(msgspec.json.encode((kind, list(parts)))).digest()
