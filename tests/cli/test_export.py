from __future__ import annotations

import json
from pathlib import Path

from smsgw.admin.sealing import load_key
from smsgw.admin.signing import Signer
from tests.cli.commands import Command


def test_an_export_is_written_once(acme: Command, tmp_path: Path):
    """Files and manifest are told with their hashes; the same directory again is exit 4, an unknown tenant 3."""
    out = str(tmp_path / "out")
    told = acme("export", "acme", "--out", out, "--from", "2026-01-01", "--json")
    assert told.exit_code == 0, told.stderr
    names = [Path(row["file"]).name for row in json.loads(told.stdout)]
    written = ["messages", "receipts", "mo", "ledger", "refunds", "opt_outs", "blocks", "consents"]
    assert names == [*(f"{name}.csv" for name in written), "manifest.json", "manifest.sig"]
    assert "1000.00" in (tmp_path / "out" / "ledger.csv").read_text(encoding="utf-8")
    again = acme("export", "acme", "--out", out)
    assert (again.exit_code, again.stderr.startswith("nothing was written: ")) == (4, True)
    assert acme("export", "nobody", "--out", str(tmp_path / "other")).exit_code == 3


def test_an_export_is_verified_by_whoever_has_the_key(acme: Command, tmp_path: Path):
    """By our own key and by the printed one it is right; by another key, or with an octet changed, exit 1 says what is wrong."""
    out = tmp_path / "out"
    assert acme("export", "acme", "--out", str(out)).exit_code == 0
    pem = acme("export", "key").stdout
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    public, other = tmp_path / "smsgw.pub", tmp_path / "other.pub"
    public.write_text(pem, encoding="utf-8")
    other.write_text(Signer(load_key(tmp_path / "elsewhere")).pem, encoding="utf-8")
    for arguments in ((str(out),), (str(out / "manifest.json"), "--key", str(public))):
        told = acme("export", "verify", *arguments, "--json")
        assert told.exit_code == 0, told.stderr
        assert (json.loads(told.stdout)["tenant"], json.loads(told.stdout)["balance"]) == ("acme", "1000.00")
    told = acme("export", "verify", str(out), "--key", str(other))
    assert (told.exit_code, "not signed" in told.stderr) == (1, True)
    (out / "ledger.csv").write_bytes((out / "ledger.csv").read_bytes().replace(b"1000.00", b"9000.00"))
    told = acme("export", "verify", str(out))
    assert (told.exit_code, told.stderr.strip()) == (1, "ledger.csv was changed: its hash is another")


def test_what_cannot_be_verified_exits_2(acme: Command, tmp_path: Path):
    """No manifest, no key, or what is no key: it is said what to give; looking makes no key."""
    told = acme("export", "verify", str(tmp_path / "none"))
    assert (told.exit_code, told.stderr) == (2, f"{tmp_path / 'none'}: there is no such file or directory\n")
    assert acme("export", "verify", str(tmp_path), "--key", str(tmp_path / "none.pub")).exit_code == 2
    (tmp_path / "bad.pub").write_text("x", encoding="utf-8")
    told = acme("export", "verify", str(tmp_path), "--key", str(tmp_path / "bad.pub"))
    assert (told.exit_code, "export key" in told.stderr) == (2, True)
    (tmp_path / "data" / "seal.key").unlink()
    told = acme("export", "verify", str(tmp_path))
    assert (told.exit_code, "--key FILE" in told.stderr) == (2, True)
    assert not (tmp_path / "data" / "seal.key").exists()


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
