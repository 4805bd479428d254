"""Text of a message: which alphabet data_coding means, octets to text and back, how many parts, and cutting into them.

What it is: ``alphabet`` reads data_coding by all its groups (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4, not its low four bits
alone); ``decode`` and ``encode`` between octets and text; ``count_parts`` and ``split`` for long messages.

What it promises: ``decode`` takes any octets and never raises; ``exact`` is False as soon as the text is a guess.
``split`` never cuts an escape from its character nor a surrogate pair, and ``count_parts`` counts what it would cut.

What it must never do: transcode binary (it is shown as Latin-1 for a search, never exact), or give text to be sent on:
a message in transit keeps its octets.

Choices where the specifications are open: data_coding 0 and all that means "default alphabet" is a setting of the peer,
``gsm7`` unpacked by default; 5 is read as Shift JIS, 13 as EUC-JP, 14 as CP949, 15 as GBK, as gateways in use do;
reserved values mean the default alphabet (23.038 §4) but are never exact; compressed text is binary.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from smsgw.smpp import gsm7
from smsgw.smpp.gsm7 import pack7, unpack7
from smsgw.smpp.udh import Concat, Element, Udh, concat_element, read_udh, sar, user_data, write_udh

__all__ = [
    "ONE_PART",
    "Alphabet",
    "Concat",
    "Element",
    "PartRule",
    "Text",
    "Udh",
    "alphabet",
    "count_parts",
    "decode",
    "encode",
    "encode_as",
    "pack7",
    "read_udh",
    "sar",
    "split",
    "unpack7",
    "user_data",
    "write_udh",
]

PartRule = Literal["gsm_ucs2", "cn_char", "octet"]
"""How parts are counted for a price: as on the air; every character one of 70 or 67; octets by 140 or 134."""

_OCTETS: Final = 140  # user data of one SMS, header included (3GPP 23.040 §9.2.3.16)
_ALWAYS_ONE: Final = 70  # octets that are one part by any rule and in any coding but packed
_ONE_MESSAGE: Final[Mapping[str, int]] = {"gsm7": 160, "ucs2": 140, "binary": 140}
_LEAST_ROOM: Final = 4  # an escape or a surrogate pair always fits
_MAX_PARTS: Final = 255
_CONCAT_ELEMENTS: Final = frozenset((0x00, 0x08))


class Alphabet(StrEnum):
    """What the octets of a message are."""

    GSM7 = "gsm7"
    GSM7_PACKED = "gsm7_packed"
    ASCII = "ascii"
    LATIN1 = "latin1"
    CYRILLIC = "iso8859_5"
    HEBREW = "iso8859_8"
    UCS2 = "ucs2"
    UTF8 = "utf8"
    SHIFT_JIS = "shift_jis"
    ISO2022_JP = "iso2022_jp"
    EUC_JP = "euc_jp"
    CP949 = "cp949"
    GBK = "gbk"
    BINARY = "binary"


_BY_NAME: Final = {kind.value: kind for kind in Alphabet}
_CODECS: Final = frozenset(Alphabet) - {Alphabet.GSM7, Alphabet.GSM7_PACKED, Alphabet.UCS2, Alphabet.BINARY}


class Text(NamedTuple):
    """A text as decoded; ``exact`` when every octet had one meaning in its alphabet and was whole."""

    text: str
    exact: bool


def _group(data_coding: int) -> Alphabet | None:
    """Return what a data_coding means by the specification, None for the default alphabet."""
    if data_coding < 0x10:
        return _SMPP_CODINGS.get(data_coding)
    if data_coding < 0x80:  # general group, and the one marked for automatic deletion: 0x compression class alphabet
        if data_coding & 0x20:
            return Alphabet.BINARY
        return (None, Alphabet.BINARY, Alphabet.UCS2, None)[data_coding >> 2 & 3]
    if data_coding >= 0xF0:
        return Alphabet.BINARY if data_coding & 0x04 else None
    return Alphabet.UCS2 if data_coding >= 0xE0 else None


_SMPP_CODINGS: Final = {
    1: Alphabet.ASCII,
    2: Alphabet.BINARY,
    3: Alphabet.LATIN1,
    4: Alphabet.BINARY,
    5: Alphabet.SHIFT_JIS,
    6: Alphabet.CYRILLIC,
    7: Alphabet.HEBREW,
    8: Alphabet.UCS2,
    9: Alphabet.BINARY,  # pictograms
    10: Alphabet.ISO2022_JP,
    13: Alphabet.EUC_JP,
    14: Alphabet.CP949,
    15: Alphabet.GBK,
}
_BY_CODING: Final = tuple(_group(data_coding) for data_coding in range(256))
ONE_PART: Final = tuple(_ONE_MESSAGE.get(kind or "gsm7", _ALWAYS_ONE) for kind in _BY_CODING)
"""By data_coding: the octets that surely are one part by gsm_ucs2 where no header stands before them."""
_RESERVED: Final = frozenset((11, 12)) | {
    coding for coding in range(0x10, 0xC0) if coding >= 0x80 or coding & 0x2C == 0x0C or coding & 0x20
}


def alphabet(data_coding: int, default: str = "gsm7") -> Alphabet:
    """Return the alphabet of a data_coding (0-255); ``default`` is the peer's default alphabet, by its name (KeyError)."""
    return _BY_CODING[data_coding] or _BY_NAME[default]


def decode(octets: bytes, data_coding: int, *, udh: Udh | None = None, default_alphabet: str = "gsm7") -> Text:
    """Return the text of user data. With ``udh``, octets begin with that header: it is skipped and its shifts apply."""
    kind = _BY_CODING[data_coding] or _BY_NAME[default_alphabet]
    locking_shift, single_shift, header = 0, 0, 0
    if udh is not None:
        header, locking_shift, single_shift = udh.length, udh.locking_shift, udh.single_shift
        octets = octets[header:]
    if kind is Alphabet.GSM7_PACKED:
        octets = unpack7(octets, gsm7.fill_bits(header))
        kind = Alphabet.GSM7
    if kind is Alphabet.GSM7:
        text, exact = gsm7.decode(octets, locking_shift, single_shift)
    elif kind is Alphabet.BINARY:
        text, exact = octets.decode("latin-1"), False
    else:
        text, exact = _decode(octets, "utf-16-be" if kind is Alphabet.UCS2 else kind.value)
    return Text(text, exact and data_coding not in _RESERVED)


def _decode(octets: bytes, codec: str) -> tuple[str, bool]:
    try:
        return octets.decode(codec), True
    except UnicodeDecodeError:
        # What is no text in its own coding is mostly Latin-1 under a wrong name.
        if codec == "ascii":
            return octets.decode("latin-1"), False
        return octets.decode(codec, "replace"), False


def encode(text: str, *, default_alphabet: str = "gsm7") -> tuple[int, bytes]:
    """Return (data_coding, octets): 0 where the peer's default alphabet has every character, else 8 (UCS-2).

    A lone surrogate, which no text should hold, is sent as it is.
    """
    octets = encode_as(text, _BY_NAME[default_alphabet])
    if octets is None:
        return 8, text.encode("utf-16-be", "surrogatepass")
    return 0, octets


def encode_as(text: str, kind: Alphabet) -> bytes | None:
    """Return the text in an alphabet, None when that lacks a character. Binary is Latin-1, as ``decode`` shows it."""
    match kind:
        case Alphabet.GSM7:
            return gsm7.encode(text)
        case Alphabet.GSM7_PACKED:
            septets = gsm7.encode(text)
            return None if septets is None else pack7(septets)
        case Alphabet.UCS2:
            return text.encode("utf-16-be", "surrogatepass")
        case _:
            try:
                return text.encode("latin-1" if kind is Alphabet.BINARY else kind.value)
            except UnicodeEncodeError:
                return None


# Parts. "On the air" a message is septets, UTF-16 or octets; what stands in other codings becomes the first two.


def count_parts(
    octets: bytes,
    data_coding: int,
    *,
    udh: Udh | None = None,
    default_alphabet: str = "gsm7",
    rule: PartRule = "gsm_ucs2",
) -> int:
    """Return how many parts user data takes (1 for none). With ``udh``, octets begin with that header.

    A part of a long message that fits one SMS behind its header is one; what does not fit is counted as it would be cut. The rule
    belongs to the route and its price.
    """
    kind = _BY_CODING[data_coding] or _BY_NAME[default_alphabet]
    if udh is None:
        if rule == "gsm_ucs2" and len(octets) <= _ONE_MESSAGE.get(kind, 0):
            return 1
        if len(octets) <= _ALWAYS_ONE and kind is not Alphabet.GSM7_PACKED:
            return 1
        header = 0
    else:
        header = udh.length
    body = octets[header:]
    if rule == "octet" or kind is Alphabet.BINARY:
        return len(_cut(body, Alphabet.BINARY, header, 8))
    if rule == "cn_char":
        text = decode(octets, data_coding, udh=udh, default_alphabet=default_alphabet).text
        return len(_cut(text.encode("utf-16-be", "surrogatepass"), Alphabet.UCS2, header, 8))
    return len(_cut(*_on_air(body, kind, header), header, 8))


def split(
    octets: bytes,
    data_coding: int,
    *,
    ref: int,
    ref_width: int = 8,
    udh: Udh | None = None,
    default_alphabet: str = "gsm7",
) -> list[bytes]:
    """Return the user data of each part, each with its header, or the octets alone when they fit one message.

    The elements of a header that the octets begin with (``udh``) go into every part; what is a part already stays so.
    ``ref_width`` is 8 or 16 bits. ValueError when it takes over 255 parts or the header leaves no room.
    """
    if udh is not None and udh.concat is not None:
        return [octets]
    kind = alphabet(data_coding, default_alphabet)
    header = udh.length if udh else 0
    pieces = _pieces(octets[header:], kind, header, ref_width)
    if len(pieces) == 1:
        return [octets]
    if len(pieces) > _MAX_PARTS:
        raise ValueError(f"{len(pieces)} parts, over {_MAX_PARTS}")
    kept = [element for element in udh.elements if element.iei not in _CONCAT_ELEMENTS] if udh else []
    ref &= (1 << ref_width) - 1
    parts = []
    for sequence, piece in enumerate(pieces, 1):
        head = write_udh((concat_element(Concat(ref, ref_width, len(pieces), sequence)), *kept))
        if len(head) > _OCTETS - _LEAST_ROOM:
            raise ValueError("the header leaves no room for a text")
        packed = kind is Alphabet.GSM7_PACKED
        parts.append(head + (pack7(piece, gsm7.fill_bits(len(head))) if packed else piece))
    return parts


def _pieces(body: bytes, kind: Alphabet, header: int, ref_width: int) -> list[bytes]:
    """Cut user data in its own coding, where it would be cut on the air; packed text comes out as septets."""
    units, air = _on_air(body, kind, header)
    pieces = _cut(units, air, header, ref_width)
    if len(pieces) == 1 or kind is air or kind is Alphabet.GSM7_PACKED:
        return pieces
    texts = [gsm7.decode(piece)[0] if air is Alphabet.GSM7 else piece.decode("utf-16-be") for piece in pieces]
    recoded = [encode_as(text, kind) or b"" for text in texts]
    if kind is not Alphabet.ISO2022_JP and b"".join(recoded) != body:  # octets that are no text in their coding
        return _cut(body, Alphabet.BINARY, header, ref_width)
    return recoded


def _on_air(body: bytes, kind: Alphabet, header: int) -> tuple[bytes, Alphabet]:
    """Return what goes over the air: unpacked septets, UTF-16 or octets."""
    if kind is Alphabet.GSM7_PACKED:
        return unpack7(body, gsm7.fill_bits(header)), Alphabet.GSM7
    if kind not in _CODECS:
        return body, kind
    text = _decode(body, kind.value)[0]
    septets = gsm7.encode(text)
    if septets is None:
        return text.encode("utf-16-be", "surrogatepass"), Alphabet.UCS2
    return septets, Alphabet.GSM7


def _room(kind: Alphabet, header: int) -> int:
    """Return how many octets of these units stand behind a header: 160 and 153, 140 and 134."""
    octets = max(_OCTETS - header, _LEAST_ROOM)
    if kind is Alphabet.GSM7:
        return octets * 8 // 7
    return octets // 2 * 2 if kind is Alphabet.UCS2 else octets


def _cut(units: bytes, kind: Alphabet, header: int, ref_width: int) -> list[bytes]:
    if len(units) <= _room(kind, header):
        return [units]
    room = _room(kind, (header or 1) + (5 if ref_width == 8 else 6))
    pieces = []
    at = 0
    while len(units) - at > room:
        end = at + room - _overhang(units, kind, at, at + room)
        pieces.append(units[at:end])
        at = end
    pieces.append(units[at:])
    return pieces


def _overhang(units: bytes, kind: Alphabet, at: int, end: int) -> int:
    """Return the octets before ``end`` that belong to what follows it: an escape, or half a surrogate pair."""
    if kind is Alphabet.GSM7:
        piece = units[at:end]
        return (len(piece) - len(piece.rstrip(b"\x1b"))) % 2
    if kind is Alphabet.UCS2 and units[end - 2] & 0xFC == 0xD8 and units[end] & 0xFC == 0xDC:
        return 2
    return 0
