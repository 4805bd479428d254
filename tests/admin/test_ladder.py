"""The ladder: one step at a time, each with a notice and an audit row, and none further than the policy lets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin.ladder import Ladder, take_step
from smsgw.admin.standing import change_state, present_of
from smsgw.model import Account, Tenant
from smsgw.policy.file import Pumping as Table
from smsgw.policy.pumping import Pumping, Sign
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.store.database import Connection
from tests.journey.scene import Scene
from tests.journey.test_judged import policed, scene_of
from tests.rig import provisioning as file_of

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"))
FREEZES = Table(up_to="freeze", rate=3, step_s=600, hours=12)


def sign(table: Table = FREEZES, *, shadow: bool = False) -> Sign:
    """A run of numbers."""
    return Sign(ACCOUNT, table, "sequential", 0.97, 0.3, 100, "22890001****", shadow)


async def state(connection: Connection) -> str:
    """How the account stands."""
    return (await present_of(connection, "account", "acme1"))[1].standing.name.lower()


async def later(connection: Connection, seconds: int) -> None:
    """What was done was done so much earlier: rows of the audit do not change but here, where nothing keeps them."""
    await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit SET at = at - make_interval(secs => $1)", float(seconds))
    await connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")


async def steps(connection: Connection, *waits: int, table: Table = FREEZES) -> list[str]:
    """The steps that signs lead to, each so many seconds after the one before."""
    found = []
    for wait in waits:
        await later(connection, wait)
        found.append(await take_step(connection, sign(table)))
    return found


async def test_a_step_at_a_time(acme: Connection):
    """Alert, limit with its rate and end, freeze, and no further; nothing sooner than step_s after the last one."""
    assert await steps(acme, 0, 0, 599) == ["alert", "", ""]
    assert await state(acme) == "active"
    assert await steps(acme, 1) == ["limit"]
    _, decision = await present_of(acme, "account", "acme1")
    assert (decision.standing.name, decision.rate, decision.reason, decision.actor) == ("LIMITED", 3, "pumping", "smsgw")
    assert decision.evidence == ("sequential 0.97 of 100, threshold 0.30", "22890001****")
    assert decision.until is not None
    assert (decision.until - decision.since).total_seconds() == pytest.approx(12 * 3_600, abs=5)
    assert await steps(acme, 600, 600, 600) == ["freeze", "", ""]
    assert await state(acme) == "frozen"


async def test_each_step_leaves_a_notice_and_an_audit_row(acme: Connection):
    """The tenant is told of each with its evidence, and who looks later finds it."""
    await steps(acme, 0, 600, 600)
    notices = await acme.fetch("SELECT kind, params FROM notice ORDER BY id")
    told = [(row["kind"], json.loads(row["params"])) for row in notices]
    assert [kind for kind, _ in told] == ["warning", "state", "state"]
    assert [said.get("state") for _, said in told] == [None, "limited", "frozen"]
    assert {said["reason"] for _, said in told} == {"pumping"}
    assert all(said["evidence"] == list(sign().evidence) for _, said in told)
    audit = await acme.fetch("SELECT kind, actor, reason FROM audit WHERE name = 'acme1' AND reason = 'pumping' ORDER BY id")
    assert [(row["kind"], row["actor"]) for row in audit] == [
        ("account_warning", "smsgw"),
        ("account_state", "smsgw"),
        ("account_state", "smsgw"),
    ]


@pytest.mark.parametrize(("up_to", "taken"), [("alert", ["alert", "", ""]), ("limit", ["alert", "limit", ""])])
async def test_no_further_than_the_policy_lets_it(acme: Connection, up_to: Any, taken: list[str]):
    """Where the policy alerts only, nothing else happens; where it limits, nothing is frozen."""
    assert await steps(acme, 0, 600, 600, table=Table(up_to=up_to)) == taken


async def test_a_day_without_a_step_begins_anew(acme: Connection):
    """Who was alerted long ago is alerted again before anything else."""
    assert await steps(acme, 0, 86_401) == ["alert", "alert"]


async def test_without_an_end_a_step_lasts(acme: Connection):
    """hours = 0: a person lifts it."""
    assert await steps(acme, 0, 600, table=Table(up_to="limit", hours=0)) == ["alert", "limit"]
    assert (await present_of(acme, "account", "acme1"))[1].until is None


async def test_what_a_person_has_decided_stands(acme: Connection):
    """A frozen account is left as it is; one that a person has limited is alerted first."""
    await change_state(acme, "account", "acme1", "limited", actor="ann", reason="x", rate=5)
    assert await steps(acme, 0) == ["alert"]
    await change_state(acme, "account", "acme1", "frozen", actor="ann", reason="x")
    assert await steps(acme, 600) == [""]
    assert (await present_of(acme, "account", "acme1"))[1].actor == "ann"


async def test_a_deleted_account_is_nobody(connection: Connection):
    """Nothing is done about who is not there any more."""
    assert await take_step(connection, sign()) == ""


async def test_a_sign_in_shadow_leads_to_nothing(acme: Connection):
    """It is taken, and no step with it."""
    pumping = Pumping()
    ladder = Ladder(pumping)
    pumping.signs.append(sign(shadow=True))
    assert await ladder.climb(acme) == 0
    pumping.signs.append(sign())
    assert await ladder.climb(acme) == 1
    assert ladder.steps == {("alert",): 1}
    assert not pumping.signs


async def test_pumping_is_alerted_limited_and_frozen(database: str, tmp_path: Path):
    """An account that sends to n, n + 1, … over SMPP climbs the ladder while it goes on; its refused attempts count, too."""
    policy = '[pumping]\nattempts = 20\nup_to = "freeze"\nstep_s = 1\nrate = 1\n[[cap]]\nid = "day"\nlimit = 1\n'
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        keeper = scene.daemon.keeper
        number = 447700900000

        async def block() -> list[int]:
            nonlocal number
            answers = [await tenant.submit(dest=b"%d" % (number + at), source=b"10690001") for at in range(20)]
            number += 20
            return [answer.status for answer in answers]

        either = {const.ESME_ROK, const.ESME_RTHROTTLED}
        for step in ("alert", "limit", "freeze"):
            if step == "freeze":
                either.add(STATUSES["frozen"][0])  # it may come between two of one block
            await scene.later(700)
            for _ in range(5):
                statuses = await block()
                assert set(statuses) <= either
                await scene.later(11)
                await scene.turns()
                if keeper.ladder.steps[step,]:
                    break
            assert keeper.ladder.steps[step,] == 1
        held = lambda: scene.daemon.directory.account("acme1").restriction  # type: ignore[union-attr]  # noqa: E731
        await scene.until(lambda: held() is not None and held().refusal == "frozen")
        assert (await tenant.submit(dest=b"447700900000")).status == STATUSES["frozen"][0]
        assert list(keeper.ladder.steps) == [("alert",), ("limit",), ("freeze",)]
        assert scene.daemon.docket.pumping.counted["sequential", "enforce"] >= 3


async def test_few_deliveries_are_told_by_the_receipts(database: str, tmp_path: Path):
    """Receipts that say UNDELIV make the sign; those that say DELIVRD do not."""
    policy = "[pumping]\nattempts = 20\nsequential = 0\n"
    text = lambda *ports: file_of(*ports, account='policy = "china"') + policed(tmp_path, policy)  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        counted = scene.daemon.docket.pumping.counted
        for stat in ("DELIVRD", "UNDELIV"):
            for _ in range(20):
                await tenant.submit(registered_delivery=1)
                scene.smsc.receipt(await scene.smsc.submit(), stat=stat)
                await scene.receipt(tenant)
            await scene.settled()
            assert counted == ({} if stat == "DELIVRD" else {("delivery", "enforce"): 1})
