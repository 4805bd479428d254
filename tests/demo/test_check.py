from __future__ import annotations

from smsgw.demo import check
from smsgw.demo.check import Verdict
from smsgw.model import State
from smsgw.store.database import Connection


async def test_empty_books_agree_with_nothing(connection: Connection) -> None:
    """Nothing submitted and nothing in the books is right, and settles at once."""
    await check.settle(connection, lambda: 0, 5.0)
    verdict = await check.verdict(connection, 0)
    assert (verdict.states, verdict.wrong) == ({}, ())


async def test_what_was_acknowledged_and_is_not_there_is_wrong(connection: Connection) -> None:
    """An acknowledged message without a row is told, and so is what the tenants found wrong."""
    await check.settle(connection, lambda: 1, 0.01)
    verdict = await check.verdict(connection, 1, seen_wrong=2)
    assert len(verdict.wrong) == 2
    assert verdict.lines()[0] == "submitted 1 ≠ 0 + 0 open"


async def test_broken_books_are_wrong(connection: Connection) -> None:
    """A balance that is not the sum of its ledger is told."""
    tenant = await connection.fetchval("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY') RETURNING id")
    await connection.execute("INSERT INTO balance (tenant, amount, credit_limit) VALUES ($1, 5, 0)", tenant)
    verdict = await check.verdict(connection, 0)
    assert "B1" in verdict.wrong[0]


def test_the_sum_is_written_out() -> None:
    """The line names each final state and what is open."""
    verdict = Verdict(10, {State.DELIVERED: 7, State.FAILED: 1, State.SENT: 2}, ())
    assert verdict.open == 2
    assert verdict.lines() == [
        "submitted 10 = 7 DELIVERED + 1 FAILED + 2 open",
        "the ledger agrees: every invariant of the books holds",
    ]
