"""A receipt on the table: read from either PDU that brings one."""

from __future__ import annotations

import pytest

from smsgw.journey.arrival import read
from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu, data_sm_body, encode, sm_body
from smsgw.smpp.receipt_plain import PlainReceipt

TEXT = b"id:77 sub:001 dlvrd:001 submit date:2611250000 done date:2611250001 stat:DELIVRD err:000 text:"


def test_the_common_shape_is_read_in_one_go():
    """Fields and receipt are the same value."""
    octets = encode(const.DELIVER_SM, 0, 1, sm_body(source=b"8613", dest=b"1069", esm_class=4, short_message=TEXT))
    sm, receipt = read(octets, const.DELIVER_SM)
    assert type(receipt) is PlainReceipt
    assert sm is receipt
    assert (receipt.message_id, receipt.state) == (b"77", 2)


def test_another_shape_is_read_field_by_field():
    """A receipt with a source subaddress and no text of its own is still one."""
    tlvs = b"\x00\x1e\x00\x0377\0" + b"\x04\x27\x00\x01\x02"
    octets = encode(const.DATA_SM, 0, 1, data_sm_body(source=b"8613", dest=b"1069", esm_class=4, tlvs=tlvs))
    sm, receipt = read(octets, const.DATA_SM)
    assert receipt is not None
    assert (sm.dest, receipt.message_id, receipt.state) == (b"1069", b"77", 2)


def test_a_message_of_a_handset_is_none():
    """Without the mark in esm_class it is an MO message."""
    octets = encode(const.DELIVER_SM, 0, 1, sm_body(source=b"8613", dest=b"1069", short_message=b"hello"))
    assert read(octets, const.DELIVER_SM)[1] is None


def test_what_ends_early_is_the_peers_error():
    """It is told with the status that it deserves."""
    with pytest.raises(BadPdu):
        read(encode(const.DELIVER_SM, 0, 1, b"\0\1"), const.DELIVER_SM)
