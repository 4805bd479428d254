from __future__ import annotations

import asyncio
import json

import pytest

from smsgw.store.database import connect
from tests.cli.commands import Command


@pytest.fixture
def proposed(acme: Command, database: str) -> Command:
    """The command line on a database with one proposal, of 1.25 for October 2025."""

    async def put() -> None:
        connection = await connect(database)
        await connection.execute(
            "INSERT INTO late_fee (tenant, cycle, owed, amount, due, days, as_of)"
            " VALUES (1, '2025-10', 100000000, 1250000, '2025-11-16', 5, '2025-11-22')"
        )
        await connection.close()

    asyncio.run(put())
    return acme


def test_a_proposal_is_listed_and_posted(proposed: Command):
    """The list shows it; a dry run books nothing; posted, it is a booking with a number, and out of the list."""
    (row,) = json.loads(proposed("fee", "list", "--json").stdout)
    assert (row["tenant"], row["cycle"], row["fee"], row["state"]) == ("acme", "2025-10", "1.25", "open")
    assert proposed("fee", "post", "acme", "2025-10", "--reason", "late", "--dry-run").exit_code == 0
    told = proposed("fee", "post", "acme", "2025-10", "--reason", "late", "--actor", "ann", "--json")
    assert told.exit_code == 0, told.stderr
    assert (json.loads(told.stdout)["amount"], json.loads(told.stdout)["after"]) == ("-1.25", "998.75")
    assert json.loads(proposed("fee", "list", "--json").stdout) == []
    (row,) = json.loads(proposed("fee", "list", "--all", "--json").stdout)
    assert (row["state"], row["actor"]) == ("posted", "ann")
    assert proposed("fee", "compute").stdout.strip() == "proposals made or changed: 0"


def test_what_cannot_be_decided_exits_with_why(proposed: Command):
    """No such tenant 3, no such proposal or one that was decided 4, without a reason 2."""
    assert proposed("fee", "list", "nobody").exit_code == 3
    assert proposed("fee", "post", "acme", "2025-11", "--reason", "x").exit_code == 4
    assert proposed("fee", "withdraw", "acme", "2025-10", "--reason", "goodwill").exit_code == 0
    told = proposed("fee", "withdraw", "acme", "2025-10", "--reason", "again")
    assert (told.exit_code, "withdrawn by" in told.stderr) == (4, True)
    assert proposed("fee", "post", "acme", "2025-10").exit_code == 2
