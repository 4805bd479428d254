from __future__ import annotations

import pytest

from smsgw.smpp import pdu, receipt, tlv
from smsgw.smpp.const import (
    DATA_SM,
    DELIVER_SM,
    TAG_MESSAGE_PAYLOAD,
    TAG_MESSAGE_STATE,
    TAG_RECEIPTED_MESSAGE_ID,
    V33,
    V34,
)

COMMON = b"id:1234567890 sub:001 dlvrd:001 submit date:2411240210 done date:2411240211 stat:DELIVRD err:000 text:hello there"
OUR_ID = b"7123456789012345678"
SOURCE = (1, 1, b"8613800138000")
DEST = (0, 1, b"10690001")


def id_tlv(value: bytes) -> bytes:
    """A TLV receipted_message_id with this value."""
    return tlv.append(TAG_RECEIPTED_MESSAGE_ID, value)


def state_tlv(state: int) -> bytes:
    """A TLV message_state of one octet."""
    return tlv.append(TAG_MESSAGE_STATE, bytes((state,)))


def deliver(
    text: bytes = COMMON, tlvs: bytes = b"", *, esm_class: int = 0x04, data_coding: int = 0, service_type: bytes = b""
) -> bytes:
    """A deliver_sm as a carrier sends it."""
    body = pdu.sm_body(
        source=b"13800138000",
        dest=b"999",
        short_message=text,
        service_type=service_type,
        source_ton=2,
        source_npi=8,
        esm_class=esm_class,
        protocol_id=0x41,
        data_coding=data_coding,
        tlvs=tlvs,
    )
    return pdu.encode(DELIVER_SM, 0, 7, body)


def parse(octets: bytes, *, typed_only: bool = False) -> receipt.Receipt | None:
    """What parse makes of a deliver_sm."""
    return receipt.parse(octets, pdu.read_sm(octets), typed_only=typed_only)


def read(octets: bytes) -> receipt.Receipt:
    """The receipt in a deliver_sm that holds one."""
    found = parse(octets)
    assert found is not None
    return found


def rewrite(octets: bytes, our_id: bytes = OUR_ID) -> bytes:
    """The body that rewrite makes of a carrier's receipt."""
    sm = pdu.read_sm(octets)
    found = receipt.parse(octets, sm)
    assert found is not None
    return receipt.rewrite(octets, sm, found, our_id=our_id, source=SOURCE, dest=DEST)


def wire(body: bytes) -> bytes:
    """A body of ours as a whole PDU."""
    return pdu.encode(DELIVER_SM, 0, 1, body)


def short_message(body: bytes) -> bytes:
    """The short_message of a body."""
    octets = wire(body)
    sm = pdu.read_sm(octets)
    return octets[sm.sm_at : sm.sm_at + sm.sm_length]


def tlvs_of(body: bytes) -> bytes:
    """The TLVs of a body, as they stand."""
    octets = wire(body)
    return octets[pdu.read_sm(octets).tlv_at :]


def test_the_common_text_is_read_field_by_field():
    """A text to the letter of Appendix B gives id, state, error, dates and text (item 173)."""
    found = read(deliver())
    assert found.message_id == found.text_id == b"1234567890"
    assert (found.stat, found.state, found.error) == (b"DELIVRD", 2, b"000")
    assert (found.submit_date, found.done_date) == (b"2411240210", b"2411240211")
    assert found.text == b"hello there"
    assert found.final
    assert not found.intermediate
    assert not found.id_from_tlv
    assert found.plain


def test_tlvs_come_before_the_text():
    """receipted_message_id and message_state win over the text, which stays readable beside them (item 176)."""
    found = read(deliver(tlvs=id_tlv(b"abc\0") + state_tlv(5)))
    assert (found.message_id, found.tlv_id, found.text_id) == (b"abc", b"abc", b"1234567890")
    assert found.id_from_tlv
    assert (found.state, found.tlv_state, found.stat) == (5, 5, b"DELIVRD")


@pytest.mark.parametrize("value", [b"abc\0", b"abc", b"abc\0\0"])
def test_the_id_tlv_is_read_with_and_without_its_nul(value: bytes):
    """receipted_message_id means the same with a NUL, without and with two (item 96)."""
    assert read(deliver(tlvs=id_tlv(value))).message_id == b"abc"


@pytest.mark.parametrize("value", [b"", b"\0"])
def test_an_empty_id_tlv_gives_way_to_the_text(value: bytes):
    """An id TLV that names nothing does not hide the id in the text."""
    found = read(deliver(tlvs=id_tlv(value)))
    assert found.message_id == b"1234567890"
    assert not found.id_from_tlv


@pytest.mark.parametrize("value", [b"\x02", b"\0\x02", b"\0\0\0\x02"])
def test_the_state_tlv_is_read_as_one_two_or_four_octets(value: bytes):
    """message_state is read leniently as an integer (item 94)."""
    assert read(deliver(b"", id_tlv(b"1\0") + tlv.append(TAG_MESSAGE_STATE, value))).state == 2


STATS = {
    b"DELIVRD": (2, True),
    b"EXPIRED": (3, True),
    b"DELETED": (4, True),
    b"UNDELIV": (5, True),
    b"ACCEPTD": (6, False),
    b"UNKNOWN": (7, True),
    b"REJECTD": (8, True),
    b"ENROUTE": (1, False),
    b"SKIPPED": (9, True),
    b"BUFFERED": (1, False),
    b"delivrd": (2, True),
    b"DELIVERED": (2, True),
    b"UNDELIVERABLE": (5, True),
    b"REJECTED": (8, True),
    b"Accepted": (6, False),
    b"MBBLACK": (7, True),
    b"MK:0001": (7, True),
    b"ID:0076": (7, True),
}


@pytest.mark.parametrize("stat", STATS)
def test_every_state_word_is_known(stat: bytes):
    """Each word of Appendix B, the vendors' spellings and words that nobody knows give a state (item 174)."""
    found = read(deliver(COMMON.replace(b"DELIVRD", stat)))
    assert (found.state, found.final) == STATS[stat]
    assert found.intermediate is not found.final
    assert found.stat == stat.upper()[:7]


@pytest.mark.parametrize("state", range(1, 10))
def test_every_state_of_the_tlv_is_known(state: int):
    """message_state 1 to 9 is taken as it is, and its word given when there is no text (items 174, 184)."""
    found = read(deliver(b"", id_tlv(b"1\0") + state_tlv(state)))
    assert found.state == state
    assert found.stat == receipt.STAT_OF_STATE[state]
    assert found.final is (state not in {1, 6})


def test_state_zero_in_the_tlv_gives_way_to_the_text():
    """message_state 0 beside a text means what the text says; alone it is SCHEDULED and closes nothing (item 182)."""
    assert read(deliver(tlvs=state_tlv(0))).state == 2
    alone = read(deliver(b"", id_tlv(b"1\0") + state_tlv(0)))
    assert (alone.state, alone.final) == (0, False)


def test_a_state_out_of_range_in_the_tlv_gives_way_to_the_text():
    """A message_state that no version knows leaves the text's state, or UNKNOWN (item 182)."""
    assert read(deliver(tlvs=state_tlv(200))).state == 2
    assert read(deliver(b"", id_tlv(b"1\0") + state_tlv(200))).state == 7


LENIENT = {
    "without sub and dlvrd": COMMON.replace(b"sub:001 dlvrd:001 ", b""),
    "Text for text": COMMON.replace(b" text:", b" Text:"),
    "capitals": COMMON.replace(b"id:", b"ID:").replace(b"stat:", b"Stat:").replace(b"err:", b"ERR:"),
    "lines": COMMON.replace(b" sub", b"\nsub").replace(b" stat", b"\r\nstat").replace(b" err", b"\nerr"),
    "commas": COMMON.replace(b" sub", b", sub").replace(b" dlv", b",dlv").replace(b" stat", b",stat"),
    "semicolons": COMMON.replace(b" sub", b"; sub").replace(b" stat", b";stat"),
    "blanks": COMMON.replace(b"id:", b" id: ").replace(b"stat:", b"stat: ").replace(b"date:", b"date: "),
    "extra fields": COMMON.replace(b" stat", b" mcc:460 mnc:00 price:0.038 stat"),
    "other order": b"stat:DELIVRD err:000 id:1234567890 done date:2411240211 submit date:2411240210 text:hello there",
    "text first": b"text:hello there stat:DELIVRD err:000 done date:2411240211 submit date:2411240210 id:1234567890",
    "underscores": COMMON.replace(b"submit date", b"submit_date").replace(b"done date", b"done_date"),
    "status": COMMON.replace(b"stat:", b"status:").replace(b"err:", b"error:"),
    "three digits missing": COMMON.replace(b"sub:001 dlvrd:001", b"sub:1 dlvrd:1"),
}


@pytest.mark.parametrize("name", LENIENT)
def test_texts_are_read_leniently(name: str):
    """Missing, misspelt, moved and foreign fields change nothing of what is there (item 175)."""
    found = read(deliver(LENIENT[name]))
    assert (found.message_id, found.state, found.error) == (b"1234567890", 2, b"000")
    assert (found.submit_date, found.done_date) == (b"2411240210", b"2411240211")
    assert found.text.strip() == b"hello there"


@pytest.mark.parametrize("date", [b"241124021059", b"20241124021059", b"2411240210", b"2024-11-24 02:10:59"])
def test_dates_are_taken_in_every_length(date: bytes):
    """Dates of 10, 12 and 14 digits, and with separators, are given as sent (item 175)."""
    found = read(deliver(COMMON.replace(b"2411240211", date)))
    assert found.done_date == date
    assert found.state == 2


@pytest.mark.parametrize("error", [b"0042", b"0x2A", b"DB:0141", b"EC_1", b"-1", b"1", b""])
def test_errors_need_not_be_three_digits(error: bytes):
    """err of any length, letters and separators is given as sent (item 175)."""
    found = read(deliver(COMMON.replace(b"err:000", b"err:" + error)))
    assert found.error == error
    assert found.text == b"hello there"


def test_a_long_id_is_read_whole():
    """Ids of up to 64 characters that are no numbers stay as they are (items 154, 173)."""
    long_id = b"1eedF843-0913-uuid-" + b"0" * 45
    assert read(deliver(COMMON.replace(b"1234567890", long_id))).message_id == long_id


def test_an_id_that_no_carrier_gives_is_none():
    """An id of over 64 octets matches nothing, but is not passed on either (item 197)."""
    octets = deliver(COMMON.replace(b"1234567890", b"9" * 65))
    assert read(octets).message_id == b""
    assert b"9" * 65 not in rewrite(octets)


def test_a_text_without_text_field_is_read():
    """The text: field may be missing, also behind a NUL that ends the text."""
    for tail in (b"", b"\0"):
        found = read(deliver(COMMON.partition(b" text:")[0] + tail))
        assert (found.error, found.text) == (b"000", b"")


def test_the_tenants_text_cannot_speak_for_the_carrier():
    """What stands behind text: does not replace fields read before it."""
    found = read(deliver(COMMON.replace(b"sub:001 ", b"") + b" id:666 stat:REJECTD err:999"))
    assert (found.message_id, found.state, found.error) == (b"1234567890", 2, b"000")


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("data_coding", [8, 0x18, 0])
def test_receipts_in_ucs2_are_read(codec: str, data_coding: int):
    """Two octets a character are seen by themselves, whatever data_coding says (item 175)."""
    text = (COMMON.decode()[:-11] + "你好").encode(codec)
    found = read(deliver(text, data_coding=data_coding))
    assert (found.message_id, found.state, found.done_date) == (b"1234567890", 2, b"2411240211")
    assert found.text == "你好".encode(codec)
    assert not found.plain


def test_a_header_before_the_text_is_skipped():
    """A receipt with the UDHI bit has its text behind the user data header (items 112, 175)."""
    found = read(deliver(b"\x05\0\x03\x01\x01\x01" + COMMON, esm_class=0x44))
    assert (found.message_id, found.state, found.text) == (b"1234567890", 2, b"hello there")


def test_a_header_that_does_not_fit_is_taken_for_text():
    """The UDHI bit without room for a header does not hide the text."""
    assert read(deliver(COMMON, esm_class=0x44)).message_id == b"1234567890"


def test_the_text_may_stand_in_message_payload():
    """An empty short_message sends the reader to message_payload (item 175)."""
    found = read(deliver(b"", tlv.append(TAG_MESSAGE_PAYLOAD, COMMON)))
    assert (found.message_id, found.state, found.text) == (b"1234567890", 2, b"hello there")


def test_a_receipt_may_be_tlvs_alone():
    """A receipt without any text is known by its TLVs."""
    found = read(deliver(b"", state_tlv(2) + id_tlv(b"77\0")))
    assert (found.message_id, found.state, found.final, found.text_id) == (b"77", 2, True, b"")


def test_a_receipt_that_says_nothing_closes_nothing():
    """esm_class alone makes a receipt, but one without id and final state (item 181)."""
    found = read(deliver(b"something happened"))
    assert (found.message_id, found.state, found.final, found.intermediate) == (b"", 7, False, False)


@pytest.mark.parametrize("esm_class", [0x04, 0x05, 0x06, 0x07, 0x84, 0x44])
def test_only_the_type_bits_tell_a_receipt(esm_class: int):
    """Mode, reply path and UDHI bits beside the type do not matter (items 111, 112)."""
    assert read(deliver(esm_class=esm_class)).message_id == b"1234567890"


def test_an_intermediate_notification_never_closes():
    """esm_class 0x20 is intermediate whatever state it names (item 183)."""
    found = read(deliver(esm_class=0x20))
    assert (found.state, found.intermediate, found.final) == (2, True, False)
    enroute = read(deliver(COMMON.replace(b"DELIVRD", b"ENROUTE"), esm_class=0x20))
    assert (enroute.state, enroute.intermediate) == (1, True)


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x18, 0x0C])
def test_acknowledgements_of_handsets_are_no_receipts(esm_class: int):
    """Delivery and user acknowledgements are messages, whatever their text (item 111)."""
    assert parse(deliver(esm_class=esm_class)) is None


def test_an_untyped_receipt_is_told_by_its_text_or_tlvs():
    """With esm_class 0 a whole receipt text, or both TLVs, make a receipt (item 111)."""
    assert read(deliver(esm_class=0)).message_id == b"1234567890"
    assert read(deliver(b"", id_tlv(b"7\0") + state_tlv(2), esm_class=0)).message_id == b"7"
    assert read(deliver(COMMON.decode().encode("utf-16-be"), esm_class=0, data_coding=8)).state == 2


@pytest.mark.parametrize("text", [b"", b"STOP", b"id: please call me", b"my id:1 stat:DELIVRD done date:2411240211"])
def test_a_message_is_no_receipt(text: bytes):
    """With esm_class 0 a text that is not a whole receipt from its first letter is a message."""
    assert parse(deliver(text, esm_class=0)) is None


def test_untyped_receipts_can_be_refused():
    """A carrier that sets esm_class rightly can be held to it, so that no handset forges a receipt."""
    assert parse(deliver(esm_class=0), typed_only=True) is None
    assert parse(deliver(esm_class=4), typed_only=True) is not None


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0", b"\x04\x24\x00\xff1234"])
def test_a_broken_end_of_the_tlvs_hides_nothing_and_is_not_passed_on(tail: bytes):
    """Whole TLVs before loose octets or a cut TLV are read; the rest never reaches the tenant (item 92)."""
    octets = deliver(tlvs=id_tlv(b"9\0") + state_tlv(2) + tail)
    found = read(octets)
    assert (found.message_id, found.tlv_state) == (b"9", 2)
    assert tlvs_of(rewrite(octets)) == id_tlv(OUR_ID + b"\0") + state_tlv(2)


def test_rewrite_changes_addresses_and_ids_alone():
    """Every octet between comes out as it went in: service_type, pid, dates, state, error, vendor TLVs, their order."""
    vendor = tlv.append(0x1400, b"a\0b") + tlv.append(0x0423, b"\x03\0\x01")
    octets = deliver(tlvs=vendor + id_tlv(b"1234567890\0") + state_tlv(2) + vendor, service_type=b"CMT")
    body = rewrite(octets)
    expected = pdu.sm_body(
        source=SOURCE[2],
        dest=DEST[2],
        short_message=COMMON.replace(b"1234567890", OUR_ID),
        service_type=b"CMT",
        source_ton=1,
        source_npi=1,
        dest_ton=0,
        dest_npi=1,
        esm_class=0x04,
        protocol_id=0x41,
        tlvs=vendor + id_tlv(OUR_ID + b"\0") + state_tlv(2) + vendor,
    )
    assert body == expected


@pytest.mark.parametrize("name", LENIENT)
def test_rewrite_keeps_the_carriers_way_of_writing(name: str):
    """However the text is written, the id alone is replaced (item 177)."""
    body = rewrite(deliver(LENIENT[name]))
    assert short_message(body) == LENIENT[name].replace(b"1234567890", OUR_ID)
    assert tlvs_of(body) == b""


def test_rewrite_adds_no_tlv():
    """A receipt that came without TLVs goes on without."""
    assert tlvs_of(rewrite(deliver())) == b""
    assert tlvs_of(rewrite(deliver(tlvs=state_tlv(2)))) == state_tlv(2)


def test_rewrite_replaces_every_id_tlv():
    """A second receipted_message_id is not left with the carrier's id (item 197)."""
    body = rewrite(deliver(tlvs=id_tlv(b"1\0") + id_tlv(b"2\0")))
    assert tlvs_of(body) == id_tlv(OUR_ID + b"\0") * 2


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
def test_rewrite_writes_ucs2_where_ucs2_was(codec: str):
    """Our id stands in the width and byte order of the carrier's."""
    text = COMMON.decode().partition(" submit")[0] + " stat:DELIVRD"
    body = rewrite(deliver(text.encode(codec), data_coding=8))
    assert short_message(body) == text.replace("1234567890", OUR_ID.decode()).encode(codec)


def test_rewrite_reaches_the_id_in_message_payload():
    """The text in message_payload gets our id and the TLV its new length."""
    after = tlv.append(0x1400, b"x")
    body = rewrite(deliver(b"", tlv.append(TAG_MESSAGE_PAYLOAD, COMMON) + after))
    assert short_message(body) == b""
    assert tlvs_of(body) == tlv.append(TAG_MESSAGE_PAYLOAD, COMMON.replace(b"1234567890", OUR_ID)) + after


def test_rewrite_cuts_the_tail_that_does_not_fit():
    """A text over 254 octets with our id loses its end, and in UCS-2 no half character is left."""
    long_text = COMMON + b"x" * (254 - len(COMMON))
    assert short_message(rewrite(deliver(long_text))) == long_text.replace(b"1234567890", OUR_ID)[:254]
    wide = ("id:1 stat:DELIVRD text:" + "x" * 104).encode("utf-16-be")
    headed = b"\x02\x70\0" + wide[:250]
    body = rewrite(deliver(headed, esm_class=0x44, data_coding=8))
    assert len(short_message(body)) == 253
    assert short_message(body).endswith(b"\0x")


def test_a_receipt_without_any_id_is_passed_on_as_it_is():
    """With no id to replace only the addresses change."""
    assert short_message(rewrite(deliver(b"stat:DELIVRD"))) == b"stat:DELIVRD"


def data_sm(tlvs: bytes, esm_class: int = 0x04) -> bytes:
    """A data_sm as a carrier sends it."""
    return pdu.encode(
        DATA_SM, 0, 7, pdu.data_sm_body(source=b"13800138000", dest=b"999", esm_class=esm_class, data_coding=3, tlvs=tlvs)
    )


@pytest.mark.parametrize("esm_class", [0x04, 0])
def test_a_receipt_by_data_sm_is_read_and_passed_on(esm_class: int):
    """data_sm is read like deliver_sm; it leaves as data_sm, or as deliver_sm for tenants that want one (items 166, 168)."""
    octets = data_sm(tlv.append(TAG_MESSAGE_PAYLOAD, COMMON) + id_tlv(b"55\0") + state_tlv(2), esm_class)
    sm = pdu.read_data_sm(octets)
    found = receipt.parse(octets, sm)
    assert found is not None
    assert (found.message_id, found.text_id, found.state) == (b"55", b"1234567890", 2)
    tlvs = tlv.append(TAG_MESSAGE_PAYLOAD, COMMON.replace(b"1234567890", OUR_ID)) + id_tlv(OUR_ID + b"\0") + state_tlv(2)
    assert receipt.rewrite(octets, sm, found, our_id=OUR_ID, source=SOURCE, dest=DEST) == pdu.data_sm_body(
        source=SOURCE[2], dest=DEST[2], source_ton=1, source_npi=1, dest_npi=1, esm_class=esm_class, data_coding=3, tlvs=tlvs
    )
    assert receipt.rewrite_data(octets, sm, found, our_id=OUR_ID, source=SOURCE, dest=DEST) == pdu.sm_body(
        source=SOURCE[2], dest=DEST[2], source_ton=1, source_npi=1, dest_npi=1, esm_class=esm_class, data_coding=3, tlvs=tlvs
    )


@pytest.mark.parametrize("tlvs", [b"", id_tlv(b"5\0"), state_tlv(2), tlv.append(TAG_MESSAGE_PAYLOAD, b"hello")])
def test_a_message_by_data_sm_is_no_receipt(tlvs: bytes):
    """data_sm without type bits is a receipt only with both TLVs or a receipt's text."""
    octets = data_sm(tlvs, esm_class=0)
    assert receipt.parse(octets, pdu.read_data_sm(octets)) is None


def build(state: int = 2, **changes: object) -> bytes:
    """A receipt of our own, with some fields changed."""
    fields: dict[str, object] = {
        "our_id": OUR_ID,
        "source": SOURCE,
        "dest": DEST,
        "state": state,
        "submit_date": b"2411240210",
        "done_date": b"2411240211",
    }
    return receipt.build(**(fields | changes))  # type: ignore[arg-type]


def test_a_built_receipt_is_strict():
    """A receipt of ours is Appendix B to the letter, with both TLVs (item 173)."""
    body = build(text=b"a text that is longer than twenty", error=b"7")
    assert short_message(body) == (
        b"id:" + OUR_ID + b" sub:001 dlvrd:001 submit date:2411240210 done date:2411240211"
        b" stat:DELIVRD err:007 text:a text that is longe"
    )
    assert tlvs_of(body) == id_tlv(OUR_ID + b"\0") + state_tlv(2)
    octets = wire(body)
    sm = pdu.read_sm(octets)
    assert (sm.esm_class, sm.source, sm.source_ton, sm.dest, sm.dest_npi) == (0x04, SOURCE[2], 1, DEST[2], 1)


@pytest.mark.parametrize("state", range(10))
def test_a_built_receipt_reads_back(state: int):
    """What build writes, parse reads: every state, with SCHEDULED sent as ENROUTE (item 184)."""
    found = read(wire(build(state)))
    assert found.state == (state or 1)
    assert found.stat == receipt.STAT_OF_STATE[state]
    assert found.message_id == OUR_ID
    assert (b"dlvrd:001" in build(state)) is (state == 2)


def test_a_built_receipt_may_be_text_alone():
    """Without TLVs nothing follows the text, for sessions older than 3.4 (item 100)."""
    assert tlvs_of(build(tlvs=False)) == b""


def test_for_version_drops_tlvs_below_34():
    """A session of 3.3 gets no TLV; one of 3.4 gets the body untouched (items 100, 198)."""
    body = build()
    assert receipt.for_version(body, V34) is body
    older = receipt.for_version(body, V33)
    assert tlvs_of(older) == b""
    assert short_message(older) == short_message(body)


def test_for_version_moves_the_payload_into_short_message():
    """A message_payload becomes short_message, cut at 254 octets (item 198)."""
    payload = tlv.append(TAG_MESSAGE_PAYLOAD, COMMON * 4)
    body = pdu.sm_body(source=b"1", dest=b"2", esm_class=0x04, tlvs=state_tlv(2) + payload)
    older = receipt.for_version(body, V33)
    assert short_message(older) == (COMMON * 4)[:254]
    assert tlvs_of(older) == b""


def test_for_version_cuts_what_only_50_allows():
    """A short_message of 255 octets, legal in 5.0 alone, loses its last octet below 3.4 (item 81)."""
    older = receipt.for_version(pdu.sm_body(source=b"1", dest=b"2", short_message=b"x" * 255), V33)
    assert short_message(older) == b"x" * 254
