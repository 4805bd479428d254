from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsgw.policy.glance import Glance
from smsgw.policy.judging import clear_steps_of, judge, steps_of
from smsgw.policy.matcher import NOTHING
from tests.policy.sets import compiled, submission

TEXT = """
[[terms]]
id = "near"
words = ["百家乐"]
exceptions = ["百家乐器"]
must = ["来百家乐"]
[[terms]]
id = "far"
form = "n2"
words = ["赌博网站"]
must = ["赌.博.网.站"]
[[pattern]]
id = "marked"
expression = "加微.{0,3}[0-9]{5}"
must = ["加微12345"]
"""
REST = '[[pattern]]\nid = "{on}"\nexpression = "[0-9]{{8}}"\non = "{on}"\nmust = ["12345678"]\n'


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("您好，明天见", True),
        ("Good morning", True),
        ("来百 家乐", True),  # only n2 would run over the space
        ("来百家乐", False),
        ("百家乐器", True),  # an exception covers the word
        ("百家乐器百家乐", False),
        ("赌 博*网 站", False),
        ("加微 message", False),  # a pattern has to be asked
        ("12345678", True),
    ],
)
def test_a_text_is_clear_where_no_engine_sees_anything(text: str, clear: bool):  # noqa: FBT001 - a table
    """A word in either form, or one that a pattern needs, makes it unclear."""
    glance = Glance(compiled(TEXT))
    assert glance.look(text)[0] == text
    assert glance.look(text)[3] is clear


@pytest.mark.parametrize("on", ["n1", "text"])
def test_patterns_of_every_text_are_asked_too(on: str):
    """A pattern that no word announces is looked for at once: a text is clear only if none matches."""
    glance = Glance(compiled(TEXT + REST.format(on=on)))
    assert [glance.look(text)[3] for text in ("call 12345678", "call 1234567")] == [False, True]


def test_a_set_without_words_is_clear_of_them():
    """Nothing is looked for where nothing is listed; the normal form is there for other rules."""
    look = Glance(compiled("[links]\nallowed = []\n")).look("ＨＥＬＬＯ")
    assert look == ("ＨＥＬＬＯ", "hello", NOTHING, True)


WHOLE = compiled(TEXT + "".join(REST.format(on=on) for on in ("n1", "text")))
PIECES = ("百家乐", "百家", "乐", "器", "赌博", "网站", ".", "*", "加微", "加", "１", "12345", "678", "a", "\u200b", "Ａ", "\n")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_what_is_clear_is_nothing_to_any_rule(text: str):
    """However words, exceptions and patterns stand beside each other: the whole way has no more to say of a clear text."""
    if Glance(WHOLE).look(text)[3]:
        long = judge(WHOLE, steps_of(WHOLE), submission(WHOLE, text))
        assert long.simply
        assert judge(WHOLE, clear_steps_of(WHOLE), submission(WHOLE, text)) == long
