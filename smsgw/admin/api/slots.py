"""How much may be done at the same time: over a limit a request is told to come again, and is counted. Nothing waits here.

Never here: whose turn it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from smsgw.admin.api.problems import Refused


class Slots:
    """So many at the same time. `name` is the setting; `refused`: where it is counted that one was full."""

    def __init__(self, name: str, most: int, refused: Counter[tuple[str, ...]], *, again_s: int) -> None:
        """`again_s`: when who found none is to come again."""
        self._name = name
        self._most = most
        self._refused = refused
        self._again_s = again_s
        self.taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Take one for a while. Raises Refused (503)."""
        if self.taken >= self._most:
            self._refused[self._name,] += 1
            told = f"{self._most} are at work already (api.{self._name}): come again in some seconds"
            raise Refused(503, "busy", told, retry_after_s=self._again_s)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
