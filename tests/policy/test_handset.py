"""Text as the handset shows it, in all codings and however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.handset import Shown, content_of, plainly, shown
from smsgw.smpp import const, gsm7, tlv
from smsgw.smpp.pdu import data_sm_body, encode, sm_body
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.sets import raw


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"caf\x05 \x1b\x65", 0, "café €"),
        (b"plain", 1, "plain"),
        ("café".encode("latin-1"), 3, "café"),
        ("百家乐".encode("utf-16-be"), 8, "百家乐"),
        ("百家乐".encode("utf-16-be"), 0x18, "百家乐"),
        ("百家乐".encode("utf-16-be"), 0xE0, "百家乐"),
        (b"class zero", 0xF0, "class zero"),
        (b"class zero", 0x10, "class zero"),
        ("привет".encode("iso8859_5"), 6, "привет"),
        ("百家乐".encode("gbk"), 15, "百家乐"),
        ("😀".encode("utf-16-be"), 8, "😀"),
    ],
)
def test_every_coding_is_read(octets: bytes, coding: int, text: str):
    """What the coding says is what is read, message classes and groups included, and it is certain."""
    read = shown((content_of(raw(octets, coding)),))
    assert (read.text, read.exact) == (text, True)


@pytest.mark.parametrize(
    ("octets", "coding"),
    [("百家乐真好".encode("utf-16-be"), coding) for coding in (0, 3, 4)]
    + [("百家乐真好".encode(), coding) for coding in (0, 4)]
    + [(b"\xff\xfe" + "百家乐真好".encode("utf-16-le"), 8)],
)
def test_text_under_a_wrong_name_is_read_too(octets: bytes, coding: int):
    """UCS-2 or UTF-8 sent as 8-bit text, and a byte order mark, show in one of the readings."""
    text, others, _ = shown((content_of(raw(octets, coding)),))
    assert any("百家乐真好" in one for one in (text, *others))


@pytest.mark.parametrize(
    ("octets", "coding"),
    [(b"\x00\x01", 4), (b"\x4e", 8), (b"\xd8\x3d\x4e\x00", 8), (b"\xff\xfe\xfd", 0), (b"x", 2), (b"\xe9", 1)],
)
def test_what_has_no_meaning_is_not_exact(octets: bytes, coding: int):
    """Binary, half a character, half a surrogate pair, octets outside the alphabet: nobody can say what is seen."""
    assert not shown((content_of(raw(octets, coding)),)).exact


def test_language_shifts_are_read_and_what_older_handsets_show_as_well():
    """A locking shift changes all letters; a handset without that table shows the default alphabet's."""
    header = write_udh([(0x25, b"\x01")])
    octets = gsm7.encode("ışık", 1, 0)
    assert octets is not None
    text, others, exact = shown((content_of(raw(header + octets, esm_class=0x40)),))
    assert (text, exact) == ("ışık", True)
    assert others == (gsm7.decode(octets)[0],)
    single = write_udh([(0x24, b"\x01")])
    assert shown((content_of(raw(single + b"\x1b\x67", esm_class=0x40)),)).text == "ğ"


def test_what_goes_to_a_port_is_no_text():
    """A message for an application is never certain, whatever its octets look like."""
    header = write_udh([(0x05, b"\x0b\x84\x23\xf0")])
    assert not shown((content_of(raw(header + b"hello", esm_class=0x40)),)).exact


def test_each_part_is_read_by_the_shifts_of_its_own_header():
    """A language that only the second part names holds for that part: the word is read, and the old reading stands beside it."""
    first = write_udh([concat_element(Concat(1, 8, 2, 1))]) + b"merhaba "
    octets = gsm7.encode("şeker", 1, 0)
    assert octets is not None
    second = write_udh([concat_element(Concat(1, 8, 2, 2)), (0x25, b"\x01")]) + octets
    parts = [content_of(raw(one, esm_class=0x40)) for one in (first, second)]
    text, others, exact = shown(parts)
    assert (text, exact) == ("merhaba şeker", True)
    assert f"merhaba {gsm7.decode(octets)[0]}" in others


def test_a_port_in_any_part_makes_the_text_uncertain():
    """Not the first part alone tells that an application gets it."""
    headers = [write_udh([concat_element(Concat(1, 8, 2, 1))]), write_udh([concat_element(Concat(1, 8, 2, 2)), (5, b"\0\1\0\2")])]
    assert not shown([content_of(raw(head + b"hello", esm_class=0x40)) for head in headers]).exact


def test_an_escape_at_the_end_of_a_part_escapes_nothing_in_the_next():
    """Joined it would be another letter; a handset reads each part by itself: both readings stand, and neither is certain."""
    pieces = [b"h\x1b", b"ello"]
    parts = [
        content_of(raw(write_udh([concat_element(Concat(1, 8, 2, at))]) + piece, esm_class=0x40))
        for at, piece in enumerate(pieces, 1)
    ]
    text, others, exact = shown(parts)
    assert (text, "h ello" in others, exact) == ("h€llo", True, False)


SAR = tlv.append(0x020C, b"\0\1") + tlv.append(0x020E, b"\2") + tlv.append(0x020F, b"\1")


@pytest.mark.parametrize(
    ("elements", "tlvs", "told_once"),
    [
        ([Concat(1, 8, 2, 1)], b"", True),
        ([Concat(1, 8, 2, 1)], SAR, True),
        ([Concat(1, 8, 2, 1), Concat(2, 16, 1, 1)], b"", False),
        ([Concat(1, 8, 1, 1)], SAR, False),
        ([Concat(2, 8, 2, 1)], SAR, False),
        ([Concat(1, 8, 2, 1), Concat(1, 8, 0, 0)], b"", False),
        ([], SAR, True),
        ([], SAR + tlv.append(0x020E, b"\1"), False),
    ],
)
def test_a_part_that_is_told_in_two_ways_is_uncertain(elements: list[Concat], tlvs: bytes, told_once: bool):  # noqa: FBT001
    """Two elements, or a header and TLVs that say otherwise: carrier and handset choose which counts, so nobody knows the text."""
    header = write_udh([concat_element(one) for one in elements]) if elements else b""
    pdu = raw(header + b"hello", esm_class=0x40 if elements else 0, tlvs=tlvs)
    content = content_of(pdu)
    assert content.told_once is told_once
    assert shown((content,)).exact is told_once


def test_an_element_of_a_wrong_length_may_be_one_of_a_part():
    """It is none by the specification, and a handset may read it all the same: nobody knows."""
    header = write_udh([(0x00, b"\1\2\1\0")])
    content = content_of(raw(header + b"hello", esm_class=0x40))
    assert (content.part, content.told_once) == (None, False)


def test_message_payload_is_content_in_both_commands():
    """submit_sm without short_message, and data_sm, carry it there, a header in it included."""
    octets = write_udh([concat_element(Concat(1, 8, 2, 1))]) + "好".encode("utf-16-be")
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, octets)
    for command, body in (
        (const.SUBMIT_SM, sm_body(source=b"1", dest=b"2", data_coding=8, esm_class=0x40, tlvs=payload)),
        (const.DATA_SM, data_sm_body(source=b"1", dest=b"2", data_coding=8, esm_class=0x40, tlvs=payload)),
    ):
        content = content_of(encode(command, 0, 1, body), command)
        assert shown((content,)).text == "好"
        assert content.part == Concat(1, 8, 2, 1)


def test_sar_parts_are_seen():
    """The three SAR TLVs say that it is a part."""
    tlvs = tlv.append(0x020C, b"\0\7") + tlv.append(0x020E, b"\2") + tlv.append(0x020F, b"\1")
    assert content_of(raw(b"a", tlvs=tlvs)).part == Concat(7, 16, 2, 1)


def test_parts_are_joined_before_they_are_decoded():
    """A character cut in two, and packed septets behind two headers, are whole again."""
    octets = "百😀乐".encode("utf-16-be")
    parts = [
        content_of(raw(write_udh([concat_element(Concat(1, 8, 2, at))]) + piece, 8, esm_class=0x40))
        for at, piece in ((1, octets[:4]), (2, octets[4:]))
    ]
    assert shown(parts) == ("百😀乐", (), True)
    packed = [
        content_of(
            raw(
                (head := write_udh([concat_element(Concat(1, 8, 2, at))])) + gsm7.pack7(piece, gsm7.fill_bits(len(head))),
                esm_class=0x40,
            )
        )
        for at, piece in ((1, b"hello "), (2, b"world"))
    ]
    assert shown(packed, "gsm7_packed").text == "hello world"


def test_parts_in_different_codings_are_uncertain():
    """Whoever mixes codings in one message gets every part read by its own, and no certainty."""
    parts = [content_of(raw(b"ab", 0)), content_of(raw("好".encode("utf-16-be"), 8))]
    assert shown(parts) == ("ab好", (), False)


@given(
    st.one_of(st.text("abc 1\u4e2d\u6587", max_size=60).map(lambda text: text.encode("utf-16-be")), st.binary(max_size=120)),
    st.sampled_from([0, 1, 3, 4, 8, 0xF0]),
    st.fixed_dictionaries(
        {},
        optional={
            "esm_class": st.sampled_from([0x40, 0x80]),
            "priority": st.integers(0, 3),
            "schedule": st.just(b"000000000500000R"),
            "validity": st.just(b"000000000500000R"),
            "service_type": st.sampled_from([b"CMT", b"\1"]),
            "source": st.sampled_from([b"", b"1", b"10690001234"]),
            "registered_delivery": st.sampled_from([1, 2]),
            "tlvs": st.just(tlv.append(0x1400, b"1")),
        },
    ),
)
def test_the_short_way_reads_what_the_long_one_reads(octets: bytes, coding: int, fields: dict[str, object]):
    """By the addresses' lengths alone, and also when the source was replaced: the same text, or None."""
    body = {"source": b"10690001", "dest": b"8613800138000", "data_coding": coding, "short_message": octets, **fields}
    pdu = encode(const.SUBMIT_SM, 0, 1, sm_body(**body))  # type: ignore[arg-type]
    text, others, exact = shown((content_of(pdu),))
    for source in {str(body["source"], "ascii"), "10690001"}:  # type: ignore[arg-type]
        found = plainly(pdu, source, "8613800138000", "gsm7")
        if source.encode() == body["source"] or not body["source"]:
            assert found is None or (found, (), True) == (text, others, exact)
    if not fields and coding == 8 and len(octets) % 2 == 0 and exact and octets[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        assert plainly(pdu, "10690001", "8613800138000", "gsm7") == text


@given(st.binary(max_size=60), st.integers(0, 20), st.integers(0, 20))
def test_the_short_way_bears_any_octets(pdu: bytes, source: int, destination: int):
    """Octets that end early are read the long way."""
    assert isinstance(plainly(pdu, "1" * source, "2" * destination, "gsm7"), str | None)


@given(st.binary(max_size=254), st.integers(0, 255), st.sampled_from([0, 0x40]))
def test_any_octets_give_a_text(octets: bytes, coding: int, esm_class: int):
    """Nothing that a tenant sends raises, and the first reading is always text."""
    assert isinstance(shown((content_of(raw(octets, coding, esm_class=esm_class)),)).text, str)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("来\u202e乐家百\u202c吧", "来百家乐\u202c吧"),
        ("来\u202e乐家百", "来百家乐"),
        ("\u202e乐家\n百\u202e乙甲", "家乐\n百甲乙"),
    ],
)
def test_what_is_shown_from_its_end_is_read_so_too(text: str, seen: str):
    """An override of direction turns what follows it, up to its end or that of the line; whole, or cut into parts."""
    octets = text.encode("utf-16-be")
    assert shown([content_of(raw(octets, 8))]) == Shown(text, (seen,), exact=True)
    assert plainly(raw(octets, 8), "10690001", "8613800138000", "gsm7") is None
    parts = [
        raw(write_udh([concat_element(Concat(7, 8, 2, number))]) + piece, 8, esm_class=0x40)
        for number, piece in enumerate((octets[:4], octets[4:]), 1)
    ]
    assert shown([content_of(part) for part in parts]).others == (seen,)
    assert seen in shown([content_of(raw(octets, 4))]).others
