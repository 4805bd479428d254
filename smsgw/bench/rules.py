"""A rule set as large as one likes, made of chance: what `smsgw bench --policy 10000` and the measurements of tests judge by.

For each 10,000 terms: 6,300 of Han and 1,800 of Latin letters, 900 mixed, and 1,000 in n2; 200 patterns (bounded gaps, links,
numbers) and 500 templates under 50 signatures. The same size is the same set at each run.

Never here: a word that anybody means.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from smsgw.policy.normal import n1

SIGNATURES: Final = 50
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_SHARES: Final = {"n1": (0.63, 0.18, 0.09), "n2": (0.09, 0.01, 0.0)}
"""Of all terms: those of Han, of Latin and of mixed letters, by form."""


class _Chance:
    """Words from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        pool = (chr(0x4E00 + self._random.randrange(0x4000)) for _ in range(4_000))
        self._han = [letter for letter in pool if n1(letter) == letter]

    def han(self, least: int, most: int) -> str:
        """Return some ideographs."""
        return "".join(self._random.choices(self._han, k=self._random.randint(least, most)))

    def latin(self, least: int, most: int) -> str:
        """Return some letters."""
        return "".join(self._random.choices(_LETTERS, k=self._random.randint(least, most)))


def made_set(terms: int) -> tuple[str, dict[str, str]]:
    """Return the text of a set with so many terms, and its word lists by name."""
    chance = _Chance(10)
    lists = {form: _words(chance, form, terms) for form in _SHARES}
    lines = ["[templates]"]
    for form, words in lists.items():
        lines.append(f'[[terms]]\nid = "{form}"\nform = "{form}"\nfile = "{form}.txt"\nmust = ["{words[0]}"]')
    lines += [_pattern(chance, at) for at in range(max(1, terms // 50))]
    lines += [_template(chance, at) for at in range(max(1, terms // 20))]
    return "\n".join(lines) + "\n", {f"{form}.txt": "\n".join(words) for form, words in lists.items()}


def _words(chance: _Chance, form: str, terms: int) -> list[str]:
    """Return the words of a form: longer ones in n2, which finds them across words."""
    least_han, least_latin, most_latin = (2, 6, 12) if form == "n1" else (3, 8, 12)
    makers: tuple[Callable[[], str], ...] = (
        lambda: chance.han(least_han, 6),
        lambda: chance.latin(least_latin, most_latin),
        lambda: f"{chance.han(1, 1)}{chance.latin(2, 4)}{chance.han(1, 1)}",
    )
    found: dict[str, None] = {}
    for share, make in zip(_SHARES[form], makers, strict=True):
        wanted = len(found) + max(1, round(terms * share)) if share else len(found)
        while len(found) < wanted:
            found[make()] = None
    return list(found)


def _pattern(chance: _Chance, at: int) -> str:
    first, second, latin = chance.han(2, 2), chance.han(2, 2), chance.latin(5, 8)
    expression, text = (
        (rf"{first}.{{0,6}}{second}", f"{first}好{second}"),
        (rf"https?://[a-z0-9.-]*{latin}\.(?:cn|com)", f"http://{latin}.cn"),
        (rf"(?:加|\+).{{0,3}}{first}[:：]?[0-9a-z]{{5,12}}", f"加{first}:abcde"),
        (rf"{latin}[^0-9]{{0,4}}[0-9]{{7,11}}", f"{latin}-1234567"),
    )[at % 4]
    return f'[[pattern]]\nid = "p{at}"\nexpression = \'{expression}\'\nmust = ["{text}"]'


def _template(chance: _Chance, at: int) -> str:
    body, name = chance.han(8, 8), f"签{at % SIGNATURES}"
    category = 'category = "otp"\n' if at % 2 else ""
    text = f"{body}{{a:digits:4-6}}，{{b:name:1-10}}{body[:3]}。"
    must = f"【{name}】{body}1234，王小明{body[:3]}。"
    return f'[[template]]\nid = "t{at}"\nsignature = "{name}"\n{category}text = "{text}"\nmust = ["{must}"]'


def write_set(directory: Path, terms: int) -> Path:
    """Write such a set into a directory; returns its file."""
    text, lists = made_set(terms)
    for name, words in lists.items():
        (directory / name).write_text(words, encoding="utf-8")
    file = directory / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return file


def sizes(terms: int) -> Mapping[str, int]:
    """Return what such a set holds."""
    return {"terms": terms, "patterns": max(1, terms // 50), "templates": max(1, terms // 20)}
