from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.engines import pattern_fault
from smsgw.policy.literals import required
from smsgw.policy.matcher import Patterns


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("加.{0,3}微信", ("微信",)),
        ("https?://[a-z0-9.-]*casino\\.(?:cn|com)", ("casino.",)),
        ("(?:加|\\+).{0,3}微信[:：]?[0-9a-z]{5,12}", ("微信",)),
        ("casino[^0-9]{0,4}[0-9]{7,11}", ("casino",)),
        ("casino|百家乐", ("casino", "百家乐")),
        ("abc+def", ("abc",)),
        ("abcd?efg", ("abc",)),
        ("x{3}abc", ("abc",)),
        ("[]a]bcd", ("bcd",)),
        ("[[:alpha:]]bcd", ("bcd",)),
        ("ab\\.cd", ("ab.cd",)),
        ("a\\dbcd", ("bcd",)),
    ],
)
def test_a_word_of_every_match(expression: str, words: tuple[str, ...]):
    """The longest row of letters that cannot be left out; of each alternative one."""
    assert required(expression) == words


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "casino|[0-9]+",
            "(?i)casino",
            "(?i:casino)",
            "\\Qcasino\\E",
            "\\x41bcd",
            "\\pNabcd",
            "x",
            "ab",
            "乐",
            "(casino)",
            "(?:casino)?",
        ),
        *("[0-9]{7}", "", "abc{,5}", "(abc", "[abc", "abc\\", "a*b*c*", "(?P<n>abc)def"),
    ],
)
def test_what_is_not_plain_has_no_word(expression: str):
    """Flags, escapes of other kinds, short words, what may be left out, what is no expression: it is asked of every text."""
    assert required(expression) == ()


_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "c",
            "abc",
            "乐",
            "百家",
            ".",
            "[ab]",
            "[^c]",
            "[]a]",
            "(?:ab|c)",
            "(b)",
            "\\d",
            "\\.",
            "\\b",
            "^",
            "$",
            "|",
            "1",
        ),
        *("[[:alpha:]]", "(?:a*|b{2})", "(?i)", "(?i:a)", "\\x61", "\\Qa\\E", "(?:(?:a|b)c)"),
    ]
)
_TIMES = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "{", "??"])


@given(
    st.lists(st.tuples(_PIECES, _TIMES), max_size=7).map(lambda found: "".join(map("".join, found))),
    st.text("abcd乐百家.1", max_size=14),
)
def test_no_text_without_the_word_matches(expression: str, text: str):
    """Whatever is written: where the engine finds a match, one of the words stands in the text."""
    words = required(expression)
    if words and not pattern_fault(expression) and Patterns([expression]).find(text):
        assert any(word in text for word in words)
