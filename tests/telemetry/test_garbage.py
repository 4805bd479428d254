"""Garbage: frozen at the start, then collected by hand."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from smsgw.telemetry.garbage import EVERY_S, QUIET_BACKLOG, YOUNG_S, Garbage


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
    ("elapsed", "backlog", "generation"),
    [
        (YOUNG_S / 2, 0, None),
        (2 * YOUNG_S, 10_000, 0),
        (EVERY_S / 6, 0, 0),
        (EVERY_S / 6 + 1, QUIET_BACKLOG, 0),
        (EVERY_S / 6 + 1, QUIET_BACKLOG - 1, 1),
        (EVERY_S + 1, 10_000, 1),
    ],
)
def test_it_collects_each_tick_and_more_in_a_quiet_moment(garbage: Garbage, elapsed: float, backlog: int, generation: int | None):
    """Each tick the youngest; the next after ten seconds when little waits, else after a minute; never the oldest."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    try:
        garbage.collect(100.0 + elapsed, backlog)
    finally:
        gc.callbacks.remove(note)
    assert seen == ([] if generation is None else [generation])
    assert garbage.collected_at == (100.0 + elapsed if generation == 1 else 100.0)
