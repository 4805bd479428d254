"""A carrier's habits with ids: the form in which the id of a submit_sm_resp and the id of a receipt are matched.

Carriers answer with hex and report in decimal, pad with zeros, change the case (DURABILITY §3.3). Each side has its own rule; what a
rule does not fit (a UUID under a hex rule) stays as it is: an id is never parsed that is not purely of its kind.

Never here: which message is meant.
"""

from __future__ import annotations

from string import hexdigits
from typing import Final

from smsgw.model import Dialect

_HEX: Final = frozenset(hexdigits)
_LONGEST: Final = 32


def submit_key(dialect: Dialect, raw: bytes) -> str:
    """Return the form in which an id of a submit_sm_resp is matched."""
    text = raw.decode("latin-1")
    return (
        text
        if text.isdigit() and dialect.submit_id == "as-is" and not dialect.strip_zeros
        else _key(dialect, text, dialect.submit_id)
    )


def receipt_key(dialect: Dialect, raw: bytes) -> str:
    """Return the form in which an id of a receipt is matched."""
    text = raw.decode("latin-1")
    return (
        text
        if text.isdigit() and dialect.receipt_id == "as-is" and not dialect.strip_zeros
        else _key(dialect, text, dialect.receipt_id)
    )


def _key(dialect: Dialect, text: str, rule: str) -> str:
    text = text.strip(" \0")
    if rule == "hex-to-dec" and 0 < len(text) <= _LONGEST and _HEX.issuperset(text):
        text = str(int(text, 16))
    elif rule == "dec-to-hex" and 0 < len(text) <= _LONGEST and text.isascii() and text.isdigit():
        text = f"{int(text):x}"
    if dialect.ignore_case and not text.islower():
        text = text.lower()
    if dialect.strip_zeros:
        text = text.lstrip("0") or "0"
    return text
