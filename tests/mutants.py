"""PDUs with some octets wrong: made of good ones of every kind, and read as the gateway reads them.

The properties feed them to readers and sessions, `tests.fuzz` to a running gateway as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from smsgw.smpp import bodies, const, multi, pdu, receipt, tlv
from smsgw.smpp.multi import SME, Destination, Unsuccessful
from smsgw.smpp.pdu import BadPdu, Sm, encode
from smsgw.smpp.session import Role, Session, SessionSettings


def good_pdus() -> list[bytes]:
    """One good PDU of every kind, the sequence number left at 1."""
    number = {"source": b"10086", "dest": b"8613800138000"}
    text = b"id:17 sub:001 dlvrd:001 submit date:2411250230 done date:2411250231 stat:DELIVRD err:000 text:hi"
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"hello" * 20)
    vendor = tlv.append(0x1400, b"a\0b") + tlv.append(const.TAG_SAR_MSG_REF_NUM, b"\0\x01")
    udh = b"\x05\x00\x03\x07\x02\x01"
    made = {
        const.BIND_RECEIVER: bodies.bind_body(system_id=b"me", password=b"secret"),
        const.BIND_TRANSMITTER: bodies.bind_body(system_id=b"me", password=b"secret", interface_version=0x33),
        const.BIND_TRANSCEIVER: bodies.bind_body(system_id=b"me", password=b"secret", address_range=b"^1.*"),
        const.BIND_TRANSCEIVER_RESP: bodies.bind_resp_body(b"smsc", const.V34),
        const.OUTBIND: bodies.outbind_body(system_id=b"smsc", password=b"secret"),
        const.SUBMIT_SM: pdu.sm_body(**number, short_message=b"hello", tlvs=vendor, validity=b"000002000000000R"),
        const.SUBMIT_SM_RESP: b"0a1b2c3d\0",
        const.DELIVER_SM: pdu.sm_body(**number, short_message=text, esm_class=4, tlvs=tlv.append(0x001E, b"17\0")),
        const.DELIVER_SM_RESP: b"\0",
        const.DATA_SM: pdu.data_sm_body(**number, tlvs=payload),
        const.DATA_SM_RESP: b"17\0" + tlv.append(const.TAG_DELIVERY_FAILURE_REASON, b"\0"),
        const.SUBMIT_MULTI: multi.submit_multi_body(source=b"1", destinations=(Destination(SME, 1, 1, b"2"),) * 3),
        const.SUBMIT_MULTI_RESP: multi.submit_multi_resp_body(message_id=b"17", unsuccessful=(Unsuccessful(1, 1, b"2", 11),)),
        const.QUERY_SM: bodies.query_sm_body(message_id=b"17", source=b"10086"),
        const.QUERY_SM_RESP: bodies.query_sm_resp_body(message_id=b"17", final_date=b"", message_state=2, error_code=0),
        const.CANCEL_SM: bodies.cancel_sm_body(message_id=b"17", **number),
        const.REPLACE_SM: bodies.replace_sm_body(message_id=b"17", short_message=b"new"),
        const.ALERT_NOTIFICATION: bodies.alert_notification_body(source=b"1", esme=b"2"),
        **dict.fromkeys((const.ENQUIRE_LINK, const.ENQUIRE_LINK_RESP, const.UNBIND, const.UNBIND_RESP, const.GENERIC_NACK), b""),
    }
    long = pdu.sm_body(**number, short_message=udh + b"hello", esm_class=0x40, data_coding=8)
    return [*(encode(command, 0, 1, body) for command, body in made.items()), encode(const.SUBMIT_SM, 0, 1, long)]


def mutated(dice: random.Random, seeds: list[bytes]) -> Iterator[bytes]:
    """Endless PDUs with some octets changed, cut out or put in; mostly with a true command_length."""
    telling = b"\0\0\0\x01\x7f\x80\xfe\xff"
    while True:
        octets = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 5)):
            at = dice.randrange(4, len(octets) + 1)
            match dice.randrange(5):
                case 0:
                    octets[at : at + 1] = bytes((dice.choice(telling),))
                case 1:
                    octets[at : at + 1] = bytes((dice.randrange(256),))
                case 2:
                    del octets[max(16, at) : max(16, at) + dice.randrange(1, 9)]
                case 3:
                    octets[max(16, at) : max(16, at)] = dice.randbytes(dice.randrange(1, 30))
                case _:
                    octets[at:] = dice.choice(seeds)[at:]
        if len(octets) >= 4 and dice.randrange(50):
            octets[:4] = len(octets).to_bytes(4, "big")
        yield bytes(octets)


READER_OF: dict[int, Callable[[bytes], Any]] = {
    const.SUBMIT_SM: pdu.read_sm,
    const.DELIVER_SM: pdu.read_sm,
    const.DATA_SM: pdu.read_data_sm,
    const.QUERY_SM: bodies.read_query_sm,
    const.CANCEL_SM: bodies.read_cancel_sm,
    const.REPLACE_SM: bodies.read_replace_sm,
    const.SUBMIT_MULTI: multi.read_submit_multi,
    const.ALERT_NOTIFICATION: bodies.read_alert_notification,
    const.OUTBIND: bodies.read_outbind,
    **dict.fromkeys((const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER), bodies.read_bind),
    **dict.fromkeys((const.SUBMIT_SM_RESP, const.DELIVER_SM_RESP, const.DATA_SM_RESP), bodies.read_response),
    const.BIND_TRANSCEIVER_RESP: bodies.read_bind_resp,
    const.QUERY_SM_RESP: bodies.read_query_sm_resp,
    const.SUBMIT_MULTI_RESP: multi.read_submit_multi_resp,
}


def open_session(dice: random.Random) -> Session:
    """A session of either role in any state in which a peer may send."""
    session = Session(dice.choice(list(Role)), SessionSettings(), 0.0)
    command = dice.choice([0, const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER])
    if command:
        session.bound_as(command, const.V34)
        session.request(const.SUBMIT_SM, b"", "the only one", 0.0)  # its sequence number is 1, as in the good responses
    return session


def read_whole(octets: bytes, command: int) -> int:
    """Read a PDU as the gateway does: fields, TLVs, receipt. Returns 1 if all of it is good, else 0."""
    try:
        read = READER_OF.get(command, pdu.read_message_id)(octets)
        if isinstance(read, Sm | pdu.DataSm):
            receipt.parse(octets, read)
            tlv.check_known(octets, read.tlv_at)
    except BadPdu:
        return 0
    return 1
