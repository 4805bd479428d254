from __future__ import annotations

import pytest

from smsgw.policy.engines import Engines
from smsgw.policy.kind_words import KindWords
from smsgw.policy.matcher import EngineFailed
from smsgw.policy.normal import n1
from tests.policy.corpus import harmless
from tests.policy.test_packs import pack

CHINA = KindWords(
    [*(("marketing", word) for word in ("优惠", "红包", "会员日", "sale", "discount", "50%")), ("otp", "验证码"), ("otp", "otp")],
    Engines(),
)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "全场优惠",
            "全场优 惠",
            "優\u3000惠",
            "优*惠",
            "优.惠",
            "优/惠",
            "优😀惠",
            "优\u200b惠",
            "优 - 惠",
            "会 员 日",
            "会，员，日",
        ),
        *("big SALE", "s a l e", "S.A.L.E!", "ｓ＊ａ＊ｌ＊ｅ", "dis-count", "d i s c o u n t", "大 优惠 优 惠", "now 50% less"),
    ],
)
def test_a_word_of_a_kind_is_found_whatever_stands_between_its_characters(text: str):
    """Spaces, symbols, emoji, dots; in each spelling that the first form makes one."""
    assert CHINA.kinds(n1(text)) == {"marketing"}


@pytest.mark.parametrize(
    "text",
    [
        *("品质优，惠及万家", "质优。惠民", "质优\n惠民", "质优、惠民", "【质优】惠民", "质优...惠民", "您好", "年5月0日", "5 0"),
        *("wholesale", "the cafe's ale", "counts", "discounted"),
    ],
)
def test_two_words_next_to_each_other_make_no_third(text: str):
    """A clause ends between them, or a letter of the Latin script touches it."""
    assert CHINA.kinds(n1(text)) == set()


def test_all_kinds_that_a_text_tells_are_told():
    """Which of them counts is not decided here."""
    assert CHINA.kinds(n1("优 惠，验证码1234")) == {"marketing", "otp"}


def test_harmless_texts_tell_what_they_told_as_they_stand():
    """By the words of China's pack: what is put between characters makes fewer than 0.5 % of them marketing that were none."""
    words = pack("china").category_words
    assert words is not None
    texts = [n1(text) for text in harmless.texts(6_000)]
    plain = [text for text in texts if not {words._kinds[hit.owner] for hit in words._words.find(text)} & {"marketing"}]
    wrongly = [text for text in plain if "marketing" in words.kinds(text)]
    assert len(plain) > 4_000
    assert len(wrongly) * 200 < len(texts), wrongly[:5]


def test_words_that_are_no_longer_found_are_an_engine_that_failed():
    """Those as they stand, and those of letters apart."""
    for broken in ("_words", "_latin"):
        words = KindWords([("marketing", "优惠"), ("marketing", "discount")], Engines())
        engine = getattr(words, broken)
        other = KindWords([("otp", "nothing")], Engines())._words
        engine._shards = [(engine._shards[0][0], other._shards[0][1])]
        with pytest.raises(EngineFailed):
            words.check()
