from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from smsgw.model import EPOCH_MS
from smsgw.store.ids import DAY_SPAN, MAX_NODE, TIME_SHIFT, Ids, least_id_at, seconds_of

NOW_MS = 60_000_000_000


class FakeClock:
    """A clock that a test sets, in milliseconds since the ids' epoch."""

    def __init__(self, ms: int = NOW_MS) -> None:
        self.ms = ms

    def time(self) -> float:
        return (self.ms + EPOCH_MS + 0.25) / 1000


def test_an_id_says_when_and_where():
    """41 bits of milliseconds, 10 of the node, 12 of the sequence."""
    ids = Ids(5, FakeClock())
    first, second = ids.next(), ids.next()
    assert (first >> 22, first >> 12 & 1023, first & 4095) == (NOW_MS, 5, 0)
    assert (second >> 22, second >> 12 & 1023, second & 4095) == (NOW_MS, 5, 1)
    assert seconds_of(first) == (NOW_MS + EPOCH_MS) / 1000


def test_ids_rise_when_the_clock_steps_back():
    """A clock that steps back does not take ids back: the time part stays where it was."""
    clock = FakeClock()
    ids = Ids(1, clock)
    before = ids.next()
    clock.ms -= 3_600_000
    after = [ids.next() for _ in range(3)]
    assert after == [before + 1, before + 2, before + 3]
    clock.ms += 3_600_001
    assert ids.next() >> TIME_SHIFT == NOW_MS + 1


def test_the_sequence_overflows_into_the_next_millisecond():
    """The 4,097th id of a millisecond belongs to the next one, whatever the clock says; none is given twice."""
    clock = FakeClock()
    ids = Ids(MAX_NODE, clock)
    given_out = [ids.next() for _ in range(3 * 4_096 + 1)]
    assert [number >> TIME_SHIFT for number in given_out[::4_096]] == [NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + 3]
    assert all(a < b for a, b in pairwise(given_out))
    clock.ms += 1
    assert ids.next() > given_out[-1]


def test_a_start_is_above_what_was_given_before():
    """A start that is told of the newest time part of before begins above it, also with a clock that stands behind."""
    ids = Ids(1, FakeClock(), last_ms=NOW_MS + 5_000)
    assert ids.next() >> TIME_SHIFT == NOW_MS + 5_001
    assert Ids(1, FakeClock(), last_ms=NOW_MS - 5_000).next() >> TIME_SHIFT == NOW_MS


@given(
    node=st.integers(0, MAX_NODE),
    last=st.integers(0, 2**40),
    steps=st.lists(st.integers(-10_000, 10_000) | st.integers(0, 2), min_size=1, max_size=300),
)
def test_ids_rise_whatever_the_clock_does(node: int, last: int, steps: list[int]):
    """Ids rise strictly, name their node, fit 63 bits and are above every id of before, under any steps of the clock."""
    clock = FakeClock()
    ids = Ids(node, clock, last)
    previous = (last + 1 << TIME_SHIFT) - 1
    for step in steps:
        clock.ms = max(0, clock.ms + step)
        moment = ids.moment()
        number = ids.next()
        assert moment <= number
        assert previous < number < 2**63
        assert number >> 12 & MAX_NODE == node
        assert ids.last_ms == number >> TIME_SHIFT
        previous = number


@given(ms=st.integers(0, 2**41 - 1))
def test_moments_and_ids_agree(ms: int):
    """`least_id_at` of a moment is the least id of its millisecond; before the ids' epoch it is 0."""
    assert least_id_at((ms + EPOCH_MS) / 1000) >> TIME_SHIFT in {ms - 1, ms}
    assert abs(seconds_of(ms << TIME_SHIFT) - (ms + EPOCH_MS) / 1000) < 0.001
    assert least_id_at(0.0) == 0


def test_a_moment_is_at_or_above_what_was_given():
    """The moment of a partition key is now, or the newest id's when the clock stands behind it."""
    clock = FakeClock()
    ids = Ids(1, clock)
    ids.next()
    clock.ms -= 10
    assert ids.moment() >> TIME_SHIFT == NOW_MS
    clock.ms += 20
    assert ids.moment() >> TIME_SHIFT == NOW_MS + 10
    assert DAY_SPAN == 86_400_000 << TIME_SHIFT


@pytest.mark.parametrize("node", [-1, MAX_NODE + 1])
def test_a_node_that_does_not_fit_is_refused(node: int):
    """A node id has ten bits."""
    with pytest.raises(ValueError, match=r"not in 0\.\.1023"):
        Ids(node, FakeClock())


def test_there_is_no_id_beyond_the_last():
    """A moment before the ids' epoch has the least, one after their end the greatest."""
    assert least_id_at(0) == 0
    assert least_id_at(4e9) == 2**63 - 1
