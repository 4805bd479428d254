"""Templates: texts with typed holes, the strongest control there is: what fits none does not go.

    您的验证码是{code:digits:4-6}，{minutes:digits:1-2}分钟内有效。

A hole has a name, a type and the lengths that it may have. Templates are found by their signature and then by one anchored match.
A hole next to another, or a template of holes alone, would let anything pass: both are refused when a set is loaded.

Never here: where the signature of a text ends (`signature`), what happens to a text without a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from smsgw.policy.engines import Engines
from smsgw.policy.matcher import Patterns

MAX_HOLES: Final = 16
MAX_LENGTH: Final = 200

_LIKE_DIGITS: Final = r"\x{b2}\x{b3}\x{b9}\x{660}-\x{669}\x{6f0}-\x{6f9}\x{966}-\x{96f}\x{e50}-\x{e59}\x{3021}-\x{3029}"
_LIKE_SIGNS: Final = r"\x{2020}-\x{2bff}\x{ff01}-\x{ff20}\x{ff3b}-\x{ff40}\x{ff5b}-\x{ffff}\x{1d000}-\x{1ffff}"
"""Digits and signs of other widths and scripts, enclosed and raised: of them a number or an address could be made as well.

Whole blocks of symbols, because each range more is paid for when a set is compiled."""
TYPES: Final[Mapping[str, str]] = {
    "digits": r"[0-9]",
    "alnum": r"[0-9A-Za-z]",
    "name": rf"[^\x00-\x1f!-@\[-`{{-\x7f【】（）《》，。！？：；、{_LIKE_DIGITS}{_LIKE_SIGNS}]",
    "money": r"[0-9,.]",
    "datetime": r"[0-9年月日时分秒点周一二三四五六日天上下午:：/. -]",
    "text": r"[^【】\n]",
}
"""What a hole may hold, as a class of characters; `url` is another: an address on a domain of the template's list.

A name is anything without digits, points and signs: no address or number fits. It is written as what it is not, because a class of
all letters of Unicode, repeated, takes the engine a tenth of a second to compile."""

_HOLE: Final = re.compile(r"\{(\w+):(\w+)(?::(\d+)-(\d+))?\}")
_URL_PATH: Final = r"(?:/[0-9A-Za-z/_.~%?=&+-]*)?"


class Template(NamedTuple):
    """A template. `signature`: whose it is, "" for any; `category`: what its messages are, "" for what else says so.

    `inject`: (tag, value) of TLVs that its messages get where they lack them.
    """

    id: str
    text: str
    signature: str = ""
    category: str = ""
    domains: tuple[str, ...] = ()
    inject: tuple[tuple[int, bytes], ...] = ()


def expression(template: Template) -> str:
    """Return the anchored pattern of a template. Raises ValueError with what is wrong in it."""
    text = template.text
    pieces: list[str] = []
    at = holes = 0
    literal = 0
    for match in _HOLE.finditer(text):
        between = text[at : match.start()]
        if holes and not between.strip():
            raise ValueError(f"{{{match[1]}}} follows another hole at once: what is in which could not be told")
        literal += len(between.strip())
        pieces += (_escape(between), _hole(match, template.domains))
        holes += 1
        at = match.end()
    rest = text[at:]
    literal += len(rest.strip())
    if "{" in "".join((*_HOLE.split(text)[0:1], rest)) or _HOLE.sub("", text).count("{"):
        raise ValueError("a hole is written {name:type:least-most}, such as {code:digits:4-6}")
    if holes > MAX_HOLES:
        raise ValueError(f"has {holes} holes, more than {MAX_HOLES}")
    if not literal:
        raise ValueError("has no text of its own: anything would fit")
    return "".join((*pieces, _escape(rest)))


def _hole(match: re.Match[str], domains: tuple[str, ...]) -> str:
    name, kind, least, most = match.groups()
    if kind == "url":
        if not domains:
            raise ValueError(f"{{{name}:url}} needs domains = [...]")
        hosts = "|".join(_escape(domain) for domain in domains)
        return f"(?:https?://)?(?:{hosts}){_URL_PATH}"
    if kind not in TYPES:
        raise ValueError(f"{{{name}:{kind}}}: there is no such type (known: {', '.join((*TYPES, 'url'))})")
    if least is None:
        raise ValueError(f"{{{name}:{kind}}} has no lengths: write {{{name}:{kind}:least-most}}")
    if not 0 <= int(least) <= int(most) <= MAX_LENGTH or int(most) == 0:
        raise ValueError(f"{{{name}:{kind}:{least}-{most}}}: lengths go from 0 to {MAX_LENGTH}, the least first")
    return f"{TYPES[kind]}{{{least},{most}}}"


def _escape(text: str) -> str:
    """Quote a text for RE2, which knows fewer escapes than `re`."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)


class Templates:
    """All templates of a set, by signature; `unsigned`: there are some for a text without one."""

    __slots__ = ("_by_signature", "unsigned")

    def __init__(self, templates: Sequence[Template], engines: Engines | None = None) -> None:
        """Build. Raises ValueError for a template that is none, EngineFailed."""
        grouped: dict[str, list[Template]] = {}
        for template in templates:
            grouped.setdefault(template.signature, []).append(template)
        self._by_signature = {
            signature: (
                group,
                Patterns([expression(template) for template in group], whole=True, engines=engines),
                _beginnings(group),
            )
            for signature, group in grouped.items()
        }

        self.unsigned = "" in grouped

    def check(self) -> None:
        """Ask the engines for their canaries. Raises EngineFailed."""
        for _, patterns, _ in self._by_signature.values():
            patterns.check()

    def may_fit(self, text: str) -> bool:
        """Tell whether one might fit: a text without a signature fits none where all have one."""
        return self.unsigned or "【" in text

    def find(self, signature: str, body: str) -> Template | None:
        """Return the first template that a text without its signature fits; those for any signature come last."""
        for key in (signature, "") if signature else ("",):
            group = self._by_signature.get(key)
            if group is not None and body.startswith(group[2]):
                found = group[1].find(body)
                if found:
                    return group[0][found[0]]
        return None


def _beginnings(group: Sequence[Template]) -> tuple[str, ...]:
    """Return what the texts of a group begin with, up to the first hole: most messages fit none, and are told so at once."""
    return tuple({template.text.partition("{")[0] for template in group})
