from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import Command


def test_an_export_is_written_once(acme: Command, tmp_path: Path):
    """Files and manifest are told with their hashes; the same directory again is exit 4, an unknown tenant 3."""
    out = str(tmp_path / "out")
    told = acme("export", "acme", "--out", out, "--from", "2026-01-01", "--json")
    assert told.exit_code == 0, told.stderr
    names = [Path(row["file"]).name for row in json.loads(told.stdout)]
    assert names == ["messages.csv", "receipts.csv", "mo.csv", "ledger.csv", "refunds.csv", "manifest.json"]
    assert "1000.00" in (tmp_path / "out" / "ledger.csv").read_text(encoding="utf-8")
    assert acme("export", "acme", "--out", out).exit_code == 4
    assert acme("export", "nobody", "--out", str(tmp_path / "other")).exit_code == 3


def test_a_carriers_file_is_reconciled(acme: Command, tmp_path: Path):
    """Differences are listed and exit 1; without any 0; a bad file or day 2, an unknown link 3."""
    file = tmp_path / "carrier.csv"
    days = ("--from", "2026-11-01", "--until", "2026-12-01")
    file.write_text("id,state\n", encoding="utf-8")
    told = acme("reconcile", str(file), "--link", "alpha-1", *days)
    assert told.exit_code == 0, told.stderr
    assert "0 matched" in told.stderr
    file.write_text("id,state\nx1,DELIVRD\n", encoding="utf-8")
    told = acme("reconcile", str(file), "--link", "alpha-1", *days, "--json")
    assert told.exit_code == 1
    assert [(row["what"], row["carrier_id"]) for row in json.loads(told.stdout)] == [("only_carrier", "x1")]
    assert acme("reconcile", str(file), "--link", "nope", *days).exit_code == 3
    assert acme("reconcile", str(file), "--link", "alpha-1", "--from", "x", "--until", "y").exit_code == 2
    assert acme("reconcile", str(tmp_path / "none.csv"), "--link", "alpha-1", *days).exit_code == 2
