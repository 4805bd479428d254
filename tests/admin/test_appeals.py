from __future__ import annotations

import pytest

from smsgw.admin import appeals
from smsgw.admin.appeals import NotAllowed, NotFound
from smsgw.admin.standing import change_state, present_of, warn
from smsgw.model import Standing
from smsgw.store import appeals as store
from smsgw.store import notices, provisioned, registers
from smsgw.store.database import Connection
from tests.contract import contract

KINDS = ["tenant_state", "tenant_warning", "tenant_appeal"]


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant that was warned and then frozen: steps 1 and 2 of the history."""
    await contract(connection, "acme1")
    await warn(connection, "tenant", "acme", actor="ops", reason="complaints")
    await change_state(connection, "tenant", "acme", "frozen", actor="ops", reason="fraud")
    return connection


async def test_an_appeal_stands_in_the_history_of_its_step(acme: Connection):
    """Who, when, text and step; then its outcome, by whom and why; the tenant is told, and stands as before."""
    frozen, warned = (row["step"] for row in await registers.history(acme, KINDS, "acme"))
    number = await appeals.record(acme, "tenant", "acme", " It was a test. ", said_by="Ms Li", actor="ann")
    assert (await store.of(acme))[0].step == frozen
    await appeals.record(acme, "tenant", "acme", "No.", said_by="Ms Li", step=warned, actor="ann")
    await appeals.answer(acme, number, "eased", actor="bob", reason="half of it was")
    rows = await registers.history(acme, KINDS, "acme")
    assert [(row["kind"], row["actor"]) for row in rows[:3]] == [("tenant_appeal", who) for who in ("bob", "ann", "ann")]
    assert rows[2]["new"] == {"appeal": number, "step": frozen, "by": "Ms Li", "text": "It was a test."}
    assert (rows[0]["new"]["outcome"], rows[0]["reason"]) == ("eased", "half of it was")
    assert (await present_of(acme, "tenant", "acme"))[1].standing is Standing.FROZEN
    told = (await notices.of(acme, "acme"))[0]
    assert (told["kind"], told["params"]["outcome"], told["params"]["step"]) == ("appeal", "eased", frozen)
    with pytest.raises(NotAllowed, match="answered by bob"):
        await appeals.answer(acme, number, "lifted", actor="ann", reason="x")


async def test_there_is_no_appeal_without_a_step(acme: Connection):
    """Another tenant's step, none at all, or nobody: not found; empty or endless: wrong; too many unanswered: not allowed."""
    with pytest.raises(NotFound, match="no step 99"):
        await appeals.record(acme, "tenant", "acme", "x", said_by="Li", step=99, actor="ann")
    with pytest.raises(NotFound, match="no step at all"):
        await appeals.record(acme, "account", "acme1", "x", said_by="Li", actor="ann")
    with pytest.raises(NotFound):
        await appeals.record(acme, "tenant", "nobody", "x", said_by="Li", actor="ann")
    with pytest.raises(NotFound, match="no appeal 99"):
        await appeals.answer(acme, 99, "kept", actor="ann", reason="x")
    for text, said_by in (("  ", "Li"), ("x" * 2_001, "Li"), ("x", "")):
        with pytest.raises(ValueError, match="characters"):
            await appeals.record(acme, "tenant", "acme", text, said_by=said_by, actor="ann")
    assert await appeals.record(acme, "tenant", "acme", "x", said_by="Li", actor="ann", dry_run=True) == 0
    for _ in range(appeals.MOST_OPEN):
        number = await appeals.record(acme, "tenant", "acme", "x", said_by="Li", actor="ann")
    with pytest.raises(NotAllowed, match="answer those first"):
        await appeals.record(acme, "tenant", "acme", "x", said_by="Li", actor="ann")
    with pytest.raises(ValueError, match="no outcome"):
        await appeals.answer(acme, number, "won", actor="ann", reason="x")


async def test_the_data_path_reads_nothing_anew_for_an_appeal(acme: Connection):
    """It raises the version without a change that a gateway would have to read."""
    tenants = {tenant.id: tenant for tenant in (await provisioned.read(acme, str)).tenants}
    before = await provisioned.version(acme)
    await appeals.record(acme, "tenant", "acme", "x", said_by="Li", actor="ann")
    changed = await provisioned.read_changed_accounts(acme, before, tenants)
    assert changed is not None
    assert changed[1:] == ((), frozenset())
