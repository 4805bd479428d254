"""Words of ideographs with a syllable in Latin letters: "bai家乐" for 百家乐, "du博网站" for 赌博网站.

Made when a set is loaded, for terms whose table asks for it (`pinyin`), from a table of syllables; a text is looked at as before.
One syllable of a word is in letters, or all of them. Homophones are not made: 百佳乐 is a shop.

Promises: a word of fewer than three ideographs gives none: "you惠" stands in "thank you惠顾". What is made has two ideographs left,
or eight letters.
Never here: which words a set has, how many it may make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final

LEAST_HAN: Final = 3
LEAST_LETTERS: Final = 8
MOST_SPELLINGS: Final = 1_000
"""So many a set: they are looked for in the pass that there is, whose engines are built in steps that stay short (`matcher`)."""


@cache
def _syllables() -> Mapping[str, tuple[str, ...]]:
    """Return how an ideograph is typed; of some there are two ways, the usual one first."""
    text = resources.files("smsgw.policy").joinpath("data", "syllables.txt").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            syllable, _, letters = line.partition(" ")
            for letter in letters:
                found[letter] = (*found.get(letter, ()), syllable)
    return found


def spelled(form: str) -> Iterator[str]:
    """Yield the spellings of a word in its normal form in which one ideograph, or each, stands in letters."""
    known = _syllables()
    if sum(letter in known for letter in form) < LEAST_HAN:
        return
    for at, letter in enumerate(form):
        for syllable in known.get(letter, ()):
            yield f"{form[:at]}{syllable}{form[at + 1 :]}"
    whole = "".join(known.get(letter, (letter,))[0] for letter in form)  # one of a letter is left as it is, and makes none
    if whole.isascii() and whole.isalpha() and len(whole) >= LEAST_LETTERS:
        yield whole
