from __future__ import annotations

import json
from pathlib import Path

import pytest

from smsgw.bench.cases import Case
from smsgw.bench.cli import costs_of_judging, main, ratio_to_relay, table
from smsgw.bench.ends import Load, Outcome


def test_a_clean_run_exits_0_and_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table on standard output, JSON and SVG where they were asked for."""
    where = ["--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.svg")]
    assert main(["--only", "direct", "--count", "500", "--sessions", "2", *where]) == 0
    case = json.loads((tmp_path / "b.json").read_text())["cases"][0]
    assert (case["case"], case["sent"], case["receipts"], case["clean"]) == ("direct", 500, 500, True)
    assert (tmp_path / "b.svg").read_text().startswith("<svg")
    assert "direct" in capsys.readouterr().out


def test_an_open_loop_reports_each_rate(tmp_path: Path) -> None:
    """Several rates are several cases, each with latencies counted from when a message was due."""
    where = ["--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.svg")]
    assert main(["--only", "direct", "--count", "200", "--rate", "1000,2000", *where]) == 0
    cases = json.loads((tmp_path / "b.json").read_text())["cases"]
    assert [case["rate"] for case in cases] == [1000, 2000]
    assert all(case["response_due_ms"]["p99"] > 0 for case in cases)


def test_a_run_that_fails_exits_1(tmp_path: Path) -> None:
    """A case that could not be run makes the exit status 1."""
    where = ["--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.svg")]
    assert main(["--only", "direct", "--count", "10", "--loadgen", "/nonexistent/tool", *where]) == 1


def test_an_unknown_case_is_an_error() -> None:
    """A case that does not exist ends with exit status 2."""
    for only in ("indirect", "judged"):  # which needs a policy
        with pytest.raises(SystemExit):
            main(["--only", only])


def test_the_ratio_is_to_the_relay_nearest_in_time() -> None:
    """With several runs, a gateway is compared with the relay that ran beside it at the same load."""
    cases = [
        Case("relay", Load(), Outcome(rate=100.0)),
        Case("gateway", Load(), Outcome(rate=20.0)),
        Case("gateway", Load(rate=5.0), Outcome(rate=20.0)),
        Case("relay", Load(), Outcome(rate=200.0)),
        Case("gateway", Load(), Outcome(rate=20.0)),
    ]
    assert [ratio_to_relay(case, cases) for case in cases] == [0.0, 0.2, 0.0, 0.0, 0.1]
    assert table(cases).row_count == 5


def test_what_judging_costs_is_told_by_pairs() -> None:
    """Each run with a rule set is set against the one without it beside it, at the same load; what failed counts for nothing."""
    good = Outcome(sent=1, ok=1)
    cases = [
        Case("gateway", Load(), good, {"gateway": 40.0}),
        Case("judged", Load(), good, {"gateway": 50.5}),
        Case("gateway", Load(), good, {"gateway": 60.0}),
        Case("judged", Load(), good, {"gateway": 71.0}),
        Case("judged", Load(), Outcome(), {"gateway": 99.0}),
    ]
    assert costs_of_judging(cases) == [10.5, 11.0]
