"""The end of a contract from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from smsgw.admin.sealing import load_key
from smsgw.admin.signing import Signer
from tests.cli.commands import Command


def test_a_contract_ends_with_a_certificate(acme: Command, tmp_path: Path):
    """Closed, exported, purged, certified: each step in its turn (4), and the certificate holds until an octet of it is changed."""
    assert acme("optout", "add", "8613800138000", "--account", "acme1", "--reason", "wrote to us").exit_code == 0
    refused = acme("tenant", "purge", "acme", "--yes", "--reason", "ended")
    assert (refused.exit_code, "is not closed" in refused.stderr) == (4, True)
    assert acme("tenant", "certificate", "acme").exit_code == 3
    for step in ("freeze", "terminate"):
        assert acme("state", step, "tenant", "acme", "--reason", "ends").exit_code == 0
    refused = acme("tenant", "purge", "acme", "--yes", "--reason", "ended")
    assert (refused.exit_code, "smsgw export acme" in refused.stderr) == (4, True)
    assert acme("export", "acme", "--content", "--out", str(tmp_path / "out")).exit_code == 0
    told = acme("tenant", "purge", "acme", "--json")
    assert [(row["kind"], row["would_go"]) for row in json.loads(told.stdout)][-1] == ("marks", 1)
    assert "nothing was changed" in told.stderr
    assert acme("tenant", "purge", "acme", "--yes").exit_code == 2
    told = acme("tenant", "purge", "acme", "--yes", "--reason", "ended", "--json")
    assert (told.exit_code, [(row["kind"], row["deleted"]) for row in json.loads(told.stdout)]) == (0, [("marks", 1)])
    file, public, other = tmp_path / "end.json", tmp_path / "smsgw.pub", tmp_path / "other.pub"
    public.write_text(acme("export", "key").stdout, encoding="utf-8")
    other.write_text(Signer(load_key(tmp_path / "elsewhere")).pem, encoding="utf-8")
    assert acme("tenant", "certificate", "acme", "--out", str(file)).exit_code == 0
    assert acme("tenant", "certificate", "acme", "--out", str(file)).exit_code == 4
    assert acme("tenant", "certificate", "acme").stdout == file.read_text(encoding="utf-8")
    told = acme("tenant", "verify-certificate", str(file), "--key", str(public), "--store", "--json")
    assert told.exit_code == 0, told.stderr
    assert (json.loads(told.stdout)["complete"], json.loads(told.stdout)["holds"]) == (True, True)
    assert acme("tenant", "verify-certificate", str(file), "--key", str(other)).exit_code == 1
    file.write_text(file.read_text(encoding="utf-8").replace('"rows": 1', '"rows": 0'), encoding="utf-8")
    told = acme("tenant", "verify-certificate", str(file))
    assert (told.exit_code, "it was changed" in told.stderr) == (1, True)
    assert acme("tenant", "verify-certificate", str(tmp_path / "none")).exit_code == 2
    assert acme("tenant", "verify-certificate", str(public)).exit_code == 1
