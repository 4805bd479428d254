from __future__ import annotations

import pytest

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import BadPdu

VENDOR = 0x1400
FIRST = tlv.append(VENDOR, b"a\0b\0")
EMPTY = tlv.append(const.TAG_ALERT_ON_MESSAGE_DELIVERY, b"")
SECOND = tlv.append(VENDOR, b"second")
PREFIX = b"mandatory part"
STREAM = PREFIX + FIRST + EMPTY + SECOND
AT = len(PREFIX)


def values(octets: bytes, at: int) -> list[tuple[int, bytes]]:
    """Tags and values of a whole stream."""
    return [(tag, octets[value_at : value_at + length]) for tag, value_at, length in tlv.iterate(octets, at)]


def test_a_tlv_is_tag_length_value():
    """Tag and length have two octets each, and the length counts the value alone (3.4 §3.2.4)."""
    assert tlv.append(0x0424, b"hi").hex() == "042400026869"
    assert tlv.append(VENDOR, b"x" * 65_535)[2:4] == b"\xff\xff"
    with pytest.raises(OverflowError):
        tlv.append(VENDOR, b"x" * 65_536)


def test_a_stream_is_walked_in_its_order():
    """Unknown, empty and repeated TLVs are all met, in their order, with NULs in their values (items 89, 90, 95, 102, 107)."""
    assert values(STREAM, AT) == [(VENDOR, b"a\0b\0"), (const.TAG_ALERT_ON_MESSAGE_DELIVERY, b""), (VENDOR, b"second")]
    assert values(STREAM, len(STREAM)) == []
    assert values(PREFIX, AT + 5) == []


@pytest.mark.parametrize("loose", [b"\0", b"\0\0", b"\x04\x24\0", b"\x04\x24\x00\x01", b"\x04\x24\xff\xffxx"])
def test_a_broken_stream_is_refused_or_read_as_far_as_it_is_whole(loose: bytes):
    """Loose octets and a length over the end are 0xC0; the lenient walk takes what is whole before them (item 92)."""
    with pytest.raises(BadPdu) as raised:
        list(tlv.iterate(STREAM + loose, AT))
    assert raised.value.status == const.ESME_RINVOPTPARSTREAM == 0xC0
    assert [tag for tag, _, _ in tlv.iterate_lenient(STREAM + loose, AT)] == [VENDOR, 0x130C, VENDOR]
    assert tlv.find(STREAM + loose, AT, VENDOR) == b"a\0b\0"


def test_the_first_of_two_counts():
    """Of a repeated TLV the first is found; an absent one is None, an empty one is empty (item 95)."""
    assert tlv.find(STREAM, AT, VENDOR) == b"a\0b\0"
    assert tlv.find(STREAM, AT + len(FIRST), VENDOR) == b"second"
    assert tlv.find(STREAM, AT, const.TAG_ALERT_ON_MESSAGE_DELIVERY) == b""
    assert tlv.find(STREAM, AT, const.TAG_MESSAGE_STATE) is None


def test_replacing_keeps_places_and_the_rest():
    """Each TLV of the tag gets the new value in its place; every other octet stays (item 199)."""
    new = tlv.append(VENDOR, b"longer than before")
    assert tlv.replace(STREAM, AT, VENDOR, b"longer than before") == PREFIX + new + EMPTY + new
    assert tlv.replace(STREAM, AT, const.TAG_MESSAGE_STATE, b"\x02") == STREAM
    assert (
        tlv.replace(STREAM + b"\0", AT, VENDOR, b"") == PREFIX + tlv.append(VENDOR, b"") + EMPTY + tlv.append(VENDOR, b"") + b"\0"
    )


def test_stripping_takes_all():
    """A session of 3.3 gets the mandatory part alone (item 100)."""
    assert tlv.strip(STREAM, AT) == PREFIX


@pytest.mark.parametrize(
    ("tag", "lengths"),
    [
        (const.TAG_SAR_MSG_REF_NUM, {1, 2, 4}),
        (const.TAG_DEST_NETWORK_TYPE, {1, 2, 4}),
        (const.TAG_MESSAGE_STATE, {1, 2, 4}),
        (const.TAG_MS_VALIDITY, {1, 2, 4}),
        (const.TAG_QOS_TIME_TO_LIVE, {1, 2, 4}),
        (const.TAG_ALERT_ON_MESSAGE_DELIVERY, {0, 1}),
        (const.TAG_ITS_SESSION_INFO, {2}),
        (const.TAG_NETWORK_ERROR_CODE, {3, 4}),
        (const.TAG_CALLBACK_NUM, set(range(4, 20))),
        (const.TAG_RECEIPTED_MESSAGE_ID, set(range(1, 66))),
        (const.TAG_ADDITIONAL_STATUS_INFO_TEXT, set(range(1, 71))),
        (const.TAG_MESSAGE_PAYLOAD, set(range(71))),
        (const.TAG_BROADCAST_AREA_IDENTIFIER, set(range(71))),
        (VENDOR, set(range(71))),
    ],
)
def test_known_tlvs_have_their_lengths(tag: int, lengths: set[int]):
    """A known TLV of a wrong length is 0xC2; integers come in 1, 2 and 4 octets, and unknown tags in any (items 93, 94, 103)."""
    for length in range(71):
        octets = PREFIX + tlv.append(tag, b"\0" * length)
        if length in lengths:
            tlv.check_known(octets, AT)
            continue
        with pytest.raises(BadPdu) as raised:
            tlv.check_known(octets, AT)
        assert (raised.value.status, raised.value.reason) == (const.ESME_RINVPARLEN, const.tag_name(tag))


def test_checking_walks_the_whole_stream():
    """An error behind good TLVs is met, and a broken stream is 0xC0 here too."""
    tlv.check_known(STREAM, AT)
    with pytest.raises(BadPdu, match="sar_msg_ref_num"):
        tlv.check_known(STREAM + tlv.append(const.TAG_SAR_MSG_REF_NUM, b"123"), AT)
    with pytest.raises(BadPdu, match="tlv_cut_short"):
        tlv.check_known(STREAM + b"\0", AT)


def test_a_tag_that_stands_twice_is_told():
    """Once, or not at all, is not twice; what is cut short does not count."""
    one = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"x")
    assert not tlv.twice(one + tlv.append(0x1400, b"1"), 0, const.TAG_MESSAGE_PAYLOAD)
    assert tlv.twice(one + tlv.append(0x1400, b"1") + one, 0, const.TAG_MESSAGE_PAYLOAD)
    assert not tlv.twice(one + one[:-1], 0, const.TAG_MESSAGE_PAYLOAD)
    assert tlv.find_all(one + tlv.append(0x1400, b"1") + one, 0, const.TAG_MESSAGE_PAYLOAD) == [b"x", b"x"]
