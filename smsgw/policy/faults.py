"""A fault of a rule set in parts, for programs: file, line, key, message and what to do about it.

The checks of a set say each fault in one line, "file:line: message"; here it is taken apart again, and gets its hint.

Never here: finding faults.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from smsgw.policy.file import PolicyFile
from smsgw.policy.shape import fields_at

_LINE: Final = re.compile(r"(?P<file>[^\s:][^:]*?)(?::(?P<line>\d+))?: (?P<message>.*)", re.DOTALL)
_TOML: Final = re.compile(r"\(at line (?P<line>\d+), column \d+\)")
_KEYS: Final = (
    re.compile(r"(?P<kind>\w*(?:\[\d+\])?(?:\.[\w.\[\]]+)?): (?:Expected|Invalid|Object|Unable|Datetime)"),
    re.compile(r"(?P<kind>terms|pattern|template|cap) '(?P<name>[^']*)'"),
    re.compile(r"(?P<kind>tlv) (?:tag )?(?P<name>\w+)"),
    re.compile(r"(?P<kind>hours) from"),
    re.compile(r"(?P<kind>zone|inject) "),
    re.compile(r"(?P<kind>inject) for"),
    re.compile(r"(?P<kind>\w+) is given twice"),
    re.compile(r"(?P<kind>\S+) cannot be read"),
)
_HINTS: Final = (
    (r"unknown field `(\w+)`", ""),
    (r"missing required field `(\w+)`", "give it: {0} = …"),
    (r"Invalid enum value", "write one of the words that the table of rules names for this key"),
    (r"Expected `(\w+)`", "write a value of this type: {0}"),
    (r"RE2 refuses", "RE2 has neither look-around nor back-references: write it without, as two rules if need be"),
    (r"does not (?:find|fit)", "widen the rule until it does, or take the text out of its must"),
    (r"would stop the harmless", "narrow the rule, or give it the word as an exception"),
    (r"names no text that it has to find", "give at least one text that the rule must find: it proves that the rule works"),
    (r"has no word$", "give it words = [...], or a file with one a line"),
    (r"is too short for form n2", "take form n1, or a longer word"),
    (r"given twice", "take another id, or one table for both"),
    (r"cannot be read", "send the list along, under the name that the rule file has for it"),
    (r"is no number", "one number a line, 3 to 20 digits with or without + in front; # begins a comment"),
    (r"times are written|is not before the second", 'such as begin = "08:00" and end = "21:00"'),
    (r"inject", "declare the TLV with [[tlv]], and keep the value to its pattern"),
    (r"an engine refuses", "split the set: its rules are right, and too many or too large together"),
    (r"pinyin makes", "give pinyin to a shorter list of words: each spelling is looked for like a word"),
    (r"more than \d+", "split the set, or name fewer"),
    (r"zone", "such as Asia/Shanghai or UTC"),
    (r"\(at (?:line|end)", "the file has to be TOML: what stands there is none"),
)
ANY: Final = "see the table of rules in the README, Content policy"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. `file` "" and `line` 0: it is in no file, or nobody knows the line; `key`: the rule, or the key of a table."""

    message: str
    file: str = ""
    line: int = 0
    key: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """As the command line says it."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.message}" if where else self.message


def told(error: str) -> Fault:
    """Return the parts of a fault that was said in one line."""
    match = _LINE.fullmatch(error)
    file, line, message = (match["file"], int(match["line"] or 0), match["message"]) if match else ("", 0, error)
    toml = _TOML.search(message)
    if not line and toml:
        line = int(toml["line"])
    return Fault(message, file, line, _key(message), _hint(message))


def _key(message: str) -> str:
    for pattern in _KEYS:
        match = pattern.match(message)
        if match is not None:
            name = match.groupdict().get("name")
            key = f"{match['kind']}.{name}" if name else match["kind"]
            unknown = re.search(r"(?:unknown|required) field `(\w+)`", message)
            return ".".join(filter(None, (key, unknown[1] if unknown else "")))
    return ""


def _hint(message: str) -> str:
    for pattern, hint in _HINTS:
        match = re.search(pattern, message)
        if match is not None:
            return hint.format(*match.groups()) if hint else _meant(message, match[1])
    return ANY


def _meant(message: str, word: str) -> str:
    """Say which key may have been meant."""
    path = message.partition(": ")[0]
    known = fields_at("" if path == "the file" else path, PolicyFile)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
