"""Changing states: what is written, what is told, what is refused."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from smsgw.admin.standing import AUTOMATIC, NotAllowed, NotFound, change_state, expire, present_of, warn
from smsgw.model import Standing
from smsgw.store import notices
from smsgw.store import standing as store
from smsgw.store.database import Connection


async def audits(connection: Connection) -> list[tuple[str, str, str, str, str]]:
    """Each audit row: who, of what, from which state, to which, why."""
    rows = await connection.fetch("SELECT * FROM audit ORDER BY id")
    said = [(json.loads(row["old"] or "{}"), json.loads(row["new"] or "{}")) for row in rows]
    return [
        (row["actor"], row["kind"], old.get("state", ""), new.get("state", ""), row["reason"])
        for row, (old, new) in zip(rows, said, strict=True)
    ]


async def test_the_ladder_leaves_notice_and_audit_at_each_step(acme: Connection):
    """Warned, limited, frozen, closed: four audit rows and four notices, with who, why and the messages that show it."""
    await warn(acme, "account", "acme1", actor="ops", reason="complaints", evidence=["17"])
    await change_state(acme, "account", "acme1", "limited", actor="ops", reason="complaints", rate=5)
    await change_state(acme, "account", "acme1", "frozen", actor="ops", reason="fraud", evidence=["18", "19"])
    await change_state(acme, "account", "acme1", "closed", actor="boss", reason="fraud")
    assert await audits(acme) == [
        ("ops", "account_warning", "", "", "complaints"),
        ("ops", "account_state", "active", "limited", "complaints"),
        ("ops", "account_state", "limited", "frozen", "fraud"),
        ("boss", "account_state", "frozen", "closed", "fraud"),
    ]
    told = list(reversed(await notices.of(acme, "acme")))
    assert [(one["kind"], one["account"], one["params"].get("state")) for one in told] == [
        ("warning", "acme1", None),
        ("state", "acme1", "limited"),
        ("state", "acme1", "frozen"),
        ("state", "acme1", "closed"),
    ]
    assert told[2]["params"]["evidence"] == ["18", "19"]


async def test_a_move_that_is_not_in_the_table_changes_nothing(acme: Connection):
    """smsgw may not close, nobody may close at once, and what is not there is said to be so."""
    with pytest.raises(NotAllowed):
        await change_state(acme, "tenant", "acme", Standing.CLOSED, actor="ops", reason="x")
    with pytest.raises(NotAllowed):
        await change_state(acme, "tenant", "acme", "closing", actor=AUTOMATIC, reason="x")
    with pytest.raises(NotFound, match="no account 'nobody'"):
        await change_state(acme, "account", "nobody", "frozen", actor="ops", reason="x")
    assert await audits(acme) == []


async def test_a_dry_run_tells_and_changes_nothing(acme: Connection):
    """The change is worked out and refused like any other, and nothing is written."""
    change = await change_state(acme, "tenant", "acme", "frozen", actor="ops", reason="x", dry_run=True)
    assert (change.new.standing, change.made) == (Standing.FROZEN, False)
    await warn(acme, "tenant", "acme", actor="ops", reason="x", dry_run=True)
    assert (await audits(acme), await notices.of(acme)) == ([], [])


async def test_what_money_brings_comes_and_goes_once(acme: Connection):
    """Suspended twice for arrears is suspended once; a top-up resumes into the limit that held before."""
    await change_state(acme, "tenant", "acme", "limited", actor="ops", reason="x", rate=7)
    first = await change_state(acme, "tenant", "acme", "suspended_arrears", actor=AUTOMATIC, reason="arrears")
    again = await change_state(acme, "tenant", "acme", "suspended_arrears", actor=AUTOMATIC, reason="arrears")
    assert (first.made, again.made) == (True, False)
    await change_state(acme, "tenant", "acme", "active", actor=AUTOMATIC, reason="top_up")
    _, present = await present_of(acme, "tenant", "acme")
    assert (present.standing, present.rate, present.actor) == (Standing.LIMITED, 7, "ops")
    assert len(await notices.untold(acme)) == 3


async def test_a_state_with_an_end_goes_back_by_itself(acme: Connection):
    """When its end has come the state before holds again, written down as smsgw's own doing; earlier nothing happens."""
    end = await store.now(acme) + timedelta(minutes=5)
    await change_state(acme, "account", "acme1", "frozen", actor="ops", reason="x", until=end)
    assert await expire(acme) == 0
    await acme.execute("UPDATE standing SET until = now() - interval '1 second'")
    assert await expire(acme) == 1
    assert (await present_of(acme, "account", "acme1"))[1].standing is Standing.ACTIVE
    assert (await audits(acme))[-1] == ("smsgw", "account_state", "frozen", "active", "expired")


async def test_a_change_within_a_transaction_goes_with_it(acme: Connection):
    """What is rolled back by the caller has never been: neither state nor notice nor audit row."""
    transaction = acme.transaction()
    await transaction.start()
    await change_state(acme, "tenant", "acme", "suspended_arrears", actor=AUTOMATIC, reason="arrears")
    await transaction.rollback()
    assert (await present_of(acme, "tenant", "acme"))[1].standing is Standing.ACTIVE
    assert (await audits(acme), await notices.of(acme)) == ([], [])
