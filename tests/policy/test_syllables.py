from __future__ import annotations

import pytest

from smsgw.policy.check import check_set
from smsgw.policy.file import PolicyFault
from smsgw.policy.normal import n1
from smsgw.policy.syllables import LEAST_LETTERS, MOST_SPELLINGS, spelled
from tests.policy.corpus import harmless
from tests.policy.sets import KEY, compiled, rule

TERMS = '[[terms]]\nid = "t"\nwords = ["百家乐", "优惠"]\nmust = ["百家乐"]\npinyin = true\n'


def test_one_syllable_is_in_letters_or_all_are():
    """By both readings of an ideograph that has two; nothing of words that are shorter, or of letters."""
    assert [*spelled("百家乐")] == ["bai家乐", "bo家乐", "百jia乐", "百jie乐", "百家le", "百家yue", "baijiale"]
    for short in ("优惠", "加qq群", "casino", "", "阿片类"):
        assert [*spelled(short)] == []


def test_what_is_made_is_long_enough_to_be_meant():
    """Two ideographs are left, or it has eight letters."""
    for word in ("赌博网站", "六合彩票", "时时彩平台", "大喜事", "一二三"):
        for one in spelled(word):
            assert len(one) >= LEAST_LETTERS if one.isascii() else sum(not letter.isascii() for letter in one) >= 2


@pytest.mark.parametrize("text", ["来bai家乐吧", "来ＢＡＩ家樂吧", "来百jia乐吧", "玩baijiale吧", "BaiJiaLe"])
def test_a_term_is_found_in_letters_where_its_table_says_so(text: str):
    """In each way that the first form makes one; without `pinyin` it is not."""
    assert rule(compiled(TERMS), text) == "terms.t"
    assert rule(compiled(TERMS.replace("true", "false")), text) == ""


@pytest.mark.parametrize("text", ["thank you惠顾", "mybaijialexyz", "bai 家具", "can 家乐福", "来bai家"])
def test_what_has_letters_beside_ideographs_is_no_term_for_that(text: str):
    """Short words make none, and one of letters alone stands alone."""
    assert rule(compiled(TERMS), text) == ""


def test_an_exception_covers_what_is_made_of_its_word():
    """As it covers the word itself."""
    policy = compiled(f'{TERMS}exceptions = ["bai家乐福"]\n')
    assert rule(policy, "去bai家乐福买菜") == ""
    assert rule(policy, "去bai家乐买菜") == "terms.t"


def test_a_set_that_would_make_too_many_is_refused():
    """With the rule that does, in a line that says what to do; each of its words is looked for as before."""
    words = [chr(0x4E00 + at) + "家乐园" for at in range(MOST_SPELLINGS)]
    listed = ", ".join(f'"{word}"' for word in words)
    text = f'[[terms]]\nid = "t"\nwords = [{listed}]\nmust = ["{words[0]}"]\npinyin = true\n'
    with pytest.raises(PolicyFault) as fault:
        compiled(text)
    assert f"terms 't': pinyin makes more than {MOST_SPELLINGS} spellings" in fault.value.errors[0]
    (told,) = check_set("set", ["set.toml"], lambda _name, _listed: text, KEY).faults
    assert (told.key, told.line) == ("terms.t", 1)
    assert "shorter list" in told.hint
    assert rule(compiled(text.replace("true", "false")), words[-1]) == "terms.t"


def test_no_harmless_text_has_a_syllable_of_a_word_in_letters():
    """None of 6,000, of words of three ideographs and more that stand in those very texts."""
    texts = [n1(text) for text in harmless.texts(6_000)]
    words = {"验证码", "信用卡", "身份证", "营业厅", "快递柜", "家长会", "公众号", "验证码是", "银行卡密码", "网点办理"}
    made = [one for word in words for one in spelled(word)]
    assert len(made) > 50
    assert [text for text in texts if any(one in text for one in made)] == []
