"""Parts by the three rules: a table of texts at their borders, and a second computation that shares nothing with ours."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import gsm

from smsgw.journey.reading import parts_of
from smsgw.smpp.text import PartRule, encode

# text, parts by gsm_ucs2, cn_char and octet. GSM 7-bit where it has every character, unpacked, else UCS-2.
TABLE: list[tuple[str, int, int, int]] = [
    ("", 1, 1, 1),
    ("a", 1, 1, 1),
    ("a" * 70, 1, 1, 1),
    ("a" * 71, 1, 2, 1),
    ("a" * 134, 1, 2, 1),
    ("a" * 135, 1, 3, 1),
    ("a" * 140, 1, 3, 1),
    ("a" * 141, 1, 3, 2),
    ("a" * 160, 1, 3, 2),
    ("a" * 161, 2, 3, 2),
    ("a" * 201, 2, 3, 2),
    ("a" * 202, 2, 4, 2),
    ("a" * 268, 2, 4, 2),
    ("a" * 269, 2, 5, 3),
    ("a" * 306, 2, 5, 3),
    ("a" * 307, 3, 5, 3),
    ("a" * 459, 3, 7, 4),
    ("a" * 460, 4, 7, 4),
    ("Your code is 123456", 1, 1, 1),
    ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ", 1, 1, 1),
    ("€", 1, 1, 1),
    ("€" * 70, 1, 1, 1),
    ("€" * 71, 1, 2, 2),
    ("€" * 80, 1, 2, 2),
    ("€" * 81, 2, 2, 2),
    ("€" * 152, 2, 3, 3),
    ("€" * 153, 3, 3, 3),
    ("[" * 79 + "a" * 2, 1, 2, 2),
    ("[" * 79 + "a" * 3, 2, 2, 2),
    ("a" * 152 + "€" + "b" * 6, 1, 3, 2),
    ("a" * 152 + "€" + "b" * 151, 2, 5, 3),
    ("a" * 152 + "€" + "b" * 152, 3, 5, 3),
    ("a" * 151 + "€" + "b" * 153, 2, 5, 3),
    ("|^€{}[]~\\", 1, 1, 1),
    ("|^€{}[]~\\" * 8, 1, 2, 2),
    ("|^€{}[]~\\" * 9, 2, 2, 2),
    ("\f" * 80, 1, 2, 2),
    ('{"code": "123456"}' * 8, 1, 3, 2),
    ("中", 1, 1, 1),
    ("中" * 70, 1, 1, 1),
    ("中" * 71, 2, 2, 2),
    ("中" * 134, 2, 2, 2),
    ("中" * 135, 3, 3, 3),
    ("中" * 201, 3, 3, 3),
    ("中" * 202, 4, 4, 4),
    ("中" * 670, 10, 10, 10),
    ("中" * 671, 11, 11, 11),
    ("【示例】您的验证码是123456，5分钟内有效。", 1, 1, 1),
    ("【示例】" + "欢" * 66, 1, 1, 1),
    ("【示例】" + "欢" * 67, 2, 2, 2),
    ("a" * 69 + "中", 1, 1, 1),
    ("a" * 70 + "中", 2, 2, 2),
    ("a" * 159 + "中", 3, 3, 3),
    ("a" * 200 + "中", 3, 3, 3),
    ("ａｂｃ１２３", 1, 1, 1),
    ("Ｗ" * 71, 2, 2, 2),
    ("😀", 1, 1, 1),
    ("😀" * 35, 1, 1, 1),
    ("😀" * 36, 2, 2, 2),
    ("😀" * 66, 2, 2, 2),
    ("😀" * 67, 3, 3, 2),
    ("a" * 66 + "😀" + "b" * 2, 1, 1, 1),
    ("a" * 66 + "😀" + "b" * 65, 2, 2, 2),
    ("a" * 66 + "😀" + "b" * 66, 3, 3, 2),
    ("a" * 65 + "😀" + "b" * 67, 2, 2, 2),
    ("a" * 68 + "😀", 1, 1, 1),
    ("a" * 69 + "😀", 2, 2, 2),
    ("中文 and English, 混合 😀 text", 1, 1, 1),
    ("中😀" * 23 + "中", 1, 1, 1),
    ("中😀" * 24, 2, 2, 2),
    ("ç" * 70, 1, 1, 1),
    ("ç" * 71, 2, 2, 2),
    ("Ελληνικα" * 10, 2, 2, 2),
    ("ΓΔΘΛ" * 40, 1, 3, 2),
    ("Привет" * 12, 2, 2, 2),
    ("`" + "a" * 69, 1, 1, 1),
    ("`" + "a" * 70, 2, 2, 2),
]


def count(text: str, rule: PartRule) -> int:
    """Count a text as a tenant sends it."""
    coding, octets = encode(text)
    return parts_of(coding, octets, udhi=False, rule=rule)


def test_the_table_is_long_enough():
    """At least sixty different texts."""
    assert len({text for text, *_ in TABLE}) >= 60


@pytest.mark.parametrize(("text", "gsm_ucs2", "cn_char", "octet"), TABLE, ids=range(len(TABLE)))
def test_parts_of_a_text(text: str, gsm_ucs2: int, cn_char: int, octet: int):
    """Chinese, GSM with its extension, emoji, mixtures, at their exact borders, by all three rules."""
    assert (count(text, "gsm_ucs2"), count(text, "cn_char"), count(text, "octet")) == (gsm_ucs2, cn_char, octet)


def by_characters(text: str) -> int:
    """Count as a handset fills its parts: character by character, by the alphabet as it is printed in GSM 03.38."""
    if set(text) <= BASIC | EXTENSION:
        widths = [2 if character in EXTENSION else 1 for character in text]
        single, joined = 160, 153
    else:
        widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
        single, joined = 70, 67
    if sum(widths) <= single:
        return 1
    parts, room = 1, joined
    for width in widths:
        if width > room:
            parts, room = parts + 1, joined
        room -= width
    return parts


BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = set("\f^{}\\[~]|€")
GSM = "abcXYZ 019@£$_èΔΩ\n\r"
PIECES = st.one_of(
    st.text(GSM, max_size=200),
    st.text(GSM + "€[]{}|~^\\\f", max_size=200),
    st.text("€[]", max_size=100),
    st.text("中文短信😀🎉a€ç", max_size=90),
    st.text(max_size=90),
)


@given(st.lists(PIECES, max_size=4).map("".join), st.integers(0, 2), st.sampled_from("€a中😀"))
def test_a_second_computation_agrees(text: str, borders: int, end: str):
    """For any text, and for texts cut near a border, filling parts one character at a time gives the same number."""
    near = ("a" * (153 * borders + 152), "中" * (67 * borders + 66), "€" * 79)
    for whole in (text, *(piece + end + text for piece in near)):
        assert count(whole, "gsm_ucs2") == by_characters(whole)


def test_smpplib_cuts_as_often():
    """Where no character stands across a border, the parts that smpplib makes are as many as we count."""
    texts = ["a" * length for length in range(1, 500, 7)] + ["中" * length for length in range(1, 300, 7)]
    texts += [first + second for first, second in itertools.product(("a" * 153, "中" * 67), ("b" * 20, "文" * 67))]
    for text in texts:
        assert count(text, "gsm_ucs2") == len(gsm.make_parts(text)[0])
