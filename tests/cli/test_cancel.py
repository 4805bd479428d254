from __future__ import annotations

import asyncio
import time

import pytest

from smsgw.store.database import connect
from smsgw.store.ids import least_id_at
from tests.cli.commands import Command, rows


@pytest.fixture
def waiting(acme: Command, database: str) -> Command:
    """The command line where of acme1 two messages wait, and one was sent."""

    async def write() -> None:
        connection = await connect(database)
        await connection.execute(
            "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
            " destination, sent_ms)"
            " SELECT $1::int8 + n, 1, 1, CASE WHEN n = 3 THEN 6 ELSE 3 END, 0, 0, 0, n, 4, 0, n * 1000, '1069',"
            " '861380013800' || n, CASE WHEN n = 3 THEN 1 ELSE 0 END FROM generate_series(1, 3) AS n",
            least_id_at(time.time() - 3600.0),
        )
        await connection.close()

    asyncio.run(write())
    return acme


def test_a_dry_run_counts_and_a_reason_cancels(waiting: Command):
    """The dry run changes nothing; what was asked for is listed as open, and shown, with masked numbers."""
    (row,) = rows(waiting("cancel", "messages", "--account", "acme1", "--dry-run", "--json"))
    assert (row["queued"], row["messages"], row["parts"], row["refund"], row["out"]) == (2, 2, 3, "0.003", 1)
    assert rows(waiting("cancel", "list", "--json")) == []
    told = waiting("cancel", "messages", "--number", "8613800138001", "--reason", "fraud", "--actor", "ann", "--json")
    (row,) = rows(told)
    assert (row["cancellation"], row["messages"]) == (1, 1)
    assert "smsgw cancel show 1" in told.stderr
    (row,) = rows(waiting("cancel", "list", "--json"))
    assert (row["state"], row["of"], row["actor"], row["reason"]) == ("open", "number=8613****8001", "ann", "fraud")
    (row,) = rows(waiting("cancel", "show", "1", "--json"))
    assert (row["state"], row["taken"]) == ("open", 0)
    (row,) = rows(waiting("audit", "list", "--kind", "cancellation", "--json"))
    assert (row["actor"], row["reason"]) == ("ann", "fraud")


def test_times_are_spans_or_moments(waiting: Command):
    """Messages of an hour ago are within two hours, and before now less half an hour, and not within half an hour."""
    for options, count in (
        (["--since", "2h"], 1),
        (["--since", "30m"], 0),
        (["--until", "30m"], 1),
        (["--since", "2h", "--until", "90m"], 0),
        (["--since", "2025-01-02T00:00Z", "--until", "2025-01-03"], 0),
    ):
        told = waiting("cancel", "messages", "--tenant", "acme", *options, "--dry-run", "--json")
        assert len(rows(told)) == count, options


def test_what_cannot_be_done_exits_with_why(waiting: Command):
    """2 for no filter, no reason, no number, no time; 3 for names and numbers that are not there."""
    assert waiting("cancel", "messages", "--reason", "x").exit_code == 2
    assert waiting("cancel", "messages", "--account", "acme1").exit_code == 2
    assert waiting("cancel", "messages", "--number", "Shop", "--dry-run").exit_code == 2
    assert waiting("cancel", "messages", "--account", "acme1", "--since", "x-y", "--dry-run").exit_code == 2
    assert waiting("cancel", "messages", "--account", "acme1", "--since", "1h", "--until", "2h", "--dry-run").exit_code == 2
    assert waiting("cancel", "messages", "--link", "nobody", "--dry-run").exit_code == 3
    assert waiting("cancel", "show", "7").exit_code == 3
