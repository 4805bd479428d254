from __future__ import annotations

from pathlib import Path

import pytest

from tests.reload import reload

pytestmark = pytest.mark.alone(reason="a load of four seconds has to see four versions, with three processes")


@pytest.mark.slow
async def test_a_set_replaced_under_load_loses_no_message_and_leaves_none_unjudged(database: str, tmp_path: Path):
    """Each submit is answered and receipted, and each was judged by one of the versions that were in force, whole."""
    report = await reload(database, tmp_path, rate=200, versions=3, terms=200, seconds=4)
    assert (report.ok, report.matched) == (report.sent, report.sent)
    assert report.unjudged == 0
    assert sum(report.judged.values()) == report.sent > 800
    assert {"0", "3"} <= set(report.judged)
