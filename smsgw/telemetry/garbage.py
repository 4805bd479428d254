"""Garbage, collected by hand: in a quiet moment or after a minute, because the collector's own pauses reached 350 ms.

What stands when the process is ready is frozen: no collection looks at it again. Hot objects are free of cycles, so little
gathers; what the fast build has compiled (messages above all) the collector does not even know. Elsewhere it passes over them once,
a tenth of a second's worth at a time: a second's would stop the loop for ten times as long, and a minute's for 150 ms.

Must never: collect the oldest generation once traffic flows.
"""

from __future__ import annotations

import gc
from typing import Final

EVERY_S: Final = 60.0
YOUNG_S: Final = 0.05
QUIET_BACKLOG: Final = 8


class Garbage:
    """The collector of one process, which runs when it is asked to. `collected_at`: when it last did, by the caller's clock."""

    def __init__(self) -> None:
        """Change nothing before `take_over`."""
        self.collected_at = 0.0
        self._young_at = 0.0

    def take_over(self, now: float) -> None:
        """Freeze what is there and let nothing be collected but by `collect`."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self.collected_at = self._young_at = now

    def collect(self, now: float, backlog: int) -> None:
        """Collect if it is time, asked each tick: the youngest each time; those of more than one collection after a minute, or
        after a sixth of one while fewer than `QUIET_BACKLOG` wait.
        """
        elapsed = now - self.collected_at
        if elapsed > EVERY_S or (elapsed > EVERY_S / 6 and backlog < QUIET_BACKLOG):
            self.collected_at = self._young_at = now
            gc.collect(1)
        elif now - self._young_at >= YOUNG_S:
            self._young_at = now
            gc.collect(0)
