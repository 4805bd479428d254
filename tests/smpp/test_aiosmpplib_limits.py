"""What aiosmpplib 0.7 cannot carry: why PDUs in transit are views of octets here, and not its objects.

Each test proves one limit, so that we notice when a release lifts it. Beside most of them stands what this package does with the
same octets.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import aiosmpplib
import pytest
from aiosmpplib import utils

from smsgw.smpp import bodies, const, pdu, receipt, text, tlv
from smsgw.smpp.pdu import BadPdu, encode, read_sm


def submit(**fields: Any) -> bytes:
    """A submit_sm as a foreign client may send it."""
    return encode(const.SUBMIT_SM, 0, 1, pdu.sm_body(**{"source": b"1", "dest": b"2", "short_message": b"hi", **fields}))


def theirs(octets: bytes, kind: type[Any] = aiosmpplib.SubmitSm, default_encoding: str = "gsm0338") -> Any:
    """What aiosmpplib reads."""
    return kind.from_pdu(octets, kind.parse_header(octets[:16]), default_encoding)


def through(octets: bytes, default_encoding: str = "gsm0338") -> bytes:
    """What comes out when aiosmpplib reads a submit_sm and writes it again, as a gateway built on it would."""
    message = theirs(octets, default_encoding=default_encoding)
    message.set_encoding_info(default_encoding, None)
    return bytes(message.pdu())


def ours(octets: bytes) -> bytes:
    """What comes out when the same octets are read and built again here."""
    sm = read_sm(octets)
    fields = {name: getattr(sm, name) for name in pdu.Sm._fields[:16]}
    body = pdu.sm_body(**fields, short_message=octets[sm.sm_at : sm.tlv_at], tlvs=octets[sm.tlv_at :])
    return encode(const.SUBMIT_SM, 0, 1, body)


def test_what_it_carries():
    """A plain message passes unchanged: the comparisons below compare what they should."""
    octets = submit(short_message=b"Hello, World", validity=b"000002000000000R", tlvs=tlv.append(0x0204, b"\0\x07"))
    assert through(octets) == octets == ours(octets)


@pytest.mark.parametrize("value", [tlv.append(0x1400, b"\xff\x01"), tlv.append(const.TAG_NETWORK_ERROR_CODE, b"\x03\x00\xff")])
def test_01_tlvs_are_taken_for_ascii(value: bytes):
    """Limit 1: a TLV with octets over 0x7F cannot be read."""
    with pytest.raises(UnicodeDecodeError):
        theirs(submit(tlvs=value))
    assert ours(submit(tlvs=value)) == submit(tlvs=value)


def test_02_a_nul_at_the_end_of_a_tlv_is_lost():
    """Limit 2: a vendor's TLV loses its last NUL and changes its length."""
    octets = submit(tlvs=tlv.append(0x1400, b"abc\0"))
    assert through(octets) == submit(tlvs=tlv.append(0x1400, b"abc"))
    assert ours(octets) == octets


def test_03_lengths_of_known_tlvs_are_rewritten():
    """Limit 3: receipted_message_id without NUL and integers of another width change; a width of 3 is a KeyError."""
    for value in (tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, b"17"), tlv.append(const.TAG_SAR_MSG_REF_NUM, b"\x07")):
        octets = submit(tlvs=value)
        assert len(through(octets)) == len(octets) + 1
        assert ours(octets) == octets
    with pytest.raises(KeyError):
        theirs(submit(tlvs=tlv.append(const.TAG_SAR_MSG_REF_NUM, b"\0\0\x07")))


def test_04_the_order_of_tlvs_is_changed():
    """Limit 4: message_payload always comes first."""
    payload, reference = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"hi"), tlv.append(0x0204, b"\0\x07")
    octets = submit(short_message=b"", tlvs=reference + payload)
    assert through(octets) == submit(short_message=b"", tlvs=payload + reference)
    assert ours(octets) == octets


def test_05_a_cut_tlv_is_accepted():
    """Limit 5: a TLV that says 10 octets and has 2 is taken, and goes on with another length."""
    octets = submit(tlvs=b"\x14\x00\x00\x0aab")
    assert through(octets) == submit(tlvs=tlv.append(0x1400, b"ab"))
    with pytest.raises(BadPdu, match="tlv_cut_short"):
        list(tlv.iterate(octets, read_sm(octets).tlv_at))


@pytest.mark.parametrize("status", [0x400, 0x100, 0x4FF])
def test_06_an_unknown_status_is_an_exception(status: int):
    """Limit 6: a vendor's status, or one of 5.0, cannot even be parsed."""
    with pytest.raises(ValueError, match="not a valid SmppCommandStatus"):
        aiosmpplib.SubmitSmResp.parse_header(encode(const.SUBMIT_SM_RESP, status, 1))
    assert const.status_name(status)


def test_07_most_commands_are_missing():
    """Limit 7: a vendor's command is an exception, and ten of 3.4 have a number but no class."""
    with pytest.raises(ValueError, match="not a valid SmppCommand"):
        aiosmpplib.SubmitSm.parse_header(encode(0x00010200, 0, 1))
    missing = set(aiosmpplib.SmppCommand) - set(aiosmpplib.protocol.MESSAGE_TYPE_MAP)
    wanted = "data_sm query_sm cancel_sm replace_sm submit_multi outbind alert_notification"
    assert {name.upper() for name in wanted.split()} <= {command.name for command in missing}


def test_08_there_is_no_server():
    """Limit 8: it has an ESME, and nothing that listens."""
    assert hasattr(aiosmpplib, "ESME")
    assert not [name for name in dir(aiosmpplib) if name.lower().startswith(("server", "smsc", "listen"))]


@pytest.mark.parametrize("data_coding", [0xF5, 15, 0x10])
def test_09_an_unknown_data_coding_is_an_exception(data_coding: int):
    """Limit 9: only the thirteen codings of the table in 3.4 can be read."""
    octets = submit(data_coding=data_coding)
    with pytest.raises(ValueError, match="not a valid SmppDataCoding"):
        theirs(octets)
    assert ours(octets) == octets


@pytest.mark.parametrize("fields", [{"data_coding": 2}, {"data_coding": 4}, {"source": b"caf\xe9", "source_ton": 5}])
def test_10_binary_is_taken_for_ascii(fields: dict[str, Any]):
    """Limit 10: binary messages and addresses with octets over 0x7F cannot be read."""
    octets = submit(**{"short_message": b"\x80\xff", **fields})
    with pytest.raises(UnicodeDecodeError):
        theirs(octets)
    assert ours(octets) == octets


def test_11_septets_out_of_the_table_change_the_coding():
    """Limit 11: GSM text with an octet over 0x7F cannot be read, and with an unknown escape it comes out as UCS-2."""
    with pytest.raises(UnicodeDecodeError):
        theirs(submit(short_message=b"\x80"))
    octets = submit(short_message=b"\x1b\x01")
    out = read_sm(through(octets))
    assert (read_sm(octets).data_coding, out.data_coding) == (0, 8)
    assert ours(octets) == octets


def test_12_odd_ucs2_loses_an_octet():
    """Limit 12: the odd octet of UCS-2 is dropped, and a lone surrogate cannot be read."""
    octets = submit(short_message=b"\x4f\x60\x59", data_coding=8)
    assert through(octets) == submit(short_message=b"\x4f\x60", data_coding=8)
    assert ours(octets) == octets
    with pytest.raises(UnicodeDecodeError):
        theirs(submit(short_message=b"\xdc\x00\x00a", data_coding=8))


def test_13_another_default_alphabet_changes_the_coding():
    """Limit 13: on a link whose default is ASCII, data_coding 0 comes out as 1."""
    assert read_sm(through(submit(), "ascii")).data_coding == 1


def test_14_the_user_data_header_is_lost():
    """Limit 14: the header of a long message is removed and its flag kept, so that the handset shows rubbish."""
    octets = submit(short_message=b"\x05\x00\x03\x07\x02\x01part one", esm_class=0x40)
    out = through(octets)
    sm = read_sm(out)
    assert (sm.esm_class & 0x40, out[sm.sm_at :]) == (0x40, b"part one")
    assert ours(octets) == octets


def test_15_a_reference_of_16_bits_is_read_as_32():
    """Limit 15: reference 0x1234 is read as 0x12340201."""
    message = theirs(submit(short_message=b"\x06\x08\x04\x12\x34\x02\x01x", esm_class=0x40))
    assert message.get_segmentation_data()[0] == 0x12340201
    udh = text.read_udh(b"\x06\x08\x04\x12\x34\x02\x01x")
    assert udh is not None
    assert udh.concat is not None
    assert udh.concat.ref == 0x1234


def test_16_ports_are_taken_for_parts():
    """Limit 16: a header with WAP ports is read as a part of a long message."""
    message = theirs(submit(short_message=b"\x06\x05\x04\x0b\x84\x23\xf0x", esm_class=0x40))
    assert message.get_segmentation_data() == (0x0B, 0x23, 0x84)
    udh = text.read_udh(b"\x06\x05\x04\x0b\x84\x23\xf0x")
    assert udh is not None
    assert udh.concat is None


@pytest.mark.parametrize("kind", [aiosmpplib.SubmitSm, aiosmpplib.DeliverSm])
def test_17_an_empty_message_is_an_exception(kind: type[Any]):
    """Limit 17: an empty message, or a receipt that is only TLVs, cannot be read."""
    octets = submit(short_message=b"")
    with pytest.raises(ValueError, match="must be specified"):
        theirs(octets, kind)
    assert ours(octets) == octets


@pytest.mark.parametrize("validity", [b"001300000000000R", b"241125023000020-"])
def test_18_times_change(validity: bytes):
    """Limit 18: thirteen months and zones west of Greenwich come out as other times."""
    octets = submit(validity=validity)
    assert read_sm(through(octets)).validity != validity
    assert ours(octets) == octets


@pytest.mark.parametrize("fields", [{"source_ton": 7}, {"dest_npi": 2}, {"validity": b"nonsense validity"[:16]}])
def test_19_reserved_values_are_an_exception(fields: dict[str, Any]):
    """Limit 19: a reserved type of number or plan, or a time that is none, cannot be read."""
    with pytest.raises(ValueError, match=r".+"):
        theirs(submit(**fields))
    assert ours(submit(**fields)) == submit(**fields)


def test_19_a_long_destination_has_no_status():
    """Limit 19: a destination of 21 digits is a ValueError, which tells no status to answer with."""
    octets = submit(dest=b"1" * 21)
    with pytest.raises(ValueError, match="number"):
        theirs(octets)
    with pytest.raises(BadPdu) as raised:
        read_sm(octets)
    assert raised.value.status == const.ESME_RINVDSTADR


def test_20_a_long_password_has_no_status():
    """Limit 20: a password of 9 characters is a ValueError while reading, so that nobody can answer ESME_RINVPASWD."""
    octets = encode(const.BIND_TRANSCEIVER, 0, 1, bodies.bind_body(system_id=b"me", password=b"x" * 9))
    with pytest.raises(ValueError, match="password"):
        theirs(octets, aiosmpplib.BindTransceiver)
    with pytest.raises(BadPdu) as raised:
        bodies.read_bind(octets)
    assert raised.value.status == const.ESME_RINVPASWD


def test_21_responses_without_body_or_with_tlvs():
    """Limit 21: a bind_resp without body is an exception, and TLVs of a submit_sm_resp become part of message_id."""
    refusal = encode(const.BIND_TRANSCEIVER_RESP, const.ESME_RBINDFAIL, 1)
    with pytest.raises(ValueError, match="subsection not found"):
        theirs(refusal, aiosmpplib.BindTransceiverResp)
    assert bodies.read_bind_resp(refusal).system_id == b""
    answer = encode(const.SUBMIT_SM_RESP, 0, 1, b"17\0" + tlv.append(const.TAG_DELIVERY_FAILURE_REASON, b"\0"))
    assert theirs(answer, aiosmpplib.SubmitSmResp).message_id.startswith("17\0")
    assert pdu.read_message_id(answer) == b"17"


@pytest.mark.parametrize("piece", ["done date:241125023059", "err:0x2A", "err:DB:0141"])
def test_22_receipts_of_the_field_are_exceptions(piece: str):
    """Limit 22: dates with seconds and errors in letters end in ValueError."""
    words = f"id:17 sub:001 dlvrd:001 submit date:2411250230 {piece} stat:DELIVRD text:"
    body = pdu.sm_body(source=b"1", dest=b"2", esm_class=4, short_message=words.encode())
    octets = encode(const.DELIVER_SM, 0, 1, body)
    with pytest.raises(ValueError, match=r".+"):
        theirs(octets, aiosmpplib.DeliverSm).parse_receipt()
    read = receipt.parse(octets, read_sm(octets))
    assert read is not None
    assert (read.message_id, read.stat) == (b"17", b"DELIVRD")


def test_23_splitting_counts_characters():
    """Limit 23: 161 septets make one part, and a single part begins with an octet of its length."""
    (part,) = utils.split_sms_udh("a" * 159 + "€")
    assert (len(part), part[0]) == (162, 160)
    data_coding, octets = text.encode("a" * 159 + "€")
    assert text.count_parts(octets, data_coding) == 2


def test_24_passwords_are_shown():
    """Limit 24: the repr of a bind shows its password."""
    assert "secret08" in repr(aiosmpplib.BindTransceiver(system_id="me", password="secret08"))
    assert "secret08" not in repr(bodies.Bind(b"me", b"secret08", b"", 0x34, 0, 0, b""))


def test_relative_times_are_of_thirty_days():
    """Its months have 30 days and its years 365: another reason to leave times as they came."""
    assert aiosmpplib.SubmitSm.smpp_time_to_datetime("010100000000000R") == timedelta(days=395)
