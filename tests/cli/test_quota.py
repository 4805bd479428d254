"""`smsgw quota`."""

from __future__ import annotations

import json

from tests.cli.commands import EXAMPLE, Command


def test_usage_is_shown_beside_the_cap(acme: Command):
    """A row for each quota that an account has; none has any by default."""
    assert acme("quota").stderr == "no quotas\n"
    assert acme.apply(text=EXAMPLE.replace("#quota_day = 0\n", "quota_day = 9\n")).exit_code == 0
    (row,) = json.loads(acme("quota", "acme1", "--json").stdout)
    assert (row["account"], row["window"], row["kind"], row["messages"], row["of_messages"]) == ("acme1", "day", "calendar", 0, 9)
    assert row["of_parts"] is None
    assert acme("quota", "nobody").exit_code == 3
