"""Disguises that one rule of a set has to see through, and what is near them and harmless, for each such rule.

All written for these tests. `make` puts the first into evasion.jsonl, with the name of the rule that is asked; the second are
judged by the same rule, and none may be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from smsgw.smpp import const, gsm7, tlv
from smsgw.smpp.udh import write_udh

SETS = {
    "opt_out": """
[category]
default = "marketing"
[[opt_out]]
words = ["回复R", "回R", "回复T", "回T", "回复TD", "回TD", "退订", "拒收", "reply stop", "text stop", "unsubscribe", "opt out"]
""",
    "phones": '[phones]\nallowed = ["4001234567"]\n',
    "links": '[links]\nallowed = ["example.cn"]\n',
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
    "link under a domain that is on no list": (
        "links",
        (
            *("evil.game:8080", "evil.game:8443/x", "evil.red/x", "evil.game?id=1", "www.evil.game", "www[.]evil[.]game"),
            *(
                "www。evil。game",
                "evil[.]game/x",
                "evil(dot)game/x",
                "evil[.]red:8080",
                "www.恶意.游戏",
                "http://evil.game",
                "http://恶意.游戏",
            ),
        ),
    ),
    "dot that is said": (
        "links",
        (
            *("evil dot com", "evil DOT com", "evil dot c o m", "evil-dot-com", "evil_dot_com", "evil *dot* com", "evil <dot> com"),
            *(
                "www dot evil dot com",
                "evil dot com dot cn",
                "www.evil dot com",
                "evil dot xyz/a",
                "t dot cn",
                "ｅｖｉｌ ｄｏｔ ｃｏｍ",
            ),
            *("see evil dot com.", "evil dot org!"),
        ),
    ),
    "dot that is said in Chinese": (
        "links",
        (
            *("evil点com", "evil 点 com", "evil點com", "evil点com点cn", "evil点cn", "163点com", "恶意点com", "EVIL点ＣＯＭ"),
            *("evil\u200b点com", "evil点com。谢谢", "ⓔⓥⓘⓛ点com"),
        ),
    ),
    "number with words between": (
        "phones",
        (
            *("138转0013转8000", "call 138 then 0013 then 8000", "138 then 0013-8000", "138 0013 then 8000", "138再拨0013再拨8000"),
            *("138 dash 0013 dash 8000", "138 followed by 0013 followed by 8000", "138空格0013空格8000", "138接0013接8000"),
            *("１３８转００１３转８０００", "138 and then 0013 and then 8000", "138转①③①③转8000", "138轉0013轉8000"),
        ),
    ),
}
"""Class → the rule that is asked, texts."""

MISSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "way out denied by what is meant": ("opt_out", ("想退订？没门", "不用退订", "we never let anyone unsubscribe")),
    "dot that is meant": (
        "links",
        ("evil point com", "evil·com", "evil,com", "evildotcom", "evil dot net", "evil.c0m", "恶意。中国"),
    ),
    "link that nothing tells": ("links", ("evil.game", "evil.game:1234", "恶意.game/x", "evil.\ncom")),
    "number in clauses": ("phones", ("138，然后0013，然后8000", "138，0013，8000", "138 and 0013 and 8000")),
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
    "links": (
        *("the dot com boom", "A dot com company calls you", "late nineties dot com bubble", "polka dot top", "polka dot shop"),
        *("Echo Dot in stock", "Echo Dot pro", "Echo Dot CN version", "red dot club", "connect the dots com", "learn asp dot net"),
        *(
            "8点CN服开启",
            "打开app点CN",
            "早上9点live直播",
            "今晚8点vip专享",
            "进入App点VIP领取",
            "请点com",
            "A点到B点",
            "每晚8点。com",
        ),
        *(
            "Paid.Total:8080",
            "Thanks.Code:8080",
            "It is due.Tel:10086",
            "Confirmed.Date:11/26",
            "Hi.Room:1204",
            "Congrats.Prize:8888",
        ),
        *(
            "Confirmed.Time:10:30",
            "Fee.Price:443",
            "请看www.的意思",
            "see www.",
            "example点cn",
            "www dot example dot cn",
            "example[.]cn:8080",
        ),
        *(
            "www.example.cn登录",
            "见www.example.cn登录.谢谢",
            "见www.example.cn.谢谢",
            "点击example.cn/a",
            "Sept.orders",
            "3.5.no:443",
            "a.m./p.m.",
            "me@evil dot com",
        ),
    ),
    "phones": (
        *(
            "rooms 150 and 2025 and 2026",
            "150和2025和2026",
            "138加0013加8000",
            "bus 138 then 1204",
            "138元转0013转8000",
            "先按138再按1",
        ),
        *(
            "首月138然后1388然后1588元",
            "150转1204转1305路",
            "分机8001转1380",
            "拨8001转1380转8000",
            "1138转0013转8000",
            "138转0013转80001",
        ),
        *("first 138 then 1388 then 1588 points", "400转123转4567", "138 then 139 then 150", "4001234567转8001转8002"),
    ),
}
"""What passes, by the rule that is asked."""


NUMBERS = ("13800138000", "13912345678", "18612345678", "4008887777", "01087654321", "075512345678")


def low_first(digits: str, zero: str = "0") -> bytes:
    """Return two digits in an octet, the first one low, as networks write them."""
    even = (digits + "f" * (len(digits) % 2)).replace("0", zero)
    return bytes.fromhex("".join(even[at + 1] + even[at] for at in range(0, len(even), 2)))


def high_first(digits: str, zero: str = "0", filler: str = "f") -> bytes:
    """Return two digits in an octet, the first one high, as they are written by hand."""
    return bytes.fromhex((digits + filler * (len(digits) % 2)).replace("0", zero))


def callback(digits: bytes, mode: int = 1, kind: int = 0, plan: int = 1) -> bytes:
    """Return a callback_num."""
    return tlv.append(const.TAG_CALLBACK_NUM, bytes((mode, kind, plan)) + digits)


def reply_address(kind: int, count: int, octets: bytes) -> bytes:
    """Return a header with a reply address."""
    return write_udh([(0x22, bytes((count, 0x81 | kind << 4)) + octets)])


CALLBACKS: tuple[Callable[[str], bytes], ...] = (
    lambda digits: callback(digits.encode()),
    lambda digits: callback(digits.encode(), kind=2),
    lambda digits: callback(digits.encode(), mode=0),
    lambda digits: callback(low_first(digits), mode=0),
    lambda digits: callback(high_first(digits), mode=0),
    lambda digits: callback(high_first(digits, "a", "0"), mode=0),
    lambda digits: tlv.append(const.TAG_CALLBACK_NUM, digits.encode()),
)
TAGS: tuple[Callable[[str], bytes], ...] = (
    lambda text: tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\0" + text.encode()),
    lambda text: tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\x08" + text.encode("utf-16-be")),
    lambda text: tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\x01" + text.encode()),
)
SUBADDRESSES: tuple[Callable[[int, str], bytes], ...] = (
    lambda tag, digits: tlv.append(tag, b"\xa0" + digits.encode()),
    lambda tag, digits: tlv.append(tag, b"\x80\x50" + digits.encode()),
    lambda tag, digits: tlv.append(tag, b"\x88" + low_first(digits)),
    lambda tag, digits: tlv.append(tag, digits.encode()),
)
REPLIES: tuple[Callable[[str], bytes], ...] = (
    lambda digits: reply_address(0, len(digits), low_first(digits)),
    lambda digits: reply_address(2, len(digits), low_first(digits)),
    lambda digits: reply_address(5, (len(digits) * 7 + 3) // 4, gsm7.pack7(digits.encode())),
)


def _beside() -> Iterator[dict[str, Any]]:
    """Yield numbers and links that stand beside the text."""
    for at, number in enumerate(NUMBERS):
        for callback_in in CALLBACKS:
            yield {"class": "callback number", "asks": "phones", "tlvs": callback_in(number).hex()}
        for tag_in in TAGS:
            yield {"class": "name of a callback number", "asks": "phones", "tlvs": tag_in(f"tel {number}").hex()}
            yield {"class": "link in the name of a callback number", "asks": "links", "tlvs": tag_in(f"evil{at}.com").hex()}
        for subaddress_in in SUBADDRESSES:
            tag = (const.TAG_SOURCE_SUBADDRESS, const.TAG_DEST_SUBADDRESS)[at % 2]
            yield {"class": "subaddress", "asks": "phones", "tlvs": subaddress_in(tag, number).hex()}
        for reply_in in REPLIES:
            yield {"class": "reply address in the header", "asks": "phones", "octets": (reply_in(number) + b"Sale").hex()}


HARMLESS_TLVS = (
    callback(b"4001234567"),
    callback(low_first("4001234567"), mode=0),
    callback(high_first("4001234567"), mode=0),
    callback(b"10690001"),
    callback(b"1069000188", kind=1),
    callback(low_first("1069000188"), mode=0, kind=1),
    callback(b"95588"),
    callback(b"106575550123", kind=1),
    callback(b""),
    callback(b"\xff\xfe\x80\x81"),
    tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\0Shop"),
    tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\x08" + "某某客服 example.cn".encode("utf-16-be")),
    tlv.append(const.TAG_CALLBACK_NUM_ATAG, b"\x08\xd8"),
    tlv.append(const.TAG_CALLBACK_NUM_ATAG, b""),
    tlv.append(const.TAG_SOURCE_SUBADDRESS, b"\xa012"),
    tlv.append(const.TAG_DEST_SUBADDRESS, bytes(range(0x80, 0x90))),
    tlv.append(const.TAG_DEST_SUBADDRESS, bytes.fromhex("a0deadbeef13800138")),
    tlv.append(const.TAG_USER_MESSAGE_REFERENCE, b"\x13\x80"),
    tlv.append(0x1400, b"13800138000"),
)
"""Numbers that are allowed, the tenant's own or too short, names without either, octets that say nothing, and other TLVs."""
HARMLESS_HEADERS = (
    reply_address(0, 8, low_first("10690001")),
    reply_address(1, 10, low_first("1069000188")),
    reply_address(5, 7, gsm7.pack7(b"Shop")),
    reply_address(0, 0, b""),
    write_udh([(0x22, b"")]),
    write_udh([(0x22, b"\x0b")]),
    write_udh([(0x22, b"\xff\x91\xde\xad")]),
    write_udh([(0x70, b"13800138000")]),
)


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
    yield from ({**one, "caught": True} for one in _beside())


def harmless() -> list[dict[str, Any]]:
    """Return all that has to pass: the rule that is asked, and its text, octets or TLVs."""
    found: list[dict[str, Any]] = [
        {"asks": name, "text": framed} for name, texts in NEAR.items() for text in texts for framed in _framed(name, text)
    ]
    for name in ("phones", "links"):
        found += ({"asks": name, "tlvs": tlvs.hex()} for tlvs in HARMLESS_TLVS)
        found += ({"asks": name, "octets": (header + b"Sale").hex()} for header in HARMLESS_HEADERS)
    return found
