"""Hours that defer: a message is accepted, waits until the window opens where its recipient is, and is judged afresh then."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smsgw.model import State
from smsgw.numbering.plan import minutes_of_day
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from tests.admin.test_reviewing import accept, in_review
from tests.journey.parted import part, policed, put_all, scene_of
from tests.journey.scene import Scene, id_of
from tests.peers import Esme

TERM = '[[terms]]\nid = "gambling"\nwords = ["百家乐"]\nmust = ["百家乐"]\n'
HELD = TERM.replace("gambling", "bait").replace("[[terms]]", '[[terms]]\naction = "hold"')


class Window:
    """Hours in China of which the next ones begin in two to four hours."""

    def __init__(self) -> None:
        (minute,) = minutes_of_day(("Asia/Shanghai",), time.time())
        begin = (minute + 120) % 1440
        if begin > 1380:
            begin = 60
        self.opens_s = ((begin - minute) % 1440) * 60.0
        self.hours = f'begin = "{begin // 60:02}:{begin % 60:02}"\nend = "{(begin + 60) // 60:02}:{(begin + 60) % 60:02}"\n'

    def policy(self, more: str = "", action: str = "defer") -> str:
        """Return a set with these hours."""
        return f'[[hours]]\nid = "day"\ncategories = ["notice"]\naction = "{action}"\n{self.hours}{more}'


async def submitted(tenant: Esme, text: str = "您好", **fields: object) -> bytes:
    """Submit a text with a receipt asked for; returns its id."""
    fields = {"source": b"10690001", "dest": b"8613800138000", "data_coding": 8, "registered_delivery": 1, **fields}
    body = sm_body(short_message=text.encode("utf-16-be"), **fields)  # type: ignore[arg-type]
    return id_of(await tenant.ask(const.SUBMIT_SM, body))


async def reprovisioned(scene: Scene, directory: Path, policy: str) -> None:
    """Another version of the set is in force."""
    before = scene.daemon.docket.rule_sets()[0].version
    await scene.provision(policed(directory, policy)(scene.smsc.port))
    await scene.until(lambda: scene.daemon.docket.rule_sets()[0].version != before)


async def test_it_waits_for_the_window_over_a_restart_and_goes(database: str, tmp_path: Path):
    """Accepted at night as SCHEDULED and paid for, it is a row until the hours begin; then it goes as it came."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        each = await submitted(await scene.tenant())
        row = await scene.row(each)
        assert row["state"] == State.SCHEDULED
        assert await scene.spent() == row["price"]
        assert scene.daemon.docket.verdicts["set", "defer"] == 1
        await scene.kill()
        await scene.start()
        await scene.later(window.opens_s - 3600.0)
        await scene.turns()
        assert scene.smsc.submits == []
        await scene.later(3660.0)
        await scene.smsc.submitted(1)
        assert scene.smsc.submits[0].content == "您好".encode("utf-16-be")
        await scene.in_state(each, State.SENT)


async def test_a_validity_that_ends_before_expires_it(database: str, tmp_path: Path):
    """It is never sent, its receipt says EXPIRED, and it is paid back."""
    async with scene_of(database, tmp_path, Window().policy()).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant, validity=b"000000003000000R")
        await scene.later(1801.0)
        await scene.in_state(each, State.EXPIRED)
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"
        assert await scene.spent() == 0


async def test_it_is_judged_again_when_the_window_opens(database: str, tmp_path: Path):
    """What a new version of the set is against is refused by receipt, what it wants seen waits for a person, who lets it go."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant, "来玩百家乐")
        await reprovisioned(scene, tmp_path, window.policy(TERM))
        await scene.later(window.opens_s + 30.0)
        assert (await scene.in_state(each, State.REJECTED))["error"] == STATUSES["content"][0]
        assert (await scene.receipt(tenant)).text == b"content"
        assert scene.smsc.submits == []


async def test_what_a_person_has_to_see_by_then_is_held(database: str, tmp_path: Path):
    """A rule that holds, and is new when the window opens, puts the message before a person; accepted, it goes."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        each = await submitted(await scene.tenant(), "来玩百家乐")
        await reprovisioned(scene, tmp_path, window.policy(HELD))
        await scene.later(window.opens_s + 30.0)
        await accept(scene, *await in_review(scene))
        await scene.smsc.submitted(1)
        await scene.in_state(each, State.SENT)
        await scene.emptied("waiting WHERE state < 3")


async def test_a_frozen_account_sends_nothing_when_the_window_opens(database: str, tmp_path: Path):
    """The account's state is asked again: frozen meanwhile, its message is refused with that reason and paid back."""
    from smsgw.admin.standing import change_state

    window = Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        tenant = await scene.tenant()
        each = await submitted(tenant)
        await change_state(scene.connection, "account", "acme1", "frozen", actor="ann", reason="fraud")
        await scene.until(lambda: scene.daemon.directory.account("acme1").restriction)  # type: ignore[union-attr]
        await scene.later(window.opens_s + 30.0)
        assert (await scene.in_state(each, State.REJECTED))["error"] == STATUSES["frozen"][0]
        assert await scene.spent() == 0


async def test_a_joined_text_waits_as_a_whole(database: str, tmp_path: Path):
    """Parts stay held until the hours begin, and go together then."""
    window = Window()
    texts = ["您好，您的", "快递已到"]
    async with scene_of(database, tmp_path, window.policy(TERM)).playing() as scene:
        ids = await put_all(await scene.tenant(), texts)
        await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 1)
        assert {(await scene.row(each))["state"] for each in ids} == {State.HELD}
        await scene.later(window.opens_s + 30.0)
        await scene.smsc.submitted(2)
        assert [one.pdu.body for one in scene.smsc.submits] == [part(text, number, 2) for number, text in enumerate(texts, 1)]
        for each in ids:
            await scene.in_state(each, State.SENT)


async def accepted_at_night(scene: Scene, window: Window, each: bytes) -> None:
    """A person accepts a held message: it goes when the hours begin, and not before."""
    await accept(scene, *await in_review(scene))
    await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 1)
    assert scene.smsc.submits == []
    await scene.later(window.opens_s + 30.0)
    await scene.smsc.submitted(1)
    await scene.in_state(each, State.SENT)


async def test_what_a_person_accepts_at_night_goes_in_the_morning(database: str, tmp_path: Path):
    """A review that is accepted outside the hours releases the message when they begin."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy(HELD)).playing() as scene:
        each = await submitted(await scene.tenant(), "来玩百家乐")
        assert (await scene.row(each))["state"] == State.HELD
        await accepted_at_night(scene, window, each)


async def test_hours_hold_for_what_was_held_before_they_were_asked(database: str, tmp_path: Path):
    """What cannot be read is held by an earlier rule; accepted at night it goes in the morning all the same."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy()).playing() as scene:
        tenant = await scene.tenant()
        each = id_of(await tenant.submit(b"10690001", text=b"\x4e\x00\x4e", data_coding=8, registered_delivery=1))
        await accepted_at_night(scene, window, each)


async def test_what_a_person_accepts_out_of_hours_that_refuse_does_not_go(database: str, tmp_path: Path):
    """Held by day, accepted at night, where the hours do not defer: refused by receipt with that reason, and paid back."""
    window = Window()
    async with scene_of(database, tmp_path, window.policy(HELD, action="reject")).playing() as scene:
        tenant = await scene.tenant()
        await scene.later(window.opens_s + 60.0)
        each = await submitted(tenant, "来玩百家乐")
        waiting = await in_review(scene)
        await scene.later(2 * 3600.0)
        await accept(scene, *waiting)
        assert (await scene.in_state(each, State.REJECTED))["error"] == STATUSES["hours"][0]
        assert scene.smsc.submits == []
        assert await scene.spent() == 0


@pytest.mark.parametrize("dest", [b"8613800138000", b"999123456789"])
async def test_without_defer_or_without_a_zone_it_is_refused(database: str, tmp_path: Path, dest: bytes):
    """Hours that reject do so at the door; a number that is in no zone has no hours to wait for."""
    window = Window()
    action = "reject" if dest.startswith(b"86") else "defer"
    policy = "[recipient]\nvalid = false\n" + window.policy(action=action)
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source=b"10690001", dest=dest, data_coding=8, short_message="您好".encode("utf-16-be"))
        assert (await tenant.ask(const.SUBMIT_SM, body)).status == STATUSES["hours"][0]


CODES = '[category.words]\notp = ["验证码"]\n'


async def test_what_waits_for_its_hours_takes_no_place_of_what_waits_for_parts(database: str, tmp_path: Path):
    """A night's texts that are deferred fill no bound of what is held: the parts of a code are taken, joined, and sent."""
    window = Window()
    more = "[hold]\nper_account = 4\ntotal = 4\n"
    async with scene_of(database, tmp_path, window.policy(TERM + CODES), more=more).playing() as scene:
        tenant = await scene.tenant()
        for reference in (1, 2):
            await put_all(tenant, ["您好，您的", "快递已到"], reference=reference)
        await scene.until(lambda: scene.daemon.hold.fates["deferred", "rules"] == 2)
        for reference in (3, 4):
            await put_all(tenant, ["您的验证码", "是1234"], reference=reference)
            await scene.turns()
        await scene.smsc.submitted(4)
        told = {("parts",): 0, ("review",): 0, ("deferred",): 4}
        gauge = scene.daemon.meters.gauges["smsgw_held_messages"][2]
        await scene.turns()
        await scene.until(lambda: gauge() == told)


@pytest.mark.parametrize("bound", ["per_account", "total"])
async def test_only_so_much_waits_for_its_hours(database: str, tmp_path: Path, bound: str):
    """A text over the bound of its own is refused by receipt, with that reason, and paid back; one that waits already stays."""
    window = Window()
    more = f"[hold]\ndeferred_{bound} = 2\n"
    async with scene_of(database, tmp_path, window.policy(TERM), more=more).playing() as scene:
        tenant = await scene.tenant()
        first, second = [await put_all(tenant, ["您好，您的", "快递已到"], reference=reference) for reference in (1, 2)]
        for each in second:
            row = await scene.in_state(each, State.REJECTED)
            assert (row["error"], row["refund"]) == (STATUSES["deferred_full"][0], row["price"])
            assert (await scene.receipt(tenant)).text == b"deferred_full"
        await scene.turns()
        await scene.later(window.opens_s + 30.0)
        for each in first:
            await scene.in_state(each, State.SENT)
