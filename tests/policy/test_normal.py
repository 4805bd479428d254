from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.normal import n1, n2, warm


@pytest.mark.parametrize(
    "spelling",
    [
        "casino",
        "CASINO",
        "Ｃａｓｉｎｏ",
        "cаsinо",
        "Ⓒⓐⓢⓘⓝⓞ",
        "🅒🅐🅢🅘🅝🅞",
        "𝐜𝐚𝐬𝐢𝐧𝐨",
        "cás̶ino",
        "c\u200ba\u2060sino",
        "СΑSΙΝО",
        "ｃａsiñö",
        "ca\x01si\x7fno",
        "ca\x00s\x9fino",
    ],
)
def test_spellings_of_a_latin_word_are_one(spelling: str):
    """Width, case, accents, other scripts' letters, circled and mathematical ones, and what is not seen: all n1 casino."""
    assert n1(spelling) == "casino"


@pytest.mark.parametrize(
    "spelling",
    [
        *("百家乐", "百家樂", "百\u200b家\ufeff乐", "百\u202e家乐", "百\ufe0f家\U000e0100乐", "百家\u00ad樂"),
        *("百\x01家乐", "百\ufffe家乐", "百\ufff0家乐", "百\u2065家乐", "百\U0001d173家乐", "百\U0001bca0家乐", "百\x90家乐"),
    ],
)
def test_spellings_of_a_chinese_word_are_one(spelling: str):
    """Traditional characters, zero-width and direction marks, variation selectors, controls, what is never a character."""
    assert n1(spelling) == "百家乐"


@pytest.mark.parametrize("spelling", ["百*家-乐", "百 家 乐", "百、家。乐", "百😀家★乐", "【百】家（乐）", "百_家~乐"])
def test_the_second_form_drops_what_stands_between(spelling: str):
    """Spaces, punctuation, symbols and emoji are no hiding place for n2."""
    assert n2(n1(spelling)) == "百家乐"


def test_ordinary_text_stays_what_it_is():
    """Digits, line ends, other scripts' own letters and compatibility forms that mean several characters."""
    assert n1("验证码 123,\nOK") == "验证码 123,\nok"
    assert n1("one\r\n\ttwo\x0c\x85") == "one\r\n\ttwo\x0c\x85"
    assert n1("one\r\n\ttwo\x0c") == "one\r\n\ttwo\x0c"
    assert n1("ﬁ ㈠ Straße") == "fi (一) strasse"
    assert n2("a b-c") == "abc"
    assert n1("สวัสดี") == "สวัสดี"


@given(st.text(max_size=80))
def test_forms_are_stable(text: str):
    """Both forms of a form are itself, and none raises."""
    warm()
    first = n1(text)
    assert n1(first) == first
    assert n2(n2(first)) == n2(first)
