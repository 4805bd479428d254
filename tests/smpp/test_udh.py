from __future__ import annotations

import pytest

from smsgw.smpp import tlv
from smsgw.smpp.udh import Concat, concat_element, read_udh, sar, user_data, write_udh
from tests.smpp.headers import header, known


def test_the_header_is_read_element_by_element():
    """Known and unknown elements are kept in order, unknown ones skipped (item 135)."""
    octets = header(b"\x70\x02ab", b"\x00\x03\x2a\x03\x02", b"\x24\x01\x03") + b"text"
    udh = known(octets)
    assert udh.elements == ((0x70, b"ab"), (0x00, b"\x2a\x03\x02"), (0x24, b"\x03"))
    assert (udh.length, udh.whole) == (13, True)
    assert udh.concat == (0x2A, 8, 3, 2)
    assert (udh.single_shift, udh.locking_shift, udh.ports) == (3, 0, None)


def test_both_widths_of_reference_and_port_are_read():
    """References and ports of 8 and 16 bits, destination port first (items 136, 137)."""
    assert known(header(b"\x08\x04\x12\x34\x02\x01")).concat == (0x1234, 16, 2, 1)
    assert known(header(b"\x05\x04\x0b\x84\x23\xf0")).ports == (0x0B84, 0x23F0, 16)
    assert known(header(b"\x04\x02\xf0\xf1")).ports == (0xF0, 0xF1, 8)


@pytest.mark.parametrize(
    "element", [b"\x00\x03\x01\x00\x00", b"\x00\x03\x01\x02\x00", b"\x00\x03\x01\x02\x03", b"\x00\x02\x01\x02"]
)
def test_a_part_that_counts_wrongly_is_a_single_message(element: bytes):
    """total 0, sequence 0, sequence over total or a wrong length is no concatenation (item 136)."""
    assert known(header(element)).concat is None


def test_of_two_elements_the_last_counts():
    """A repeated element overrides the one before (23.040 §9.2.3.24)."""
    assert known(header(b"\x00\x03\x01\x02\x01", b"\x00\x03\x02\x02\x02")).concat == (2, 8, 2, 2)


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\x05\x00\x03", b"\xff" + b"a" * 254])
def test_a_header_without_room_is_none(octets: bytes):
    """UDHL over what follows it makes no header (item 114)."""
    assert read_udh(octets) is None


@pytest.mark.parametrize("octets", [b"\x02\x00\x03", b"\x01\x00", b"\x06\x00\x03\x01\x02\x01\x00"])
def test_elements_that_do_not_fill_the_header_are_told(octets: bytes):
    """A header whose elements end early or run over is read as far as it goes and not whole (item 135)."""
    udh = known(octets)
    assert not udh.whole
    assert udh.length == octets[0] + 1


def test_user_data_is_cut_at_the_header_when_esm_class_says_so():
    """The UDHI bit alone makes a header (item 113)."""
    octets = header(b"\x00\x03\x01\x02\x01") + b"hi"
    assert user_data(octets, 0) == (None, octets)
    assert user_data(octets, 0x43) == (read_udh(octets), b"hi")


REF, TOTAL, SEQUENCE = tlv.append(0x020C, b"\x01\x02"), tlv.append(0x020E, b"\x03"), tlv.append(0x020F, b"\x02")


def test_sar_needs_all_three():
    """The three SAR TLVs, in any order, say what a header would; fewer say nothing (item 140)."""
    assert sar(SEQUENCE + REF + tlv.append(0x1400, b"x") + TOTAL, 0) == (0x0102, 16, 3, 2)
    assert sar(b"head" + REF + TOTAL + SEQUENCE, 4) == (0x0102, 16, 3, 2)
    for some in (b"", REF, REF + TOTAL, TOTAL + SEQUENCE, REF + SEQUENCE):
        assert sar(some, 0) is None


@pytest.mark.parametrize(("total", "sequence"), [(0, 0), (3, 0), (3, 4)])
def test_sar_out_of_range_is_ignored(total: int, sequence: int):
    """SAR TLVs that count wrongly make a single message (item 140)."""
    tlvs = REF + tlv.append(0x020E, bytes((total,))) + tlv.append(0x020F, bytes((sequence,)))
    assert sar(tlvs, 0) is None


def test_sar_of_a_wrong_length_is_ignored():
    """A SAR TLV that is not as long as the specification says is as good as missing."""
    assert sar(tlv.append(0x020C, b"\x01") + TOTAL + SEQUENCE, 0) is None


@pytest.mark.parametrize("concat", [Concat(255, 8, 2, 1), Concat(0x1234, 16, 255, 255)])
def test_a_written_header_reads_back(concat: Concat):
    """What write_udh makes of elements, read_udh gives back."""
    elements = (concat_element(concat), (0x24, b"\x06"), (0x70, b""))
    udh = known(write_udh(elements) + b"text")
    assert udh.elements == elements
    assert (udh.concat, udh.single_shift, udh.whole) == (concat, 6, True)


def test_a_header_over_one_message_is_refused():
    """No message carries a header of over 140 octets."""
    with pytest.raises(ValueError, match="140"):
        write_udh([(0x70, b"x" * 70), (0x71, b"x" * 70)])
