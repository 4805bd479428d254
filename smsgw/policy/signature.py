"""Signatures: the 【name】 that a Chinese message begins with, and what is filed for whom.

Never here: what a message without one gets; the choice of a carrier (filings narrow it, routes make it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_SIGNATURE: Final = re.compile(r"【([^【】]*)】")
_new = tuple.__new__


class Filing(NamedTuple):
    """A signature as it is filed: for these numbers and their extensions (() for any), with these carriers (none for any).

    `approved`: messages may go by it; else it is on its way, was rejected, or has ended.
    """

    numbers: tuple[str, ...]
    carriers: frozenset[str]
    approved: bool


def fitting(filings: Iterable[Filing], source: str) -> list[Filing]:
    """Return the filings by which a signature may be sent from a number."""
    number = source.removeprefix("+")
    return [one for one in filings if one.approved and (not one.numbers or number.startswith(one.numbers))]


def carriers_of(filings: Iterable[Filing], source: str) -> frozenset[str] | None:
    """Return the carriers with which a signature is filed for a number; None where none is named: any."""
    found: set[str] = set()
    for one in fitting(filings, source):
        if not one.carriers:
            return None
        found |= one.carriers
    return frozenset(found) or None


class Signed(NamedTuple):
    """A text taken apart. `marks`: how many signatures or halves of one are in it; `front`: whether the text begins with it."""

    signature: str
    body: str
    marks: int
    front: bool


def signed(text: str) -> Signed:
    """Find the signature: the one at the front, else the one at the end, else any."""
    if "【" not in text and "】" not in text:
        return _new(Signed, ("", text, 0, False))
    if text[0] == "【" and text.find("【", 1) < 0:
        end = text.find("】")
        if end > 0 and text.find("】", end + 1) < 0:  # nearly all: one, at the front
            return _new(Signed, (text[1:end], text[end + 1 :].rstrip(), 1, True))
    count = max(text.count("【"), text.count("】"))
    stripped = text.strip()
    match = _SIGNATURE.match(stripped)
    if match is not None:
        return Signed(match[1], stripped[match.end() :], count, front=True)
    match = _SIGNATURE.search(stripped)
    if match is None:
        return Signed("", text, count, front=False)
    return Signed(match[1], stripped[: match.start()] + stripped[match.end() :], count, front=False)
