"""The user data header of a message, and the SAR TLVs that say the same (3GPP TS 23.040 §9.2.3.24, SMPP 3.4 §5.3.2.22).

What it is: ``read_udh`` takes the header at the front of user data apart: part of a long message, ports, national
language shifts; ``sar`` reads the three TLVs; ``write_udh`` and ``concat_element`` make a header.

What it promises: every element is kept, in its order, known or unknown. A value out of range is no value: parts that
count wrongly make a single message. Where an element stands twice the last counts (§9.2.3.24).

What it must never do: raise on octets of a peer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from smsgw.smpp.tlv import iterate_lenient

UDHI: Final = 0x40
"""The bit of esm_class (SMPP 3.4 §5.2.12)."""

IEI_CONCAT_8: Final = 0x00
IEI_CONCAT_16: Final = 0x08

_TAG_SAR_REF: Final = 0x020C
_TAG_SAR_TOTAL: Final = 0x020E
_TAG_SAR_SEQUENCE: Final = 0x020F
_SAR_LENGTHS: Final = {_TAG_SAR_REF: 2, _TAG_SAR_TOTAL: 1, _TAG_SAR_SEQUENCE: 1}


class Concat(NamedTuple):
    """One part of a long message: reference, its width in bits (8 or 16), how many parts, which one (from 1)."""

    ref: int
    width: int
    total: int
    sequence: int


class Ports(NamedTuple):
    """Application ports; ``width`` in bits (8 or 16)."""

    dest: int
    source: int
    width: int


class Element(NamedTuple):
    """An information element."""

    iei: int
    value: bytes


class Udh(NamedTuple):
    """A header, read. ``length`` counts octets with UDHL; ``whole`` is False unless the elements fill it exactly."""

    elements: tuple[Element, ...]
    length: int
    whole: bool
    concat: Concat | None
    ports: Ports | None
    single_shift: int
    locking_shift: int


def read_udh(octets: bytes) -> Udh | None:
    """Read the header that user data begins with; None when there is no room for it.

    Shifts are National Language Identifiers, 0 without one. A part whose number is 0 or over its total is not a part.
    """
    if not octets or octets[0] >= len(octets):
        return None
    end = octets[0] + 1
    elements = []
    at = 1
    while at + 2 <= end and at + 2 + octets[at + 1] <= end:
        value_end = at + 2 + octets[at + 1]
        elements.append(Element(octets[at], octets[at + 2 : value_end]))
        at = value_end
    concat, ports, single_shift, locking_shift = None, None, 0, 0
    for iei, value in elements:
        match iei, len(value):
            case (0x00, 3):  # concatenated, reference of 8 bits
                concat = _concat(value[0], 8, value[1], value[2])
            case (0x08, 4):  # concatenated, reference of 16 bits
                concat = _concat(value[0] << 8 | value[1], 16, value[2], value[3])
            case (0x04, 2):  # application ports of 8 bits, destination first
                ports = Ports(value[0], value[1], 8)
            case (0x05, 4):  # application ports of 16 bits
                ports = Ports(value[0] << 8 | value[1], value[2] << 8 | value[3], 16)
            case (0x24, 1):  # national language single shift
                single_shift = value[0]
            case (0x25, 1):  # national language locking shift
                locking_shift = value[0]
            case _:
                pass
    return Udh(tuple(elements), end, at == end, concat, ports, single_shift, locking_shift)


def _concat(ref: int, width: int, total: int, sequence: int) -> Concat | None:
    return Concat(ref, width, total, sequence) if 1 <= sequence <= total else None


def user_data(octets: bytes, esm_class: int) -> tuple[Udh | None, bytes]:
    """Return the header, where esm_class says that there is one, and what stands behind it."""
    udh = read_udh(octets) if esm_class & UDHI else None
    return udh, octets[udh.length :] if udh else octets


def write_udh(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a header of these elements, UDHL first; ValueError over 140 octets, which no message carries."""
    body = b"".join(bytes((iei, len(value))) + value for iei, value in elements)
    if len(body) >= 140:
        raise ValueError("a user data header of over 140 octets")
    return bytes((len(body),)) + body


def concat_element(concat: Concat) -> Element:
    """Return the element that says so: 0x00 for a reference of 8 bits, 0x08 for 16."""
    if concat.width == 8:
        return Element(IEI_CONCAT_8, bytes((concat.ref, concat.total, concat.sequence)))
    return Element(IEI_CONCAT_16, concat.ref.to_bytes(2, "big") + bytes((concat.total, concat.sequence)))


def sar(octets: bytes, tlv_at: int) -> Concat | None:
    """Read the SAR TLVs of a PDU: all three and in range, or None (SMPP 3.4 §5.3.2.22-24). The first of each counts."""
    values: dict[int, int] = {}
    for tag, at, length in iterate_lenient(octets, tlv_at):
        if _SAR_LENGTHS.get(tag) == length and tag not in values:
            values[tag] = int.from_bytes(octets[at : at + length], "big")
    if len(values) < len(_SAR_LENGTHS):
        return None
    return _concat(values[_TAG_SAR_REF], 16, values[_TAG_SAR_TOTAL], values[_TAG_SAR_SEQUENCE])


def sar_again(octets: bytes, tlv_at: int) -> bool:
    """Tell whether one of the SAR TLVs stands twice: which one counts is then the reader's guess."""
    tags = [tag for tag, _, _ in iterate_lenient(octets, tlv_at) if tag in _SAR_LENGTHS]
    return len(tags) > len(set(tags))
