from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.bench.ends import Load
from tests.reload import reload

pytestmark = pytest.mark.alone(reason="a load of four seconds has to see four versions, with three processes")


@pytest.mark.slow
async def test_a_set_replaced_under_load_loses_no_message_and_leaves_none_unjudged(database: str, tmp_path: Path):
    """Each submit is answered and receipted, and each was judged by one of the versions that were in force, whole."""
    report = await reload(database, tmp_path, Load(seconds=4, rate=200, sessions=4, window=100), versions=3, terms=200)
    assert (report.ok, report.matched) == (report.sent, report.sent)
    assert report.unjudged == 0
    assert sum(report.judged.values()) == report.sent > 800
    assert {"0", "3"} <= set(report.judged)
