from __future__ import annotations

import json
from pathlib import Path

from smsgw.admin.sealing import load_key
from smsgw.admin.signing import Signer
from tests.cli.commands import Command


def test_a_report_is_written_listed_and_verified(acme: Command, tmp_path: Path):
    """By the name alone; a bundle that is there is 4, an unknown name 3; a changed one does not hold (1)."""
    path = tmp_path / "bundle.zip"
    told = acme("report", "acme", "--since", "2025-01-02", "--to", "MIIT", "--ref", "7", "--freeze", "--out", str(path), "--json")
    assert told.exit_code == 0, told.stderr
    assert "not sent" in told.stderr
    made = json.loads(told.stdout)
    assert (made["messages"], made["frozen"]) == (0, True)
    told = acme("report", "verify", str(path), "--store", "--json")
    assert told.exit_code == 0, told.stderr
    manifest = json.loads(told.stdout)
    assert (manifest["sha256"], manifest["until"][:19] <= manifest["made"][:19]) == (made["sha256"], True)
    assert json.loads(acme("report", "list", "--json").stdout)[0]["reference"] == "7"
    assert "frozen" in acme("state", "get", "tenant", "acme").stdout
    assert acme("report", "acme", "--to", "MIIT", "--ref", "7", "--out", str(path)).exit_code == 4
    assert acme("report", "write", "nobody", "--to", "MIIT", "--ref", "7", "--out", str(tmp_path / "x")).exit_code == 3
    public, other = tmp_path / "smsgw.pub", tmp_path / "other.pub"
    public.write_text(acme("export", "key").stdout, encoding="utf-8")
    other.write_text(Signer(load_key(tmp_path / "elsewhere")).pem, encoding="utf-8")
    assert acme("report", "verify", str(path), "--key", str(public)).exit_code == 0
    told = acme("report", "verify", str(path), "--key", str(other))
    assert (told.exit_code, "manifest.sig is no signature" in told.stderr) == (1, True)
    assert acme("report", "verify", str(path), "--key", str(tmp_path / "none.pub")).exit_code == 2
    octets = bytearray(path.read_bytes())
    octets[100] ^= 1
    path.write_bytes(octets)
    told = acme("report", "verify", str(path))
    assert (told.exit_code, "messages.csv was changed" in told.stderr) == (1, True)
    assert acme("report", "verify", str(tmp_path / "none.zip")).exit_code == 2
