from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.sim.latency import Latency


@given(st.lists(st.floats(1e-5, 100.0), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_percentile_is_within_a_class_of_the_true_one(durations: list[float], share: float) -> None:
    """The percentile lies between the true one and 1/32 above it, and never above the highest."""
    latency = Latency()
    for seconds in durations:
        latency.record(seconds)
    rank = next(rank for rank in range(1, len(durations) + 1) if rank >= share * len(durations))
    true = sorted(durations)[rank - 1]
    assert true * (1 - 1e-2) <= latency.percentile(share) <= min(true * (1 + 1 / 32) + 2e-7, max(durations))


def test_nothing_recorded_is_zero() -> None:
    """Without a duration every percentile is 0."""
    assert Latency().milliseconds() == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    """A negative duration is counted as 0."""
    latency = Latency()
    latency.record(-1.0)
    assert (latency.count, latency.percentile(1.0)) == (1, 0.0)


def test_merged_figures_are_those_of_all_durations() -> None:
    """Two recorders merged say what one that saw everything says."""
    one, other, both = Latency(), Latency(), Latency()
    for number in range(1, 1000):
        (one if number % 3 else other).record(number / 1000)
        both.record(number / 1000)
    one.merge(other)
    assert one.milliseconds() == both.milliseconds()
