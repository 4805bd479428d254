from __future__ import annotations

import pytest

from smsgw.smpp import const, pdu
from smsgw.smpp.pdu import BadPdu, DataSm, Pdu, Reader, Sm, encode, read_data_sm, read_message_id, read_sm

# A submit_sm of a real client, field by field.
FIELDS = (
    b"CMT\0",  # service_type
    b"\x05\x00",  # source_addr_ton, npi
    b"MelroseLabs\0",  # source_addr
    b"\x01\x01",  # dest_addr_ton, npi
    b"447712345678\0",  # destination_addr
    b"\x43\x7f\x02",  # esm_class, protocol_id, priority_flag
    b"241125023000000+\0",  # schedule_delivery_time
    b"000002000000000R\0",  # validity_period
    b"\x11\x01\x08\x07",  # registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
    b"\x05",  # sm_length
    b"\x00\x01\xff\x00\x02",  # short_message
    b"\x14\x00\x00\x02\x00\xff",  # a vendor's TLV with a NUL
)
SUBMIT = encode(const.SUBMIT_SM, 0, 7, b"".join(FIELDS))
STATUS_OF_FIELD = (
    const.ESME_RINVSERTYP,
    const.ESME_RINVSRCADR,
    const.ESME_RINVDSTADR,
    const.ESME_RINVSCHED,
    const.ESME_RINVEXPIRY,
)


def submit(command: int = const.SUBMIT_SM, **fields: object) -> bytes:
    """A submit_sm with these fields, others as short as they may be."""
    return encode(command, 0, 1, pdu.sm_body(**{"source": b"1", "dest": b"2", **fields}))  # type: ignore[arg-type]


def refused(octets: bytes, version: int = const.V34) -> int:
    """The status with which a submit_sm is refused."""
    with pytest.raises(BadPdu) as raised:
        read_sm(octets, version)
    return raised.value.status


def test_the_header_is_four_integers():
    """command_length counts itself; all four are unsigned and big endian (3.4 §3.2)."""
    octets = encode(const.GENERIC_NACK, 0x00000403, 0xFFFFFFFE, b"ab")
    assert octets.hex() == "000000128000000000000403fffffffe6162"
    assert pdu.HEADER.unpack_from(octets) == (18, const.GENERIC_NACK, 0x403, 0xFFFFFFFE)


def test_a_pdu_shows_its_header_only():
    """A repr tells command, status, sequence and length, and never a content or password."""
    shown = repr(Pdu(encode(9, 0, 3, b"id\0secret\0"), 9, 0, 3))
    assert shown == "<bind_transceiver status=ESME_ROK sequence=3 length=26>"
    assert Pdu(encode(9, 0, 3, b"id\0"), 9, 0, 3).body == b"id\0"


def test_submit_sm_field_by_field():
    """Each field stands in its place, reserved and unknown values as they came (3.4 §4.4.1)."""
    sm = read_sm(SUBMIT)
    assert sm == Sm(
        service_type=b"CMT",
        source_ton=5,
        source_npi=0,
        source=b"MelroseLabs",
        dest_ton=1,
        dest_npi=1,
        dest=b"447712345678",
        esm_class=0x43,
        protocol_id=0x7F,
        priority=2,
        schedule=b"241125023000000+",
        validity=b"000002000000000R",
        registered_delivery=0x11,
        replace=1,
        data_coding=8,
        default_msg_id=7,
        sm_length=5,
        sm_at=SUBMIT.index(FIELDS[10] + FIELDS[11]),
        tlv_at=len(SUBMIT) - 6,
        source_at=20,
        esm_at=SUBMIT.index(FIELDS[5]),
        registered_at=SUBMIT.index(FIELDS[8]),
    )
    assert SUBMIT[sm.sm_at : sm.tlv_at] == FIELDS[10]
    assert isinstance(sm, Sm)


def test_offsets_point_at_their_octets():
    """A relay that changes one octet at an offset changes that field alone."""
    sm = read_sm(SUBMIT)
    for at, name, old in (
        (sm.source_at, "source_ton", 5),
        (sm.source_at + 1, "source_npi", 0),
        (sm.esm_at, "esm_class", 0x43),
        (sm.registered_at, "registered_delivery", 0x11),
        (sm.registered_at + 2, "data_coding", 8),
    ):
        assert SUBMIT[at] == old
        changed = SUBMIT[:at] + b"\x3c" + SUBMIT[at + 1 :]
        assert read_sm(changed) == sm._replace(**{name: 0x3C})


def test_the_shortest_submit_sm():
    """All strings empty and no message: legal, the judgement about addresses is made elsewhere (items 75, 84, 99)."""
    sm = read_sm(submit(source=b"", dest=b""))
    assert (sm.source, sm.dest, sm.sm_length) == (b"", b"", 0)
    assert sm.sm_at == sm.tlv_at == 16 + 17


def test_any_ton_and_npi_are_read():
    """Reserved types of number and plans are values like any other (item 78)."""
    sm = read_sm(submit(source_ton=255, source_npi=2, dest_ton=7, dest_npi=99))
    assert (sm.source_ton, sm.source_npi, sm.dest_ton, sm.dest_npi) == (255, 2, 7, 99)


@pytest.mark.parametrize(
    ("field", "longest", "status"),
    [
        ("service_type", 5, const.ESME_RINVSERTYP),
        ("source", 20, const.ESME_RINVSRCADR),
        ("dest", 20, const.ESME_RINVDSTADR),
        ("schedule", 16, const.ESME_RINVSCHED),
        ("validity", 16, const.ESME_RINVEXPIRY),
    ],
)
def test_each_string_has_its_limit(field: str, longest: int, status: int):
    """The longest string is read, one octet more is refused with the status of that field (items 74, 76, 77, 80)."""
    assert getattr(read_sm(submit(**{field: b"x" * longest})), field) == b"x" * longest
    assert refused(submit(**{field: b"x" * (longest + 1)})) == status


@pytest.mark.parametrize("length", [1, 12, 15])
def test_a_time_has_16_octets_or_none(length: int):
    """schedule_delivery_time and validity_period of any other length are refused (item 80)."""
    assert refused(submit(schedule=b"1" * length)) == const.ESME_RINVSCHED
    assert refused(submit(validity=b"1" * length)) == const.ESME_RINVEXPIRY


def test_the_first_wrong_field_is_blamed():
    """Of several errors the first in the order of the fields is told."""
    assert refused(submit(source=b"1" * 21, dest=b"2" * 21, validity=b"3")) == const.ESME_RINVSRCADR
    assert refused(submit(source=b"1" * 21, short_message=b"x" * 9)[:-3]) == const.ESME_RINVSRCADR


def test_short_message_of_255_octets_is_of_5_0():
    """254 octets in 3.4, 255 in 5.0 (item 81)."""
    assert read_sm(submit(short_message=b"x" * 254)).sm_length == 254
    assert refused(submit(short_message=b"x" * 255)) == const.ESME_RINVMSGLEN
    assert read_sm(submit(short_message=b"x" * 255), const.V50).sm_length == 255


def test_a_deliver_sm_may_use_long_words():
    """Message centres put longer words in service_type; their messages and receipts are read all the same."""
    sm = read_sm(submit(const.DELIVER_SM, service_type=b"smscsim", schedule=b"2411250230", source=b"1" * 30))
    assert (sm.service_type, sm.schedule, len(sm.source)) == (b"smscsim", b"2411250230", 30)
    assert refused(submit(const.DELIVER_SM, service_type=b"x" * 65)) == const.ESME_RINVSERTYP


def test_sm_length_over_the_end_is_refused():
    """A sm_length that reaches over the PDU is ESME_RINVMSGLEN, never a shorter message (item 82)."""
    octets = submit(short_message=b"hello")
    assert refused(octets[:-1]) == const.ESME_RINVMSGLEN
    assert read_sm(octets + b"x").tlv_at == len(octets)


def test_every_cut_is_refused():
    """A body that ends early anywhere is refused with ESME_RINVCMDLEN, from its message on ESME_RINVMSGLEN (item 87)."""
    sm = read_sm(SUBMIT)
    for end in range(16, sm.tlv_at):
        expected = const.ESME_RINVMSGLEN if end >= sm.sm_at else const.ESME_RINVCMDLEN
        assert refused(SUBMIT[:end]) == expected, end
    assert read_sm(SUBMIT[: sm.tlv_at]).tlv_at == sm.tlv_at


@pytest.mark.parametrize("which", range(5))
def test_a_string_without_end_is_its_field_s_error(which: int):
    """A string that meets neither a NUL nor its limit is refused with the status of that field (item 74)."""
    before = (b"", b"\0\0\0", b"\0\0\0\0\0\0", b"\0" * 10, b"\0" * 11)[which]
    assert refused(encode(const.SUBMIT_SM, 0, 1, before + b"x" * 80)) == STATUS_OF_FIELD[which]


def test_a_header_alone_is_refused():
    """A submit_sm without a body is ESME_RINVCMDLEN."""
    assert refused(encode(const.SUBMIT_SM, 0, 1)) == const.ESME_RINVCMDLEN


def test_the_error_names_the_field_not_its_content():
    """BadPdu tells a constant word for the log and the status for the answer, never what the peer wrote."""
    with pytest.raises(BadPdu, match=r"^destination_addr$") as raised:
        read_sm(submit(dest=b"8613800138000" * 2))
    assert (raised.value.status, raised.value.reason) == (const.ESME_RINVDSTADR, "destination_addr")


def test_what_sm_body_builds_is_what_came():
    """The fields of a PDU build the same octets again."""
    sm = read_sm(SUBMIT)
    fields = {name: getattr(sm, name) for name in Sm._fields[:16]}
    built = pdu.sm_body(**fields, short_message=SUBMIT[sm.sm_at : sm.tlv_at], tlvs=SUBMIT[sm.tlv_at :])
    assert encode(const.SUBMIT_SM, 0, 7, built) == SUBMIT


def test_a_message_too_long_for_its_octet_is_not_built():
    """A short_message of 256 octets is our own error."""
    with pytest.raises(ValueError, match="range"):
        pdu.sm_body(source=b"1", dest=b"2", short_message=b"x" * 256)


def test_data_sm_field_by_field():
    """data_sm has addresses up to 64 octets and its message in TLVs alone (3.4 §4.7.1, item 166)."""
    body = pdu.data_sm_body(
        service_type=b"WAP",
        source=b"a" * 64,
        source_ton=1,
        source_npi=2,
        dest=b"b" * 64,
        dest_ton=3,
        dest_npi=4,
        esm_class=0x40,
        registered_delivery=1,
        data_coding=0xF5,
        tlvs=b"\x04\x24\x00\x01x",
    )
    octets = encode(const.DATA_SM, 0, 1, body)
    read = read_data_sm(octets)
    assert read == DataSm(
        *(b"WAP", 1, 2, b"a" * 64, 3, 4, b"b" * 64, 0x40, 1, 0xF5),
        tlv_at=len(octets) - 5,
        source_at=20,
        esm_at=len(octets) - 8,
        registered_at=len(octets) - 7,
    )
    assert octets[read.registered_at] == 1
    for end in range(16, read.tlv_at):
        with pytest.raises(BadPdu) as raised:
            read_data_sm(octets[:end])
        assert raised.value.status == const.ESME_RINVCMDLEN


@pytest.mark.parametrize(
    ("field", "status"),
    [("service_type", const.ESME_RINVSERTYP), ("source", const.ESME_RINVSRCADR), ("dest", const.ESME_RINVDSTADR)],
)
def test_data_sm_has_limits_too(field: str, status: int):
    """Addresses of 65 octets, and a service_type of 6 (items 76, 77)."""
    fields = {"source": b"", "dest": b"", field: b"x" * (6 if field == "service_type" else 65)}
    with pytest.raises(BadPdu) as raised:
        read_data_sm(encode(const.DATA_SM, 0, 1, pdu.data_sm_body(**fields)))
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b"", b""),
        (b"\0", b""),
        (b"0A1f\0", b"0A1f"),
        (b"0A1f", b"0A1f"),
        (b"17\0\x04\x25\x00\x01\x00", b"17"),
        (b"17\0\0", b"17"),
    ],
)
def test_a_message_id_is_read_as_peers_send_it(body: bytes, message_id: bytes):
    """With a body or none, with a NUL or none, with TLVs or none, and never turned into a number (items 152, 154)."""
    assert read_message_id(encode(const.SUBMIT_SM_RESP, 0, 1, body)) == message_id


def test_a_reader_never_leaves_its_octets():
    """Every way to read more than there is ends in BadPdu with ESME_RINVCMDLEN, and the place stays within."""
    for read in (Reader.octet, lambda body: body.take(1), lambda body: body.string(9, 99, "x"), lambda body: body.time(99, "x")):
        body = Reader(encode(const.QUERY_SM, 0, 1))
        with pytest.raises(BadPdu) as raised:
            read(body)
        assert (raised.value.status, body.at) == (const.ESME_RINVCMDLEN, 16)
