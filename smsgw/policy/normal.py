"""Normal forms: what makes two spellings of a word one, so that a term need be listed once.

    N1  look-alikes are one: compatibility forms, capitals, accents, traditional characters, letters of other scripts; what is
        not seen (zero-width, direction marks, variation selectors, strokes laid over letters) is gone
    N2  N1 without spaces, punctuation and symbols: 百*家-乐 and "c a s i n o" are words again. Words run into each other in it, so
        only long terms may be looked for

One table does all of N1, made from what Unicode says of each character alone: NFKC, case folding and the rest in one pass, for a
quarter of what they cost one after the other. Composition over several characters is left out: combining marks go anyway.

Terms pass through the same functions when they are loaded. Never here: pinyin (`syllables`), homophones, inserted
ideographs (words of their own or templates alone catch those).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

HAN_LEAST_N2: Final = 3
LATIN_LEAST_N2: Final = 6
"""Shorter words are found in N2 where nobody wrote them: across two others."""

Table = list[int | str | None]

# Letters that look like a Latin one, by the Latin one. Only what is alike in common typefaces; digits stay digits.
_ALIKE: Final = {
    "a": "аαɑΑАᴀɐⲁꓮᎪⱥ",
    "b": "вВΒʙЬꓐᏴɓƀ",
    "c": "сСϲсᴄⲥꓚᏟƈȼ",
    "d": "ԁᴅꓓᎠɗɖđ",
    "e": "еЕёЁεΕҽᴇⲉꓰᎬɇǝ",
    "f": "ϝƒꓝ",
    "g": "ɡԍɢꓖᏀɠǥ",
    "h": "нНΗһʜꓧᎻɦħհ",
    "i": "іІΙιɩıɪⲓꓲᎥɨ",
    "j": "јЈϳᴊꓙᎫʝ",
    "k": "кКΚκᴋⲕꓗᏦƙ",
    "l": "ӏⅼʟꓡᏞłɫ",
    "m": "мМΜᴍⲙꓟᎷɱ",
    "n": "ηΝпɴⲛꓠƞɲոռ",
    "o": "оОοΟσөᴏⲟꓳɵøօ",
    "p": "рРρΡᴘⲣꓑᏢƥ",
    "q": "ԛʠզ",
    "r": "гʀꓣᎡɽ",
    "s": "ѕЅꜱꓢᏚʂ",
    "t": "тТτΤᴛⲧꓔᎢƭʈŧ",
    "u": "υսᴜꓴʉ",
    "v": "νѵᴠꓦᏙʋ",
    "w": "шԝωᴡᎳꓪ",
    "x": "хХχΧⲭꓫ",
    "y": "уУγΥўʏⲩꓬᎩƴɏ",
    "z": "ΖᴢȤⲍꓜᏃʐƶ",
}
_VARIANTS: Final = {
    "砲": "炮",
    "羣": "群",
    "峯": "峰",
    "裡": "里",
    "綫": "线",
    "疋": "匹",
    "叁": "三",
    "臺": "台",
    "佰": "百",
    "㐅": "乂",
}
"""Other spellings of an ideograph that the table of traditional characters has not."""

_UNSEEN: Final = (
    *((0x0300, 0x036F), (0x0483, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F)),
    *((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x115F, 0x1160), (0x3164, 0x3164), (0xFFA0, 0xFFA0), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x2800, 0x2800), (0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xFFFE, 0xFFFF), (0xFDD0, 0xFDEF)),
    *((0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0x0640, 0x0640), (0x3099, 0x309A)),
)
"""Marks laid over letters, fillers, what Unicode says is ignored and never a character, control characters but those of lines."""
_ENCLOSED: Final = {
    **{first + at: str(at + 1) for first in (0x2474, 0x2488, 0x24F5, 0x2776, 0x2780, 0x278A, 0x3021) for at in range(9)},
    **{0x1F101 + at: str(at) for at in range(10)},
    **dict.fromkeys((0x24FF, 0x1F100, 0x1F10B, 0x1F10C), "0"),
}
"""Digits in brackets, with a dot or a comma, in circles, and those of merchants; NFKC makes some of them more than a digit."""
_UNSEEN_ABOVE: Final = ((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0x1FFFE, 0x1FFFF))
_NEGATIVE: Final = ((0x1F150, 0x1F169), (0x1F170, 0x1F189), (0x1F1E6, 0x1F1FF), (0x1F130, 0x1F149))
_RANGES: Final = ((0x80, 0xD800), (0xE000, 0x10000), (0x1D400, 0x1D800), (0x1F100, 0x1F200), (0x2F800, 0x2FA20))
_SYMBOLS_END: Final = 0x20000
_LETTERS_END: Final = 0x30000
_TAGS: Final = 0xE0000
_TAGS_COUNT: Final = 0x1000
_END: Final = 0x110000
_RARE: Final = "\ufffd"
"""What ideographs of the third plane become, and what is nobody's behind it: no handset shows them, and no term needs them."""

_TONES: Final = range(0x02B9, 0x0300)
"""Marks that stand between letters, as accents and strokes do."""

_CONTROLS: Final = bytes((*range(9), *range(0x0E, 0x20), 0x7F))
_ASCII_SYMBOLS: Final = bytes(octet for octet in range(128) if not chr(octet).isalnum())


@cache
def _points() -> list[int]:
    """Return every code point of the planes that have letters: both tables share these objects."""
    return list(range(_LETTERS_END))


@cache
def _n1_table() -> Table:
    """Make the table of N1, once a process (some tenths of a second, 25 MB with that of N2). A dict would cost twice the time."""
    simplified = {ord(pair[0]): pair[1] for pair in _simplified()}
    simplified |= {ord(variant): plain for variant, plain in _VARIANTS.items()}
    alike = {ord(letter): latin for latin, letters in _ALIKE.items() for letter in letters}
    alike |= _ENCLOSED
    alike |= {first + at: chr(0x61 + at) for first, last in _NEGATIVE for at in range(last - first + 1)}
    unseen = {point for first, last in _UNSEEN for point in range(first, last + 1)}
    points = _points()
    table: Table = [*points, *([_RARE] * (_TAGS - _LETTERS_END)), *([None] * _TAGS_COUNT)]
    table += [_RARE] * (_END - len(table))
    for first, end in _RANGES:
        for point in range(first, end):
            if point in unseen or unicodedata.category(chr(point)) in {"Cf", "Cc"}:
                table[point] = None if point >= 0xA0 or point in unseen else point
            else:
                to = alike.get(point) or _one(point, simplified, alike, unseen)
                table[point] = points[ord(to)] if len(to) == 1 else to
    for point in range(0x80):
        table[point] = points[ord(chr(point).lower())] if point not in unseen else None
    for first, last in _UNSEEN_ABOVE:
        table[first : last + 1] = [None] * (last - first + 1)
    table[0x2028] = table[0x2029] = ord("\n")
    return table


def _one(point: int, simplified: dict[int, str], alike: dict[int, str], unseen: set[int]) -> str:
    """Return what one character is made of: compatibility forms, capitals and accents taken off, simplified."""
    folded = unicodedata.normalize("NFKC", chr(point)).casefold()
    out = []
    for letter in folded:
        if ord(letter) in unseen:
            continue
        simple = simplified.get(ord(letter), letter)
        if simple.isdecimal() and not simple.isascii():
            simple = str(unicodedata.decimal(simple))
        bare = unicodedata.normalize("NFD", simple)[0] if ord(simple) < 0x250 or 0x1E00 <= ord(simple) < 0x1F00 else simple
        out.append(alike.get(ord(bare), bare))
    return "".join(out)


def _simplified() -> Iterator[str]:
    text = resources.files("smsgw.policy").joinpath("data", "simplified.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            yield from (line[at : at + 2] for at in range(0, len(line), 2))


@cache
def _n2_table() -> Table:
    """Make the table that leaves letters, their marks and digits alone and drops the rest.

    Emoji go too, also those that are younger than this Python's Unicode: what is no character yet, or nobody's, is shown as a box.
    """
    points = _points()
    table: Table = list(points)
    for point in range(_SYMBOLS_END):
        letter = chr(point)
        kind = unicodedata.category(letter)
        if (not letter.isalnum() and kind not in {"Mc", "Mn", "Cs"}) or (kind == "Lm" and point in _TONES):
            table[point] = None
    return table


def n1(text: str) -> str:
    """Return the first normal form."""
    return lower(text) if text.isascii() else text.translate(_n1_table())


def lower(text: str) -> str:
    """Return the first normal form of an ASCII text; control characters, which hardly any has, are not seen."""
    if text.isprintable():
        return text.lower()
    return text.encode().translate(None, _CONTROLS).decode().lower()


def n2(first_form: str) -> str:
    """Return the second normal form of a text in the first."""
    if first_form.isascii():
        return first_form.encode().translate(None, _ASCII_SYMBOLS).decode()
    return first_form.translate(_n2_table())


def warm() -> None:
    """Make the tables now, in whatever thread this is, and not at the first message."""
    _n1_table()
    _n2_table()
