"""Links and phone numbers, as they are written to be followed and dialled, and as they are written so as not to be found.

Looked for in the first normal form, which has made one of full-width, circled and other scripts' letters and digits, and has no
zero-width characters in it. Read are also the dots that a browser takes for one or that everybody reads as one, dots that are said
("evil dot com", "evil点com"), letters and digits that stand apart, digits in words of Chinese, groups of digits with words between
them; not what a person alone would guess: "evil point com", homophones, pictures.

A name under a domain that is on no list is a link where something says so: a scheme, www, a path, a port that pages are at. What is
an ordinary sentence as well is none: "the dot com boom", "8点CN服", "Paid.Total:8080".

Promises: where the short look finds nothing, the long one would not either; it takes a tenth of its time.
Never here: which of them are allowed, what becomes of one that is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TOP: Final = "|".join(
    (
        *("com", "cn", "net", "org", "cc", "top", "xyz", "info", "biz", "io", "me", "app", "vip", "club", "shop", "site"),
        *("online", "store", "link", "win", "ltd", "wang", "work", "live", "fun", "ink", "pro", "tv", "co", "in", "uk"),
        *("us", "ru", "de", "hk", "tw", "sg", "ai", "asia", "cloud", "dev", "gd", "gl", "icu", "im", "la", "ly", "mobi", "tech"),
        *("website", "space", "jp", "kr", "fr", "eu", "vn", "tk", "xn--[a-z0-9-]+", "sbs", "bond", "cfd", "cyou", "click", "lol"),
        *("buzz", "pw", "ws", "su", "ml", "ga", "gq", "ren", "loan", "bet", "ph", "zip"),
    )
)
"""What a name without more ends with where it is a link. With www before it or a / behind it any letters do."""
_HAN: Final = "[\u3400-\u9fff]"
_OTHER: Final = r"[^\W\d_a-z]"
_OTHER_TOP: Final = (
    r"(?:(?:com|cn|org|top|xyz|vip|cc|shop|club|site|online)(?![a-z0-9-])"
    rf"|(?:中国|公司|网络|网址|在线|商城|中文网|pф)(?!{_HAN}))"
)
"""What a name of ideographs or other letters ends with; fewer, because a sentence ends with a dot as well."""
_DOT: Final = r"(?:[.。]|[\[({](?:\.|dot)[\])}])"
"""A browser takes 。 for a dot, and everybody reads the others as one."""
_NO_WORD: Final = "c ?o ?m|c ?n|n ?e ?t|o ?r ?g|x ?y ?z|t ?o ?p|v ?i ?p"
"""What a name ends with that is written apart, or has 。 before it, the end of a sentence: no word that one begins with."""
_APART: Final = f"(?: [.。] ?(?:{_NO_WORD})| ?[.。] c ?o ?m|。(?:{_NO_WORD}))"
_LABEL: Final = "[a-z0-9-]{1,63}"
_BEFORE: Final = r"(?<![a-z0-9@-])(?<![a-z0-9]\.)"
_PATH: Final = r"(?:/|\?[a-z0-9_]+=)"
_PORT: Final = r":(?:443|8080|8081|8088|8443|9443)(?!\d)"
"""Where pages are; other numbers behind a colon are codes and sums, round ones too."""
_COUNTED: Final = (
    r"(?:tel|fax|phone|call|hotline|code|no|pin|otp|pass|id|ref|room|gate|seat|order|ext|date|time|total|sum|amount|balance|price|cost"
    r"|fee|pay|paid|cash|due|left|used|saved|points?|score|num|number|qty|count|at|to|by|is|am|pm|only|now|from|age|rmb|cny|usd|eur|hkd)"
)
"""What a number follows behind a colon, where the blank after the sentence before it is missing."""
_SURE: Final = r"(?:\.|[\[({](?:\.|dot)[\])}])"
_NAME: Final = r"[a-z0-9]++(?:-(?!dot-)[a-z0-9]++)*+"
_STROKE: Final = r"""[ _*·~|<>"'-]{1,3}"""
_SAY: Final = f"(?:{_STROKE}dot{_STROKE}| ?点 ?)"
"""A dot that is said. 点 is also to tap, and an hour: so no word may follow."""
_SAID_TOP: Final = "c ?o ?m|c ?n|o ?r ?g|x ?y ?z"
_ORDINARY: Final = (
    r"(?:(?:the|an?|th(?:is|at|ese|ose)|our|your|my|his|her|its|their|of|is|was|and|or|for|in|at|from|to|on|with|any|some|no|every"
    r"|each|new|old|big|late|early|first|last|former|other|many|most|all|after|before|during|since|pre|post|as|echo|polka|quantum"
    r"|gmail|hotmail|outlook|yahoo|icloud|foxmail)"
    r"[ -]{1,2}dot"
    r"|(?:\d{1,2}|app|qq|wx|vx|wechat|h5|ios|pc|vip|ok) ?点)"
)
_ENDS: Final = r"(?![a-z0-9-]|\.[a-z0-9])"
_ERA: Final = (
    r"(?![ -](?:bubbles?|boom|bust|crash|eras?|days|age|compan|business|start|million|billion|stocks?|industr|world|econom|invest))"
)
"""What stands before and behind "dot com" where it is a word, or the end of a mail address that is said."""
LINK: Final = re.compile(
    r"://([^\s/?#\\]+)"
    r"|(?<![a-z0-9])h(?:tt|xx)ps?:[/\\]*+([^\s/?#\\]{1,255}\.[^\s/?#\\]{1,255})"
    rf"|{_BEFORE}((?:{_LABEL}{_DOT}){{1,30}}(?<!。)(?:{_TOP})(?:\.{_LABEL}){{0,30}})(?![a-z0-9-])"
    rf"|{_BEFORE}((?:www{_DOT}(?:{_LABEL}{_DOT}){{1,30}}"
    rf"|(?:{_LABEL}{_SURE}){{1,30}}(?=[a-z]+{_PATH}|(?!{_COUNTED}:)[a-z]+{_PORT}))[a-z]{{2,24}})(?![a-z0-9-])"
    rf"|{_BEFORE}((?:{_LABEL}{_DOT}){{0,30}}{_LABEL}{_APART})(?![a-z0-9-])"
    rf"|({_OTHER}\.{_OTHER_TOP})"
    r"|(?<![a-z0-9.])(\d{1,3}(?:\.\d{1,3}){3})(?=[/:])"
)
"""With what stands between :// and the path, or the name of a host, in its group. A mail's address is no link."""
SAID: Final = re.compile(
    rf"{_BEFORE}(?!{_ORDINARY})((?:{_NAME}(?:\.|{_SAY})){{0,30}}{_NAME}{_SAY}(?:{_SAID_TOP})(?:{_SAY}c ?n)?){_ENDS}{_ERA}"
    rf"|((?![请就可再先来快戳去您击上几整半零一二三四五六七八九十]){_OTHER}点 ?com){_ENDS}"
)
"""The name of a host of which a dot is said, and the host in a group."""
_OTHER_WWW: Final = re.compile(r"(?<![a-z0-9])www\.(?=[a-z0-9-]{0,63}[^\W\d_a-z])((?:[\w-]{1,63}\.){1,30}[^\W\d_]{2,24})")
"""A name with other letters in it, under whatever domain."""
_HOST: Final = re.compile(r"""(?:[^\s,;:!()'"<>，。；！？、）】《》.]|[.](?=[a-z0-9]))+""")
"""The host at the front of that: the end of a sentence is no dot of it."""
_SPELLED: Final = re.compile(rf" ?{_DOT} ?")
_SAID_DOT: Final = re.compile(_SAY)
_MAY_DOT: Final = re.compile(
    rf"\.(?:(?:{_TOP})(?![a-z0-9-])|[a-z]{{2,24}}(?:{_PATH}|{_PORT})|\d{{1,3}}[/:]|{_OTHER_TOP}| ?(?:{_NO_WORD})"
    rf"|[\])}}](?:{_TOP}|[a-z]{{2,24}}(?:{_PATH}|{_PORT})))"
)
_MAY_STOP: Final = re.compile(f"。 ?(?:{_NO_WORD})")
_MAY_HOLD: Final = re.compile(r"dot[\])}]")
_MAY_SAY: Final = re.compile(rf"点 ?(?:{_SAID_TOP})|dot{_STROKE}(?:{_SAID_TOP})")


class Found(NamedTuple):
    """A link's host, or a phone number's digits, and where in the form it stands."""

    value: str
    span: tuple[int, int]


def may_link(form: str) -> bool:
    """Tell whether a text has what every link has: that takes a tenth of the time that looking for one takes."""
    if "://" in form or "www" in form or "http" in form or "hxxp" in form:
        return True
    if _MAY_DOT.search(form) is not None or ("。" in form and _MAY_STOP.search(form) is not None):
        return True
    return "dot" in form and _MAY_HOLD.search(form) is not None


def may_say(form: str) -> bool:
    """Tell whether a text has what every name has of which a dot is said."""
    return ("点" in form or "dot" in form) and _MAY_SAY.search(form) is not None


def links_in(form: str) -> Iterator[Found]:
    """Yield the links of a text."""
    if may_link(form):
        for match in LINK.finditer(form):
            yield Found(_host(next(filter(None, match.groups()))), match.span())
        if not form.isascii():
            for match in _OTHER_WWW.finditer(form):
                yield Found(_host(match[1]), match.span())
    if may_say(form):
        for match in SAID.finditer(form):
            yield Found(_host(_SAID_DOT.sub(".", match[1] or match[2])), match.span())


def _host(named: str) -> str:
    """Return the host that a link leads to: behind the last @, up to what can be in none."""
    found = _HOST.match(_SPELLED.sub(".", named.rpartition("@")[2]).replace(" ", ""))
    return found[0] if found is not None else ""


# ---- phone numbers ----------------------------------------------------------------------------------------------------

_GAP: Final = "[-. ·・•_—–]{0,2}"
_WIDE: Final = r"(?:(?:[^\w\s,;:!?、。¥$€£%=<>+×(\[{]|[ _]){0,2}| {3})"
"""Between groups: whatever is no letter, ends no clause, and makes no sum, price or size of them."""
_MAY_PHONE: Final = re.compile(r"\d(?:[\W_]{0,3}\d){6}")
"""What every phone number in digits has in it."""
PHONE: Final = re.compile(
    rf"(?<!\d)(?=[\d+])(?:(?:(?:\+|00)?86{_WIDE})?1[3-9]\d"
    rf"(?:{_WIDE}\d{{4}}{_WIDE}\d{{4}}|{_GAP}\d{{3}}{_GAP}\d{{5}}|{_GAP}\d{{2}}{_GAP}\d{{3}}{_GAP}\d{{3}})"
    rf"|1[-. ·・•_—–]{{1,2}}[3-9](?:{_GAP}\d){{9}}"
    rf"|[48]00{_GAP}\d{{3}}{_GAP}\d{{4}}|[48]00\d{_GAP}\d{{3}}{_GAP}\d{{3}}|[48](?:[-. ·・•_—–]{{1,2}}0){{2}}(?:{_GAP}\d){{7}}"
    r"|0\d{2,3}\)?(?:[- ]?\d{7,8}|[-. ]{0,2}\d{3,4}[-. ]{1,2}\d{4})|\+\d{7,15})(?!\d)"
)
"""A mobile number in its usual groups, or digit by digit; a service number; a landline; an international one."""
_THEN: Final = (
    r"(?: ?(?:and then|then|next|followed by|dash|hyphen|space|转|再拨?打?按?|然后是?再?|接着?是?|后面是?|后接|后跟|空格|横杠|杠)"
    r"[ :,]? ?)"
)
_UNIT: Final = r"(?!\d| ?(?:[元块个名人份张次年月日天楼室米路线点分秒件本台]|dollars|yuan|rmb|usd|points|km|steps))"
"""What makes sums, prices and lines of buses of digits."""
_WORDED_PHONE: Final = re.compile(rf"1(?<!\d.)[3-9]\d(?:{_THEN}\d{{4}}(?:{_THEN}|{_WIDE})|{_WIDE}\d{{4}}{_THEN})\d{{4}}{_UNIT}")
"""A mobile number in its usual groups, with a word between them that makes no list and no sum of them."""
_SAID: Final = {
    **dict.fromkeys("〇零o", "0"),
    **dict.fromkeys("一壹幺", "1"),
    **dict.fromkeys("二贰两", "2"),
    **{said: str(at) for at, both in enumerate(("三", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖"), 3) for said in both},
}
_ANY: Final = f"[0-9{''.join(_SAID)}]"
_SAID_PHONE: Final = re.compile(
    rf"[1l一壹幺](?<!{_ANY}.)(?<![a-z].){_GAP}[3-9三四五六七八九肆伍陆柒捌玖](?:{_GAP}{_ANY}){{9}}(?!{_ANY})(?![a-z])"
)
"""A mobile number of which digits are said, or are letters that look like one."""
_DIGITS: Final = str.maketrans({**_SAID, "l": "1"})


def phones_in(form: str) -> Iterator[Found]:
    """Yield the phone numbers of a text: their digits, without the 86 of China."""
    if _MAY_PHONE.search(form) is not None:
        for match in PHONE.finditer(form):
            yield Found(bare(match[0]), match.span())
    if _WORDED_PHONE.search(form) is not None:
        for match in _WORDED_PHONE.finditer(form):
            yield Found(bare(match[0]), match.span())
    if _SAID_PHONE.search(form) is not None:
        for match in _SAID_PHONE.finditer(form):
            digits = match[0].translate(_DIGITS)
            if digits != match[0]:
                yield Found(bare(digits), match.span())


def bare(number: str) -> str:
    """Return the digits of a number, without the 86 of China."""
    digits = "".join(letter for letter in number if letter.isdecimal())
    return digits.removeprefix("00").removeprefix("86") if digits.startswith("0086") else digits.removeprefix("86")
