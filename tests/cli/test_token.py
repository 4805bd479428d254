from __future__ import annotations

import json

from tests.cli.commands import Command


def test_a_token_is_made_listed_and_revoked(acme: Command):
    """It is shown once; the list says what it may and how it stands; revoked it works no more, and its name is not given again."""
    made = json.loads(acme("token", "add", "ci", "--may", "policy.read, policy.write", "--expires", "2099-12-31", "--json").stdout)
    assert made["token"].startswith("smsgw_")
    assert made["expires"] == "2100-01-01T00:00:00+00:00"
    assert acme("token", "add", "two", "--may", "policy.read").stdout.splitlines()[-1].split()[0] == "token"
    acme("token", "revoke", "two")
    row = json.loads(acme("token", "list", "--json").stdout)[0]
    assert (row["name"], row["state"], row["may"]) == ("ci", "works", ["policy.read", "policy.write"])
    assert made["token"] not in acme("token", "list").stdout
    assert acme("token", "revoke", "ci", "--dry-run").exit_code == 0
    assert acme("token", "revoke", "ci", "--reason", "leaked").stderr == "done\n"
    assert acme("token", "revoke", "ci").stderr == "nothing to change\n"
    assert json.loads(acme("token", "list", "--json").stdout)[0]["state"] == "revoked"
    assert acme("token", "add", "ci", "--may", "policy.read").exit_code == 4


def test_what_is_wrong_is_told(acme: Command):
    """A permission that there is not, an end that is over, a token that there is not."""
    assert acme("token", "add", "x", "--may", "everything").exit_code == 2
    assert acme("token", "add", "x", "--may", "policy.read", "--expires", "2001-01-01").exit_code == 2
    assert acme("token", "revoke", "x").exit_code == 3
