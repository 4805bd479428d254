"""The engine: ten thousand terms and hundreds of patterns over one text in some microseconds.

Terms by ahocorasick-rs, patterns by RE2's Set (linear time whatever the pattern; an operator's pattern never meets `re`, where one
of them can stop the loop for a second). Both hold the interpreter while they build: so they are built in shards that take a few
milliseconds each, in a thread between whose steps the loop runs on (`engines`). Each shard costs a microsecond for each text, so
they are as few as that allows, and of about one size.

Promises: what is built has proved that it finds: each shard is asked for its first and its last term, each set of patterns for a
canary of its own, at the build and whenever `alive` is asked. An engine that says "no match" because it failed must not pass for
one that found nothing.
Must never: normalise (that is its caller's), decide what a hit means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from zlib import crc32

import ahocorasick_rs as aho
import re2

from smsgw.policy.engines import Engines, options

TERMS_A_SHARD: Final = 3_500
PATTERNS_A_SHARD: Final = 200
_CANARY: Final = "\ue000smsgw\ue001"


class EngineFailed(Exception):
    """An engine did not find what it must find."""


class Term(NamedTuple):
    """A word to look for, in its normal form. `owner`: whose it is, by number; `whole`: only as a word of its own."""

    text: str
    owner: int
    whole: bool = False


_MARK: Final = -1


class Hit(NamedTuple):
    """Something found: whose it is, and where."""

    owner: int
    start: int
    end: int


Scan = tuple[Sequence[Hit], bool]
NOTHING: Final[Scan] = ((), False)


class Terms:
    """Many words at once. One that stands inside a hit of an exception of the same owner is not found.

    `marks` are words that somebody else wants to know of in the same pass: no exception covers them, and they are no terms.
    """

    __slots__ = ("_count", "_excepted", "_exceptions", "_plain", "_shards")

    def __init__(
        self,
        terms: Sequence[Term],
        exceptions: Sequence[Term] = (),
        marks: Sequence[str] = (),
        engines: Engines | None = None,
        spellings: Sequence[Term] = (),
    ) -> None:
        """Build; raises EngineFailed. `spellings` of the same words are found like them, and make no shard more."""
        engines = engines if engines is not None else Engines()
        wanted = [*terms, *(Term(mark, _MARK) for mark in marks)]
        plain = [term for term in wanted if term.text.isascii()]
        spelt = [term for term in spellings if term.text.isascii()]
        self._shards = _shards([*wanted, *spellings], _count_of(len(wanted)), engines)
        same = len(plain) == len(wanted) and len(spelt) == len(spellings)
        self._plain = self._shards if same else _shards([*plain, *spelt], _count_of(len(plain)), engines)
        self._count = len(terms)
        self._exceptions = engines.automaton([one.text for one in exceptions]) if exceptions else None
        self._excepted = [one.owner for one in exceptions]
        self.check()

    def __len__(self) -> int:
        """Return how many terms there are."""
        return self._count

    def check(self) -> None:
        """Ask each shard for what it must find. Raises EngineFailed."""
        for shard, automaton in (*self._shards, *self._plain):
            for at in (0, len(shard) - 1):
                text = f"{_CANARY}{shard[at].text}"
                if not any(found[0] == at or shard[found[0]].text == shard[at].text for found in _scan(automaton, text)):
                    raise EngineFailed("a shard of terms does not find its own")

    def find(self, text: str) -> Sequence[Hit]:
        """Return what stands in a text of the same normal form. Where the text is ASCII, only such terms are looked for."""
        return self.scan(text)[0]

    def scan(self, text: str) -> Scan:
        """Return the same, and whether one of the marks stands in it."""
        hits: list[Hit] | None = None
        marked = False
        for shard, automaton in self._plain if text.isascii() else self._shards:
            found = automaton.find_matches_as_indexes(text, True)  # overlapping
            if found:
                hits = hits or []
                hits += self._judged(text, shard, found)
                marked = marked or any(shard[index].owner == _MARK for index, _, _ in found)
        return NOTHING if hits is None else (hits, marked)

    def _judged(self, text: str, shard: Sequence[Term], found: Sequence[tuple[int, int, int]]) -> Iterator[Hit]:
        allowed = _scan(self._exceptions, text) if self._exceptions is not None else ()
        for index, start, end in found:
            term = shard[index]
            if term.owner == _MARK or (term.whole and not _stands_alone(text, start, end)):
                continue
            if not any(first <= start and end <= last and self._excepted[one] == term.owner for one, first, last in allowed):
                yield Hit(term.owner, start, end)


def _shards(terms: Sequence[Term], count: int, engines: Engines) -> list[tuple[Sequence[Term], aho.AhoCorasick]]:
    return [(shard, engines.automaton([term.text for term in shard])) for shard in _dealt(terms, count) if shard]


def _count_of(words: int) -> int:
    """Return how many shards so many words are dealt out to."""
    return -(-words // TERMS_A_SHARD)


def _dealt(terms: Sequence[Term], count: int) -> Sequence[Sequence[Term]]:
    """Deal terms out to shards of about one size, each by its own letters: one more or less changes a single shard."""
    if count < 2:
        return (terms,)
    shards: list[list[Term]] = [[] for _ in range(count)]
    for term in terms:
        shards[crc32(term.text.encode("utf-8", "surrogatepass")) % count].append(term)
    return shards


def _cut(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut so many into pieces of one size, of at most so many each."""
    pieces = -(-count // most)
    for at in range(pieces):
        yield count * at // pieces, count * (at + 1) // pieces


def _scan(automaton: aho.AhoCorasick, text: str) -> list[tuple[int, int, int]]:
    return automaton.find_matches_as_indexes(text, overlapping=True)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether no letter or digit of the Latin script touches a Latin word: "sex" is not in "Essex"."""
    return not (start and text[start - 1].isalnum() and text[start - 1].isascii()) and not (
        end < len(text) and text[end].isalnum() and text[end].isascii()
    )


class Patterns:
    """Many patterns at once; `owner` of a hit is the index of the pattern."""

    __slots__ = ("_expressions", "_shards")

    def __init__(self, expressions: Sequence[str], *, whole: bool = False, engines: Engines | None = None) -> None:
        """Build; `whole`: a pattern has to match from the first character to the last. Raises EngineFailed."""
        engines = engines if engines is not None else Engines()
        self._expressions = list(expressions)
        self._shards = [
            (first, end - first, engines.pattern_set([*self._expressions[first:end], _CANARY], whole=whole))
            for first, end in _cut(len(self._expressions), PATTERNS_A_SHARD)
        ]
        self.check()

    def __len__(self) -> int:
        """Return how many patterns there are."""
        return len(self._expressions)

    def check(self) -> None:
        """Ask each set for its canary. Raises EngineFailed."""
        for _, canary, shard in self._shards:
            if canary not in (shard.Match(_CANARY) or ()):
                raise EngineFailed("a set of patterns does not find its canary")

    def find(self, text: str) -> list[int]:
        """Return the indices of the patterns that match, in their order."""
        found: list[int] = []
        octets = text.encode("utf-8", "replace")
        for first, canary, shard in self._shards:
            hits = shard.Match(octets)
            if hits:
                found += sorted(first + index for index in hits if index != canary)
        return found

    def span(self, index: int, text: str) -> tuple[int, int]:
        """Return where a pattern matches; it is compiled for that, so only for what was found."""
        match = re2.compile(self._expressions[index], options()).search(text)
        return match.span() if match is not None else (0, len(text))
