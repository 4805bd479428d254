"""`smsgw complaint`: registered, listed, shown, closed; rates of a month."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.cli.commands import Command
from tests.cli.test_optout import NUMBER, rows

BECAUSE = ("--reason", "report 7", "--actor", "ops")


def test_a_complaint_from_its_beginning_to_its_end(acme: Command):
    """Registered once for its reference, due after fifteen working days, listed, closed once with its outcome."""
    today = str(datetime.now(UTC).date())
    given = (NUMBER, "--day", today, "--source", "12321", "--reference", "R-1", *BECAUSE)
    (looked,) = rows(acme("complaint", "add", *given, "--dry-run", "--json"))
    assert looked["complaint"] is None
    (made,) = rows(acme("complaint", "add", *given, "--json"))
    assert (made["complaint"] > 0, made["messages"], made["blocked"], made["due"] > today) == (True, [], "none", True)
    assert acme("complaint", "add", *given).exit_code == 4
    (listed,) = rows(acme("complaint", "list", "--json"))
    assert (listed["number"], listed["state"], listed["due"]) == ("8613****8000", "open", made["due"])
    assert acme("complaint", "list", "--overdue").stderr == "no complaints\n"
    number = str(made["complaint"])
    (closed,) = rows(acme("complaint", "close", number, "--outcome", "apologised", *BECAUSE, "--json"))
    assert (closed["state"], closed["outcome"], closed["closed_by"]) == ("closed", "apologised", "ops")
    assert acme("complaint", "close", number, "--outcome", "x", *BECAUSE).exit_code == 4
    assert acme("complaint", "list").stderr == "no complaints\n"
    (told,) = rows(acme("complaint", "list", "--all", "--json"))
    assert told["messages"] == []
    head, line = acme("complaint", "list", "--all", "--csv").stdout.splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=True))["messages"] == "0"
    assert rows(acme("complaint", "show", number, "--json"))[0]["reference"] == "R-1"
    assert acme("complaint", "show", "99").exit_code == 3


def test_holidays_move_the_due_date(acme: Command, tmp_path: Path):
    """A file of days is counted in; one that cannot be read is a wrong setting, exit 78; a complaint is of a day."""
    days = tmp_path / "days"
    text = acme.config.read_text(encoding="utf-8")
    acme.config.write_text(f'{text}[compliance]\nholidays = "{days}"\ncomplaint_days = 1\n', encoding="utf-8")
    given = (NUMBER, "--day", "2026-01-05", "--source", "carrier", *BECAUSE, "--json")
    assert acme("complaint", "add", *given).exit_code == 78
    days.write_text("# none\n", encoding="utf-8")
    (plain,) = rows(acme("complaint", "add", *given))
    days.write_text(f"{plain['due']}\n", encoding="utf-8")
    (moved,) = rows(acme("complaint", "add", *given))
    assert moved["due"] > plain["due"]
    assert acme("complaint", "add", NUMBER, "--day", "none", "--source", "carrier", *BECAUSE).exit_code == 2


def test_rates_of_a_month_without_any(acme: Command):
    """Nothing was complained of: it says so; a month that is none is refused."""
    assert acme("complaint", "rates", "--month", "2026-10").stderr == "no complaints in that month\n"
    assert acme("complaint", "rates").exit_code == 0
    assert acme("complaint", "rates", "--month", "soon").exit_code == 2
