"""Carriers' own codes for what was not delivered: kept as they came, and what they mean where a table says so.

SMPP receipts say `err:` and three digits; carriers behind other protocols write MK:0001 there, or in the place of the state's word
(`stat:MK:0001`, `stat:MBBLACK`). A row's error is an integer, so a code is kept as one and read back: `number_of`, `text_of`.
What a code means is data in files beside this module, with source and date: a class (`blacklist_optout`, `carrier_internal`,
`config`, `content`, `expired`, `perm_number`, `ported`, `temp_handset`, `throttle`), whose fault it is, the state it stands for.
A link names the table of its carrier (`dialect = { codes = "china" }`); without one nothing is looked up.

Promises: `text_of(number_of(code))` is the code; a code of a known family has a meaning though nobody listed it.
Must never: raise on octets of a peer; change a number that was given: those below `CODED` were plain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from smsgw.model import State
from smsgw.smpp.const import ESME_RDELIVERYFAILURE

TABLES: Final = ("china", "sgip")
UNKNOWN: Final = "unknown"
"""The class of what no table explains."""
CODED: Final = 1_000_000_000
"""From here on an error is a code: plain ones have nine digits at most."""
WORDS: Final = ("KEYWORD", "LIMIT", "MBBLACK", "MILIMIT", "NOROUTE", "TDBLACK", "TSBLACK")
"""Words that stand for a code. Rows keep their places: add new ones at the end."""
TOLD_BY_CARRIER: Final = frozenset({State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})
"""States to which a carrier's receipt brings a message that was not delivered: its error is the carrier's then."""
_CODE: Final = re.compile(rb"([A-Z])([A-Z]):([0-9]{4})")
_PLAIN_DIGITS: Final = 9
_LETTERS: Final = 26
_OF_FAMILY: Final = 10_000
_WORDS_FROM: Final = CODED + _LETTERS * _LETTERS * _OF_FAMILY


class Code(NamedTuple):
    """What a code means. `again`: a later message may well get through; `fault`: whose; `stat`: the word of its state."""

    kind: str
    again: bool
    fault: str
    stat: str
    meaning: str


def is_code(octets: bytes) -> bool:
    """Tell whether octets of a receipt are a code that can be kept as such."""
    return _CODE.fullmatch(octets) is not None or octets.decode("latin-1") in WORDS


def number_of(error: bytes) -> int:
    """Return the integer that keeps a carrier's error: a number as it is, a code from CODED on, else ESME_RDELIVERYFAILURE."""
    if error.isdigit():
        return int(error) if len(error) <= _PLAIN_DIGITS else ESME_RDELIVERYFAILURE
    found = _CODE.fullmatch(error)
    if found is not None:
        first, second, digits = found.groups()
        return CODED + ((first[0] - 65) * _LETTERS + second[0] - 65) * _OF_FAMILY + int(digits)
    word = error.decode("latin-1")
    return _WORDS_FROM + WORDS.index(word) if word in WORDS else ESME_RDELIVERYFAILURE


def text_of(error: int) -> str:
    """Return a kept error as the carrier wrote it; numbers without their zeros."""
    if error < CODED or error >= _WORDS_FROM + len(WORDS):
        return str(error)
    if error >= _WORDS_FROM:
        return WORDS[error - _WORDS_FROM]
    family, digits = divmod(error - CODED, _OF_FAMILY)
    first, second = divmod(family, _LETTERS)
    return f"{first + 65:c}{second + 65:c}:{digits:04d}"


def error_text(state: int, error: int) -> str:
    """Return the error of a message in a state as text: a carrier's as it wrote it, else the number (a command_status)."""
    return text_of(error) if state in TOLD_BY_CARRIER else str(error)


def look_up(table: str, error: int) -> Code | None:
    """Return what a kept error means by a table; None where it says nothing of it, "" being none."""
    if not table:
        return None
    codes, text = _table(table), text_of(error)
    return codes.get(text) or codes.get(text[:3] if ":" in text else "")


@cache
def _table(name: str) -> Mapping[str, Code]:
    text = resources.files("smsgw.receipts").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    rows = (line.split(",", 5) for line in text.splitlines() if line and not line.startswith("#"))
    return {code: Code(kind, again == "yes", fault, stat, meaning) for code, kind, again, fault, stat, meaning in rows}
