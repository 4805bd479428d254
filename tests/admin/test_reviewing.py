"""Reviews: what a rule wants a person to see is accepted and held, until somebody decides or its time is over."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin import reviewing
from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.store.database import connect
from tests.journey.parted import POLICY, part, put_all, scene_of
from tests.journey.scene import Scene, id_of
from tests.peers import Esme

BAIT = "快加微信，有惊喜"
CUT = ["快加", "微信，有", "惊喜"]


async def submitted(tenant: Esme, text: str = BAIT, **fields: Any) -> bytes:
    """Submit a text in one message, with a receipt asked for; returns its id."""
    octets = text.encode("utf-16-be")
    return id_of(await tenant.submit(b"10690001", text=octets, data_coding=8, registered_delivery=1, **fields))


async def in_review(scene: Scene, count: int = 1) -> list[int]:
    """Wait until so many texts wait for a person; returns their ids."""

    async def there() -> Any:
        rows = await reviewing.waiting(scene.connection)
        return [row["id"] for row in rows] if len(rows) == count else None

    found: list[int] = await scene.until(there)
    return found


async def accept(scene: Scene, *numbers: int, actor: str = "ann") -> None:
    """Have somebody accept."""
    await reviewing.decide(scene.connection, numbers, accept=True, actor=actor, reason="seen")


async def refuse(scene: Scene, *numbers: int, actor: str = "ann") -> None:
    """Have somebody refuse."""
    await reviewing.decide(scene.connection, numbers, accept=False, actor=actor, reason="bait")


async def audited(scene: Scene) -> list[tuple[str, dict[str, Any], str]]:
    """What the audit says of reviews: (actor, new, reason), oldest first."""
    rows = await scene.connection.fetch("SELECT actor, new, reason FROM audit WHERE kind = 'review' ORDER BY id")
    return [(row["actor"], json.loads(row["new"]), row["reason"]) for row in rows]


async def test_a_held_message_is_accepted_and_waits(database: str, tmp_path: Path):
    """It is answered ROK, paid for, queried as on its way, and listed with masked numbers and the rule, version and span."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant)
        assert await in_review(scene) == [int(each)]
        row = await scene.row(each)
        assert row["state"] == State.HELD
        assert await scene.spent() == row["price"]
        (entry,) = await reviewing.waiting(scene.connection)
        assert entry["destination"] == "8613****8000"
        version = scene.daemon.docket.rule_sets()[0].version[:8]
        assert entry["rule"] == f"set@{version}:terms.bait:n1[1:4]"
        assert scene.smsc.submits == []


async def test_who_looks_at_a_text_is_audited(database: str, tmp_path: Path):
    """`look` joins the parts of a text and leaves who saw it; what is not there, or over, says so."""
    async with scene_of(database, tmp_path).playing() as scene:
        ids = await put_all(await scene.tenant(), CUT)
        (number,) = await in_review(scene)
        seen = await reviewing.look(scene.connection, number, "ann")
        assert (seen["text"], seen["parts"], seen["missing"]) == ("".join(CUT), 3, [])
        ((actor, new, _),) = await audited(scene)
        assert (actor, new["looked_at"]) == ("ann", "acme1")
        with pytest.raises(NotFound):
            await reviewing.look(scene.connection, 17, "ann")
        await refuse(scene, number)
        await scene.in_state(ids[0], State.REJECTED)
        with pytest.raises(NotAllowed, match="refused by ann"):
            await reviewing.look(scene.connection, number, "bob")


async def test_accepted_it_goes_as_it_came(database: str, tmp_path: Path):
    """All parts go out in order, octet for octet; the decision is audited with rule, actor and reason, and counted."""
    async with scene_of(database, tmp_path).playing() as scene:
        ids = await put_all(await scene.tenant(), CUT)
        await accept(scene, *await in_review(scene))
        await scene.smsc.submitted(3)
        assert [one.pdu.body for one in scene.smsc.submits] == [part(text, number, 3) for number, text in enumerate(CUT, 1)]
        for each in ids:
            await scene.in_state(each, State.SENT)
        ((actor, new, reason),) = await audited(scene)
        assert (actor, new["decision"], reason) == ("ann", "released", "seen")
        assert ":terms.bait:" in new["rule"]
        assert scene.daemon.hold.fates == {("review", "rules"): 1, ("released", "person"): 1}


async def test_refused_it_is_paid_back_and_receipted(database: str, tmp_path: Path):
    """A single message and a joined text: REJECTED, a receipt with the reason, the money back."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [await submitted(tenant), *await put_all(tenant, CUT)]
        await refuse(scene, *await in_review(scene, 2))
        for each in ids:
            assert (await scene.in_state(each, State.REJECTED))["error"] == STATUSES["reviewed"][0]
        receipts = [await scene.receipt(tenant) for _ in ids]
        assert {(one.stat, one.text) for one in receipts} == {(b"REJECTD", b"reviewed")}
        assert await scene.spent() == 0
        assert scene.smsc.submits == []


async def test_nobody_decides(database: str, tmp_path: Path):
    """After the time of reviews, or the message's own, it expires: with a receipt, the money back and an audit row."""
    async with scene_of(database, tmp_path, more="[hold]\nreview_s = 3000.0\n").playing() as scene:
        tenant = await scene.tenant()
        short = await submitted(tenant, validity=b"000000001000000R")
        long = await submitted(tenant)
        await in_review(scene, 2)
        await scene.later(601.0)
        await scene.in_state(short, State.EXPIRED)
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"
        assert (await scene.row(long))["state"] == State.HELD
        await scene.later(2_400.0)
        await scene.in_state(long, State.EXPIRED)
        assert await scene.spent() == 0
        assert {(actor, new["decision"]) for actor, new, _ in await audited(scene)} == {("smsgw", "expired")}


async def test_two_people_decide_at_once(database: str, tmp_path: Path):
    """Of two decisions in two processes one falls and one is told so; a third later one, too. There is one effect."""
    async with scene_of(database, tmp_path).playing() as scene:
        each = await submitted(await scene.tenant())
        (number,) = await in_review(scene)
        other = await connect(scene.dsn)
        try:
            answers = await asyncio.gather(
                reviewing.decide(scene.connection, [number], accept=True, actor="ann", reason="seen"),
                reviewing.decide(other, [number], accept=False, actor="bob", reason="bait"),
                return_exceptions=True,
            )
        finally:
            await other.close()
        assert sum(isinstance(answer, NotAllowed) for answer in answers) == 1
        with pytest.raises(NotAllowed):
            await accept(scene, number)
        accepted = not isinstance(answers[0], NotAllowed)
        await scene.in_state(each, State.SENT if accepted else State.REJECTED)
        assert len(await audited(scene)) == 1
        assert len(scene.smsc.submits) == accepted


async def test_a_review_outlives_the_gateway(database: str, tmp_path: Path):
    """Killed while it waits, and decided while nothing runs: the next start carries the decision out."""
    async with scene_of(database, tmp_path).playing() as scene:
        each = await submitted(await scene.tenant())
        numbers = await in_review(scene)
        await scene.kill()
        await accept(scene, *numbers)
        await scene.start()
        await scene.in_state(each, State.SENT)
        await scene.emptied("waiting")


async def test_a_dry_run_decides_nothing(database: str, tmp_path: Path):
    """It tells what would be decided, and leaves all as it was."""
    async with scene_of(database, tmp_path).playing() as scene:
        await submitted(await scene.tenant())
        numbers = await in_review(scene)
        (row,) = await reviewing.decide(scene.connection, numbers, accept=True, actor="ann", reason="x", dry_run=True)
        assert row["decision"] == "accepted"
        assert await in_review(scene) == numbers
        assert await audited(scene) == []


async def test_a_set_that_cannot_judge_has_messages_reviewed(database: str, tmp_path: Path):
    """By its fail mode, what nobody could judge waits for a person; refused in the end, with the strict profile's status."""
    async with scene_of(database, tmp_path, account="strict_34 = true").playing() as scene:
        tenant = await scene.tenant()
        scene.daemon.docket._steps.clear()
        each = await submitted(tenant, "您好")
        await refuse(scene, *await in_review(scene))
        assert (await scene.in_state(each, State.REJECTED))["error"] == const.ESME_RSUBMITFAIL


async def test_a_relay_account_has_nobody_to_wait_for(database: str, tmp_path: Path):
    """What a relay tenant sends is answered after the carrier's answer: what would be held is refused at the door."""
    policy = '[text]\nparts = "each"\n'
    async with scene_of(database, tmp_path, policy, account='mode = "relay"').playing() as scene:
        tenant = await scene.tenant()
        answer = await tenant.submit(b"10690001", text=b"\1\2\3", data_coding=4)
        assert answer.status == STATUSES["held"][0]
        assert await scene.count("held_text") == 0


async def test_what_is_held_is_told(database: str, tmp_path: Path):
    """Metrics say how much is held, in review or for its parts, and how old the oldest is."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        await submitted(tenant)
        await tenant.ask(const.SUBMIT_SM, part("您好", 1, 3))
        await in_review(scene)
        await scene.later(10.0)
        gauges = scene.daemon.meters.gauges
        one_of_each = {("parts",): 1, ("review",): 1, ("deferred",): 0}
        await scene.until(lambda: gauges["smsgw_held_messages"][2]() == one_of_each)
        assert gauges["smsgw_held_texts"][2]() == one_of_each
        oldest = gauges["smsgw_held_oldest_seconds"][2]()
        assert isinstance(oldest, dict)
        assert min(oldest["parts",], oldest["review",]) >= 10.0


async def test_a_part_that_comes_while_a_text_is_reviewed_is_asked_by_the_rules(database: str, tmp_path: Path):
    """A person has seen the first part and accepts; the second, which he has not seen, makes a forbidden word: neither goes."""
    policy = '[text]\nmissing = "release"\n' + POLICY
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        first = id_of(await tenant.ask(const.SUBMIT_SM, part("快加微信，来玩百", 1, 2)))
        await scene.later(31.0)
        (number,) = await in_review(scene)
        assert (await reviewing.look(scene.connection, number, "ann"))["missing"] == [2]
        late = id_of(await tenant.ask(const.SUBMIT_SM, part("家乐", 2, 2)))
        await accept(scene, number)
        for each in (first, late):
            assert (await scene.in_state(each, State.REJECTED))["error"] == STATUSES["content"][0]
        assert scene.smsc.submits == []
