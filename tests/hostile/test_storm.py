"""A storm of binds beside another tenant's traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storm import storm

pytestmark = pytest.mark.alone(reason="it measures latencies, with five processes")


async def test_a_storm_of_binds_is_answered_and_the_traffic_goes_on(database: str, tmp_path: Path):
    """Eighty accounts that bind at once are all let in within ten seconds, and no message of another tenant is lost or late."""
    report = await storm(database, tmp_path, binds=80, rate=200, seconds=2.0)
    assert (report.bound, report.refused) == (80, 0)
    assert report.last_s < 10.0
    assert report.ok == report.sent > 300
    assert report.p99_ms < 500.0  # 50 ms is what a quiet machine is measured against: `python -m tests.storm`
