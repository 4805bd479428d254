"""Late fees over closed cycles on a real store: proposed, computed anew, booked or withdrawn once."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime

import asyncpg
import pytest

from smsgw.admin import books, closing, late_fees
from smsgw.admin.books import Refused, Signature
from smsgw.admin.terms import set_term
from smsgw.store import invariants
from smsgw.store import late_fees as store
from smsgw.store.database import Connection, connect
from tests.admin.test_closing import Year, moment

BY = Signature("ann", "as agreed")
UNIT = 1_000_000
TERM = {"fee_rate": "0.0005", "fee_due_days": 15, "fee_grace_days": 5}


def on(text: str) -> datetime:
    """Noon of a day in China."""
    return moment(f"{text}T12:00")


@pytest.fixture
async def late(connection: Connection) -> Connection:
    """A tenant on credit that owed 100.00 at the end of October 2025 and paid 40.00 on November 25th."""
    year = Year(connection)
    await year.start()
    await connection.execute("UPDATE balance SET credit_limit = 1000000000")
    await year.book("adjustment", -200 * UNIT, "2025-10-20T12:00")
    await year.book("top_up", 40 * UNIT, "2025-11-25T09:00")
    await closing.close(connection, "acme", "2025-10", actor="ann")
    await set_term(connection, "acme", TERM, actor="ann", reason="contract 7")
    return connection


async def proposed(connection: Connection, *, decided: bool = False) -> list[tuple[str, str, int, int]]:
    """Cycle, state, days and amount of each proposal."""
    return [(one.cycle, one.state, one.days, one.amount) for one in await store.proposals(connection, decided=decided)]


async def test_a_fee_is_proposed_once_and_follows_the_days(late: Connection):
    """Nothing within the grace; after it one proposal, the same when it is computed again, more on the next day, less once paid."""
    assert await late_fees.keep_fees(late, on("2025-11-21")) == 0
    assert await late_fees.keep_fees(late, on("2025-11-22")) == 1
    assert await proposed(late) == [("2025-10", "open", 5, 5 * 50_000)]
    done: dict[int, date] = {}
    assert await late_fees.keep_fees(late, on("2025-11-22"), done) == 0
    assert done == {1: date(2025, 11, 22)}
    assert await late_fees.keep_fees(late, on("2025-11-27"), {1: date(2025, 11, 27)}) == 0
    assert await late_fees.keep_fees(late, on("2025-11-27"), done) == 1
    # November 17th to 24th of 100.00, two days of 60.00; today is not over
    assert await proposed(late) == [("2025-10", "open", 10, 8 * 50_000 + 2 * 30_000)]
    assert await late.fetchval("SELECT count(*) FROM ledger WHERE kind = 'late_fee'") == 0


async def test_a_person_posts_it_once_and_for_good(late: Connection):
    """A row of the ledger of its own kind, an audit row, a notice; a second time is refused, and later days add nothing."""
    await late_fees.keep_fees(late, on("2025-11-22"))
    before = await late.fetchval("SELECT amount FROM balance")
    dry = await late_fees.post(late, "acme", "2025-10", Signature("ann", "look", dry_run=True))
    assert (dry.number, await late.fetchval("SELECT amount FROM balance")) == (0, before)
    done = await late_fees.post(late, "acme", "2025-10", BY)
    assert (done.amount, done.after) == (-250_000, before - 250_000)
    row = await late.fetchrow("SELECT id, amount, actor, reason, reference FROM ledger WHERE kind = 'late_fee'")
    assert row is not None
    assert tuple(row) == (done.number, -250_000, "ann", "as agreed", "late-fee 2025-10")
    for decide in (late_fees.post, late_fees.withdraw):
        with pytest.raises(Refused, match="posted by ann"):
            await decide(late, "acme", "2025-10", BY)
    await late_fees.keep_fees(late, on("2025-12-30"))
    assert await proposed(late) == []
    assert await proposed(late, decided=True) == [("2025-10", "posted", 5, 250_000)]
    assert await late.fetchval("SELECT count(*) FROM audit WHERE kind = 'late_fee' AND actor = 'ann'") == 1
    (said,) = await late.fetch("SELECT params FROM notice WHERE kind = 'late_fee'")
    assert json.loads(said["params"])["amount"] == "0.25"
    assert await invariants.check(late) == []
    with pytest.raises(asyncpg.PostgresError, match="never changed"):
        await late.execute("UPDATE late_fee SET amount = 1")


async def test_eight_people_post_it_and_one_does(database: str, late: Connection):
    """At the same moment, over connections of their own: one row of the ledger."""
    await late_fees.keep_fees(late, on("2025-11-22"))
    people = [await connect(database) for _ in range(8)]
    done = await asyncio.gather(*(late_fees.post(one, "acme", "2025-10", BY) for one in people), return_exceptions=True)
    for one in people:
        await one.close()
    assert sorted(type(one).__name__ for one in done) == ["Booking", *["Refused"] * 7]
    assert await late.fetchval("SELECT count(*) FROM ledger WHERE kind = 'late_fee'") == 1


async def test_what_a_person_withdraws_is_not_proposed_again(late: Connection):
    """It is final too, whatever day it is; one that was never proposed cannot be withdrawn."""
    await late_fees.keep_fees(late, on("2025-11-22"))
    await late_fees.withdraw(late, "acme", "2025-10", BY)
    assert await late_fees.keep_fees(late, on("2025-12-22")) == 0
    assert await proposed(late, decided=True) == [("2025-10", "withdrawn", 5, 250_000)]
    with pytest.raises(Refused, match="fee list"):
        await late_fees.withdraw(late, "acme", "2025-11", BY)


async def test_a_fee_bears_no_fee_and_no_debt_bears_two(late: Connection):
    """The next cycle's debt is what it added itself, without the fee that was booked in it."""
    await late_fees.keep_fees(late, on("2025-11-22"))
    await late_fees.post(late, "acme", "2025-10", BY)
    await late.execute("SET session_replication_role = replica")
    await late.execute("UPDATE ledger SET at = '2025-11-23' WHERE kind = 'late_fee'")
    await late.execute("RESET session_replication_role")
    await Year(late).book("adjustment", -7 * UNIT, "2025-11-28T12:00")
    await closing.close(late, "acme", "2025-11", actor="ann")
    await late_fees.keep_fees(late, on("2025-12-25"))
    (only,) = await store.proposals(late)
    assert (only.cycle, only.owed, only.due) == ("2025-11", 7 * UNIT, date(2025, 12, 16))


async def test_what_is_paid_pays_the_oldest_debt_first(late: Connection):
    """November adds 10.00 to what was owed; a top-up of it pays October's debt, and both are late in full or in part."""
    year = Year(late)
    await year.book("adjustment", -10 * UNIT, "2025-11-28T12:00")
    await closing.close(late, "acme", "2025-11", actor="ann")
    await year.book("top_up", 65 * UNIT, "2025-12-10T12:00")
    await late_fees.keep_fees(late, on("2026-01-10"))
    # October: 100.00 for 8 days, 60.00 for 15, paid on December 10th; November: 10.00 less the 5.00 that were left of it, 24 days
    assert [(one.cycle, one.owed, one.days, one.amount) for one in await store.proposals(late)] == [
        ("2025-10", 100 * UNIT, 23, (8 * 100 + 15 * 60) * UNIT * 500 // UNIT),
        ("2025-11", 10 * UNIT, 24, 24 * 5 * UNIT * 500 // UNIT),
    ]


async def test_a_fee_that_the_limit_does_not_cover_waits(late: Connection):
    """It is said what to do; nothing is booked, and the proposal stays."""
    await late_fees.keep_fees(late, on("2025-11-22"))
    await books.set_credit_limit(late, "acme", 60 * UNIT, BY)
    with pytest.raises(Refused, match="balance credit"):
        await late_fees.post(late, "acme", "2025-10", BY)
    assert [one[1] for one in await proposed(late)] == ["open"]


@pytest.mark.parametrize("changes", [{"fee_rate": "1.1"}, {"fee_rate": "x"}, {"fee_cap": "-1"}, {"fee_due_days": -1}])
async def test_terms_of_a_fee_are_checked(late: Connection, changes: dict[str, object]):
    """A share is one from 0 to 1, days are not negative."""
    with pytest.raises(ValueError, match=r"share|negative|amount"):
        await set_term(late, "acme", changes, actor="ann", reason="x")
