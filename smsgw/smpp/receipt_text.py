"""The text of a delivery receipt, read leniently (SMPP 3.4 Appendix B, and what carriers make of it).

What it is: the slow way of ``smsgw.smpp.receipt``, for texts that are not of the common shape: fields missing, extra,
misspelt, in another order, separated by commas or lines; dates of 10 to 14 digits; errors that are no numbers; UTF-16.

What it promises: any octets give Fields, with what was found; it takes time linear in the length of the text.

What it must never do: raise, or change the octets of a field (the word of the state alone is put in capitals).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Fields(NamedTuple):
    """The fields of the text, raw, and where the id stands in the PDU (both 0 when it does not)."""

    text_id: bytes
    stat: bytes
    error: bytes
    submit_date: bytes
    done_date: bytes
    text: bytes
    id_at: int
    id_end: int


_KEY: Final = re.compile(
    rb"(?:^|(?<=[\s,;|\x00]))"
    rb"(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us|e)?|err(?:or)?(?:[ _]?code)?|text)[ ]?[:=]",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(rb"[ \t]*([^\s,;|\x00]*)")
_DATE: Final = re.compile(rb"[ \t]*([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{5,8}|[^\s,;|\x00]*)")
_LONGEST_FIELD: Final = 32
_NO_FIELDS: Final = Fields(b"", b"", b"", b"", b"", b"", 0, 0)


def _narrow(raw: bytes) -> tuple[bytes, int]:
    """One octet a character, and how many octets a character had: 2 for UTF-16 of either byte order, else 1.

    Told by where the NULs are, not by data_coding: carriers mark one and send the other.
    """
    even, odd = raw[::2], raw[1::2]
    if even.count(0) * 2 > len(even) and odd.count(0) * 2 <= len(odd):
        return bytes(low if not high else 0x3F for high, low in zip(even, odd, strict=False)), 2
    if odd.count(0) * 2 > len(odd) and even.count(0) * 2 <= len(even):
        return bytes(low if not high else 0x3F for low, high in zip(even, odd, strict=False)), 2
    return raw, 1


def read_fields(raw: bytes, at: int) -> Fields:
    """Read the fields of a text that stands at offset ``at`` of its PDU.

    Each field counts once, the first time. Behind ``text:`` there are fields only while id or stat is still missing,
    for a tenant could write one into his own message.
    """
    narrow, width = _narrow(raw)
    if b":" not in narrow and b"=" not in narrow:
        return _NO_FIELDS
    found: dict[bytes, tuple[int, int]] = {}
    keys = list(_KEY.finditer(narrow))
    for index, key in enumerate(keys):
        name = key[1].lower()[:2]
        end = keys[index + 1].start() if index + 1 < len(keys) else len(narrow)
        if name == b"te":
            whole = b"id" in found and b"st" in found
            end = len(narrow) if whole else end
            found.setdefault(name, (key.end(), end))
            if whole:
                break
            continue
        if name == b"su" and key[1].lower() == b"sub":
            continue
        token = (_DATE if name in (b"su", b"do") else _TOKEN).match(narrow, key.end(), end)
        if token is not None:
            found.setdefault(name, token.span(1))

    def value(name: bytes) -> bytes:
        start, end = found.get(name, (0, 0))
        return narrow[start:end]

    id_start, id_end = found.get(b"id", (0, 0))
    text_start, text_end = found.get(b"te", (0, 0))
    return Fields(
        text_id=value(b"id"),
        stat=value(b"st").upper()[:7],
        error=value(b"er")[:_LONGEST_FIELD],
        submit_date=value(b"su")[:_LONGEST_FIELD],
        done_date=value(b"do")[:_LONGEST_FIELD],
        text=raw[text_start * width : text_end * width],
        id_at=at + id_start * width if id_end > id_start else 0,
        id_end=at + id_end * width if id_end > id_start else 0,
    )
