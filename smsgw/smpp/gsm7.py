"""GSM 7-bit text: septets to characters and back, one septet an octet or packed (3GPP TS 23.038 §6).

What it is: the codec over the tables of ``shift_tables``, and the packing of septets into octets. In SMPP a septet
normally has an octet of its own; packed only by agreement with a peer.

What it promises: ``decode`` takes any octets and gives what a handset would most likely show: a space for a position
without a character and for ESC ESC, the main table's character for ESC and a septet that means nothing behind it
(§6.2.1.1), Latin-1 for octets over 0x7F. ``exact`` is False when it had to. All of it is linear in the length.

What it must never do: raise on octets of a peer, or replace a character silently when encoding.
"""

from __future__ import annotations

import codecs
from typing import Final

from smsgw.smpp.shift_tables import ESC, LOCKING, SINGLE, VOID

_UPPER_HALF: Final = "".join(map(chr, range(0x80, 0x100)))
_DECODING: Final = {language: table + _UPPER_HALF for language, table in LOCKING.items()}
_DEFAULT_DECODING: Final = _DECODING[0]


def decode(octets: bytes, locking_shift: int = 0, single_shift: int = 0) -> tuple[str, bool]:
    """Return the text of unpacked septets, and whether every octet had a meaning of its own.

    The shifts are National Language Identifiers; one that has no table means the default.
    """
    table = _DECODING.get(locking_shift, _DEFAULT_DECODING)
    if ESC in octets:
        return _decode_escaped(octets, table, single_shift)
    text = codecs.charmap_decode(octets, "strict", table)[0]
    if locking_shift and VOID in text:
        return text.replace(VOID, " "), False
    return text, octets.isascii()


def _decode_escaped(octets: bytes, table: str, single_shift: int) -> tuple[str, bool]:
    shifted = SINGLE.get(single_shift, SINGLE[0])
    exact = octets.isascii()
    pieces = []
    at = 0
    while (esc := octets.find(ESC, at)) >= 0:
        pieces.append(codecs.charmap_decode(octets[at:esc], "strict", table)[0])
        septet = octets[esc + 1] if esc + 1 < len(octets) else ESC
        character = shifted.get(septet)
        if character is None:
            exact = False
            character = table[septet]  # VOID at ESC, and so a space
        pieces.append(character)
        at = esc + 2
    pieces.append(codecs.charmap_decode(octets[at:], "strict", table)[0])
    text = "".join(pieces)
    if VOID in text:
        return text.replace(VOID, " "), False
    return text, exact


def _encoding(locking_shift: int, single_shift: int) -> dict[int, bytes]:
    """Map code points to one septet, or ESC and one; of two places for a character the lower one is taken."""
    encoding = {ord(character): bytes((ESC, septet)) for septet, character in SINGLE[single_shift].items()}
    for septet, character in reversed(list(enumerate(LOCKING[locking_shift]))):
        if character != VOID:
            encoding[ord(character)] = bytes((septet,))
    return encoding


_DEFAULT_ENCODING: Final = _encoding(0, 0)


def encode(text: str, locking_shift: int = 0, single_shift: int = 0) -> bytes | None:
    """Return the unpacked septets of a text, None when a character is in neither table."""
    encoding = _DEFAULT_ENCODING
    if locking_shift or single_shift:
        encoding = _encoding(
            locking_shift if locking_shift in LOCKING else 0,
            single_shift if single_shift in SINGLE else 0,
        )
    try:
        return codecs.charmap_encode(text, "strict", encoding)[0]
    except UnicodeEncodeError:
        return None


def fill_bits(header_octets: int) -> int:
    """Return the bits between a header of this many octets (UDHL included) and the first packed septet (0-6)."""
    return -header_octets * 8 % 7


def pack7(septets: bytes, fill: int = 0) -> bytes:
    """Pack septets into octets, lowest bits first, behind ``fill`` bits of zero (§6.1.2.1)."""
    packed = bytearray()
    held, bits = 0, fill
    for septet in septets:
        held |= (septet & 0x7F) << bits
        bits += 7
        while bits >= 8:
            packed.append(held & 0xFF)
            held >>= 8
            bits -= 8
    if bits and septets:
        packed.append(held)
    return bytes(packed)


def unpack7(octets: bytes, fill: int = 0, count: int | None = None) -> bytes:
    """Unpack ``count`` septets, or all there are.

    SMPP carries no count. Without one, a last septet of zero that fills up the last octet is taken for padding: text
    that ends in ``@`` there loses it.
    """
    septets = bytearray()
    held, bits = 0, 0
    for octet in octets:
        held |= octet << bits
        bits += 8
        if fill:
            held >>= fill
            bits -= fill
            fill = 0
        while bits >= 7:
            septets.append(held & 0x7F)
            held >>= 7
            bits -= 7
    if count is not None:
        return bytes(septets[:count])
    if septets and not bits and not septets[-1]:
        septets.pop()
    return bytes(septets)
