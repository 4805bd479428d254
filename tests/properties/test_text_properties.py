from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from smsgw.smpp import gsm7, pdu, receipt, text, tlv
from smsgw.smpp.const import DELIVER_SM, TAG_MESSAGE_PAYLOAD, TAG_RECEIPTED_MESSAGE_ID
from smsgw.smpp.shift_tables import LANGUAGES, LOCKING, SINGLE, VOID
from smsgw.smpp.text import Alphabet, count_parts, decode, encode, pack7, read_udh, sar, split, unpack7

CODINGS = st.integers(0, 255)
DEFAULTS = st.sampled_from([str(kind) for kind in Alphabet])
HEADER = st.sampled_from(["header", "no header"])
RULES = st.sampled_from(["gsm_ucs2", "cn_char", "octet"])
OCTETS = st.binary(max_size=400)
SEPTETS = st.binary(max_size=800).map(lambda octets: bytes(octet & 0x7F for octet in octets))
GSM_CHARACTERS = "".join(LOCKING[0]).replace(VOID, "") + "".join(SINGLE[0].values())


@given(octets=OCTETS, coding=CODINGS, default=DEFAULTS, header=HEADER)
def test_any_octets_decode(octets: bytes, coding: int, default: str, header: str):
    """Any octets under any data_coding give a text without surrogates, and no exception."""
    udh = read_udh(octets) if header == "header" else None
    assert decode(octets, coding, udh=udh, default_alphabet=default).text.encode() is not None


@given(octets=OCTETS, coding=CODINGS, default=DEFAULTS, header=HEADER, rule=RULES)
def test_any_octets_count(octets: bytes, coding: int, default: str, header: str, rule: text.PartRule):
    """Any octets are at least one part by every rule, and no exception."""
    udh = read_udh(octets) if header == "header" else None
    assert count_parts(octets, coding, udh=udh, default_alphabet=default, rule=rule) >= 1


@given(octets=OCTETS, at=st.integers(0, 20))
def test_any_octets_have_a_header_and_sar_or_not(octets: bytes, at: int):
    """Reading headers and SAR TLVs never raises; elements never leave the header."""
    udh = read_udh(octets)
    if udh is not None:
        assert udh.length <= len(octets)
        assert sum(2 + len(element.value) for element in udh.elements) <= udh.length - 1
        assert udh.whole is (text.write_udh(udh.elements) == octets[: udh.length]) or udh.length > 140
    found = sar(octets, at)
    assert found is None or 1 <= found.sequence <= found.total


@given(septets=SEPTETS, fill=st.integers(0, 6))
def test_packing_round_trip(septets: bytes, fill: int):
    """Packed septets unpack to themselves, behind any fill bits; the size is the least that holds them."""
    packed = pack7(septets, fill)
    assert unpack7(packed, fill, len(septets)) == septets
    assert len(packed) == (-(-(fill + 7 * len(septets)) // 8) if septets else 0)
    if not septets.endswith(b"\0"):
        assert unpack7(packed, fill) == septets


@given(octets=OCTETS, fill=st.integers(0, 6))
def test_any_octets_unpack(octets: bytes, fill: int):
    """Any octets unpack to septets."""
    assert all(septet < 0x80 for septet in unpack7(octets, fill))


@given(
    given=st.text(alphabet=GSM_CHARACTERS, max_size=300),
    language=st.sampled_from([0, *LANGUAGES]),
    single=st.sampled_from([0, *LANGUAGES]),
)
def test_gsm_text_round_trip(given: str, language: int, single: int):
    """What the tables of any pair of languages can encode decodes to the same text, exactly."""
    octets = gsm7.encode(given, language, single)
    if octets is None:
        assert language or single
        return
    assert gsm7.decode(octets, language, single) == (given, True)


@given(given=st.text(max_size=300), default=DEFAULTS)
def test_encoding_round_trip(given: str, default: str):
    """What encode makes of a text reads back as that text."""
    coding, octets = encode(given, default_alphabet=default)
    if default == "gsm7_packed" and coding == 0:
        given = given.removesuffix("@") if len(octets) % 7 == 0 else given
    assert decode(octets, coding, default_alphabet=default).text == given


def test_every_table_has_one_meaning_a_position():
    """Each language's tables encode and decode every one of their characters."""
    for language in (0, *LANGUAGES):
        table, shifted = LOCKING.get(language, LOCKING[0]), SINGLE[language]
        assert len(table) == 128
        for character in {*table, *shifted.values()} - {VOID}:
            octets = gsm7.encode(character, language, language)
            assert octets is not None
            assert gsm7.decode(octets, language, language) == (character, True)


TEXTS = st.one_of(
    st.text(alphabet=GSM_CHARACTERS, max_size=900),
    st.text(alphabet="ab€😀你", max_size=600),
    st.text(max_size=400),
)


@given(given=TEXTS, width=st.sampled_from([8, 16]), default=st.sampled_from(["gsm7", "latin1", "utf8", "gbk", "ucs2"]))
def test_split_and_join(given: str, width: int, default: str):
    """Parts in order join to the octets, each fits a message and reads alone, and they are as many as counted."""
    coding, octets = encode(given, default_alphabet=default)
    parts = split(octets, coding, ref=5, ref_width=width, default_alphabet=default)
    if width == 8:
        assert len(parts) == count_parts(octets, coding, default_alphabet=default)
    if len(parts) == 1:
        assert parts == [octets]
        return
    bodies = []
    texts = []
    for number, part in enumerate(parts, 1):
        udh = read_udh(part)
        assert udh is not None
        assert udh.concat == (5, width, len(parts), number)
        bodies.append(part[udh.length :])
        found = decode(part, coding, udh=udh, default_alphabet=default)
        assert found.exact
        texts.append(found.text)
        assert count_parts(bodies[-1], coding, default_alphabet=default) == 1
    assert b"".join(bodies) == octets
    assert "".join(texts) == given


@given(octets=st.binary(max_size=900), coding=CODINGS, default=DEFAULTS, header=HEADER)
def test_split_takes_any_octets(octets: bytes, coding: int, default: str, header: str):
    """Any octets split into parts as counted, or are refused with ValueError."""
    udh = read_udh(octets) if header == "header" else None
    try:
        parts = split(octets, coding, ref=1, udh=udh, default_alphabet=default)
    except ValueError:
        assert udh is not None
        return
    if udh is None or udh.whole:
        assert len(parts) == count_parts(octets, coding, udh=udh, default_alphabet=default)


PIECES = st.lists(
    st.sampled_from(
        [b"id:", b"1", b"stat:", b"DELIVRD", b" ", b"text:", b"done date:", b"2411240210", b"\0", b"\xff", b",", b"err:"]
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=300)
@given(
    short=st.one_of(PIECES, st.binary(max_size=254), PIECES.map(lambda octets: octets.decode("latin-1").encode("utf-16-be"))),
    payload=st.one_of(st.none(), PIECES),
    ids=st.lists(st.binary(max_size=20), max_size=2),
    tail=st.binary(max_size=12),
    esm_class=st.sampled_from([0, 4, 0x20, 0x44, 0x60, 0x40, 7]),
)
def test_any_deliver_sm_is_a_receipt_or_not(short: bytes, payload: bytes | None, ids: list[bytes], tail: bytes, esm_class: int):
    """Reading and rewriting never raises, the result reads as a PDU, and it names our id wherever an id was."""
    tlvs = b"".join(tlv.append(TAG_RECEIPTED_MESSAGE_ID, value) for value in ids)
    if payload is not None:
        tlvs += tlv.append(TAG_MESSAGE_PAYLOAD, payload)
    body = pdu.sm_body(source=b"1", dest=b"2", short_message=short[:254], esm_class=esm_class, tlvs=tlvs + tail)
    octets = pdu.encode(DELIVER_SM, 0, 1, body)
    sm = pdu.read_sm(octets)
    found = receipt.parse(octets, sm)
    if found is None:
        assert not esm_class & 0x24
        return
    assert not (found.final and found.intermediate)
    ours = receipt.rewrite(octets, sm, found, our_id=b"7" * 19, source=(1, 1, b"861"), dest=(0, 0, b"10"))
    again = pdu.encode(DELIVER_SM, 0, 1, ours)
    read = pdu.read_sm(again)
    assert read.sm_length <= 254
    assert (read.source, read.dest, read.esm_class) == (b"861", b"10", esm_class)
    renewed = receipt.parse(again, read)
    assert renewed is not None
    assert (renewed.state, renewed.final) == (found.state, found.final) or len(short) > 235
    if found.tlv_id_at:
        assert renewed.tlv_id == b"7" * 19
    if found.text_id:
        assert renewed.text_id == b"7" * 19 or len(short) > 235
    assert receipt.for_version(ours, 0x34) == ours
    pdu.read_sm(pdu.encode(DELIVER_SM, 0, 1, receipt.for_version(ours, 0x33)))
