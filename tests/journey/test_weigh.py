"""Weighing: whoever lets a held text go, it is counted once for its recipient; what else may stop it is asked until it goes."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from smsgw.admin.standing import change_state
from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from tests.admin.test_reviewing import accept, in_review, submitted
from tests.builds import plain_only
from tests.journey.parted import POLICY, part, put_all, scene_of
from tests.journey.scene import Scene
from tests.journey.test_capped import counted
from tests.journey.test_defer import HELD, TERM, Window, reprovisioned
from tests.smsc import Submit

ONE_A_DAY = '[[cap]]\nid = "day"\nlimit = 1\n'
BAIT = "快加微信，有惊喜"
FREQUENCY = STATUSES["frequency"][0]
NONSENSE = zlib.compress(b"")


async def refused_by_receipt(scene: Scene, each: bytes, reason: str) -> None:
    """It is REJECTED with the reason's status, and paid back."""
    row = await scene.in_state(each, State.REJECTED)
    assert (row["error"], row["refund"]) == (STATUSES[reason][0], row["price"])


async def test_what_a_person_lets_go_is_counted(database: str, tmp_path: Path):
    """A review counts at its release, not before: then it has the place of the day, and a plain message is over the cap."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant)
        (number,) = await in_review(scene)
        assert await counted(scene) == 0
        await accept(scene, number)
        await scene.in_state(each, State.SENT)
        assert await counted(scene) == 1
        assert scene.daemon.hold.fates == {("review", "rules"): 1, ("released", "person"): 1}
        assert (await tenant.submit(b"10690001", text="您好".encode("utf-16-be"), data_coding=8)).status == FREQUENCY


async def test_what_a_person_lets_go_over_a_cap_is_refused_by_receipt(database: str, tmp_path: Path):
    """Of two long texts in review the first takes the day's place; the second is REJECTD part by part, paid back, not counted."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        tenant = await scene.tenant()
        texts = [await put_all(tenant, ["快加", "微信，有", "惊喜"], reference=reference) for reference in (1, 2)]
        for number in await in_review(scene, 2):
            await accept(scene, number)
            await scene.until(lambda: scene.daemon.hold.fates.total() - 2 >= 1)
        for each in texts[0]:
            await scene.in_state(each, State.SENT)
        for each in texts[1]:
            await refused_by_receipt(scene, each, "frequency")
            receipt = await scene.receipt(tenant)
            assert (receipt.stat, receipt.text) == (b"REJECTD", b"frequency")
        assert await counted(scene) == 1
        assert await scene.spent() == 3 * 38_000
        assert scene.daemon.docket.hits["set", "cap.day", "reject"] == 1
        assert scene.daemon.hold.fates["refused", "rules"] == 1
        assert len(scene.smsc.submits) == 3


@plain_only
async def test_a_set_that_fails_still_counts_what_a_person_lets_go(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its rules cannot be asked, its caps can: the first takes the day's place, the second is over it."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        monkeypatch.setattr("smsgw.policy.docket.judge", broken)
        tenant = await scene.tenant()
        first, second = await submitted(tenant, "您好"), await submitted(tenant, "您好")
        numbers = await in_review(scene, 2)
        await accept(scene, numbers[0])
        await scene.in_state(first, State.SENT)
        await accept(scene, numbers[1])
        await refused_by_receipt(scene, second, "frequency")
        assert await counted(scene) == 1


async def accepted_while_broken(scene: Scene, *numbers: int) -> None:
    """The gateway starts with a set that cannot be made of what is stored, and a person accepts what it had held."""
    await scene.connection.execute("UPDATE policy_content SET content = $1", NONSENSE)
    await scene.stop()
    await scene.start()
    await accept(scene, *numbers)
    await scene.until(lambda: scene.daemon.docket.failures["set",])


async def test_what_a_person_lets_go_waits_for_a_set_that_cannot_tell_its_caps(database: str, tmp_path: Path):
    """It is not loaded any more: nothing goes uncounted; once it is there again the text goes and has its place."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        each = await submitted(await scene.tenant())
        numbers = await in_review(scene)
        content = await scene.connection.fetchval("SELECT content FROM policy_content")
        await accepted_while_broken(scene, *numbers)
        await scene.later(61)
        await scene.turns()
        assert ((await scene.row(each))["state"], scene.smsc.submits, await counted(scene)) == (State.HELD, [], 0)
        assert scene.daemon.hold.fates == {}
        await scene.connection.execute("UPDATE policy_content SET content = $1", content)
        await scene.stop()
        await scene.start()
        await scene.hastened(lambda: scene.smsc.submits)
        await scene.in_state(each, State.SENT)
        assert await counted(scene) == 1


async def test_it_does_not_wait_for_ever(database: str, tmp_path: Path):
    """Twice the time that a person has to decide after it came it is refused, and says why."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY, more="[hold]\nreview_s = 600").playing() as scene:
        each = await submitted(await scene.tenant())
        numbers = await in_review(scene)
        await accepted_while_broken(scene, *numbers)
        await scene.later(1_200)
        await refused_by_receipt(scene, each, "policy_failed")
        assert scene.smsc.submits == []


async def test_a_verdict_that_was_counted_before_a_kill_is_carried_out_and_not_counted_again(database: str, tmp_path: Path):
    """The gateway dies between the count and the release; the next start lets the text go, and the cap holds one."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        each = await submitted(await scene.tenant())
        numbers = await in_review(scene)
        scene.daemon.hold._carry_out = lambda *_: None  # type: ignore[method-assign]
        await accept(scene, *numbers)
        await scene.until(lambda: counted(scene))
        await scene.kill()
        await scene.start()
        await scene.hastened(lambda: len(scene.smsc.submits) == 1)
        await scene.in_state(each, State.SENT)
        assert await counted(scene) == 1


async def test_what_was_counted_when_it_was_accepted_is_not_counted_by_its_review(database: str, tmp_path: Path):
    """A message that waited for its hours, and has to be seen by a person when they begin, keeps the place that it has."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy(ONE_A_DAY)).playing() as scene:
        each = await submitted(await scene.tenant(), "来玩百家乐")
        assert await counted(scene) == 1
        await reprovisioned(scene, tmp_path, window.policy(HELD + ONE_A_DAY))
        await scene.later(window.opens_s + 30.0)
        await accept(scene, *await in_review(scene))
        await scene.in_state(each, State.SENT)
        assert await counted(scene) == 1


async def test_what_a_person_accepts_at_night_is_counted_in_the_morning(database: str, tmp_path: Path):
    """A review that is accepted out of hours takes its place when it goes, even where the rules have come to refuse its words."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy(HELD + ONE_A_DAY)).playing() as scene:
        each = await submitted(await scene.tenant(), "来玩百家乐")
        await accept(scene, *await in_review(scene))
        await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 1)
        assert await counted(scene) == 0
        await reprovisioned(scene, tmp_path, window.policy(TERM + ONE_A_DAY))
        await scene.later(window.opens_s + 30.0)
        await scene.in_state(each, State.SENT)
        assert await counted(scene) == 1


async def test_what_may_not_go_any_more_takes_no_place(database: str, tmp_path: Path):
    """An account that is frozen while a text waits for a person sends nothing, whoever accepts: refused, paid back, not counted."""
    async with scene_of(database, tmp_path, POLICY + ONE_A_DAY).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant)
        numbers = await in_review(scene)
        await change_state(scene.connection, "account", "acme1", "frozen", actor="ann", reason="fraud")
        await scene.until(lambda: scene.daemon.directory.account("acme1").restriction)  # type: ignore[union-attr]
        await accept(scene, *numbers)
        await refused_by_receipt(scene, each, "frozen")
        assert (await scene.receipt(tenant)).text == b"frozen"
        assert await counted(scene) == 0
        assert scene.smsc.submits == []


async def test_a_validity_that_ends_after_a_person_let_it_go_expires_it(database: str, tmp_path: Path):
    """Accepted at night and valid for half an hour: it expires then, and does not go in the morning."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy(HELD)).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant, "来玩百家乐", validity=b"000000003000000R")
        await accept(scene, *await in_review(scene))
        await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 1)
        await scene.later(1_801.0)
        await scene.in_state(each, State.EXPIRED)
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"
        assert await scene.spent() == 0
        await scene.later(window.opens_s)
        await scene.turns()
        assert scene.smsc.submits == []


async def test_an_account_without_a_set_waits_for_no_parts(database: str, tmp_path: Path):
    """Parts that were held for a set that the account has no more, or that does not join, go once their time is over."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        text = scene._text
        await put_all(tenant, ["您好，", "再见"], reference=1)
        await scene.smsc.submitted(2)
        waiting = part("您好，", 1, 3, reference=2)
        each = await tenant.ask(0x4, waiting)
        before = scene.daemon.directory.version
        await scene.provision(text(scene.smsc.port).replace('policy = "set"', ""))
        await scene.until(lambda: scene.daemon.directory.version > before)
        await scene.later(31.0)
        submits: list[Submit] = await scene.smsc.submitted(3)
        assert submits[2].pdu.body == waiting
        await scene.in_state(each.body[:-1], State.SENT)
