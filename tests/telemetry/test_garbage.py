"""Garbage: frozen at the start, then collected by hand."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from smsgw.telemetry.garbage import EVERY_S, QUIET_BACKLOG, Garbage


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    """One that took over at 100 s, and gives the collector back."""
    made = Garbage()
    made.take_over(100.0)
    yield made
    gc.enable()
    gc.unfreeze()


def test_the_collector_runs_no_more_of_itself(garbage: Garbage):
    """What was there is frozen, and automatic collection is off."""
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert garbage.collected_at == 100.0


@pytest.mark.parametrize(
    ("elapsed", "backlog", "collects"),
    [
        (EVERY_S / 6, 0, False),
        (EVERY_S / 6 + 1, QUIET_BACKLOG, False),
        (EVERY_S / 6 + 1, QUIET_BACKLOG - 1, True),
        (EVERY_S + 1, 10_000, True),
    ],
)
def test_it_collects_in_a_quiet_moment_or_after_a_minute(garbage: Garbage, elapsed: float, backlog: int, *, collects: bool):
    """Ten seconds are enough when little waits, a minute whatever waits; the oldest generation is left alone."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    try:
        garbage.collect(100.0 + elapsed, backlog)
    finally:
        gc.callbacks.remove(note)
    assert seen == ([1] if collects else [])
    assert garbage.collected_at == (100.0 + elapsed if collects else 100.0)
