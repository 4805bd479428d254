"""Large sets of phone numbers, without the numbers: sorted keyed hashes in one packed array, 8 octets each.

Eleven digits are soon guessed, so a bare hash would hide nothing: the key lies outside the database. A million numbers take 8 MB,
one look-up some microseconds. Two numbers share a hash once in 10¹³ look-ups into a million.

A list may have hashes in place of numbers, as `unpacked` writes them: what is stored can be written down and read again.

Never here: where lists come from, what membership means.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

_DIGITS: Final = re.compile(r"\+?[0-9]{3,20}")
_HASH: Final = re.compile(r"h:([0-9a-f]{16})")
_OCTETS: Final = 8


def hashed(key: bytes, number: str) -> int:
    """Return the hash of a number; + and 00 in front do not count."""
    return int.from_bytes(blake2b(canonical(number).encode(), key=key, digest_size=_OCTETS).digest(), "little")


def canonical(number: str) -> str:
    """Return a number without what different writers put in front of it."""
    digits = number.removeprefix("+")
    return digits.removeprefix("00")


def number_faults(text: str) -> list[tuple[int, str]]:
    """Return (line, what is wrong) for what is no number in a list of one a line; # begins a comment."""
    return [
        (line, "is no number: 3 to 20 digits")
        for line, entry in _entries(text)
        if not _DIGITS.fullmatch(entry) and not _HASH.fullmatch(entry)
    ]


def pack(key: bytes, text: str) -> bytes:
    """Return the packed hashes of a list of numbers, one a line."""
    values = array("Q", sorted({_value(key, entry) for _, entry in _entries(text)}))
    return _little(values).tobytes()


def unpacked(packed: bytes) -> str:
    """Return packed hashes as a list, one a line: `pack` makes the same of it, with any key."""
    values = array("Q")
    values.frombytes(packed)
    return "".join(f"h:{value:016x}\n" for value in _little(values))


def _value(key: bytes, entry: str) -> int:
    found = _HASH.fullmatch(entry)
    return int(found[1], 16) if found is not None else hashed(key, entry)


def _entries(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if entry:
            yield number, entry


def _little(values: array[int]) -> array[int]:
    if sys.byteorder == "big":
        values.byteswap()
    return values


class NumberSet:
    """A set of hashed numbers."""

    __slots__ = ("_key", "_values")

    def __init__(self, key: bytes, packed: bytes) -> None:
        """`packed` as `pack` makes it."""
        self._key = key
        values = array("Q")
        values.frombytes(packed)
        self._values = _little(values)

    def __len__(self) -> int:
        """Return how many numbers are in it."""
        return len(self._values)

    def __contains__(self, number: str) -> bool:
        """Tell whether a number is in it."""
        value = hashed(self._key, number)
        at = bisect_left(self._values, value)
        return at < len(self._values) and self._values[at] == value
