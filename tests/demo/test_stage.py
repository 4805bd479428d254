from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.demo.stage import Plan


@pytest.mark.parametrize(("elapsed", "cut"), [(0, False), (3.9, False), (4, True), (5.9, True), (6, False), (10, False)])
def test_in_a_run_of_some_seconds_alpha_is_cut_in_the_middle(elapsed: float, cut: bool) -> None:  # noqa: FBT001 - its parameter
    """Alpha is away for the third fifth."""
    assert Plan(Path(), 2775, 8080, seconds=10).cut(elapsed) is cut


@pytest.mark.parametrize(("elapsed", "cut"), [(0, False), (31, True), (46, False), (95, True), (110, False)])
def test_without_an_end_alpha_is_cut_every_minute(elapsed: float, cut: bool) -> None:  # noqa: FBT001 - its parameter
    """Alpha is away for a quarter of every minute."""
    assert Plan(Path(), 2775, 8080).cut(elapsed) is cut
