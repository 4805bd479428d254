"""Terms and profiles: what is written, and what the keeper does by them."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from smsgw.admin.standing import NotAllowed, NotFound, change_state, present_of
from smsgw.admin.terms import close_spent, keep_terms, set_profile, set_term
from smsgw.model import Standing
from smsgw.store import balances, notices, provisioning
from smsgw.store import terms as store
from smsgw.store.database import Connection
from tests.contract import contract


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account, prices of 0.038 and 0.05, and a balance of 0.057."""
    await contract(connection, "acme1")
    for prefix, price in (("86", 38_000), ("", 50_000)):
        await provisioning.put(connection, ("price", f"acme/{prefix}"), {"price": price})
    await balances.open_balance(connection, "acme", 57_000, 1, "test")
    return connection


async def stands(connection: Connection, kind: str = "tenant", name: str = "acme") -> tuple[Standing, str]:
    """How a contract stands, and why."""
    _, held = await present_of(connection, kind, name)
    return held.standing, held.reason


async def kinds(connection: Connection) -> list[str]:
    """The kinds of all notices, oldest first."""
    return [one["kind"] for one in reversed(await notices.of(connection))]


async def day(connection: Connection, ahead: int) -> date:
    """So many days from today."""
    return await store.today(connection) + timedelta(days=ahead)


async def test_a_term_that_is_over_suspends_and_its_renewal_resumes(acme: Connection):
    """After the grace the contract is suspended, by smsgw and once; a later end lifts it at once, a command alone does not."""
    await set_term(acme, "acme", {"ends": await day(acme, -3), "grace_days": 2}, actor="ops", reason="x")
    assert await keep_terms(acme) == 2
    assert await stands(acme) == (Standing.SUSPENDED_ARREARS, "term_over")
    assert await keep_terms(acme) == 0
    assert await kinds(acme) == ["term_ended", "state"]
    with pytest.raises(NotAllowed, match="new dates"):
        await change_state(acme, "tenant", "acme", "active", actor="ops", reason="please")
    await set_term(acme, "acme", {"ends": await day(acme, 90)}, actor="ops", reason="renewed")
    assert (await stands(acme))[0] is Standing.ACTIVE


async def test_a_term_may_end_in_closing_by_itself(acme: Connection):
    """After the grace it sends what its balance still pays and is then closed; new dates before that make it active again."""
    await set_term(acme, "acme", {"ends": await day(acme, -3), "then_state": "closing"}, actor="ops", reason="x")
    assert await keep_terms(acme) == 2
    assert await keep_terms(acme) == 0
    assert await stands(acme) == (Standing.CLOSING, "term_over")
    assert await close_spent(acme) == 0
    await set_term(acme, "acme", {"ends": await day(acme, 9)}, actor="ops", reason="renewed")
    assert (await stands(acme))[0] is Standing.ACTIVE
    await acme.execute("UPDATE term SET ends = ends - 30")
    await keep_terms(acme)
    await acme.execute("UPDATE balance SET amount = 37999")
    assert await close_spent(acme) == 1
    assert await stands(acme) == (Standing.CLOSED, "balance_spent")


async def test_the_calendar_closes_nobody_who_stands_stricter(acme: Connection):
    """A suspended contract stays suspended when its term ends in closing, and smsgw sets nobody to closing for another reason."""
    await change_state(acme, "tenant", "acme", "suspended_arrears", actor="ops", reason="bill 7")
    await set_term(acme, "acme", {"ends": await day(acme, -3), "then_state": "closing"}, actor="ops", reason="x")
    await keep_terms(acme)
    assert await stands(acme) == (Standing.SUSPENDED_ARREARS, "bill 7")
    await change_state(acme, "tenant", "acme", "active", actor="ops", reason="paid")
    with pytest.raises(NotAllowed, match="a person has to decide"):
        await change_state(acme, "tenant", "acme", "closing", actor="smsgw", reason="balance")


async def test_within_the_grace_it_sends_and_is_told(acme: Connection):
    """On the days of grace the tenant is told once, and nothing is stopped."""
    await set_term(acme, "acme", {"ends": await day(acme, -1), "grace_days": 1}, actor="ops", reason="x")
    await keep_terms(acme)
    await keep_terms(acme)
    assert (await stands(acme))[0] is Standing.ACTIVE
    assert await kinds(acme) == ["term_ended"]


async def test_a_stricter_state_is_left_alone(acme: Connection):
    """What a person had frozen stays frozen for that reason, and one that is closing goes on closing."""
    await change_state(acme, "tenant", "acme", "frozen", actor="ops", reason="fraud")
    await set_term(acme, "acme", {"ends": await day(acme, -1)}, actor="ops", reason="x")
    await keep_terms(acme)
    assert await stands(acme) == (Standing.FROZEN, "fraud")
    await change_state(acme, "tenant", "acme", "closing", actor="ops", reason="left")
    await keep_terms(acme)
    assert (await stands(acme))[0] is Standing.CLOSING


async def test_a_contract_that_has_begun_is_let_go(acme: Connection):
    """Before its first day it is suspended; on that day smsgw lifts it."""
    await set_term(acme, "acme", {"starts": await day(acme, 5)}, actor="ops", reason="x")
    await keep_terms(acme)
    assert await stands(acme) == (Standing.SUSPENDED_ARREARS, "term_not_begun")
    await acme.execute("UPDATE term SET starts = starts - 5")
    await keep_terms(acme)
    assert (await stands(acme))[0] is Standing.ACTIVE


async def test_a_verification_that_is_over_shuts_its_gate(acme: Connection):
    """Limited to its rate until the tenant has been verified anew."""
    last = await day(acme, -1)
    await set_term(acme, "acme", {"verified_till": last, "gate": "limited", "gate_rate": 4}, actor="ops", reason="x")
    await keep_terms(acme)
    assert await stands(acme) == (Standing.LIMITED, "verification_over")
    await set_term(acme, "acme", {"verified_till": await day(acme, 365)}, actor="ops", reason="papers seen")
    assert (await stands(acme))[0] is Standing.ACTIVE


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"starts": date(2026, 2, 1), "ends": date(2026, 1, 1)}, "ends after it starts"),
        ({"grace_days": -1}, "not negative"),
        ({"then_state": "closed"}, "suspended_arrears, frozen or closing"),
        ({"gate": "closed"}, "none, limited or frozen"),
    ],
)
async def test_a_term_that_makes_no_sense_is_refused(acme: Connection, changes: dict[str, object], why: str):
    """It is said what is wrong, and nothing is kept."""
    with pytest.raises(ValueError, match=why):
        await set_term(acme, "acme", changes, actor="ops", reason="x")
    assert await store.term_of(acme, 1) == store.Term()


async def test_what_is_closing_is_closed_when_its_money_pays_nothing_more(acme: Connection):
    """While the cheapest part can be paid it stays; below that it is closed, tenant and account alike, and the rest is left."""
    await change_state(acme, "tenant", "acme", "closing", actor="ops", reason="left")
    await change_state(acme, "account", "acme1", "closing", actor="ops", reason="left")
    assert await close_spent(acme) == 0
    await acme.execute("UPDATE balance SET amount = 19000")
    assert await close_spent(acme) == 2
    assert (await stands(acme), await stands(acme, "account", "acme1")) == ((Standing.CLOSED, "balance_spent"),) * 2
    assert await balances.balance_of(acme, "acme") == 19_000


async def test_a_profile_keeps_its_versions(acme: Connection):
    """Each change is a version with who, when and why, and an audit row from old to new; what is emptied is gone."""
    assert await set_profile(acme, "acme", {"name": "ACME", "licence": "A1"}, actor="ops", reason="signed") == (
        1,
        {"name": "ACME", "licence": "A1"},
    )
    assert await set_profile(acme, "acme", {"licence": ""}, actor="boss", reason="void") == (2, {"name": "ACME"})
    assert await set_profile(acme, "acme", {"name": "ACME"}, actor="boss", reason="same") == (2, {"name": "ACME"})
    kept = await store.profiles(acme, 1)
    assert [(one["version"], one["actor"], one["reason"]) for one in kept] == [(2, "boss", "void"), (1, "ops", "signed")]
    row = await acme.fetchrow("SELECT old, new, reason FROM audit ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (json.loads(row["old"]), json.loads(row["new"]), row["reason"]) == ({"licence": "A1"}, {"licence": None}, "void")


async def test_a_dry_run_and_a_wrong_name_write_nothing(acme: Connection):
    """What would come is returned; a tenant that is not there is said so; a profile has its limits."""
    ends = await day(acme, 5)
    assert (await set_term(acme, "acme", {"ends": ends}, actor="ops", reason="x", dry_run=True))[1].ends == ends
    assert (await set_profile(acme, "acme", {"a": "b"}, actor="ops", reason="x", dry_run=True))[1] == {"a": "b"}
    with pytest.raises(NotFound):
        await set_term(acme, "nobody", {}, actor="ops", reason="x")
    with pytest.raises(ValueError, match="at most"):
        await set_profile(acme, "acme", {"a": "b" * 501}, actor="ops", reason="x")
    assert await acme.fetchval("SELECT count(*) FROM audit") == 0
