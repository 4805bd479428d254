"""Makes evasion.jsonl: each word in each disguise, by class. Run it when a class is added; the file is what tests read.

python -m tests.policy.corpus.make
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from smsgw.policy.ruleset import lines_of
from smsgw.smpp import gsm7
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.corpus import asked

HERE = Path(__file__).resolve().parent
WORDS = lines_of((HERE / "words.txt").read_text(encoding="utf-8"))
HAN = [word for word in WORDS if not word.isascii()]
LATIN = [word for word in WORDS if word.isascii()]
TRADITIONAL = str.maketrans(
    "乐荷彩时台赌门办证历开发值税视频约炮图贷款网抵黑户银卡价刷单职结誉内师稳赚赔枪弹药货写论资盘传销项翻墙软",
    "樂荷彩時臺賭門辦證歷開發值稅視頻約砲圖貸款網抵黑戶銀卡價刷單職結譽內師穩賺賠槍彈藥貨寫論資盤傳銷項翻牆軟",
)
ALIKE = str.maketrans("aceopxyi", "асеорхуі")
GREEK = str.maketrans("aoivt", "αοιντ")
CIRCLED = {ord("a") + at: chr(0x24D0 + at) for at in range(26)}
MATHEMATICAL = {ord("a") + at: chr(0x1D41A + at) for at in range(26)}
NEGATIVE = {ord("a") + at: chr(0x1F150 + at) for at in range(26)}
ACCENTED = str.maketrans("aeiouc", "áèîöùç")
LISU = str.maketrans("bpdtgkjczfmnlsrvhwxyaeiou", "ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ")
SMALL = str.maketrans("abcdeghijklmnoptuvwz", "ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘᴛᴜᴠᴡᴢ")
STRUCK = str.maketrans("abcdhiltouyz", "ⱥƀȼđħɨłŧøʉɏƶ")


PINYIN = {
    "百家乐": "bai家乐",
    "赌博网站": "du博网站",
    "真人荷官": "真人he官",
    "六合彩票": "六合cai票",
    "澳门新葡京": "澳men新葡京",
    "办假证件": "办假证jian",
    "刷单兼职": "Shua单兼职",
    "内幕股票": "内幕ｇｕ票",
    "出售银行卡": "出售银hang卡",
    "裸聊视频": "裸聊視pin",
}
PINYIN_WHOLE = {
    "百家乐": "baijiale",
    "赌博网站": "DUBOWANGZHAN",
    "刷单兼职": "shuadanjianzhi",
    "六合彩票": "liuhecaipiao",
    "裸聊视频": "luoliaoshipin",
    "代写论文": "daixielunwen",
    "枪支弹药": "ｑｉａｎｇｚｈｉｄａｎｙａｏ",
    "内幕股票": "nei\u200bmugupiao",
}


def between(word: str, what: str) -> str:
    """Put something between the characters of a word."""
    return what.join(word)


def wide(word: str) -> str:
    """Return full-width forms."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in word)


CAUGHT: dict[str, tuple[list[str], Callable[[str], str]]] = {
    "plain": (WORDS, lambda word: word),
    "capitals": (LATIN, str.upper),
    "full width": (LATIN, wide),
    "zero width": (WORDS, lambda word: between(word, "\u200b")),
    "joiners": (HAN, lambda word: between(word, "\u2060\ufeff")),
    "direction": (HAN, lambda word: between(word, "\u202e\u202c")),
    "variation": (HAN, lambda word: between(word, "\ufe0f")),
    "soft hyphen": (LATIN, lambda word: between(word, "\u00ad")),
    "traditional": ([word for word in HAN if word.translate(TRADITIONAL) != word], lambda word: word.translate(TRADITIONAL)),
    "cyrillic": (LATIN, lambda word: word.translate(ALIKE)),
    "greek": (LATIN, lambda word: word.translate(GREEK)),
    "circled": (LATIN, lambda word: word.translate(CIRCLED)),
    "mathematical": (LATIN, lambda word: word.translate(MATHEMATICAL)),
    "negative circled": (LATIN, lambda word: word.translate(NEGATIVE)),
    "accents": (LATIN, lambda word: word.translate(ACCENTED)),
    "struck through": (LATIN, lambda word: between(word, "\u0336")),
    "spaced": (WORDS, lambda word: between(word, " ")),
    "starred": (WORDS, lambda word: between(word, "*")),
    "punctuated": (HAN, lambda word: between(word, "、")),
    "emoji": (HAN, lambda word: between(word, "😀")),
    "lines": (HAN, lambda word: between(word, "\n")),
    "Lisu": (LATIN, lambda word: word.translate(LISU)),
    "small capitals": (LATIN, lambda word: word.translate(SMALL)),
    "strokes in letters": (LATIN, lambda word: word.translate(STRUCK)),
    "boxes": (HAN, lambda word: between(word, "\ue000\u0378")),
    "young emoji": (HAN, lambda word: between(word, "\U0001fae8")),
    "tones": (HAN, lambda word: between(word, "ˊ˙")),
    "stretched": (HAN, lambda word: between(word, "\u0640")),
    "nobody's plane": (HAN, lambda word: between(word, "\U000f0000")),
    "pinyin": (list(PINYIN), lambda word: PINYIN[word]),
    "pinyin, apart": (list(PINYIN), lambda word: between(PINYIN[word], "*")),
    "pinyin, whole": (list(PINYIN_WHOLE), lambda word: PINYIN_WHOLE[word]),
    "shown from its end": (WORDS, lambda word: f"\u202e{word[::-1]}\u202c"),
}
MISSED: dict[str, tuple[list[str], Callable[[str], str]]] = {
    "ideograph between": (HAN[:8], lambda word: between(word, "口")),
    "pinyin of two syllables": (["百家乐", "赌博网站"], lambda word: {"百家乐": "baijia乐", "赌博网站": "dubo网站"}[word]),
    "pinyin of a short word": (["百家乐"], lambda _: "bai jia le"),
    "homophone": (["发票代开", "刷单兼职"], lambda word: {"发票代开": "发漂代开", "刷单兼职": "唰单兼职"}[word]),
    "digits between": (HAN[:4], lambda word: between(word, "①")),
    "letters between": (HAN[:4], lambda word: between(word, "a")),
    "from its end": (HAN[:4], lambda word: word[::-1]),
    "doubled letters": (["casino", "viagra"], lambda word: "".join(letter * 2 for letter in word)),
    "Japanese forms": (["百家乐"], lambda word: word.replace("乐", "楽")),
    "upside down": (["casino"], lambda word: word.translate(str.maketrans("acsino", "ɐɔsᴉuo"))),
    "digits for letters": (["casino", "viagra"], lambda word: word.replace("i", "1")),
}


def _octets() -> Iterator[dict[str, Any]]:
    """Yield texts that hide in their coding."""
    for word in HAN[:14]:
        text = f"来{word}吧"
        yield {"class": "UCS-2 in 8 bit", "octets": text.encode("utf-16-be").hex(), "data_coding": 4, "esm_class": 0}
        yield {"class": "UCS-2 in the default alphabet", "octets": text.encode("utf-16-be").hex(), "data_coding": 0, "esm_class": 0}
        yield {"class": "UTF-8 in the default alphabet", "octets": text.encode().hex(), "data_coding": 0, "esm_class": 0}
        little = b"\xff\xfe" + text.encode("utf-16-le")
        yield {"class": "byte order mark", "octets": little.hex(), "data_coding": 8, "esm_class": 0}
    for word in LATIN:
        for language, iei, name in ((1, 0x25, "locking shift"), (3, 0x24, "single shift")):
            septets = gsm7.encode(word, language if iei == 0x25 else 0, language if iei == 0x24 else 0)
            assert septets is not None
            octets = write_udh([(iei, bytes((language,)))]) + septets
            yield {"class": name, "octets": octets.hex(), "data_coding": 0, "esm_class": 0x40}


def _split() -> Iterator[dict[str, Any]]:
    """Yield texts cut into two to five parts, in the order in which they come: in words, disguises, surrogate pairs, escapes."""
    chance = random.Random(47)
    disguises: tuple[Callable[[str], str], ...] = (str, lambda word: between(word, "😀"), lambda word: between(word, "\u200b"))
    for at, word in enumerate(WORDS):
        octets = f"来{disguises[at % 3](word)}吧".encode("utf-16-be")
        yield {"class": "split", **_parts(octets, 8, at, chance)}
        if word.isascii():
            septets = gsm7.encode(f"[{between(word, '€')}]")
            assert septets is not None
            yield {"class": "split in the default alphabet", **_parts(septets, 0, at, chance)}
        shifted = "UCS-2 in 8 bit, split"
        yield {"class": shifted, **_parts(f"来{word}吧".encode("utf-16-be"), 4, at, chance)}


def _parts(octets: bytes, data_coding: int, at: int, chance: random.Random) -> dict[str, Any]:
    """Cut octets into parts anywhere: every other text has a reference of 16 bits."""
    count = 2 + at % 4
    cuts = [0, *sorted(chance.sample(range(1, len(octets)), count - 1)), len(octets)]
    header = [write_udh([concat_element(Concat(at, 8 + 8 * (at % 2), count, part + 1))]) for part in range(count)]
    parts = [(header[part] + octets[cuts[part] : cuts[part + 1]]).hex() for part in range(count)]
    chance.shuffle(parts)
    return {"parts": parts, "data_coding": data_coding, "esm_class": 0x40}


def entries() -> Iterator[dict[str, Any]]:
    """Yield the whole corpus."""
    chance = random.Random(31)
    frames = ("【某某】{}", "{}，请联系", "欢迎来 {} 看看", "Hi, {} now!", "限时：{}。")
    for caught, classes in ((True, CAUGHT), (False, MISSED)):
        for name, (words, disguise) in classes.items():
            for word in words:
                yield {"class": name, "caught": caught, "text": chance.choice(frames).format(disguise(word))}
    yield from ({**one, "caught": True} for one in (*_octets(), *_split()))
    yield from asked.entries()


if __name__ == "__main__":
    lines = [json.dumps(entry) for entry in entries()]
    (HERE / "evasion.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
