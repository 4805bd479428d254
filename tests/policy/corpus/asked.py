"""Disguises that one rule of a set has to see through, and what is near them and harmless, for each such rule.

All written for these tests. `make` puts the first into evasion.jsonl, with the name of the rule that is asked; the second are
judged by the same rule, and none may be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SETS = {
    "opt_out": """
[category]
default = "marketing"
[[opt_out]]
words = ["回复R", "回R", "回复T", "回T", "回复TD", "回TD", "退订", "拒收", "reply stop", "text stop", "unsubscribe", "opt out"]
""",
}
"""A set for each rule: what nobody asks for is let go by it."""

OFFERS = ("【某某】会员日全场五折，{}", "新品到店，欢迎选购。{}", "Big sale this weekend! {}")

CAUGHT: dict[str, tuple[str, tuple[str, ...]]] = {
    "way out denied": (
        "opt_out",
        (
            *("不可退订", "无法退订", "不能退订", "不得退订", "不支持退订", "不提供退订", "没有退订功能", "无退订方式", "禁止退订"),
            *("本短信不可拒收", "请勿退订", "暂不支持退订", "不可回复R退订", "回复TD不能退订", "不可退订，敬请谅解"),
        ),
    ),
    "way out in vain": (
        "opt_out",
        (
            *("退订无效", "回复T无效", "退订回T无效", "回复R退订均无效", "退订不了", "退订一律无效", "退订不予受理", "拒收无用"),
            *("退订功能已关闭", "退订不成功概不负责"),
        ),
    ),
    "way out denied, disguised": (
        "opt_out",
        (
            *(
                "無法退訂",
                "退訂無效",
                "不 可 退 订",
                "不·可·退·订",
                "退/订/无/效",
                "ＴＤ退订无效",
                "不\u200b可\u200b退\u200b订",
                "无法😀退订",
            ),
            *("ＣＡＮＮＯＴ ＵＮＳＵＢＳＣＲＩＢＥ", "сannot unsubscribe"),
        ),
    ),
    "way out denied in English": (
        "opt_out",
        (
            *(
                "No opt out.",
                "No opt-out",
                "You cannot unsubscribe",
                "You can't opt out",
                "Unable to unsubscribe",
                "No way to opt out",
            ),
            *("Unsubscribe not possible", "Opt-out is not available", "Reply STOP has no effect", "Reply STOP will be ignored"),
        ),
    ),
}
"""Class → the rule that is asked, texts."""

MISSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "way out denied by what is meant": ("opt_out", ("想退订？没门", "不用退订", "we never let anyone unsubscribe")),
}

NEAR: dict[str, tuple[str, ...]] = {
    "opt_out": (
        *(
            "退订回T",
            "回TD退订",
            "拒收请回复R",
            "回 复 Ｒ",
            "退訂回T",
            "如不需要 退订回T",
            "不想收到？退订回T",
            "此优惠不可错过，退订回T",
        ),
        *("名额有限无法保证 退订回T", "过期无效，退订回T", "逾期无效 退订回T", "退订回T，无效请联系客服", "本短信请勿回复 退订回T"),
        *("系统短信请勿回复退订回T", "如无法退订请联系客服", "无法退订请致电4001234567", "不支持短信退订，请登录网站退订"),
        *("退订不收费 回T", "无套路退订回T", "不能退订吗？回复T试试", "退订请回复TD，回复其他无效", "满100减50无门槛 回T退订"),
        *("Reply STOP to opt out", "No purchase necessary. Reply STOP to opt out", "Don't miss out! Text STOP to end"),
        *("If you cannot unsubscribe call us", "Cannot attend? Unsubscribe: x.co", "Reply Y or N. Unsubscribe at x.co"),
        *("Do not reply. Text STOP to end", "Reply STOP to unsubscribe. Not available in AK", "No opt-out fee: reply STOP"),
    ),
}
"""What passes, by the rule that is asked."""


def _framed(name: str, text: str) -> Iterator[str]:
    """Yield a text as it stands in messages."""
    if name != "opt_out":
        yield text
    else:
        yield from (offer.format(text) for offer in OFFERS)


def entries() -> Iterator[dict[str, Any]]:
    """Yield the disguises, those that are seen through first."""
    for caught, classes in ((True, CAUGHT), (False, MISSED)):
        for kind, (name, texts) in classes.items():
            for at, text in enumerate(texts):
                framed = list(_framed(name, text))
                yield {"class": kind, "caught": caught, "asks": name, "text": framed[at % len(framed)]}


def harmless() -> list[tuple[str, str]]:
    """Return (rule that is asked, text) of all that has to pass."""
    return [(name, framed) for name, texts in NEAR.items() for text in texts for framed in _framed(name, text)]
