from __future__ import annotations

import pytest

from smsgw.smpp import text
from smsgw.smpp.text import Alphabet, count_parts, decode, encode, split
from tests.smpp.headers import header, known

ESC = b"\x1b"
SHIFT_HINDI = bytes((0x24, 1, 6))
LOCK_HINDI = bytes((0x25, 1, 6))


def test_the_default_alphabet_is_gsm_7_bit_unpacked():
    """data_coding 0 reads a septet an octet: @ is 0, £ is 1 (items 124, 125)."""
    assert decode(b"\x00\x01\x02Hello \x7f", 0) == ("@£$Hello à", True)


@pytest.mark.parametrize(
    ("default", "expected"),
    [("gsm7", "Å@"), ("latin1", "\x0e\x00"), ("ascii", "\x0e\x00"), ("utf8", "\x0e\x00"), ("ucs2", "\u0e00")],
)
def test_the_default_alphabet_is_a_setting_of_the_peer(default: str, expected: str):
    """The same octets under data_coding 0 are what the peer's default alphabet says (item 124)."""
    assert decode(b"\x0e\x00", 0, default_alphabet=default).text == expected


def test_the_extension_table_follows_esc():
    """ESC and a septet are the euro sign, brackets, braces, backslash, caret, tilde, bar or form feed (item 132)."""
    octets = b"".join(ESC + bytes((septet,)) for septet in (0x65, 0x3C, 0x3E, 0x28, 0x29, 0x2F, 0x14, 0x3D, 0x40, 0x0A))
    assert decode(octets, 0) == ("€[]{}\\^~|\f", True)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [(b"a\x1b", "a "), (b"a\x1b\x1bb", "a b"), (b"\x1bab", "ab"), (b"\x1b\x1b\x1be", " €"), (b"\xe9t\xe9", "été")],
)
def test_what_gsm_text_does_not_know_is_shown_and_not_exact(octets: bytes, expected: str):
    """A lone ESC, ESC ESC, an unknown extension and octets over 0x7F are read as a handset would, never exactly."""
    assert decode(octets, 0) == (expected, False)


GROUPS = {
    Alphabet.GSM7: [0x00, 0x10, 0x11, 0x13, 0x40, 0x50, 0xC0, 0xC8, 0xD0, 0xDB, 0xF0, 0xF1, 0xF3, 0x0B, 0x0C, 0x1C, 0x8F, 0xBF],
    Alphabet.UCS2: [0x08, 0x18, 0x19, 0x48, 0x5B, 0xE0, 0xE8, 0xEF],
    Alphabet.BINARY: [0x02, 0x04, 0x14, 0x15, 0x44, 0xF4, 0xF5, 0xF7, 0x20, 0x28, 0x3F, 0x60, 0x7F, 0x09],
    Alphabet.ASCII: [0x01],
    Alphabet.LATIN1: [0x03],
    Alphabet.SHIFT_JIS: [0x05],
    Alphabet.CYRILLIC: [0x06],
    Alphabet.HEBREW: [0x07],
    Alphabet.ISO2022_JP: [0x0A],
    Alphabet.EUC_JP: [0x0D],
    Alphabet.CP949: [0x0E],
    Alphabet.GBK: [0x0F],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "coding"), [(kind, coding) for kind, codings in GROUPS.items() for coding in codings])
def test_data_coding_is_read_by_its_groups(kind: Alphabet, coding: int):
    """0x18 is UCS-2, 0xF4 is 8-bit, 0xE0 UCS-2, 0xF0 7-bit: never the low four bits alone (items 126, 128-130)."""
    assert text.alphabet(coding) is kind


@pytest.mark.parametrize("coding", [0x0B, 0x0C, 0x1C, 0x4C, 0x80, 0x9F, 0xBF])
def test_reserved_codings_are_never_exact(coding: int):
    """A reserved data_coding is read in the default alphabet, but as a guess."""
    assert decode(b"hello", coding) == ("hello", False)


@pytest.mark.parametrize(
    ("coding", "octets", "expected"),
    [
        (1, b"abc", "abc"),
        (3, b"caf\xe9", "café"),
        (5, "日本".encode("shift_jis"), "日本"),
        (6, "Привет".encode("iso8859_5"), "Привет"),
        (7, "שלום".encode("iso8859_8"), "שלום"),
        (8, "你好 😀".encode("utf-16-be"), "你好 😀"),
        (10, "日本".encode("iso2022_jp"), "日本"),
        (13, "日本".encode("euc_jp"), "日本"),
        (14, "한글".encode("cp949"), "한글"),
        (15, "你好".encode("gbk"), "你好"),
        (0x18, "é".encode("utf-16-be"), "é"),
    ],
)
def test_every_coding_is_read(coding: int, octets: bytes, expected: str):
    """Each data_coding with characters gives its text (item 126)."""
    assert decode(octets, coding) == (expected, True)


@pytest.mark.parametrize("octets", [b"\0a\0", b"\xd8\x3d", b"\xdc\x00\0a", b"\xd8\x3d\0a", b"\xff"])
def test_broken_ucs2_is_read_and_not_exact(octets: bytes):
    """An odd length and lone surrogates neither raise nor leave a surrogate in the text (item 127)."""
    found = decode(octets, 8)
    assert not found.exact
    assert found.text.encode()


def test_binary_is_shown_as_latin_1_and_never_exact():
    """8-bit data is not text; what is in it can still be searched (item 131)."""
    assert decode(b"\x06\x05abc\xff", 4) == ("\x06\x05abcÿ", False)


def test_shifts_of_the_header_change_the_tables():
    """Locking and single shift of the header choose language tables for what stands behind it (item 138)."""
    octets = header(SHIFT_HINDI, LOCK_HINDI) + b"\x00\x15\x1b\x1c"
    udh = known(octets)
    assert (udh.single_shift, udh.locking_shift) == (6, 6)
    assert decode(octets, 0, udh=udh) == ("\u0901\u0915\u0966", True)
    assert decode(octets[udh.length :], 0) == ("@ΩÆ", False)


@pytest.mark.parametrize(
    ("language", "octets", "expected"),
    [
        (1, b"\x1bG\x1bi", "Ğı"),
        (2, b"\x1bu\x1bA", "úÁ"),
        (3, b"\x1b\x7b\x1b\x05", "ãê"),
        (13, b"\x1b\x3f", "۔"),
        (99, b"\x1be", "€"),
    ],
)
def test_single_shift_tables(language: int, octets: bytes, expected: str):
    """ESC reads the table of the language, or the default one where there is none (3GPP 23.038 A.2)."""
    whole = header(bytes((0x24, 1, language))) + octets
    assert decode(whole, 0, udh=known(whole)) == (expected, True)


@pytest.mark.parametrize(
    ("language", "octets", "expected"),
    [
        (1, b"\x04\x07\x60", "€ıç"),
        (3, b"\x15\x18\x5b", "∞€Ã"),
        (7, b"\x24\x3d", "\u0ca1\u0caa"),
        (12, b"\x00", "\u0c01"),
        (13, b"\x00", "\u0627"),
        (2, b"\x00", "@"),
    ],
)
def test_locking_shift_tables(language: int, octets: bytes, expected: str):
    """The alphabet is the language's, or the default one where there is none (3GPP 23.038 A.3)."""
    whole = header(bytes((0x25, 1, language))) + octets
    assert decode(whole, 0, udh=known(whole)) == (expected, True)


def test_a_position_without_a_character_is_a_space():
    """A void of a locking table is shown as a space and is not exact."""
    whole = header(bytes((0x25, 1, 11))) + b"\x00a"
    assert decode(whole, 0, udh=known(whole)) == (" a", False)


def test_packed_text_is_read_with_its_fill_bits():
    """Packed septets behind a header begin at a septet boundary (items 125, 141)."""
    assert decode(bytes.fromhex("e8329bfd06"), 0, default_alphabet="gsm7_packed").text == "hello"
    head = header(b"\x00\x03\x01\x02\x01")
    octets = head + text.pack7(b"hello", 1)
    assert decode(octets, 0, udh=known(octets), default_alphabet="gsm7_packed").text == "hello"


@pytest.mark.parametrize(
    ("given", "coding", "octets"),
    [
        ("Hello €", 0, b"Hello \x1be"),
        ("@à", 0, b"\x00\x7f"),
        ("你好", 8, "你好".encode("utf-16-be")),
        ("ç", 8, b"\0\xe7"),
        ("😀", 8, b"\xd8\x3d\xde\x00"),
        ("", 0, b""),
        ("\ud83d", 8, b"\xd8\x3d"),
        ("\x1b", 8, b"\0\x1b"),
    ],
)
def test_encode_takes_the_smaller_alphabet_that_holds_all(given: str, coding: int, octets: bytes):
    """Text in the default alphabet goes as data_coding 0, any other as UCS-2."""
    assert encode(given) == (coding, octets)


def test_encode_follows_the_peers_default_alphabet():
    """For a peer whose default is Latin-1, data_coding 0 is Latin-1; € goes as UCS-2."""
    assert encode("café ç", default_alphabet="latin1") == (0, "café ç".encode("latin-1"))
    assert encode("€", default_alphabet="latin1") == (8, b"\x20\xac")
    assert encode("hello", default_alphabet="gsm7_packed") == (0, bytes.fromhex("e8329bfd06"))


@pytest.mark.parametrize(
    ("octets", "coding", "parts"),
    [
        (b"", 0, 1),
        (b"a" * 160, 0, 1),
        (b"a" * 161, 0, 2),
        (b"a" * 306, 0, 2),
        (b"a" * 307, 0, 3),
        (b"a" * 158 + ESC + b"e", 0, 1),
        (b"a" * 159 + ESC + b"e", 0, 2),
        (b"a" * 152 + ESC + b"e" + b"a" * 152, 0, 3),
        (b"a" * 151 + ESC + b"e" + b"a" * 153, 0, 2),
        (b"\0a" * 70, 8, 1),
        (b"\0a" * 71, 8, 2),
        (b"\0a" * 134, 8, 2),
        (b"\0a" * 135, 8, 3),
        (b"\0a" * 66 + "😀".encode("utf-16-be") + b"\0a" * 66, 8, 3),
        (b"\xff" * 140, 4, 1),
        (b"\xff" * 141, 4, 2),
        (b"\xff" * 268, 4, 2),
        (b"\xff" * 269, 4, 3),
        (b"a" * 160, 3, 1),
        (b"a" * 161, 3, 2),
        (b"\xe7" * 70, 3, 1),
        (b"\xe7" * 71, 3, 2),
        ("你".encode("gbk") * 70, 15, 1),
        ("你".encode("gbk") * 71, 15, 2),
    ],
)
def test_parts_are_counted_as_they_would_be_cut(octets: bytes, coding: int, parts: int):
    """160/153 septets, 140/134 octets, 70/67 UTF-16 units; pairs are not cut (items 132, 141)."""
    assert count_parts(octets, coding) == parts
    assert len(split(octets, coding, ref=1)) == parts


@pytest.mark.parametrize(
    ("octets", "coding", "parts"),
    [
        (b"a" * 70, 0, 1),
        (b"a" * 71, 0, 2),
        (b"a" * 160, 0, 3),
        ((ESC + b"e") * 70, 0, 1),
        (b"\0a" * 71, 8, 2),
        (b"\xff" * 140, 4, 1),
    ],
)
def test_the_chinese_rule_counts_characters(octets: bytes, coding: int, parts: int):
    """By cn_char every character is one of 70, or of 67 a part, in plain English too."""
    assert count_parts(octets, coding, rule="cn_char") == parts


@pytest.mark.parametrize(("size", "parts"), [(140, 1), (141, 2), (268, 2), (269, 3)])
def test_the_octet_rule_counts_octets(size: int, parts: int):
    """By octet a part is 140 octets, or 134 of several, whatever the coding."""
    assert count_parts(b"a" * size, 0, rule="octet") == parts


def test_a_part_of_a_long_message_is_one_part_while_it_fits():
    """A header that says "part" saves no money: what no SMS can hold behind it is counted as it would be cut."""
    head = header(b"\x00\x03\x01\x02\x01")
    udh = known(head)
    assert count_parts(head + b"a" * 153, 0, udh=udh) == 1
    assert count_parts(head + b"a" * 154, 0, udh=udh) == 2
    assert count_parts(head + b"\0a" * 67, 8, udh=udh) == 1
    assert count_parts(head + b"\0a" * 67, 8, udh=udh, rule="cn_char") == 1
    assert count_parts(head + b"a" * 67, 0, udh=udh, rule="cn_char") == 1
    assert count_parts(head + b"a" * 153, 0, udh=udh, rule="cn_char") == 3
    assert count_parts(head + b"a" * 60_000, 0, udh=udh) > 390
    assert split(head + b"a" * 200, 0, ref=1, udh=udh) == [head + b"a" * 200]


def test_another_header_takes_its_room():
    """A port header of seven octets leaves 152 septets for a single message, and goes into every part."""
    ports = header(b"\x05\x04\x0b\x84\x23\xf0")
    udh = known(ports + b"a")
    assert count_parts(ports + b"a" * 152, 0, udh=udh) == 1
    assert count_parts(ports + b"a" * 153, 0, udh=udh) == 2
    parts = split(ports + b"a" * 153, 0, ref=7, udh=udh)
    assert [known(part).ports for part in parts] == [(0x0B84, 0x23F0, 16)] * 2
    assert [known(part).concat for part in parts] == [(7, 8, 2, 1), (7, 8, 2, 2)]
    assert all(len(part) - known(part).length <= 146 for part in parts)


def test_packed_text_is_counted_by_septets():
    """140 octets of packed text are 160 septets, one part; 141 are two (item 125)."""
    assert count_parts(text.pack7(b"a" * 160), 0, default_alphabet="gsm7_packed") == 1
    assert count_parts(text.pack7(b"a" * 161), 0, default_alphabet="gsm7_packed") == 2
    assert count_parts(text.pack7(b"a" * 80), 0, default_alphabet="gsm7_packed", rule="cn_char") == 2


def test_what_fits_is_not_split():
    """One message stays as it is, without a header."""
    assert split(b"a" * 160, 0, ref=9) == [b"a" * 160]


def test_split_numbers_the_parts():
    """Each part has reference, total and its number, in 8 or 16 bits (items 136, 141, 142)."""
    parts = split(b"a" * 400, 0, ref=0x1FF)
    assert [part[:6] for part in parts] == [bytes((5, 0, 3, 0xFF, 3, number)) for number in (1, 2, 3)]
    assert [len(part) - 6 for part in parts] == [153, 153, 94]
    wide = split(b"a" * 400, 0, ref=0x1FF, ref_width=16)
    assert [part[:7] for part in wide] == [bytes((6, 8, 4, 1, 0xFF, 3, number)) for number in (1, 2, 3)]
    assert [len(part) - 7 for part in wide] == [152, 152, 96]


def test_split_never_cuts_an_escape_or_a_surrogate_pair():
    """A pair that would straddle the end of a part goes into the next one (items 127, 132)."""
    gsm = split(b"a" * 152 + ESC + b"e" + b"a" * 100, 0, ref=1)
    assert [part[6:] for part in gsm] == [b"a" * 152, ESC + b"e" + b"a" * 100]
    escapes = split(b"a" + ESC * 160 + b"b", 0, ref=1)
    assert len(escapes[0]) == 6 + 153
    units = "a" * 66 + "😀" + "a" * 20
    ucs2 = split(units.encode("utf-16-be"), 8, ref=1)
    assert [part[6:].decode("utf-16-be") for part in ucs2] == ["a" * 66, "😀" + "a" * 20]


def test_split_packs_each_part_behind_its_header():
    """Parts of packed text are packed anew with fill bits, at most 140 octets each (item 141)."""
    septets = bytes(range(32, 112)) * 4
    parts = split(text.pack7(septets), 0, ref=1, default_alphabet="gsm7_packed")
    assert all(len(part) <= 140 for part in parts)
    assert b"".join(text.unpack7(part[6:], 1) for part in parts) == septets


def test_split_refuses_what_no_message_can_be():
    """Over 255 parts, or a header that leaves no room, is an error of the caller."""
    with pytest.raises(ValueError, match="over 255"):
        split(b"a" * 153 * 256, 0, ref=1)
    full = header(b"\x70\x82" + b"x" * 130)
    with pytest.raises(ValueError, match="no room"):
        split(full + b"a" * 100, 0, ref=1, udh=known(full + b"a"))
    assert count_parts(full + b"a" * 100, 0, udh=known(full + b"a")) > 1
