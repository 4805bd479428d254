"""Reading a submit: what becomes a message, and the status that each wrong field gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.journey import reading
from smsgw.journey.reading import count_by, read_submit, with_validity_left
from smsgw.model import Account, Basis, Message, Rejected, Tenant
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import Pdu, data_sm_body, encode, plain_submit, sm_body
from smsgw.smpp.text import PartRule
from tests.store.work import STORED

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"), default_source="10690001")


def read(
    body: bytes, *, account: Account = ACCOUNT, version: int = const.V34, command: int = const.SUBMIT_SM
) -> Message | Rejected:
    """Read a body as a tenant's request."""
    octets = encode(command, 0, 1, body)
    return read_submit(Pdu(octets, command, 0, 1), account, version)


def submit(**fields: Any) -> Message | Rejected:
    """Read a submit_sm with these fields changed."""
    version = fields.pop("version", const.V34)
    return read(sm_body(**({"source": b"1069", "dest": b"8613800138000", "short_message": b"hello"} | fields)), version=version)


def test_parts_share_their_reference_however_they_come():
    """By submit_sm or data_sm, in short_message or message_payload, by UDH or SAR: whatever follows is to take the same link."""
    headed = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"\x05\x00\x03\x07\x02\x01text")
    numbered = b"".join(
        tlv.append(tag, value)
        for tag, value in (
            (const.TAG_MESSAGE_PAYLOAD, b"text"),
            (const.TAG_SAR_MSG_REF_NUM, b"\x00\x07"),
            (const.TAG_SAR_TOTAL_SEGMENTS, b"\x02"),
            (const.TAG_SAR_SEGMENT_SEQNUM, b"\x01"),
        )
    )
    for esm_class, tlvs, reference in ((0x40, headed, "8:7:2"), (0, numbered, "16:7:2")):
        short = submit(short_message=b"", esm_class=esm_class, tlvs=tlvs)
        data = read(data_sm_body(source=b"1069", dest=b"8613", esm_class=esm_class, tlvs=tlvs), command=const.DATA_SM)
        assert isinstance(short, Message)
        assert isinstance(data, Message)
        assert (short.long_message, data.long_message) == (reference, reference)


def test_a_plain_message_keeps_every_octet():
    """The body goes on as it came: UDH, TLVs, flags and all."""
    body = sm_body(
        source=b"1069", dest=b"8613", short_message=b"\x05\x00\x03\x07\x02\x01text", esm_class=0x40,
        tlvs=tlv.append(0x1400, b"a\0b\0"), protocol_id=0x7F, data_coding=0xF5,
    )  # fmt: skip
    message = read(body)
    assert isinstance(message, Message)
    assert message.body == body
    assert (message.source, message.destination, message.parts) == ("1069", "8613", 1)
    assert message.long_message == "8:7:2"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"dest": b""}, const.ESME_RINVDSTADR),
        ({"esm_class": 0x04}, const.ESME_RINVESMCLASS),
        ({"esm_class": 0x20}, const.ESME_RINVESMCLASS),
        ({"esm_class": 0x02}, const.ESME_RINVESMCLASS),
        ({"esm_class": 0x40, "short_message": b"\x09ab"}, const.ESME_RINVESMCLASS),
        ({"esm_class": 0x40, "short_message": b""}, const.ESME_RINVESMCLASS),
        ({"priority": 4}, const.ESME_RINVPRTFLG),
        ({"replace": 2}, const.ESME_RINVREPFLAG),
        ({"default_msg_id": 255}, const.ESME_RINVDFTMSGID),
        ({"dest_ton": 5}, const.ESME_RINVDSTTON),
        ({"source_ton": 5, "source": b"abcdefghijkl"}, const.ESME_RINVSRCADR),
        ({"registered_delivery": 3}, const.ESME_RINVREGDLVFLG),
        ({"registered_delivery": 0x21}, const.ESME_RINVREGDLVFLG),
        ({"schedule": b"261332235959000+"}, const.ESME_RINVSCHED),
        ({"validity": b"990032235959000R"[:15] + b"X"}, const.ESME_RINVEXPIRY),
        ({"validity": b"200101000000000+"}, const.ESME_RINVEXPIRY),
        ({"tlvs": b"\x14\x00\x00\x09ab"}, const.ESME_RINVOPTPARSTREAM),
        ({"tlvs": tlv.append(const.TAG_SAR_TOTAL_SEGMENTS, b"\1\2\3")}, const.ESME_RINVPARLEN),
        ({"tlvs": tlv.append(const.TAG_MESSAGE_PAYLOAD, b"two texts")}, const.ESME_RINVMSGLEN),
    ],
)
def test_each_wrong_field_gets_its_own_status(fields: dict[str, Any], status: int):
    """A bad field is answered with the status made for it (items 80, 84, 85, 92, 93, 98, 108-110, 114, 116, 147, 155-157)."""
    refused = submit(**fields)
    assert isinstance(refused, Rejected)
    assert refused.status == status


def test_what_only_newer_sessions_may():
    """SMPP 5.0 knows priority 4 and receipts for success only."""
    assert isinstance(submit(priority=4, registered_delivery=3, version=const.V50), Message)


def test_an_empty_source_becomes_the_default():
    """The account's own address is put where the tenant left the source empty, and nothing else changes (item 84)."""
    message = submit(source=b"")
    assert isinstance(message, Message)
    assert message.source == "10690001"
    assert message.body == sm_body(source=b"10690001", dest=b"8613800138000", short_message=b"hello")


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (1, 1), (2, 1), (0x10, 0x11), (0x12, 0x11)])
def test_a_price_by_delivery_needs_a_receipt(asked: int, sent: int):
    """Where delivery is paid for, the carrier is asked for a receipt of success and failure, whatever the tenant wants to know."""
    account = Account(1, "acme1", Tenant(1, "acme", "CNY", basis=Basis.DELIVERED))
    message = read(sm_body(source=b"1", dest=b"2", short_message=b"x", registered_delivery=asked), account=account)
    assert isinstance(message, Message)
    assert message.registered == asked
    assert message.body == sm_body(source=b"1", dest=b"2", short_message=b"x", registered_delivery=sent)


def test_a_validity_counts_from_now():
    """A relative validity of two hours is 7,200 seconds; none is none."""
    message = submit(validity=b"000000020000000R")
    assert isinstance(message, Message)
    assert 7_190 < message.expires_at <= 7_200
    plain = submit()
    assert isinstance(plain, Message)
    assert plain.expires_at == 0


def test_data_sm_carries_its_content_in_a_tlv():
    """data_sm without message_payload is refused; with it, its octets are counted and kept (item 166)."""
    refused = read(data_sm_body(source=b"1", dest=b"2"), command=const.DATA_SM)
    assert isinstance(refused, Rejected)
    assert refused.status == const.ESME_RMISSINGOPTPARAM
    body = data_sm_body(source=b"1", dest=b"2", data_coding=8, tlvs=tlv.append(const.TAG_MESSAGE_PAYLOAD, bytes(300)))
    message = read(body, command=const.DATA_SM)
    assert isinstance(message, Message)
    assert (message.parts, message.body, message.command) == (3, body, const.DATA_SM)


@pytest.mark.parametrize(
    ("data_coding", "data", "parts"),
    [
        (0, b"a" * 160, 1), (0, b"a" * 161, 2), (0, b"a" * 254, 2), (0, b"a" * 459, 3), (0, b"a" * 460, 4),
        (8, b"\0a" * 70, 1), (8, b"\0a" * 71, 2), (8, b"\0a" * 202, 4), (4, b"a" * 140, 1), (4, b"a" * 141, 2),
        (0xF5, b"a" * 141, 2), (0xF1, b"a" * 160, 1), (0x18, b"\0a" * 71, 2), (0x10, b"a" * 160, 1),
        (3, b"\xe7" * 70, 1), (3, b"\xe7" * 71, 2), (3, b"\xe9" * 160, 1), (1, b"[" * 80, 1), (1, b"[" * 81, 2),
    ],
)  # fmt: skip
def test_parts_by_coding_and_length(data_coding: int, data: bytes, parts: int):
    """160 and 153 septets, 140 and 134 octets; text in another coding counts as what the handset gets (item 141)."""
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, data)
    for message in (
        submit(short_message=data, data_coding=data_coding, version=const.V50) if len(data) < 255 else None,
        submit(short_message=b"", data_coding=data_coding, tlvs=payload),
        read(data_sm_body(source=b"1", dest=b"2", data_coding=data_coding, tlvs=payload), command=const.DATA_SM),
    ):
        assert message is None or (isinstance(message, Message) and message.parts == parts)


@pytest.mark.parametrize(("length", "parts"), [(134, 1), (135, 2), (240, 2)])
def test_a_part_is_one_part_as_far_as_it_fits(length: int, parts: int):
    """A header that says "part" counts once, but for what no SMS can hold behind it (items 130, 141)."""
    message = submit(short_message=b"\x05\x00\x03\x07\x02\x01" + b"a" * length, esm_class=0x40, data_coding=4)
    assert isinstance(message, Message)
    assert message.parts == parts


@pytest.mark.parametrize(("rule", "parts"), [("gsm_ucs2", 1), ("cn_char", 2), ("octet", 1)])
def test_the_rule_of_the_route_counts(rule: PartRule, parts: int):
    """A hundred letters are one part on the air and two of a Chinese route; short_message, payload and data_sm alike."""
    data = b"a" * 100
    bodies = [
        (const.SUBMIT_SM, sm_body(source=b"1", dest=b"2", short_message=data)),
        (const.SUBMIT_SM, sm_body(source=b"1", dest=b"2", short_message=b"", tlvs=tlv.append(const.TAG_MESSAGE_PAYLOAD, data))),
        (const.DATA_SM, data_sm_body(source=b"1", dest=b"2", tlvs=tlv.append(const.TAG_MESSAGE_PAYLOAD, data))),
    ]
    for command, body in bodies:
        assert count_by(rule, Pdu(encode(command, 0, 1, body), command, 0, 1), const.V34) == parts


def test_a_relative_validity_loses_what_was_waited():
    """After waiting, the carrier gets the seconds that are left; an absolute time stays as it is (item 148)."""
    body = sm_body(source=b"1", dest=b"2", short_message=b"x", validity=b"000000020000000R")
    message = read(body)
    assert isinstance(message, Message)
    assert with_validity_left(message, 3_661.5) == body.replace(b"000000020000000R", b"000000010101000R")
    absolute = read(sm_body(source=b"1", dest=b"2", short_message=b"x", validity=b"370101000000000+"))
    assert isinstance(absolute, Message)
    assert with_validity_left(absolute, 10) == absolute.body


def fields_of(read: Message | Rejected) -> object:
    """Return what reading made, comparable."""
    return read if isinstance(read, Rejected) else [getattr(read, name) for name in (*STORED, "ends", "long_message", "transform")]


@given(st.data())
def test_the_fast_way_reads_what_the_slow_way_reads(data: st.DataObject):
    """Whatever octets of a submit_sm are changed, put in or left out: where it counts as plain, both ways make the same message."""
    length = data.draw(st.sampled_from([0, 5, 139, 140, 141, 160, 161, 254]))
    fields = {"registered_delivery": data.draw(st.sampled_from([0, 1])), "data_coding": data.draw(st.integers(0, 255))}
    octets = bytearray(encode(const.SUBMIT_SM, 0, 1, sm_body(source=b"1069", dest=b"86138", short_message=b"[" * length, **fields)))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(16, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    pdu = Pdu(bytes(octets), const.SUBMIT_SM, 0, 1)
    fast = read_submit(pdu, ACCOUNT, const.V34)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "plain_submit", lambda _octets: None)
        slow = read_submit(pdu, ACCOUNT, const.V34)
    assert fields_of(fast) == fields_of(slow)


def test_most_submits_are_read_the_fast_way():
    """A text between two numbers, with or without a receipt, in any coding, is plain."""
    for registered in (0, 1):
        body = sm_body(
            source=b"1069", dest=b"8613800138000", short_message=b"x" * 100, registered_delivery=registered, data_coding=8
        )
        assert plain_submit(encode(const.SUBMIT_SM, 0, 1, body)) is not None
