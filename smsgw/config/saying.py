"""What a value must be, in the words of a settings file instead of the reader's.

Never here: where in a file something stands.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_TYPES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list: [ ]",
}


def said(error: msgspec.ValidationError) -> str:
    """Say in the file's words what a value must be."""
    found = re.match(r"Expected `(\w+)`(?: (>=|<=) ([\d.]+)|, got `(\w+)`)?", str(error))
    if found is None:
        return str(error)
    wanted = _TYPES.get(found[1], found[1])
    if found[2]:
        return f"must be {wanted} of at {'least' if found[2] == '>=' else 'most'} {float(found[3]):g}"
    return f"must be {wanted}"
