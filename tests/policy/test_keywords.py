"""Keywords of handsets: the whole text is one, in any spelling; a sentence with one in it is none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from smsgw.policy.file import Keyword
from smsgw.policy.keywords import LONGEST_OCTETS, Wish, forms_of, wish_of
from smsgw.policy.ruleset import RuleSet, compile_set, make_bundle
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import data_sm_body, encode, sm_body
from smsgw.smpp.text import encode as coded
from tests.policy.sets import KEY

PACKS = Path(__file__).resolve().parents[2] / "config" / "policy"


def pack(name: str) -> RuleSet:
    """Compile a pack."""
    bundle = make_bundle([f"{name}.toml"], lambda source, listed: (PACKS / (listed or source)).read_text(encoding="utf-8"), KEY)
    return compile_set(name, bundle, KEY)


CHINA, AMERICA = pack("china").keywords, pack("north-america").keywords


def mo(text: str, **fields: object) -> bytes:
    """Return a deliver_sm that says this: GSM where it can be, else UCS-2."""
    coding, octets = coded(text)
    given = {"source": b"8613800138000", "dest": b"10690001", "data_coding": coding, "short_message": octets} | fields
    return encode(const.DELIVER_SM, 0, 1, sm_body(**given))  # type: ignore[arg-type]


def means(forms: dict[str, Wish], pdu: bytes, command: int = const.DELIVER_SM) -> str:
    """Return what it means; "" for nothing."""
    found = wish_of(forms, pdu, command)
    return "" if found is None else found.means


CHINESE = [
    "TD", "td", "Td", "ＴＤ", "ｔｄ ", " TD", "TD.", "TD。", "TD！", "“TD”", "T D", "T.D.", "TD\r\n", "T\u200bD",
    "T", "t", "Ｔ", "T.", "R", "r", "Ｒ ", "R。", "N", "n", "Ｎ！",
    "退订", "退訂", "退订。", "退 订", "【退订】", "退订!!!", "拒收", "不再接收", "取消订阅",
    "回复TD", "回复R", "回复：R", "回复 T", "回T", "回R", "回TD", "回N", "回复ｔｄ", "回复R退订", "回T退订",
    "回复TD退订", "TD退订",
    "退订TD", "退订回T", "拒收请回复R", "请退订", "我要退订", "发送TD", "退订谢谢", "ТD",
]  # fmt: skip
ENGLISH = [
    "STOP", "stop", "Stop", "STOP.", "Stop!", "stop ", "S T O P", "\uff33\uff34\uff2f\uff30", "STOPALL", "stop all",
    "UNSUBSCRIBE", "Unsubscribe.", "CANCEL", "END", "quit", "QUIT.", "OPT-OUT", "opt out", "OptOut", "REMOVE", "ARRET",
    "arrêt", "TD", "Reply STOP",
    "text stop", "Please stop", "stop please", "'STOP'", "“Stop”",
]  # fmt: skip
ORDINARY_CHINESE = [
    "TD什么时候到", "TD的订单", "T恤什么时候发货", "R语言课程几点开始", "NO", "不", "怎么退订", "如何退订？在哪里",
    "请问退订要收费吗", "我没有订阅，退订什么", "退订单", "退货", "订单取消", "RT", "TDK", "T1", "R2D2", "NT", "你好",
    "收到", "1", "谢谢",
    "回复", "回", "回家", "请回复", "拒收快递", "👍", "", " ", "。",
    "TD TD 请马上停止发送，否则投诉到工信部，我已经忍了你们很久了，真的",
]  # fmt: skip
ORDINARY_ENGLISH = [
    "STOP sending invoices", "please stop calling me", "don't stop", "non-stop", "stop it", "END of the month?", "T", "R", "N",
    "no", "I quit smoking", "cancel my order", "remove item 3", "stopped", "HELP me", "yes I will", "When does it end",
    "unsubscribe me?no",
]  # fmt: skip


@pytest.mark.parametrize("text", CHINESE)
def test_a_refusal_in_chinese_practice(text: str):
    """Width, capitals, traditional characters, spaces, punctuation and what vendors write around the letter do not count."""
    assert means(dict(CHINA), mo(text)) == "refuse"


@pytest.mark.parametrize("text", ENGLISH)
def test_a_refusal_in_north_america(text: str):
    """The listed words, alone or with a please, in any spelling."""
    assert means(dict(AMERICA), mo(text)) == "refuse"


@pytest.mark.parametrize(
    ("forms", "text"), [(CHINA, text) for text in ORDINARY_CHINESE] + [(AMERICA, text) for text in ORDINARY_ENGLISH]
)
def test_a_sentence_is_no_keyword(forms: dict[str, Wish], text: str):
    """Who writes more than the word wants to be read: nothing is refused for him."""
    assert means(forms, mo(text)) == ""


@pytest.mark.parametrize(
    ("forms", "text"),
    [
        (AMERICA, "START"),
        (AMERICA, "unstop."),
        (AMERICA, "Yes"),
        (CHINA, "恢复"),
        (CHINA, "恢復接收"),
        (CHINA, "订阅"),
        (CHINA, "START"),
    ],
)
def test_words_that_take_it_back(forms: dict[str, Wish], text: str):
    """START, UNSTOP, YES, 恢复."""
    assert means(forms, mo(text)) == "resume"


def test_any_coding_is_read():
    """UCS-2 in its own name or as 8-bit, Latin-1, message_payload, data_sm: the word is found, and told as the set has it."""
    forms = dict(CHINA)
    wide = "退订".encode("utf-16-be")
    assert wish_of(forms, mo("", data_coding=8, short_message=wide), const.DELIVER_SM) == Wish("refuse", "退订")
    assert means(forms, mo("", data_coding=4, short_message=wide)) == "refuse"
    assert means(forms, mo("", data_coding=0, short_message="退订".encode())) == "refuse"
    assert means(forms, mo("", data_coding=3, short_message=b"td\0")) == "refuse"
    payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, wide)
    assert means(forms, mo("", data_coding=8, short_message=b"", tlvs=payload)) == "refuse"
    data = encode(const.DATA_SM, 0, 1, data_sm_body(source=b"86138", dest=b"1069", data_coding=8, tlvs=payload))
    assert means(forms, data, const.DATA_SM) == "refuse"


def test_a_part_and_a_long_text_are_none():
    """A part of a long message is not the whole text; what is longer than any phrase is not looked at."""
    part = mo("", esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x01TD", data_coding=0)
    assert means(dict(CHINA), part) == ""
    assert means(dict(CHINA), mo("TD" + " " * LONGEST_OCTETS)) == ""
    assert means(dict(CHINA), mo("TD", tlvs=tlv.append(0x1400, b"x" * 600))) == ""


def test_any_octets_give_an_answer():
    """Broken headers, every coding, loose octets behind: what a carrier sends is a keyword or none, and nothing is raised."""
    chance = random.Random(3)
    forms, read = dict(CHINA), 0
    for _ in range(5_000):
        octets = bytes(chance.choice((*b"\x05\x00\x03\x01TD", chance.randrange(256))) for _ in range(chance.randrange(20)))
        fields = {"esm_class": chance.choice((0, 0x40)), "data_coding": chance.choice((0, 8, 4, 0xF0, chance.randrange(256)))}
        pdu = mo("", short_message=octets, **fields) + bytes(chance.randrange(256) for _ in range(chance.choice((0, 0, 5))))
        found = wish_of(forms, pdu, const.DELIVER_SM)
        read += found is None or found.means == "refuse"
    assert read == 5_000


def test_faults_of_lists_are_told():
    """A list without words, a word that is nothing, a word of both meanings, too many combinations."""
    words = (["stop"], [], ["..."])
    faults = forms_of([*(Keyword(words=one) for one in words), Keyword(words=["STOP"], means="resume")])[1]
    assert [at for at, _ in faults] == [1, 2, 3]
    many = [f"a{number}" for number in range(200)]
    assert "more than" in forms_of([Keyword(words=many, before=many)])[1][0][1]
