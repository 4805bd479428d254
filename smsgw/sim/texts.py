"""Texts that carry their index: `#0000000042 ` and then letters that follow from the index.

A message that is lost, doubled, cut or altered on its way shows at the other end. The pattern is the one that the
project's external load tools write and verify, so that either end can be replaced by them.

Must never: depend on anything but the index.
"""

from __future__ import annotations

from typing import Final

HEAD_OCTETS: Final = 12
"""`#`, ten digits, a space: the shortest text that carries an index."""

MAX_OCTETS: Final = 254
MAX_INDEX: Final = 9_999_999_999

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_TAILS: Final = tuple(bytes(_LETTERS[(index + place) % 26] for place in range(HEAD_OCTETS, MAX_OCTETS)) for index in range(26))


def indexed_text(index: int, octets: int) -> bytes:
    """Return the text of this index, 12 to 254 octets long."""
    return b"#%010d %b" % (index, _TAILS[index % 26][: octets - HEAD_OCTETS])


def read_index(text: bytes) -> int:
    """Return the index that a text carries; -1 when it is not, octet for octet, a text that `indexed_text` makes."""
    digits = text[1:11]
    if not digits.isdigit() or len(digits) != 10:
        return -1
    index = int(digits)
    if text != b"#%b %b" % (digits, _TAILS[index % 26][: len(text) - HEAD_OCTETS]):
        return -1
    return index
