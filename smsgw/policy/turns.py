"""Turns: how a thread that compiles a rule set shares the interpreter with the loop.

The loop gives the interpreter up at each wait, and at each look into an engine; a thread that wants it all the time then has it for
a step, and building an engine is a step of some milliseconds. So the loop would come to its turn only between two steps. Therefore
the thread sleeps after each step, longer than it has worked: meanwhile the loop has the interpreter for itself.

Must never: be called by the loop's own thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WORK_S: Final = 0.001
"""So much work, at least, between two rests."""
RESTS: Final = 2.0
"""How much longer than the work a rest is."""
TURN_S: Final = 0.005
"""The interpreter's own turn."""
SHORT_TURN_S: Final = 0.0005
"""How long the thread keeps the interpreter from a loop that wants it, as far as it can be asked to give it up."""


class Turns:
    """The rests of one thread, by the CPU time that it has used: waiting for the interpreter is no work."""

    __slots__ = ("_rested", "slept_s")

    def __init__(self) -> None:
        """Begin, in the thread that works."""
        self._rested = time.thread_time()
        self.slept_s = 0.0

    def rest(self) -> None:
        """Sleep, if there was enough work since the last time."""
        worked = time.thread_time() - self._rested
        if worked >= WORK_S:
            time.sleep(worked * RESTS)
            self.slept_s += worked * RESTS
            self._rested = time.thread_time()


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads change places sooner: the loop would wait 5 ms for its turn each time that it has slept."""
    sys.setswitchinterval(SHORT_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(TURN_S)  # and not what it was: another thread's may have been short, too
