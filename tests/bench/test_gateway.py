from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.bench.cases import GATEWAY, JUDGED, run
from smsgw.bench.ends import Load
from smsgw.bench.gateway import LinkShape

LEAN = "[database]\nwal_ahead_mib = 0\n"
"""A gibibyte of log made ahead is for rates, and none is measured here."""


@pytest.mark.slow
def test_a_message_lives_its_whole_life_in_the_gateway() -> None:
    """The gateway carries every message, its books agree, and gateway and PostgreSQL cost measurable CPU."""
    case = run(GATEWAY, Load(count=2_000, sessions=2, window=20), LinkShape(settings=LEAN))
    assert case.clean, (case.failed, case.outcome.wrong)
    assert case.outcome.receipts == 2_000
    assert case.cpu_us["gateway"] > 1
    assert case.cpu_us["postgres"] > 1
    assert case.resident_mib > 10


@pytest.mark.slow
def test_a_policy_judges_what_is_sent(tmp_path: Path) -> None:
    """With a rule set every message is judged and all that is sent passes; one that refuses everything carries nothing."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[terms]]\nid = "a"\nwords = ["casino"]\nmust = ["casino"]\n')
    load = Load(count=500, sessions=2, window=20)
    shape = LinkShape(policy=str(rules), settings=LEAN)
    assert run(JUDGED, load, shape).clean
    rules.write_text('[recipient]\ncountries = ["AQ"]\n')
    assert run(JUDGED, load, shape).outcome.ok == 0
    assert run(GATEWAY, load, shape).clean
