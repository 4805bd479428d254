from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smsgw.sim.__main__ import clean, parser


def test_each_setting_is_an_option() -> None:
    """Options are made from the settings, with their defaults."""
    arguments = parser().parse_args(["carrier", "--receipt-delay-ms", "5", "--no-receipt-tlvs", "--error", "0x45=0.5"])
    assert (arguments.receipt_delay_ms, arguments.receipt_tlvs, arguments.receipts) == (5.0, False, True)
    assert parser().parse_args(["tenant"]).window == 10


def test_two_processes_exchange_messages(tmp_path: Path) -> None:
    """The carrier says where it listens and reports at SIGTERM; the tenant exits 0 when all went well."""
    command = [sys.executable, "-m", "smsgw.sim"]
    with subprocess.Popen([*command, "carrier", "--verify"], stdout=subprocess.PIPE, text=True) as carrier:
        assert carrier.stdout is not None
        port = carrier.stdout.readline().split()[2]
        report = tmp_path / "tenant.json"
        done = subprocess.run([*command, "tenant", "--port", port, "--count", "500", "--json", report], check=False, timeout=30)
        carrier.send_signal(signal.SIGTERM)
        figures = json.loads(carrier.stdout.read())
    assert done.returncode == 0
    assert json.loads(report.read_text())["matched"] == figures["verify_ok"] == 500


@pytest.mark.parametrize("fault", ["without_receipt", "unmatched", "duplicates", "integrity_errors"])
def test_a_fault_is_not_clean(fault: str) -> None:
    """Any lost, strange, doubled or wrong receipt fails the run."""
    report: dict[str, Any] = dict.fromkeys(("without_receipt", "unmatched", "duplicates", "integrity_errors"), 0)
    report |= {"ok": 5, "sent": 5}
    assert clean(report)
    assert not clean({**report, fault: 1})
    assert not clean({**report, "ok": 4})
