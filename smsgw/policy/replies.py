"""Answers to keywords: the texts of a set, made ready once, when it is loaded.

A text is one part: up to 160 characters of the GSM alphabet (those of its extension count twice), or up to 70 of UCS-2 where it has
others. It is no keyword of its own set: two gateways that answer each other would never end.

Never here: who is answered, and how often (`journey.reply`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from smsgw.smpp import text

_ONE_PART: Final = {0: 160, 8: 140}


class Reply(NamedTuple):
    """A text as it is sent: data_coding, and the octets of one part."""

    data_coding: int
    octets: bytes
    text: str


def reply_of(said: str) -> tuple[Reply | None, str]:
    """Return a text made ready, None for "", and what is wrong with it."""
    if not said:
        return None, ""
    coding, octets = text.encode(said)
    most = _ONE_PART[coding]
    if not said.strip():
        return None, "reply is empty"
    if len(octets) > most:
        kind = "GSM characters" if not coding else "characters of UCS-2"
        count, limit = (len(octets), most) if not coding else (len(octets) // 2, most // 2)
        return None, f"reply has {count} {kind}, more than the {limit} of one part"
    return Reply(coding, octets, said), ""
