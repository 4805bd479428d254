"""`smsgw secret`."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import Command


def test_a_secret_is_shown_once_and_then_only_by_its_number(acme: Command):
    """rotate writes it to standard output, list knows when it came and when it ends, revoke takes it away."""
    done = acme("secret", "rotate", "acme1", "--reason", "yearly", "--overlap", "7d", "--actor", "ops", "--json")
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    assert len(row["secret"]) == 8
    listed = acme("secret", "list", "acme1", "--json")
    assert row["secret"] not in listed.stdout
    assert [one["until"] is None for one in json.loads(listed.stdout)] == [True, False]
    assert acme("secret", "revoke", "acme1", str(row["number"]), "--reason", "x").exit_code == 0
    assert len(json.loads(acme("secret", "list", "acme1", "--json").stdout)) == 1


def test_a_dry_run_shows_what_would_end(acme: Command):
    """No secret is made, none ends."""
    done = acme("secret", "rotate", "acme1", "--reason", "x", "--dry-run", "--json")
    (row,) = json.loads(done.stdout)
    assert (row["secret"], len(row["ending"]), done.stderr) == (None, 1, "nothing was changed (--dry-run)\n")
    assert [one["until"] for one in json.loads(acme("secret", "list", "acme1", "--json").stdout)] == [None]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rotate", "nobody", "--reason", "x"), 3),
        (("list", "nobody"), 3),
        (("revoke", "acme1", "999", "--reason", "x"), 3),
        (("rotate", "acme1", "--reason", "x", "--overlap", "long"), 2),
        (("rotate", "acme1"), 2),
    ],
)
def test_exit_codes(acme: Command, arguments: tuple[str, ...], code: int):
    """Who is not there is 3, wrong usage 2."""
    assert acme("secret", *arguments).exit_code == code
