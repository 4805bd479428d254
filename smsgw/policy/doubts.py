"""What a set says that can hardly be meant: it compiles, and then stops every message, or none, without a word.

Asked of what is new (`check`), never of what is stored already: a version that was taken before stays in force as it is.

Promises: each doubt is told with file, line and what to write instead.
Never here: what cannot be compiled (`ruleset`), what a set finds in texts (`selftest`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import re2

from smsgw.numbering.plan import the_plan
from smsgw.policy.engines import options
from smsgw.policy.file import PolicyFile, Signature
from smsgw.policy.normal import n1, n2

_DOMAIN: Final = re.compile(r"(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}")
_DIGITS: Final = re.compile(r"[0-9]+")


def doubts(table: PolicyFile, places: Mapping[tuple[str, int], str]) -> list[str]:
    """Return what is doubtful about sound tables, each with the place of its table."""
    told = [*_patterns(table), *_words(table), *_countries(table), *_lists(table)]
    if table.signature is not None:
        told += (("signature", 0, what) for what in _signature(table.signature))
    return [f"{places.get((kind, at), kind)}: {what}" for kind, at, what in told]


def _patterns(table: PolicyFile) -> Iterator[tuple[str, int, str]]:
    for at, rule in enumerate(table.pattern):
        try:
            found = re2.compile(rule.expression, options()).search("")
        except re2.error:
            continue  # that is no doubt: compiling says so
        if found is not None:
            yield "pattern", at, f"pattern {rule.id!r} matches an empty text, and so every one: take out what may be empty"


def _words(table: PolicyFile) -> Iterator[tuple[str, int, str]]:
    for category, words in (table.category.words if table.category is not None else {}).items():
        if not all(n1(word).strip() for word in words):
            yield "category", 0, f"category.words: {category} has an empty word"
    for at, rule in enumerate(table.opt_out):
        if not rule.words:
            yield "opt_out", at, "opt_out has no words: no text could have one"
        elif not all(n2(n1(word)) for word in rule.words):
            yield "opt_out", at, "opt_out has a word without a letter or digit: every text would have it"


def _countries(table: PolicyFile) -> Iterator[tuple[str, int, str]]:
    recipient, sender = table.recipient, table.sender
    named: list[tuple[str, int, Iterable[str]]] = [("hours", at, rule.countries) for at, rule in enumerate(table.hours)]
    named += [("opt_out", at, rule.countries) for at, rule in enumerate(table.opt_out)]
    named += [("recipient", 0, recipient.countries)] if recipient is not None else []
    of_sender = [one.country for one in sender.country] if sender is not None else []
    known = the_plan().countries
    for kind, at, countries in (*named, ("sender", 0, of_sender)):
        for country in countries:
            if country not in known:
                yield kind, at, f"{country!r} is no country of the number plan: two capitals of ISO 3166, such as CN, GB or US"
    for country in _twice(of_sender):
        yield "sender", 0, f"sender.country {country} is given twice: only the first would count"


def _lists(table: PolicyFile) -> Iterator[tuple[str, int, str]]:
    for prefix in table.recipient.prefixes if table.recipient is not None else ():
        if not _DIGITS.fullmatch(prefix):
            yield "recipient", 0, f"prefix {prefix!r} is none: digits from the country code on, without + or 00"
    for domain in table.links.allowed if table.links is not None else ():
        if not _DOMAIN.fullmatch(domain):
            yield "links", 0, f"{domain!r} is no domain: small letters, without https:// and path, such as example.com"


def _signature(rule: Signature) -> Iterator[str]:
    least, most = rule.lengths
    if least > most:
        yield f"signature lengths {least} to {most} are none: the first is over the second"
    for name in _twice(one.signature for one in rule.filed):
        yield f"signature.filed {name!r} is given twice, and one would hide the other: put all its numbers and carriers into one"
    for one in rule.filed:
        if "【" in one.signature or "】" in one.signature:
            yield f"signature.filed {one.signature!r}: write the name without 【】"


def _twice(words: Iterable[str]) -> list[str]:
    return [word for word, count in Counter(words).items() if count > 1]
