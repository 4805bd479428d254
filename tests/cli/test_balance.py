from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from smsgw.cli import build
from smsgw.model import State
from smsgw.store import invariants
from smsgw.store.database import connect
from tests.cli.commands import EXAMPLE, Command
from tests.store.cycles import Cycles, change


@pytest.fixture
def command(tmp_path: Path, database: str) -> Command:
    """The command line on a database with the example applied: acme has 1000.00."""
    command = Command(tmp_path, database)
    assert command.apply().exit_code == 0
    return command


def balance(command: Command, *arguments: str) -> Result:
    """Run `smsgw balance …`."""
    return command("balance", *arguments)


def shown(command: Command) -> str:
    """What acme has, by `show --json`."""
    (row,) = json.loads(balance(command, "show", "acme", "--json").stdout)
    return str(row["balance"])


def test_a_top_up_is_told_in_lines_and_as_json(command: Command):
    """For people `key value` lines, for programs one object; amounts keep all their decimals."""
    told = balance(command, "top-up", "acme", "0.038", "--reason", "bank transfer", "--actor", "ann")
    assert told.exit_code == 0
    assert [line.split(maxsplit=1) for line in told.stdout.splitlines()][2:6] == [
        ["kind", "top_up"],
        ["amount", "0.038"],
        ["before", "1000.00"],
        ["after", "1000.038"],
    ]
    told = balance(command, "top-up", "acme", "5", "--reason", "wire", "--reference", "r-1", "--json")
    assert json.loads(told.stdout) | {"number": 0} == {
        "tenant": "acme",
        "currency": "CNY",
        "kind": "top_up",
        "amount": "5.00",
        "before": "1000.038",
        "after": "1005.038",
        "number": 0,
        "reference": "r-1",
        "dry_run": False,
    }


def test_the_same_reference_twice_is_a_conflict(command: Command):
    """The second exits 4, says what was booked under it, and books nothing."""
    for code in (0, 4):
        told = balance(command, "top-up", "acme", "5", "--reason", "wire", "--reference", "r-1")
        assert told.exit_code == code
    assert "reference 'r-1' is booked already" in told.stderr
    assert shown(command) == "1005.00"


def test_adjustments_are_signed(command: Command):
    """An amount may begin with a minus; what the balance does not cover exits 4."""
    assert balance(command, "adjust", "acme", "-0.5", "--reason", "twice booked").exit_code == 0
    assert shown(command) == "999.50"
    refused = balance(command, "adjust", "acme", "-1000", "--reason", "too much")
    assert (refused.exit_code, "credit limit" in refused.stderr) == (4, True)


def test_a_dry_run_books_nothing(command: Command):
    """Each writing command has --dry-run, and says so."""
    for arguments in (("top-up", "acme", "5"), ("adjust", "acme", "-5"), ("credit", "acme", "7")):
        told = balance(command, *arguments, "--reason", "try", "--dry-run", "--json")
        assert told.exit_code == 0, told.stderr
        assert json.loads(told.stdout)["dry_run"] is True
    assert shown(command) == "1000.00"
    assert json.loads(balance(command, "history", "acme", "--json").stdout)[-1]["kind"] == "opening"


def test_history_shows_what_was_booked(command: Command):
    """Oldest first, with who and why; as CSV with a header; from a day on."""
    balance(command, "top-up", "acme", "5", "--reason", "wire", "--actor", "ann")
    rows = json.loads(balance(command, "history", "acme", "--json").stdout)
    assert [(row["kind"], row["amount"], row["actor"], row["reason"]) for row in rows][1:] == [("top_up", "5.00", "ann", "wire")]
    assert balance(command, "history", "acme", "--csv").stdout.startswith("number,day,kind,amount,currency,messages,actor")
    assert balance(command, "history", "acme", "--since", "2200-01-01").stderr == "no bookings\n"
    assert balance(command, "history", "acme", "--since", "yesterday").exit_code == 2


def test_refunds_by_hand_are_shown_one_by_one(command: Command, database: str):
    """A message given back by a person stands in the history of refunds with him and his reason, and is given back once."""

    async def delivered() -> None:
        connection = await connect(database)
        await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
        cycle = Cycles(connection)
        await cycle(new=[cycle.new(7, price=38_000)])
        await cycle(changed=[change(7, state=State.DELIVERED)])
        await connection.close()

    asyncio.run(delivered())
    told = balance(command, "refund", "7", "--reason", "goodwill", "--actor", "ann", "--json")
    expected = {"message": "7", "tenant": "acme", "currency": "CNY", "refund": "0.038", "balance": "1000.00", "dry_run": False}
    assert json.loads(told.stdout) == expected
    assert balance(command, "refund", "7", "--reason", "again").exit_code == 4
    (row,) = json.loads(balance(command, "history", "acme", "--refunds", "--json").stdout)
    assert (row["message"], row["amount"], row["actor"], row["reason"]) == ("7", "0.038", "ann", "goodwill")
    assert balance(command, "history", "nobody", "--refunds").exit_code == 3


def test_a_credit_limit_set_by_hand_conflicts_with_the_file(command: Command):
    """What a person changed is not undone by the next apply unless --overwrite says so."""
    assert balance(command, "credit", "acme", "50", "--reason", "postpaid").exit_code == 0
    (row,) = json.loads(balance(command, "show", "acme", "--json").stdout)
    assert (row["credit_limit"], row["available"]) == ("50.00", "1050.00")
    assert command.apply(text=EXAMPLE.replace('credit_limit = "0.00"', 'credit_limit = "9.00"')).exit_code == 4


def test_who_is_not_there_is_3(command: Command):
    """An unknown tenant and an unknown message exit 3."""
    for arguments in (
        ("show", "nobody"),
        ("history", "nobody"),
        ("top-up", "nobody", "5", "--reason", "x"),
        ("refund", "1", "--reason", "x"),
    ):
        told = balance(command, *arguments)
        assert told.exit_code == 3, told.stderr
        assert "there is no" in told.stderr


def test_an_amount_that_is_none_is_2(command: Command):
    """Seven decimals, words, and a missing reason are usage errors."""
    assert balance(command, "top-up", "acme", "0.1234567", "--reason", "x").exit_code == 2
    assert balance(command, "top-up", "acme", "much", "--reason", "x").exit_code == 2
    assert balance(command, "top-up", "acme", "5").exit_code == 2
    assert shown(command) == "1000.00"


def test_all_tenants_are_listed(command: Command):
    """Without a name every tenant is shown, as columns in a pipe."""
    assert balance(command, "show").stdout.splitlines() == [
        "tenant  currency  balance  credit_limit  available",
        "acme    CNY       1000.00          0.00    1000.00",
    ]


def test_the_help_lists_them(command: Command, database: str):
    """`smsgw balance` alone tells what there is; the books hold after all of it."""
    told = CliRunner().invoke(build("balance"), ["balance", "--help"]).stdout
    assert all(word in told for word in ("show", "history", "top-up", "adjust", "settle", "credit", "refund"))
    refused = balance(command, "settle", "acme", "--reason", "end")
    assert (refused.exit_code, "only one that is closing" in refused.stderr) == (4, True)

    async def broken() -> list[invariants.Broken]:
        connection = await connect(database)
        try:
            return await invariants.check(connection)
        finally:
            await connection.close()

    assert asyncio.run(broken()) == []
