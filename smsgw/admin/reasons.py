"""Reasons: the words by which whoever changes something says why. They are kept for good, in the audit and in the books.

One limit holds for all of them, over HTTP and on the command line. Never here: whether a reason has to be given.
"""

from __future__ import annotations

from typing import Final

LONGEST_REASON: Final = 500


def fault_of(reason: str) -> str:
    """Return what is wrong with a reason; "" for nothing."""
    if len(reason) > LONGEST_REASON:
        return f"has {len(reason)} characters, more than {LONGEST_REASON}: say it shorter, or say where it is written down"
    return "" if can_be_kept(reason) else "holds a character that cannot be kept: leave out U+0000 and halves of characters"


def can_be_kept(text: str) -> bool:
    """Tell whether the store has a way to write a text."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
