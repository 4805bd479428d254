from __future__ import annotations

import pytest

from smsgw.smpp import const, multi, tlv
from smsgw.smpp.multi import DISTRIBUTION_LIST, SME, Destination, Unsuccessful
from smsgw.smpp.pdu import BadPdu, encode

ANNA = Destination(SME, 1, 2, b"8613800138000")
LIST = Destination(DISTRIBUTION_LIST, 0, 0, b"everybody")


def submit(destinations: tuple[Destination, ...], **fields: object) -> bytes:
    """A submit_multi to these destinations."""
    body = multi.submit_multi_body(source=b"10086", destinations=destinations, **fields)  # type: ignore[arg-type]
    return encode(const.SUBMIT_MULTI, 0, 1, body)


def refused(octets: bytes, version: int = const.V34) -> int:
    """The status with which a submit_multi is refused."""
    with pytest.raises(BadPdu) as raised:
        multi.read_submit_multi(octets, version)
    return raised.value.status


def test_submit_multi_field_by_field():
    """submit_multi carries a list of addresses and of names of lists, then the fields of submit_sm (3.4 §4.5.1)."""
    fields = {
        "service_type": b"CMT",
        "source_ton": 5,
        "source_npi": 6,
        "esm_class": 0x40,
        "protocol_id": 1,
        "priority": 2,
        "schedule": b"241125023000000+",
        "validity": b"000002000000000R",
        "registered_delivery": 1,
        "replace": 1,
        "data_coding": 8,
        "default_msg_id": 9,
        "short_message": b"\0h\0i",
    }
    octets = submit((ANNA, LIST, ANNA), tlvs=tlv.append(0x1400, b"\0"), **fields)
    read = multi.read_submit_multi(octets)
    expected = {**fields, "source": b"10086", "destinations": (ANNA, LIST, ANNA), "tlv_at": len(octets) - 5}
    assert read._asdict() == expected


def test_every_cut_of_submit_multi_is_refused():
    """A list that is cut is ESME_RINVNUMDESTS, a message ESME_RINVMSGLEN, the rest ESME_RINVCMDLEN (items 87, 162)."""
    octets = submit((ANNA, LIST), short_message=b"hello")
    first, last = octets.index(b"\x02\x01") + 1, octets.index(b"everybody\0") + 10
    for end in range(16, len(octets)):
        expected = const.ESME_RINVCMDLEN
        if first <= end < last:
            expected = const.ESME_RINVNUMDESTS
        elif end >= len(octets) - 5:
            expected = const.ESME_RINVMSGLEN
        assert refused(octets[:end]) == expected, end


@pytest.mark.parametrize(
    ("destinations", "status"),
    [
        ((), const.ESME_RINVNUMDESTS),
        ((Destination(0, 0, 0, b"1"),), const.ESME_RINVDESTFLAG),
        ((Destination(3, 0, 0, b"1"),), const.ESME_RINVDESTFLAG),
        ((Destination(SME, 0, 0, b"1" * 21),), const.ESME_RINVDSTADR),
        ((Destination(DISTRIBUTION_LIST, 0, 0, b"x" * 21),), const.ESME_RINVDLNAME),
    ],
)
def test_bad_destinations_are_refused(destinations: tuple[Destination, ...], status: int):
    """No destination, an unknown kind, an address or a name too long: each has its own status (item 162)."""
    assert refused(submit(destinations)) == status


def test_254_destinations_and_255_in_5_0():
    """number_of_dests goes to 254 in 3.4 and to 255 in 5.0 (item 162)."""
    assert len(multi.read_submit_multi(submit((ANNA,) * 254)).destinations) == 254
    assert refused(submit((ANNA,) * 255)) == const.ESME_RINVNUMDESTS
    assert len(multi.read_submit_multi(submit((ANNA,) * 255), const.V50).destinations) == 255
    with pytest.raises(ValueError, match="range"):
        submit((ANNA,) * 256)


def test_submit_multi_resp_tells_each_failure():
    """Each failed destination has its own 32-bit status; none failed is a count of 0 that is written (item 163)."""
    failed = (Unsuccessful(1, 1, b"861", 0x0B), Unsuccessful(0, 0, b"", 0xFFFFFFFF))
    body = multi.submit_multi_resp_body(message_id=b"17", unsuccessful=failed)
    assert multi.read_submit_multi_resp(encode(const.SUBMIT_MULTI_RESP, 0, 1, body)) == (b"17", failed)
    assert multi.submit_multi_resp_body(message_id=b"17") == b"17\0\0"
    for end in range(len(body)):
        with pytest.raises(BadPdu):
            multi.read_submit_multi_resp(encode(const.SUBMIT_MULTI_RESP, 0, 1, body[:end]))
