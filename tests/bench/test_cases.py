from __future__ import annotations

import pytest

from smsgw.bench.cases import DIRECT, RELAY, Case, run
from smsgw.bench.ends import Load, Outcome
from smsgw.bench.gateway import LinkShape


@pytest.mark.parametrize("name", [DIRECT, RELAY])
def test_a_case_runs_and_is_clean(name: str) -> None:
    """Both yardsticks carry every message and cost measurable CPU."""
    case = run(name, Load(count=2_000, sessions=2, window=10), LinkShape())
    assert case.clean, case
    assert case.outcome.receipts == 2_000
    assert case.cal[0] > 0
    assert set(case.cpu_us) == {"tenant", "carrier", *({RELAY} if name == RELAY else ())}


def test_a_case_that_cannot_run_says_why() -> None:
    """A load generator that is not there makes the case fail, with the reason."""
    case = run(DIRECT, Load(count=10, loadgen="/nonexistent/tool"), LinkShape())
    assert not case.clean
    assert "nonexistent" in case.failed


def test_anything_wrong_spoils_a_case() -> None:
    """A case is clean only with messages, without failure and with nothing wrong."""
    good = Case(DIRECT, Load(), Outcome(sent=1, ok=1))
    assert good.clean
    assert not Case(DIRECT, Load(), Outcome(sent=1, ok=1, wrong={"without receipt": 1})).clean
    assert not Case(DIRECT, Load(), Outcome()).clean
    assert good.as_json()["clean"] is True
