"""Which build of smsgw runs: the data path compiled to machine code, or plain Python. Both are made of the same source.

Never here: a difference in what they do.
"""

from __future__ import annotations

from typing import Final

from smsgw.telemetry import meters

BUILD: Final = "plain" if (meters.__file__ or "").endswith(".py") else "compiled"
