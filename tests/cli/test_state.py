"""`smsgw state`: the ladder from the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import Result

from tests.cli.commands import Command


def state(acme: Command, *arguments: str) -> Result:
    """Run `smsgw state …`."""
    return acme("state", *arguments)


def one(result: Result) -> dict[str, object]:
    """The one row of an answer in JSON."""
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)
    assert isinstance(row, dict)
    return row


def test_the_ladder(acme: Command):
    """warn, limit, freeze, terminate: each says what it made of it, and history tells it all, newest first."""
    because = ("account", "acme1", "--reason", "fraud", "--actor", "ops")
    assert state(acme, "warn", *because, "--evidence", "17").exit_code == 0
    assert one(state(acme, "limit", *because, "--rate", "5", "--json"))["rate"] == 5
    frozen = one(state(acme, "freeze", *because, "--for", "30m", "--json"))
    assert (frozen["from"], frozen["state"], frozen["until"] is None) == ("limited", "frozen", False)
    got = json.loads(state(acme, "get", "account", "acme1", "--json").stdout)
    assert [row["state"] for row in got] == ["frozen", "limited"]
    assert one(state(acme, "terminate", *because, "--json"))["state"] == "closed"
    history = json.loads(state(acme, "history", "account", "acme1", "--json").stdout)
    assert [row["kind"] for row in history] == ["account_state"] * 3 + ["account_warning"]
    assert {row["reason"] for row in history} == {"fraud"}
    assert "state active → limited, rate 5" in state(acme, "history", "account", "acme1").stdout
    assert json.loads(acme("notice", "list", "--tenant", "acme", "--json").stdout)[-1]["kind"] == "warning"


def test_the_other_ways(acme: Command):
    """suspend, close and resume; list shows whoever is not active, and nothing when all are."""
    because = ("tenant", "acme", "--reason", "x")
    for verb, word in (("suspend", "suspended_arrears"), ("close", "closing"), ("resume", "active")):
        assert one(state(acme, verb, *because, "--json"))["state"] == word
    assert state(acme, "list").stderr == "no state but active\n"
    state(acme, "suspend", *because)
    assert "suspended_arrears" in state(acme, "list", "--csv").stdout


def test_a_dry_run_changes_nothing(acme: Command):
    """It shows what would be, says so, and leaves all as it was."""
    shown = state(acme, "freeze", "account", "acme1", "--reason", "x", "--dry-run")
    assert "frozen" in shown.stdout
    assert shown.stderr == "nothing was changed (--dry-run)\n"
    assert state(acme, "warn", "account", "acme1", "--reason", "x", "--dry-run").exit_code == 0
    assert one(state(acme, "get", "account", "acme1", "--json"))["state"] == "active"


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("freeze", "account", "nobody", "--reason", "x"), 3, "there is no account 'nobody'"),
        (("get", "tenant", "nobody"), 3, "there is no tenant 'nobody'"),
        (("terminate", "account", "acme1", "--reason", "x"), 4, "freeze it or set it to closing first"),
        (("limit", "account", "acme1", "--reason", "x", "--rate", "0"), 4, "needs a rate"),
        (("freeze", "account", "acme1", "--reason", "x", "--for", "soon"), 2, "is no span"),
        (("freeze", "account", "acme1", "--reason", "x", "--actor", "smsgw"), 2, "name a person"),
        (("freeze", "account", "acme1"), 2, "--reason"),
        (("freeze", "link", "alpha-1", "--reason", "x"), 2, "'link'"),
    ],
)
def test_exit_codes(acme: Command, arguments: tuple[str, ...], code: int, why: str):
    """Not found is 3, a move that is not allowed 4, wrong usage 2; each says what was wrong."""
    result = state(acme, *arguments)
    assert result.exit_code == code
    assert why in result.stderr
