"""Keys with dots (`a.b.c = 1`, `[a.b.c]`), looked for in a text before it is read: TOML's reader takes a time that grows with the
square of their parts, half a minute for 20,000 of them. No table here has a key of more than three.

Costs a glance at each line of a text that has none. Never here: whether it is TOML.
"""

from __future__ import annotations

import re
from typing import Final

MOST_PARTS: Final = 32
"""Parts of one key; a file with more in it is refused unread."""

# What dots say nothing in: texts and comments. One that does not end goes on to where it would have to: none is looked at twice.
_QUOTED: Final = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?(?:"""|\Z)' r"|'''[\s\S]*?(?:'''|\Z)" r'|"(?:\\[^\n]|[^"\\\n])*+"?' r"|'[^'\n]*+'?" r"|\#[^\n]*+"
)
_BETWEEN: Final = re.compile(r"[,=\[\]{}]")


def line_of_long_key(text: str) -> int:
    """Return the line of the first key with more than `MOST_PARTS` parts; 0 where there is none."""
    if all(line.count(".") < MOST_PARTS for line in text.split("\n")):
        return 0
    bare = _QUOTED.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(bare.split("\n"), 1):
        if line.count(".") >= MOST_PARTS and any(piece.count(".") >= MOST_PARTS for piece in _BETWEEN.split(line)):
            return number
    return 0
