"""`smsgw optout` and `smsgw block`: by number and by list, seen and taken back, with who and why in the audit."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import Command, rows

NUMBER = "8613800138000"
OF = ("--account", "acme1", "--reason", "ticket 7", "--actor", "ops")


def test_an_opt_out_is_added_seen_and_removed(acme: Command):
    """Twice the same changes nothing; a dry run nothing at all; removed, its history stays; no answer holds the number."""
    assert rows(acme("optout", "add", NUMBER, *OF, "--dry-run", "--json")) == [{"numbers": 1, "changed": 1}]
    assert rows(acme("optout", "show", NUMBER, "--json")) == []
    assert rows(acme("optout", "add", NUMBER, *OF, "--json")) == [{"numbers": 1, "changed": 1}]
    assert rows(acme("optout", "add", f"+{NUMBER}", *OF, "--json")) == [{"numbers": 1, "changed": 0}]
    assert acme("optout", "add", "86 138-0013-8000", *OF, "--service", "10690001").stderr == "done\n"
    shown = acme("optout", "show", NUMBER, "--json")
    assert {(row["level"], row["active"], row["actor"], row["reason"]) for row in rows(shown)} == {
        ("account", True, "ops", "ticket 7"),
        ("number", True, "ops", "ticket 7"),
    }
    assert rows(acme("optout", "remove", NUMBER, *OF, "--json")) == [{"numbers": 1, "changed": 2}]
    assert acme("optout", "remove", NUMBER, *OF).stderr == "nothing to change\n"
    assert [row["active"] for row in rows(acme("optout", "show", NUMBER, "--json"))] == [False, False]
    newest = acme("optout", "show", "--account", "acme1", "--json")
    assert [row["active"] for row in rows(newest)] == [False, False, True, True]
    assert NUMBER not in shown.stdout + newest.stdout


def test_one_signature_is_refused_and_resumed(acme: Command):
    """With --signature only that one is meant, in both directions."""
    assert acme("optout", "add", NUMBER, *OF, "--signature", "【某某】").exit_code == 0
    (row,) = rows(acme("optout", "show", NUMBER, "--json"))
    assert (row["level"], row["key"]) == ("signature", "某某")
    assert acme("optout", "remove", NUMBER, *OF, "--signature", "另一").stderr == "nothing to change\n"
    assert acme("optout", "remove", NUMBER, *OF, "--signature", "某某").stderr == "done\n"


def test_a_list_is_read_whole_or_not_at_all(acme: Command, tmp_path: Path):
    """A bad row is named by file and line, its number is not said, nothing is written; put right, all of it is."""
    file = tmp_path / "out.csv"
    file.write_text(f"number,at\n{NUMBER},2026-11-01\n8613800138,soon\n12,2026-11-01\n", encoding="utf-8")
    refused = acme("optout", "import", str(file), *OF)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in refused.stderr.splitlines()] == [f"{file}:3", f"{file}:4"]
    assert "8613800138" not in refused.stderr
    assert rows(acme("optout", "show", "--json")) == []
    file.write_text(f"number,at\n{NUMBER},2026-11-01\n8613800138001,\n", encoding="utf-8")
    assert rows(acme("optout", "import", str(file), *OF, "--json")) == [{"numbers": 2, "changed": 2}]
    (row,) = rows(acme("optout", "show", NUMBER, "--json"))
    assert (row["at"], row["source"]) == ("2026-11-01T00:00:00Z", "list out.csv")


def test_block_lists_are_of_the_platform_a_tenant_or_an_account(acme: Command, tmp_path: Path):
    """Added to each, seen, imported, taken off one."""
    because = ("--reason", "asked us", "--actor", "ops")
    for scope in ((), ("--tenant", "acme"), ("--account", "acme1")):
        assert acme("block", "add", NUMBER, *because, *scope).stderr == "done\n"
    assert {row["level"] for row in rows(acme("block", "show", NUMBER, "--json"))} == {"platform", "tenant", "account"}
    assert acme("block", "remove", NUMBER, *because, "--tenant", "acme").stderr == "done\n"
    shown = rows(acme("block", "show", NUMBER, "--json"))
    assert {row["level"] for row in shown if row["active"]} == {"platform", "account"}
    file = tmp_path / "block.txt"
    file.write_text("8613800138001\n8613800138002\n", encoding="utf-8")
    assert rows(acme("block", "import", str(file), *because, "--json")) == [{"numbers": 2, "changed": 2}]
    assert len(rows(acme("block", "show", "--limit", "3", "--json"))) == 3


def test_who_is_unknown_or_says_nothing_is_told_so(acme: Command):
    """An unknown account exits 3, two scopes at once 4, no number 2, no reason 4, smsgw's own name 2."""
    assert acme("optout", "add", NUMBER, "--account", "nobody", "--reason", "x").exit_code == 3
    assert acme("optout", "add", NUMBER, *OF, "--signature", "a", "--service", "1").exit_code == 4
    assert acme("block", "add", NUMBER, "--account", "acme1", "--tenant", "acme", "--reason", "x").exit_code == 4
    bad = acme("optout", "add", "1380013800x", *OF)
    assert (bad.exit_code, "138" in bad.stderr) == (2, False)
    assert acme("optout", "add", NUMBER, "--account", "acme1", "--reason", " ").exit_code == 4
    assert acme("optout", "add", NUMBER, "--account", "acme1", "--reason", "x", "--actor", "smsgw").exit_code == 2
