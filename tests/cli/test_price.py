"""`smsgw price`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.commands import EXAMPLE, Command, rows

SOON = (datetime.now(UTC) + timedelta(days=40)).replace(microsecond=0).isoformat()
WHY = ("--reason", "contract 7", "--actor", "ops")


def test_prices_are_set_and_shown(acme: Command):
    """Now, later, for an operator; a dry run changes nothing; the history has them all."""
    assert rows(acme("price", "set", "acme", "", "0.04", *WHY, "--json"))[0]["old"] == "0.038"
    assert acme("price", "set", "acme", "86", "0.03", *WHY, "--dry-run").stderr == "nothing was changed (--dry-run)\n"
    rows(acme("price", "set", "acme", "+86", "0.05", "--operator", "cmcc", "--from", SOON, *WHY, "--json"))
    listed = rows(acme("price", "list", "acme", "--json"))
    assert [(row["prefix"], row["operator"], row["price"], row["state"]) for row in listed] == [
        ("", "", "0.04", "in force"),
        ("86", "cmcc", "0.05", "to come"),
    ]
    assert [row["price"] for row in rows(acme("price", "history", "acme", "", "--json"))] == ["0.038", "0.04"]
    rows(acme("price", "set", "acme", "", "none", *WHY, "--json"))
    assert [row["prefix"] for row in rows(acme("price", "list", "--json"))] == ["86"]


def test_a_notice_opens_the_way(acme: Command):
    """Without its notice a change is refused with the command that records it; with it, it is taken."""
    assert acme.apply(text=EXAMPLE.replace("#price_notice_days = 0", "price_notice_days = 30")).exit_code == 0
    change = ("price", "set", "acme", "", "0.05", "--from", SOON, *WHY)
    refused = acme(*change)
    assert refused.exit_code == 4
    assert "smsgw price notice acme --from" in refused.stderr
    told = ("price", "notice", "acme", "--from", SOON, "--channel", "mail", "--reference", "m-17", "--actor", "ops")
    assert acme(*told, "--dry-run").exit_code == 0
    assert acme("price", "notice", "acme").stderr == "no notices\n"
    assert rows(acme(*told, "--json"))[0]["channel"] == "mail"
    assert rows(acme("price", "notice", "acme", "--json"))[0]["reference"] == "m-17"
    assert acme(*change).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("set", "nobody", "", "1", *WHY), 3, "there is no tenant 'nobody'"),
        (("set", "acme", "", "1", "--operator", "x", *WHY), 3, "[[operator]]"),
        (("set", "acme", "", "1", "--from", "2020-01-01T00:00:00Z", *WHY), 4, "never backwards"),
        (("set", "acme", "", "1", "--from", "tomorrow", *WHY), 2, "is no moment"),
        (("set", "acme", "", "1", "--from", "2030-01-01T00:00:00", *WHY), 2, "an offset"),
        (("set", "acme", "", "0.1234567", *WHY), 2, "is no amount"),
        (("set", "acme", "", "--", "-1"), 2, "--reason"),
        (("set", "acme", "8x", "1", *WHY), 2, "is no prefix"),
        (("set", "acme", "", "1"), 2, "--reason"),
    ],
)
def test_what_is_wrong_is_said(acme: Command, arguments: tuple[str, ...], code: int, why: str):
    """2 wrong usage, 3 not there, 4 not allowed, each with a word of what to do."""
    result = acme("price", *arguments)
    assert result.exit_code == code
    assert why in result.stderr
