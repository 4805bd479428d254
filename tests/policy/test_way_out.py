from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.normal import n1, n2
from smsgw.policy.way_out import WayOut
from tests.policy.sets import compiled, rule

CHINESE = WayOut(["回复R", "回R", "回复T", "回T", "回复TD", "回TD", "退订", "拒收"])
ENGLISH = WayOut(["reply stop", "text stop", "stop to", "unsubscribe", "opt out"])


def told(text: str, way: WayOut | None = None) -> bool:
    """Ask the words of the text's language."""
    form = n1(text)
    return (way or (ENGLISH if text.isascii() else CHINESE)).told(form, n2(form))


@pytest.mark.parametrize(
    "text",
    [
        *("全场五折，不可退订", "无法退订", "退订无效", "本短信不能退订", "不支持退订", "没有退订功能", "无退订方式", "退订不了"),
        *("回复T无效", "退订回T无效", "回复R退订均无效", "不可回复R退订", "回复TD不能退订", "禁止退订", "本号不可拒收"),
        *("退订功能已关闭", "不可退订，敬请谅解", "無法退訂", "不 可 退 订", "不·可·退·订", "ＴＤ退订无效", "暂不支持退订"),
    ],
)
def test_a_way_out_that_is_denied_is_none(text: str):
    """Before it or behind it, in traditional characters, with signs between, with a key that is in vain."""
    assert not told(text)


@pytest.mark.parametrize(
    "text",
    [
        *("no opt out", "No opt-out.", "You cannot unsubscribe", "you can't opt out", "unable to unsubscribe", "No way to opt out"),
        *("Unsubscribe not possible", "Opt-out is not available", "Reply STOP has no effect", "reply STOP will be ignored"),
        *("cannot be unsubscribed", "Do not reply STOP, it won't work", "opt out unavailable", "reply stop does not work"),
    ],
)
def test_the_same_in_english(text: str):
    """No, cannot, unable, not possible, in vain."""
    assert not told(f"Big sale. {text}")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "退订回T",
            "回TD退订",
            "拒收请回复R",
            "如不需要 退订回T",
            "不想收到？退订回T",
            "此优惠不可错过，退订回T",
            "过期无效，退订回T",
        ),
        *(
            "名额有限无法保证 退订回T",
            "退订回T，无效请联系客服",
            "本短信请勿回复 退订回T",
            "系统短信请勿回复退订回T",
            "谁说不能退订？",
        ),
        *("如无法退订请联系客服", "无法退订请致电4001234567", "不支持短信退订，请登录网站退订", "退订不收费 回T", "无套路退订回T"),
        *(
            "不能退订吗？回复T试试",
            "退订请回复TD，回复其他无效",
            "满100减50无门槛 回T退订",
            "逾期无效 退订回T",
            "无法回复TD请致电4001234567",
        ),
        *(
            "reply STOP to opt out",
            "No purchase necessary. Reply STOP to opt out",
            "Don't miss out! Text STOP to end",
            "no opt-out fee",
        ),
        *("If you cannot unsubscribe call us", "Cannot attend? Unsubscribe: x.co", "Reply Y or N. Unsubscribe at x.co"),
        *("Do not reply. Text STOP to end", "Reply STOP to unsubscribe. Not available in AK", "unsubscribe if not interested"),
        *("YES - 1, NO - unsubscribe", "Can't see it - unsubscribe here"),
    ],
)
def test_a_way_out_is_one_whatever_else_is_denied(text: str):
    """What cannot be missed, is void later, is a condition or a question, or says at once what to do instead, denies none."""
    assert told(text)


def test_a_word_that_is_left_is_enough():
    """One that is denied takes nothing from another; and a single word of a set is not lost to what stands beside it."""
    assert told("不可退订？回复T")
    assert told("不可在线退订，退订回T")
    for text in ("本短信请勿回复 退订回T", "退订回T 逾期无效", "如无法退订请联系客服"):
        assert told(text, WayOut(["退订"]))


@pytest.mark.parametrize(
    "text", ["想退订？没门", "不用退订", "退订回T领奖品", "we never let anyone unsubscribe", "unsubscribe: maybe next year"]
)
def test_denials_that_are_missed_are_listed(text: str):
    """What only a person understands: one that is seen belongs above."""
    assert told(text)


def test_the_rule_asks_for_one_that_is_not_denied():
    """Marketing that says it cannot be refused is answered like marketing that says nothing of it."""
    policy = compiled('[category]\ndefault = "marketing"\n[[opt_out]]\nwords = ["退订", "unsubscribe"]')
    assert rule(policy, "全场五折，退订回T") == ""
    assert rule(policy, "全场五折，不可退订") == rule(policy, "全场五折") == "opt_out.1"
    assert rule(policy, "Sale. You cannot unsubscribe") == "opt_out.1"


@given(
    st.lists(st.sampled_from([*"不可无法退订回复效T ，。?", "cannot ", "unsubscribe", " no ", "not possible", "stop"]), max_size=30)
)
def test_any_text_has_an_answer(pieces: list[str]):
    """And a text without any of the words tells no way."""
    text = "".join(pieces)
    for way in (CHINESE, ENGLISH):
        assert told(text, way) in {True, False}
        assert not told(text.replace("订", "").replace("回", "").replace("stop", "").replace("unsub", ""), way)
