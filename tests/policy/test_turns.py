from __future__ import annotations

import sys
import time

import pytest

from smsgw.policy.turns import RESTS, SHORT_TURN_S, TURN_S, WORK_S, Turns, short_turns


def work(seconds: float) -> None:
    """Use so much of the processor."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_rest_is_longer_than_the_work_before_it():
    """After enough work the thread sleeps for a multiple of it, so that others have the interpreter for most of the time."""
    turns = Turns()
    work(3 * WORK_S)
    began = time.monotonic()
    turns.rest()
    assert time.monotonic() - began >= 3 * WORK_S * RESTS
    assert turns.slept_s >= 3 * WORK_S * RESTS


def test_little_work_needs_no_rest():
    """Right after a rest, and after a step that cost next to nothing, there is none."""
    turns = Turns()
    work(2 * WORK_S)
    turns.rest()
    slept = turns.slept_s
    turns.rest()
    assert turns.slept_s == slept


def test_turns_are_short_only_within_the_block():
    """The interpreter has its own interval again after the block, however that ends."""
    within = []

    def broken() -> None:
        with short_turns():
            within.append(sys.getswitchinterval())
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert within == [pytest.approx(SHORT_TURN_S)]
    assert sys.getswitchinterval() == pytest.approx(TURN_S)
