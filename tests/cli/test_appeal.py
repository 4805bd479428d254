from __future__ import annotations

import json

from tests.cli.commands import Command


def test_an_appeal_is_written_down_and_answered(acme: Command):
    """The number of the step is in the history; the appeal is listed until it has an outcome, and in the history for good."""
    assert acme("state", "freeze", "account", "acme1", "--reason", "abuse").exit_code == 0
    (step,) = json.loads(acme("state", "history", "account", "acme1", "--json").stdout)
    said = ("--by", "Ms Li", "--text", "It was a test.")
    told = acme("state", "appeal", "account", "acme1", *said, "--step", str(step["step"]))
    assert (told.exit_code, told.stdout.strip()) == (0, "1"), told.stderr
    (waiting,) = json.loads(acme("state", "appeals", "--json").stdout)
    assert (waiting["name"], waiting["step"], waiting["text"]) == ("acme1", step["step"], "It was a test.")
    assert acme("state", "answer", "1", "--outcome", "kept", "--reason", "it was none", "--dry-run").exit_code == 0
    assert acme("state", "answer", "1", "--outcome", "kept", "--reason", "it was none").exit_code == 0
    assert json.loads(acme("state", "appeals", "--json").stdout) == []
    assert json.loads(acme("state", "appeals", "--all", "--json").stdout)[0]["outcome"] == "kept"
    history = json.loads(acme("state", "history", "account", "acme1", "--json").stdout)
    assert [row["kind"] for row in history] == ["account_appeal", "account_appeal", "account_state"]
    assert json.loads(acme("state", "get", "account", "acme1", "--json").stdout)[0]["state"] == "frozen"


def test_what_cannot_be_appealed_exits_with_why(acme: Command):
    """No step 3, answered before 4, another kind or outcome 2."""
    said = ("--by", "Li", "--text", "x")
    assert acme("state", "appeal", "account", "acme1", *said).exit_code == 3
    assert acme("state", "appeal", "link", "acme1", *said).exit_code == 2
    assert acme("state", "warn", "account", "acme1", "--reason", "x").exit_code == 0
    assert acme("state", "appeal", "account", "acme1", *said, "--dry-run").exit_code == 0
    assert acme("state", "appeal", "account", "acme1", *said).exit_code == 0
    assert acme("state", "answer", "1", "--outcome", "won", "--reason", "x").exit_code == 2
    assert acme("state", "answer", "1", "--outcome", "lifted", "--reason", "x").exit_code == 0
    assert acme("state", "answer", "1", "--outcome", "kept", "--reason", "x").exit_code == 4
