from __future__ import annotations

import pytest

from smsgw.smpp import gsm7
from smsgw.smpp.gsm7 import pack7, unpack7


def test_packing_is_the_specifications():
    """Known vectors of packed septets, and the padding that makes eight septets of seven octets."""
    assert pack7(b"hellohello") == bytes.fromhex("e8329bfd4697d9ec37")
    assert unpack7(bytes.fromhex("e8329bfd4697d9ec37")) == b"hellohello"
    assert unpack7(pack7(b"1234567")) == b"1234567"
    assert unpack7(pack7(b"1234567\0"), count=8) == b"1234567\0"
    assert pack7(b"") == b""


@pytest.mark.parametrize(("header_octets", "fill"), [(0, 0), (6, 1), (7, 0), (4, 3), (12, 2), (1, 6)])
def test_fill_bits_reach_the_next_septet(header_octets: int, fill: int):
    """Behind a header packed text begins at a septet boundary (23.040 §9.2.3.24)."""
    assert gsm7.fill_bits(header_octets) == fill
    assert (header_octets * 8 + fill) % 7 == 0


@pytest.mark.parametrize(
    ("given", "locking", "single", "octets"),
    [
        ("A€", 0, 0, b"A\x1be"),
        ("Ğ", 0, 1, b"\x1bG"),
        ("Ğ", 1, 0, b"\x0b"),
        ("Ğ", 1, 1, b"\x0b"),
        ("ú", 0, 2, b"\x1bu"),
        ("\u0915", 6, 0, b"\x15"),
        ("A", 6, 6, b"\x1bA"),
        ("A", 6, 0, None),
        ("Ğ", 0, 0, None),
        ("\ufffd", 11, 0, None),
        ("a", 99, 99, b"a"),
    ],
)
def test_encoding_takes_the_main_table_first(given: str, locking: int, single: int, octets: bytes | None):
    """A character takes one septet where the alphabet has it, else two by the shift table, else there is none."""
    assert gsm7.encode(given, locking, single) == octets


@pytest.mark.parametrize(
    ("octets", "locking", "single", "expected"),
    [
        (b"\x00\x15", 6, 0, ("\u0901\u0915", True)),
        (b"\x1bA", 6, 6, ("A", True)),
        (b"\x1b\x15", 6, 0, ("\u0915", False)),
        (b"\x1b\x00", 11, 0, (" ", False)),
        (b"\x00", 11, 0, (" ", False)),
        (b"\x1b", 6, 6, (" ", False)),
        (b"", 0, 0, ("", True)),
    ],
)
def test_decoding_follows_the_shifts(octets: bytes, locking: int, single: int, expected: tuple[str, bool]):
    """Tables of the two shifts apply; what they lack is the main table's character or a space (23.038 §6.2.1.1)."""
    assert gsm7.decode(octets, locking, single) == expected
