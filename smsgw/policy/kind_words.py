"""Words that tell what kind of message a text is: advertisement, code, notice.

Looked for as they stand (n1), and with something put between their characters, as n2 would find them: "优 惠", "s.a.l.e". But most
of these words are shorter than any term that n2 takes, and two clauses that are run together would make one of nothing: "质优，惠"
offers nothing. So what stands between two ideographs is no mark that ends a clause, unless the word has more of them; and a Latin
word stands alone, each letter apart from the next where it has fewer than six.

Promises: a text that has none of these costs one pass over it.
Must never: run what an operator wrote as an expression: words are taken letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from smsgw.policy.engines import Engines
from smsgw.policy.matcher import Term, Terms
from smsgw.policy.normal import HAN_LEAST_N2, LATIN_LEAST_N2, n1, n2

_ANY: Final = r"[\W_]"
"""What n2 drops."""
_NO_CLAUSE: Final = r"""(?:[^\w,;:!?。、\n.()\[\]{}<>《》「」『』【】"“”'‘’]|_|\.(?!\.))"""
"""The same but for marks that end a clause, or hold one; one dot ends none."""
_LATIN: Final = re.compile("[a-z]")


class KindWords:
    """The words of a set, each with the kind of message that it tells."""

    __slots__ = ("_apart", "_kinds", "_latin", "_latin_apart", "_may_part", "_words")

    def __init__(self, words: Iterable[tuple[str, str]], engines: Engines) -> None:
        """Take (kind, word). Raises EngineFailed."""
        told = [(kind, form) for kind, word in words if (form := n1(word))]
        self._kinds = [kind for kind, _ in told]
        self._words = Terms([Term(form, at, is_latin(form)) for at, (_, form) in enumerate(told)], engines=engines)
        letters = [n2(form) for _, form in told]
        han = [at for at, word in enumerate(letters) if len(word) > 1 and not word.isascii()]
        latin = [at for at, word in enumerate(letters) if len(word) > 1 and word.isascii() and not word.isdecimal()]
        self._may_part = re.compile(f"[{_class(letters[at][:-1] for at in han)}]{_ANY}") if han else None
        self._apart = self._each(han, letters)
        self._latin_apart = self._each(latin, letters)
        self._latin = Terms([Term(letters[at], at) for at in latin], engines=engines) if latin else None

    def _each(self, which: Sequence[int], letters: Sequence[str]) -> list[tuple[str, re.Pattern[str]]]:
        """Return an expression for each kind that has such words."""
        return [
            (kind, re.compile("|".join(_parted(letters[at]) for at in which if self._kinds[at] == kind)))
            for kind in dict.fromkeys(self._kinds[at] for at in which)
        ]

    def check(self) -> None:
        """Ask the engines for what they must find. Raises EngineFailed."""
        self._words.check()
        if self._latin is not None:
            self._latin.check()

    def kinds(self, form: str) -> set[str]:
        """Return the kinds that a text in the first form tells."""
        hits = self._words.find(form)
        found = {self._kinds[hit.owner] for hit in hits} if hits else set()
        plain = form.isascii()
        if self._may_part is not None and not plain and self._may_part.search(form) is not None:
            found |= {kind for kind, apart in self._apart if apart.search(form) is not None}
        if self._latin is not None and (plain or _LATIN.search(form) is not None) and self._latin.find(n2(form)):
            found |= {kind for kind, apart in self._latin_apart if apart.search(form) is not None}
        return found


def is_latin(text: str) -> bool:
    """Tell whether a word is one of Latin letters, which has to stand alone."""
    return text.isascii() and text[:1].isalnum() and text[-1:].isalnum()


def _class(words: Iterable[str]) -> str:
    return "".join(re.escape(letter) for letter in sorted({letter for word in words for letter in word}))


def _parted(word: str) -> str:
    """Return the expression of a word with something between its characters."""
    if not word.isascii():
        gap = f"{_ANY}*" if len(word) >= HAN_LEAST_N2 else f"{_NO_CLAUSE}*"
        return gap.join(map(re.escape, word))
    gap = f"{_ANY}*" if len(word) >= LATIN_LEAST_N2 else f"{_ANY}+"
    return rf"(?<![a-z0-9]){gap.join(map(re.escape, word))}(?![a-z0-9])"
