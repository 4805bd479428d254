from __future__ import annotations

from collections.abc import Callable

import pytest

from smsgw.smpp import bodies, const, tlv
from smsgw.smpp.pdu import BadPdu, encode

BIND = {
    "system_id": b"SMPP3TEST",
    "password": b"secret08",
    "system_type": b"SUBMIT1",
    "interface_version": 0x50,
    "addr_ton": 1,
    "addr_npi": 2,
    "address_range": b"^86.*",
}


def pdu_of(body: bytes, command: int = const.QUERY_SM) -> bytes:
    """A whole PDU with this body."""
    return encode(command, 0, 1, body)


def status_of(read: Callable[[bytes], object], body: bytes) -> int:
    """The status with which a body is refused."""
    with pytest.raises(BadPdu) as raised:
        read(pdu_of(body))
    return raised.value.status


def expect_every_cut_refused(read: Callable[[bytes], object], body: bytes) -> None:
    """Each shorter body is refused with ESME_RINVCMDLEN."""
    for end in range(len(body)):
        assert status_of(read, body[:end]) == const.ESME_RINVCMDLEN, end


def test_a_bind_field_by_field():
    """bind_* carries system_id, password, system_type, version, and what addresses it serves (3.4 §4.1.1)."""
    body = bodies.bind_body(**BIND)
    assert body == b"SMPP3TEST\0secret08\0SUBMIT1\0\x50\x01\x02^86.*\0"
    assert bodies.read_bind(pdu_of(body))._asdict() == BIND
    expect_every_cut_refused(bodies.read_bind, body)


@pytest.mark.parametrize(
    ("field", "longest", "status"),
    [
        ("system_id", 15, const.ESME_RINVSYSID),
        ("password", 8, const.ESME_RINVPASWD),
        ("system_type", 12, const.ESME_RINVSYSTYP),
        ("address_range", 40, const.ESME_RBINDFAIL),
    ],
)
def test_a_bind_string_has_its_limit(field: str, longest: int, status: int):
    """A string of a bind that is too long is refused with its own status (items 43, 44, 46, 55)."""
    read = bodies.read_bind(pdu_of(bodies.bind_body(**{**BIND, field: b"x" * longest})))
    assert getattr(read, field) == b"x" * longest
    assert status_of(bodies.read_bind, bodies.bind_body(**{**BIND, field: b"x" * (longest + 1)})) == status


def test_a_bind_ignores_tlvs_behind_it():
    """TLVs in a bind request are no error (item 57)."""
    assert bodies.read_bind(pdu_of(bodies.bind_body(**BIND) + tlv.append(0x1400, b"\0"))).system_id == b"SMPP3TEST"


@pytest.mark.parametrize("text", [repr(bodies.Bind(**BIND)), str(bodies.Outbind(b"smsc", b"secret08"))])
def test_passwords_are_not_shown(text: str):
    """Neither a bind nor an outbind shows its password (item 203)."""
    assert "secret08" not in text


@pytest.mark.parametrize(
    ("body", "system_id", "version"),
    [
        (b"", b"", None),
        (b"\0", b"", None),
        (b"SMSC", b"SMSC", None),
        (b"SMSC\0", b"SMSC", None),
        (b"SMSC\0\x02\x10\x00\x01\x34", b"SMSC", 0x34),
        (b"SMSC\0\x14\x00\x00\x01\x00\x02\x10\x00\x01\x50", b"SMSC", 0x50),
        (b"SMSC\0\x02\x10\x00\x02\x00\x34", b"SMSC", 0x34),
        (b"SMSC\0\x02\x10\x00\x00", b"SMSC", None),
        (b"SMSC\0\x02\x10\x00\x05\x34", b"SMSC", None),
        (b"SMSC\0\0", b"SMSC", None),
    ],
)
def test_a_bind_resp_is_read_as_peers_send_it(body: bytes, system_id: bytes, version: int | None):
    """With a body or none, with the version or none, with loose octets behind it (items 50, 51, 54, 92)."""
    assert bodies.read_bind_resp(pdu_of(body)) == (system_id, version)


def test_a_bind_resp_tells_its_version_only_when_told():
    """sc_interface_version is written for 3.4 and later, and no TLV at all for 3.3 (items 49, 52)."""
    assert bodies.bind_resp_body(b"smsgw", const.V34) == b"smsgw\0\x02\x10\x00\x01\x34"
    assert bodies.bind_resp_body(b"smsgw", None) == b"smsgw\0"


def test_an_outbind_field_by_field():
    """outbind carries system_id and password, with the limits of a bind (3.4 §4.1.7)."""
    body = bodies.outbind_body(system_id=b"smsc", password=b"pw")
    assert bodies.read_outbind(pdu_of(body)) == (b"smsc", b"pw")
    expect_every_cut_refused(bodies.read_outbind, body)
    assert status_of(bodies.read_outbind, b"x" * 16 + b"\0\0") == const.ESME_RINVSYSID
    assert status_of(bodies.read_outbind, b"\0" + b"x" * 9 + b"\0") == const.ESME_RINVPASWD


@pytest.mark.parametrize(
    ("body", "message_id", "tlvs"),
    [(b"", b"", b""), (b"\0", b"", b""), (b"id", b"id", b""), (b"id\0", b"id", b""), (b"id\0\x04\x25\0\0", b"id", b"\x04\x25\0\0")],
)
def test_a_response_has_an_id_and_tlvs(body: bytes, message_id: bytes, tlvs: bytes):
    """submit_sm_resp, deliver_sm_resp and data_sm_resp are read whatever they lack (items 152, 167, 170)."""
    octets = pdu_of(body, const.DATA_SM_RESP)
    read = bodies.read_response(octets)
    assert (read.message_id, octets[read.tlv_at :]) == (message_id, tlvs)


def test_query_sm_field_by_field():
    """query_sm carries the id and the source of the message (3.4 §4.8.1)."""
    body = bodies.query_sm_body(message_id=b"17", source=b"10086", source_ton=1, source_npi=2)
    assert bodies.read_query_sm(pdu_of(body)) == (b"17", 1, 2, b"10086")
    expect_every_cut_refused(bodies.read_query_sm, body)
    assert status_of(bodies.read_query_sm, b"x" * 65 + b"\0\0\0\0") == const.ESME_RINVMSGID
    assert status_of(bodies.read_query_sm, b"\0\0\0" + b"x" * 21 + b"\0") == const.ESME_RINVSRCADR


def test_query_sm_resp_field_by_field():
    """query_sm_resp carries the id, the final date, the state and the network's error (3.4 §4.8.2)."""
    date = b"241125023000000+"
    body = bodies.query_sm_resp_body(message_id=b"17", final_date=date, message_state=2, error_code=255)
    assert bodies.read_query_sm_resp(pdu_of(body)) == (b"17", date, 2, 255)
    expect_every_cut_refused(bodies.read_query_sm_resp, body)
    short = bodies.query_sm_resp_body(message_id=b"17", final_date=b"241125023000", message_state=0, error_code=0)
    assert bodies.read_query_sm_resp(pdu_of(short)).final_date == b"241125023000"
    long = bodies.query_sm_resp_body(message_id=b"17", final_date=b"2024-11-25 02:30:00", message_state=0, error_code=0)
    assert status_of(bodies.read_query_sm_resp, long) == const.ESME_RINVEXPIRY


def test_cancel_sm_field_by_field():
    """cancel_sm carries service_type, id and both addresses (3.4 §4.9.1)."""
    read = bodies.CancelSm(b"CMT", b"17", 1, 2, b"10086", 3, 4, b"8613800138000")
    body = bodies.cancel_sm_body(**read._asdict())
    assert bodies.read_cancel_sm(pdu_of(body)) == read
    expect_every_cut_refused(bodies.read_cancel_sm, body)
    assert status_of(bodies.read_cancel_sm, bodies.cancel_sm_body(service_type=b"x" * 6)) == const.ESME_RINVSERTYP
    assert status_of(bodies.read_cancel_sm, bodies.cancel_sm_body(dest=b"1" * 21)) == const.ESME_RINVDSTADR


def test_replace_sm_field_by_field():
    """replace_sm carries id, source, times, registered_delivery and the new message, and no data_coding (3.4 §4.10.1)."""
    times = {"schedule": b"241125023000000+", "validity": b"000002000000000R"}
    fields = {"message_id": b"17", "source_ton": 1, "source_npi": 2, "source": b"10086", **times}
    fields |= {"registered_delivery": 1, "default_msg_id": 3, "short_message": b"new\0text"}
    body = bodies.replace_sm_body(**fields)
    assert bodies.read_replace_sm(pdu_of(body))._asdict() == fields
    for end in range(len(body)):
        expected = const.ESME_RINVMSGLEN if end >= len(body) - 8 else const.ESME_RINVCMDLEN
        assert status_of(bodies.read_replace_sm, body[:end]) == expected
    for name, status in (("schedule", const.ESME_RINVSCHED), ("validity", const.ESME_RINVEXPIRY)):
        assert status_of(bodies.read_replace_sm, bodies.replace_sm_body(**{**fields, name: b"123"})) == status


def test_replace_sm_of_255_octets_is_of_5_0():
    """short_message has 254 octets in 3.4 and 255 in 5.0 (item 81)."""
    body = bodies.replace_sm_body(message_id=b"17", short_message=b"x" * 255)
    assert status_of(bodies.read_replace_sm, body) == const.ESME_RINVMSGLEN
    assert len(bodies.read_replace_sm(pdu_of(body), const.V50).short_message) == 255


def test_alert_notification_field_by_field():
    """alert_notification carries two addresses up to 64 octets, and maybe ms_availability_status (3.4 §4.12.1)."""
    status = tlv.append(const.TAG_MS_AVAILABILITY_STATUS, b"\x01")
    body = bodies.alert_notification_body(
        source=b"a" * 64, source_ton=1, source_npi=2, esme=b"b" * 64, esme_ton=3, esme_npi=4, tlvs=status
    )
    octets = pdu_of(body)
    read = bodies.read_alert_notification(octets)
    assert read == (1, 2, b"a" * 64, 3, 4, b"b" * 64, len(octets) - 5)
    assert tlv.find(octets, read.tlv_at, const.TAG_MS_AVAILABILITY_STATUS) == b"\x01"
    expect_every_cut_refused(bodies.read_alert_notification, body[:-5])
    assert status_of(bodies.read_alert_notification, b"\0\0" + b"x" * 65 + b"\0\0\0\0") == const.ESME_RINVSRCADR
