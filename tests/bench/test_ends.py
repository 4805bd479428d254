from __future__ import annotations

import json
from pathlib import Path

import pytest

from smsgw.bench import ends
from smsgw.bench.ends import Load

SEEN = {"verify_ok": 10, "verify_bad": 0, "verify_dup": 0, "verify_missing_below_max": 0}
EXTERNAL = {
    "sent": 10, "ok": 10, "dlrs_matched": 9, "throughput": 5.0, "dlr_throughput": 4.0, "elapsed_s": 2.0, "last_dlr_s": 3.0,
    "resp_p50_us": 1500.0, "resp_p95_us": 2000.0, "resp_p99_us": 2500.0, "resp_max_us": 3000.0,
    "ok_without_dlr": 1, "dlrs_unmatched": 0, "dlrs_duplicate": 0, "integrity_errors": 2,
}  # fmt: skip


def test_our_ends_report_a_clean_run(tmp_path: Path) -> None:
    """Tenant and carrier as processes: everything acknowledged, receipted and verified."""
    load = Load(count=300, sessions=2, window=5)
    with ends.carrier(load, tmp_path) as (carrier, port):
        with ends.tenant(load, port, tmp_path) as tenant:
            assert tenant.finish(30) == 0
        carrier.end()
    outcome = ends.outcome(load, tmp_path)
    assert (outcome.sent, outcome.ok, outcome.receipts, outcome.wrong) == (300, 300, 300, {})
    assert outcome.response_ms["p99"] > 0


def test_an_external_report_is_read_alike(tmp_path: Path) -> None:
    """Microseconds become milliseconds, and what is lacking is counted as wrong."""
    (tmp_path / "tenant.json").write_text(json.dumps(EXTERNAL))
    (tmp_path / "carrier.json").write_text(json.dumps(SEEN))
    outcome = ends.outcome(Load(loadgen="x"), tmp_path)
    assert outcome.response_ms == {"p50": 1.5, "p95": 2.0, "p99": 2.5, "max": 3.0}
    assert outcome.wrong == {"without receipt": 1, "receipts: integrity_errors": 2}
    assert outcome.elapsed_s == 3.0


@pytest.mark.parametrize("fault", ["verify_bad", "verify_dup", "verify_missing_below_max"])
def test_what_the_carrier_saw_wrong_counts(tmp_path: Path, fault: str) -> None:
    """An altered, doubled or missing text at the carrier spoils the run."""
    good = {**EXTERNAL, "ok_without_dlr": 0, "integrity_errors": 0}
    (tmp_path / "tenant.json").write_text(json.dumps(good))
    (tmp_path / "carrier.json").write_text(json.dumps({**SEEN, fault: 3}))
    assert ends.outcome(Load(loadgen="x"), tmp_path).wrong == {f"carrier {fault}": 3}


def test_refusals_are_named(tmp_path: Path) -> None:
    """What was answered with another status, and what was not answered, stands in the outcome by name."""
    refused = {**EXTERNAL, "ok": 6, "ok_without_dlr": 0, "integrity_errors": 0, "status": {"0x0": 6, "0x58": 3}}
    (tmp_path / "tenant.json").write_text(json.dumps(refused))
    assert ends.outcome_of_tenant(Load(loadgen="x"), tmp_path).wrong == {"answered ESME_RTHROTTLED": 3, "not answered": 1}


def test_a_missing_report_is_told(tmp_path: Path) -> None:
    """Without a report there is no outcome."""
    with pytest.raises(RuntimeError, match="no report"):
        ends.outcome(Load(), tmp_path)
