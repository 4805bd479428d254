"""`smsgw consent`: kept with its proof, imported, withdrawn, shown."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import Command
from tests.cli.test_optout import NUMBER, OF, rows


def test_a_consent_is_kept_shown_and_withdrawn(acme: Command):
    """Where, when and by what it is proved; withdrawn it stays, with who and why; withdrawn twice is exit 3."""
    said = ("--source", "web", "--proof", "form 17", "--at", "2026-11-01T08:30:00+08:00")
    assert acme("consent", "add", NUMBER, *OF, *said, "--dry-run").stderr == "nothing was changed (--dry-run)\n"
    assert acme("consent", "add", NUMBER, *OF, *said).stderr == "done\n"
    assert acme("consent", "add", NUMBER, *OF, *said).stderr == "nothing to change\n"
    (row,) = rows(acme("consent", "show", NUMBER, "--json"))
    assert (row["account"], row["source"], row["given"], row["proof"]) == ("acme1", "web", "2026-11-01T00:30:00Z", "form 17")
    assert "withdrawn" not in row
    assert acme("consent", "withdraw", NUMBER, *OF).stderr == "done\n"
    (row,) = rows(acme("consent", "show", NUMBER, "--json"))
    assert (row["withdrawn_by"], row["withdrawn_why"]) == ("ops", "ticket 7")
    assert acme("consent", "withdraw", NUMBER, *OF).exit_code == 3
    assert acme("consent", "add", NUMBER, *OF, *said[:4], "--at", "soon").exit_code == 2


def test_a_list_of_consents(acme: Command, tmp_path: Path):
    """Each row has its time, source and proof; a bad one is named by file and line and nothing is kept."""
    file = tmp_path / "consents.csv"
    good = f"number,at,source,proof\n{NUMBER},2026-11-01,web,form 1\n"
    file.write_text(good + "8613800138001,2026-11-01,web,\n", encoding="utf-8")
    refused = acme("consent", "import", str(file), *OF)
    assert (refused.exit_code, refused.stderr) == (2, f"{file}:3: proof is missing\n")
    assert rows(acme("consent", "show", NUMBER, "--json")) == []
    file.write_text(good, encoding="utf-8")
    assert rows(acme("consent", "import", str(file), *OF, "--json")) == [{"numbers": 1, "changed": 1}]
