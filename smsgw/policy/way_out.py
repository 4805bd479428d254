"""The way out of marketing: does a text tell how it is refused, or only that it cannot be?

A set lists words that tell it ([[opt_out]]): "退订", "reply stop". Looked for in the second normal form, so that spelling does not
matter. But "不可退订", "退订无效" and "you cannot unsubscribe" have such a word as well. So where one is found, what denies it is
taken out of the text, and a word has to be left: "本短信不可退订" has none, "不想收到？退订回T" keeps its own.

A denial touches the word that it denies, with at most what is no end of a clause between them; and it is none in a condition or a
question ("如无法退订", "cannot unsubscribe?"), nor where what to do instead follows at once ("无法退订请致电").

Promises: a text that has none of the set's words, or nothing that could deny, costs a look for those and no more; what could deny
is looked at where it stands.
Must never: run what an operator wrote as an expression: words are taken letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from smsgw.policy.normal import n1, n2

_GAP: Final = r"""(?:[^\w,;:!?。、\n.()\[\]{}<>《》「」『』【】"“”'‘’]|_){0,3}"""
"""What may stand inside a denial and hides nothing from a reader: a mark that ends a clause is none of it."""


def _any(*words: str) -> str:
    """Return an expression of some words, of which ideographs may stand apart."""
    return "|".join(_GAP.join(map(re.escape, word)) if not word.isascii() else re.escape(word) for word in words)


_REFUSING: Final = _any("退订", "拒收", "取消订阅")
_KEY: Final = rf"(?:回{_GAP}复?|发{_GAP}送?){_GAP}[a-z0-9]{{1,4}}+"
"""What is sent to refuse: 回复TD."""
_NOT: Final = _any(
    *("不可", "不可以", "不能", "不能够", "不得", "不准", "不许", "不让", "不允许", "不支持", "不提供", "不接受", "不受理", "不予"),
    *("无法", "没法", "没有", "没得", "未提供", "禁止", "严禁", "请勿", "切勿"),
)
_SOFTER: Final = f"(?:{_any('暂', '均', '也', '都', '将', '一律', '概', '再', '主动', '自行', '直接')}|短信)?"
_BARE: Final = rf"无(?:{_REFUSING})(?:{_any('功能', '方式', '方法', '选项', '渠道', '通道', '入口', '途径')})"
_VAIN: Final = _any(
    *("无效", "无用", "没用", "无门", "不了", "不成功", "不掉", "不支持", "不受理", "不予受理", "不予处理", "不生效", "不起作用"),
    *(
        "不可用",
        "不可能",
        "不可以",
        "不被允许",
        "不允许",
        "功能已关闭",
        "通道已关闭",
        "入口已关闭",
        "功能关闭",
        "通道关闭",
        "功能已停用",
    ),
)
_OF_IT: Final = (
    f"(?:{_any('将', '均', '也', '都', '是', '会', '亦', '暂', '一律', '操作', '申请', '请求', '指令', '短信', '者')}){{0,2}}"
)
_STEPS: Final = _any(
    *(
        "致电",
        "联系",
        "拨",
        "登录",
        "登陆",
        "前往",
        "访问",
        "通过",
        "咨询",
        "转人工",
        "找",
        "与",
        "关注",
        "打",
        "投诉",
        "举报",
        "反馈",
        "重",
        "再试",
        "多试",
    )
)
_AT_ONCE: Final = "回|发|点|戳|编辑|换|按|到|去|见"
_INSTEAD: Final = (
    rf"(?![ ]?(?:时|的话|者|后|则|可以?|需|请|您|，|,|。|;|\.| ){{0,4}}(?:{_STEPS}))"
    rf"(?![ ]?(?:时|的话|者|后|则|可以?|需|请|您){{0,3}}(?:{_AT_ONCE}))(?! *\?)(?!吗|么|怎么|怎办|咋)"
)
"""Not where a way out follows, or it was a question."""
_IF: Final = "(?<![如若果非是当遇怕说])"

_NO: Final = (
    r"(?:can(?:not|[ -]not|[’']?t)(?: ever)?|(?:un|not )able to|(?:im|not )possible to|no (?:way|option) to|not allowed to"
    r"|(?:may|must|will|do|does|could) not|won[’']?t|(?<!for )(?<!or )(?<!say )(?<!if )(?<!and )(?<!reply )(?<!text )no)"
)
_LEAVE: Final = r"opt(?:ing|ed|s)?[ -]?out|unsubscri(?:be[sd]?|bing|ption)"
_STOP: Final = r"(?:reply(?:ing)?|text(?:ing)?|send(?:ing)?) [\"']?stop[\"']?"
_BLANK: Final = "(?: {1,3}|-)"
"""Between words of one clause: " - " begins another."""
_BE: Final = r"(?:is|are|was|be|been|being|get|also|ever|now|currently|option|link|function|has|have|does|do|will|wo)"
_BUT: Final = (
    r"(?!(?: (?:any ?more|via|by|in|on|with|from|here|this|sms|text|reply|message))* ?\?)(?!,? (?:if|unless|without|please) )"
)
_FREE: Final = r"(?! (?:fees?|charges?|costs?|code|needed|required|necessary|reason)\b)"
_DEAD: Final = (
    r"(?:not (?:possible|available|allowed|supported|offered|accepted|permitted|an option|work)|no effect|n?[’']?t work|unavailable"
    r"|impossible|disabled|ignored|no longer (?:possible|available|supported)|(?:switched|turned) off)"
)
_SOME: Final = r"(?! (?:in|for|outside|to) )"
"""Where it is so for some recipients alone."""

_MAY_DENY: Final = re.compile(
    rf"不(?={_GAP}[可能得准许让允支提接受予了成掉生起被])|无(?={_GAP}[法效用门退拒取])|没(?={_GAP}[法有得用])|未(?={_GAP}提)|禁(?={_GAP}止)|严(?={_GAP}禁)"
    rf"|请(?={_GAP}勿)|切(?={_GAP}勿)|功(?={_GAP}能)|通(?={_GAP}道)|入(?={_GAP}口)"
    r"|no(?=[ t])|can(?=[n’' t-])|won(?=[’' t])|un(?=a[bv])|impossible|disabled|ignored|may(?= not)|must(?= not)|will(?= not)"
    r"|do(?= not|es not)|could(?= not)|switched off|turned off|n(?=[’']?t work)"
)
"""Where a denial may begin, or end. Each begins with a letter of its own: that makes the look for them a short one."""
_BEHIND: Final = 40
"""So far before what denies stands what it denies."""


class WayOut:
    """The words of one [[opt_out]]."""

    __slots__ = ("_denied", "_denied_before", "_words")

    def __init__(self, words: Iterable[str]) -> None:
        """Take them as they are written."""
        first = [n1(word) for word in words]
        self._words = tuple(map(n2, first))
        self._denied, self._denied_before = _denials(sorted(first, key=len, reverse=True))

    def told(self, form: str, letters: str) -> bool:
        """Tell whether a text, in its first and its second normal form, tells a way out by one of the words."""
        if not self._in(letters):
            return False
        left = self._allowed(form)
        return left is form or self._in(n2(left))

    def _in(self, letters: str) -> bool:
        return any(word in letters for word in self._words)

    def _allowed(self, form: str) -> str:
        """Return a text without what is denied in it."""
        pieces: list[str] = []
        kept = 0
        for may in _MAY_DENY.finditer(form):
            at = may.start()
            match = self._denied.match(form, at)
            if match is None or match.end() <= kept:
                continue
            begins = at
            before = (_LED if match["way"] else self._denied_before).search(form, max(kept, at - _BEHIND), at)
            if before is not None:
                begins = before.start()
            elif not match["way"]:
                continue
            pieces += (form[kept:begins], "\n")
            kept = match.end()
        return "".join((*pieces, form[kept:])) if kept else form


_LED: Final = re.compile(rf"{_KEY}{_GAP}\Z")
"""What is to be sent, where the denial follows: 回复T不能退订."""


def _denials(words: Sequence[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what denies a way out, in the group `way` what tells it, or without: then the second has to be found before it.

    The set's own words are among those that tell one.
    """
    own = [re.escape(word) for word in words if word.isascii() and len(word) > 2]
    other = [_GAP.join(map(re.escape, word)) for word in words if not word.isascii() and len(word) > 1]
    told = f"(?>{'|'.join((_KEY, *other, _REFUSING))})"
    leave = "|".join((_STOP, _LEAVE, *own))
    denied = (
        rf"(?P<way>{_IF}(?:{_NOT}){_GAP}{_SOFTER}{_GAP}{told}(?:{_GAP}(?:{_REFUSING}))?{_INSTEAD}|{_BARE}{_INSTEAD}"
        rf"|(?<![a-z])(?<!if you )(?<!if ){_NO}(?:{_BLANK}{_BE})*{_BLANK}(?:{leave})(?![a-z]){_BUT}{_FREE})"
        rf"|(?:{_VAIN}){_INSTEAD}|{_DEAD}(?![a-z]){_BUT}{_SOME}"
    )
    before = (
        rf"{_IF}(?:(?:{_REFUSING}){_GAP})?请?{told}(?:{_GAP}(?:{_REFUSING}))?{_GAP}{_OF_IT}{_GAP}\Z"
        rf"|(?<![a-z])(?:{leave})(?: to (?:{_LEAVE}|end|cancel|quit))?(?:{_BLANK}{_BE})*(?:{_BLANK})?\Z"
    )
    return re.compile(denied), re.compile(before)
