"""Long texts are judged whole: parts are answered at once and held, then released in order or refused all together."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smsgw import config as settings
from smsgw.daemon import Daemon
from smsgw.journey.recall import Recall
from smsgw.model import State
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from tests.journey.parted import POLICY, part, put, put_all, scene_of
from tests.journey.scene import Scene, id_of
from tests.journey.test_capped import counted
from tests.rig import process_settings

CLEAN = ["您好，您的快递已到", "驿站，请及时", "领取。"]
SPLIT = ["来玩百", "家", "乐吧"]


def bodies(scene: Scene, number: int = 0) -> list[bytes]:
    """The bodies that a carrier got, in their order."""
    return [submit.pdu.body for submit in scene.smscs[number].submits]


@contextlib.asynccontextmanager
async def second(scene: Scene) -> AsyncIterator[tuple[Daemon, int]]:
    """Run another node on the scene's database, with the same clock and key."""
    daemon = Daemon(settings.parse(process_settings(scene.dsn, scene.directory / "two", node=2)))
    daemon.clock = scene.clock  # type: ignore[assignment]
    (scene.directory / "two").mkdir()
    for file in scene.directory.iterdir():
        if file.is_file():
            shutil.copy2(file, scene.directory / "two" / file.name)
    ready, stop = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run(ready=ready, stop=stop))
        await ready.wait()
        try:
            yield daemon, daemon.ports[0]
        finally:
            stop.set()


async def refused_all(scene: Scene, ids: list[bytes], reason: str) -> None:
    """All of these are REJECTED with this reason's status, paid back, and nothing went out."""
    status = STATUSES[reason][0]
    for each in ids:
        row = await scene.in_state(each, State.REJECTED)
        assert (row["error"], row["refund"]) == (status, row["price"])
    assert scene.smsc.submits == []


async def test_a_tenant_with_window_1_has_its_parts_answered_and_released_in_order(database: str, tmp_path: Path):
    """Each part is answered ROK before the next is sent; the clean text goes on, octet for octet, in order, on one link."""
    scene = scene_of(database, tmp_path, links=2)
    text = scene._text
    scene._text = lambda *ports: text(*ports).replace("window = 1000", "window = 1")
    async with scene.playing():
        tenant = await scene.tenant()
        await put_all(tenant, CLEAN)
        await scene.smsc.submitted(3)
        assert bodies(scene) == [part(text, number, 3) for number, text in enumerate(CLEAN, 1)]
        assert bodies(scene, 1) == []


@pytest.mark.parametrize("how", [{"width": 8}, {"width": 16, "reference": 700}, {"sar": True, "reference": 900}])
async def test_a_word_that_is_cut_between_parts_is_found(database: str, tmp_path: Path, how: dict[str, int]):
    """With references of 8 and 16 bits and with SAR TLVs: all parts are refused, paid back, and receipted with the reason."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = await put_all(tenant, SPLIT, **how)
        await refused_all(scene, ids, "content")
        assert await scene.spent() == 0
        receipts = [await scene.receipt(tenant) for _ in ids]
        assert {receipt.message_id for receipt in receipts} == set(ids)
        assert {(receipt.stat, receipt.error, receipt.text) for receipt in receipts} == {(b"REJECTD", b"040", b"content")}


async def test_parts_come_over_two_binds_in_any_order(database: str, tmp_path: Path):
    """Whichever session brings which part when, the text is one, and goes out in the order of its parts."""
    async with scene_of(database, tmp_path).playing() as scene:
        one, two = await scene.tenant(), await scene.tenant()
        for number, tenant in ((3, one), (1, two), (2, one)):
            id_of(await put(tenant, CLEAN[number - 1], number, 3))
        await scene.smsc.submitted(3)
        assert bodies(scene) == [part(text, number, 3) for number, text in enumerate(CLEAN, 1)]


async def test_parts_are_joined_however_their_numbers_are_spelled(database: str, tmp_path: Path):
    """A + before the recipient or the sender of one part makes it no part of another text: the word that is cut is found."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        spelled = ({}, {"dest": b"+8613800138000"}, {"source": b"+10690001"})
        ids = [id_of(await put(tenant, text, at, 3, **ends)) for at, (text, ends) in enumerate(zip(SPLIT, spelled, strict=True), 1)]
        await refused_all(scene, ids, "content")


async def test_a_restart_in_the_middle_loses_nothing(database: str, tmp_path: Path):
    """A part that was acknowledged before kill -9 is still part of its text after the restart."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, SPLIT[0], 1, 3))]
        ids.append(id_of(await put(tenant, SPLIT[2], 3, 3)))
        await scene.kill()
        await scene.start()
        ids.append(id_of(await put(await scene.tenant(), SPLIT[1], 2, 3)))
        await refused_all(scene, ids, "content")
        await scene.emptied("waiting")


async def test_a_whole_text_that_nobody_judged_is_judged_after_a_restart(database: str, tmp_path: Path):
    """The gateway dies between the COMMIT of the last part and the verdict: the next one finds the text."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        scene.daemon.commit.on_held = lambda _: None
        ids = await put_all(tenant, CLEAN)
        await scene.kill()
        await scene.start()
        await scene.hastened(lambda: len(scene.smsc.submits) == 3)
        assert [(await scene.row(each))["state"] > State.HELD for each in ids] == [True] * 3


async def test_missing_parts_are_waited_for_and_then_refused(database: str, tmp_path: Path):
    """Parts that nothing speaks against are refused once the rest has not come in time; a late one shares that."""
    async with scene_of(database, tmp_path, more="[hold]\nwait_s = 20.0\n").playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, CLEAN[0], 1, 3)), id_of(await put(tenant, CLEAN[1], 2, 3))]
        await scene.later(15.0)
        await scene.turns()
        assert (await scene.row(ids[0]))["state"] == State.HELD
        await scene.later(6.0)
        await refused_all(scene, ids, "parts_missing")
        late = id_of(await put(tenant, CLEAN[2], 3, 3))
        await refused_all(scene, [late], "parts_missing")


async def test_missing_parts_may_be_released(database: str, tmp_path: Path):
    """With missing = "release" what is there goes; a late part goes too, unless it makes the text objectionable."""
    policy = '[text]\nmissing = "release"\n' + POLICY
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        first = id_of(await put(tenant, SPLIT[0], 1, 3))
        await scene.later(31.0)
        await scene.smsc.submitted(1)
        id_of(await put(tenant, "分", 2, 3))
        await scene.smsc.submitted(2)
        await scene.in_state(first, State.SENT)
        other = id_of(await put(tenant, SPLIT[0], 1, 2, reference=8))
        await scene.later(31.0)
        await scene.smsc.submitted(3)
        late = id_of(await put(tenant, "家乐", 2, 2, reference=8))
        row = await scene.in_state(late, State.REJECTED)
        assert row["error"] == STATUSES["content"][0]
        assert (await scene.row(other))["refund"] == 0
        assert len(scene.smsc.submits) == 3


async def test_a_contradiction_refuses_all(database: str, tmp_path: Path):
    """The same part with other octets: nobody knows what will be read, so no part goes; the same octets again do no harm."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, text, number, 3)) for text, number in ((CLEAN[0], 1), (CLEAN[0], 1), ("别的", 1))]
        await refused_all(scene, ids, "parts_conflict")
        late = id_of(await put(tenant, CLEAN[1], 2, 3))
        await refused_all(scene, [late], "parts_conflict")


async def test_what_needs_no_text_is_refused_at_the_door(database: str, tmp_path: Path):
    """A part to a country that is not served is refused at once, like any other message."""
    policy = '[recipient]\ncountries = ["CN"]\n' + POLICY
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        assert (await put(tenant, CLEAN[0], 1, 3, dest=b"447700900123")).status == STATUSES["scope"][0]
        assert await scene.count("held_part") == 0


@pytest.mark.parametrize("policy", ['[text]\nparts = "each"\n' + POLICY, '[recipient]\ncountries = ["CN"]\n'])
async def test_parts_are_not_held_where_no_joined_text_is_read(database: str, tmp_path: Path, policy: str):
    """A set that judges each part, or reads no text at all, lets a part go at once."""
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        id_of(await put(tenant, CLEAN[0], 1, 3))
        await scene.smsc.submitted(1)
        assert await scene.count("held_text") == 0


async def test_a_text_with_a_term_in_one_part_is_refused_with_each_where_parts_are_judged_one_by_one(database: str, tmp_path: Path):
    """With parts = "each" a word that is cut is not seen, one that stands in a part is refused at the door."""
    policy = '[text]\nparts = "each"\n' + POLICY
    async with scene_of(database, tmp_path, policy).playing() as scene:
        tenant = await scene.tenant()
        assert (await put(tenant, "百家乐", 1, 2)).status == STATUSES["content"][0]
        id_of(await put(tenant, "百家", 1, 2))
        await scene.smsc.submitted(1)


async def test_only_so_much_is_held(database: str, tmp_path: Path):
    """Over its own bound, or that of the gateway, a part is refused with ESME_RMSGQFUL and a reason of its own."""
    async with scene_of(database, tmp_path, more="[hold]\nper_account = 2\n").playing() as scene:
        tenant = await scene.tenant()
        for number in (1, 2):
            id_of(await put(tenant, CLEAN[0], number, 9))
        assert (await put(tenant, CLEAN[0], 3, 9)).status == const.ESME_RMSGQFUL
        assert scene.daemon.meters.account("acme1").refused["held_by_account_full"] == 1
        await scene.later(31.0)
        await scene.emptied("held_text WHERE state < 2")
        await scene.turns()
        id_of(await put(tenant, CLEAN[0], 1, 9, reference=9))


async def test_a_validity_that_ends_first_expires_the_parts(database: str, tmp_path: Path):
    """A part that must not be delivered after ten seconds is not held longer: all of its text expire, with receipts and refunds."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, CLEAN[0], 1, 2, validity=b"000000000010000R"))]
        await scene.later(11.0)
        row = await scene.in_state(ids[0], State.EXPIRED)
        assert row["refund"] == row["price"]
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"


async def test_more_parts_than_a_link_has_room_for(database: str, tmp_path: Path):
    """Parts that do not fit into the window of the link follow from the store."""
    texts = [f"第{number}部分" for number in range(1, 13)]
    scene = scene_of(database, tmp_path)
    text = scene._text
    scene._text = lambda *ports: text(*ports).replace("window = 500", "window = 4")
    async with scene.playing():
        tenant = await scene.tenant()
        ids = await put_all(tenant, texts)
        await scene.hastened(lambda: len(scene.smsc.submits) == 12)
        assert sorted(bodies(scene)) == sorted(part(text, number, 12) for number, text in enumerate(texts, 1))
        for each in ids:
            await scene.in_state(each, State.SENT)


async def test_two_gateways_join_one_text(database: str, tmp_path: Path):
    """Parts that come to two nodes on one database are one text; whoever completes it judges it, once."""
    async with scene_of(database, tmp_path).playing() as scene, second(scene) as (other, port):
        one = await scene.tenant()
        two = await scene._stack.enter_async_context(await type(one).connect(port))
        assert (await two.bind("acme1", "secret")).status == const.ESME_ROK
        ids = [id_of(await put(one, SPLIT[0], 1, 3)), id_of(await put(two, SPLIT[1], 2, 3)), id_of(await put(one, SPLIT[2], 3, 3))]
        await refused_all(scene, ids, "content")
        id_of(await put(two, CLEAN[0], 1, 2, reference=9))
        id_of(await put(one, CLEAN[1], 2, 2, reference=9))
        await scene.smsc.submitted(2)
        assert scene.daemon.hold.fates.total() + other.hold.fates.total() == 2


async def test_what_was_claimed_as_held_and_is_read_when_it_is_on_its_way_is_in_no_doubt(database: str, tmp_path: Path):
    """A start claims what is held; the last part comes before the claim is read: the text goes, and nothing of it is sent again."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        ids = [id_of(await put(tenant, CLEAN[number], number + 1, 3)) for number in (0, 1)]
        await scene.kill()
        claims: list[tuple[list[int], dict[str, Any]]] = []

        def later(ids: list[int], then: Any, **how: Any) -> None:
            claims.append((ids, {"then": then, **how}))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recall, "load_messages", lambda _recall, ids, then, **how: later(ids, then, **how))
            await scene.start()
            await scene.hastened(lambda: sum(len(ids) for ids, _ in claims) == 2)
        scene.smsc.late = True
        ids.append(id_of(await put(await scene.tenant(), CLEAN[2], 3, 3)))
        await scene.smsc.submitted(3)
        for claimed, how in claims:
            scene.daemon.recall.load_messages(claimed, **how)
        await scene.turns()
        scene.smsc.answer_late()
        for each in ids:
            await scene.in_state(each, State.SENT)
        await scene.emptied("waiting")
        assert (len(scene.smsc.submits), scene.daemon.dispatch.in_doubt) == (3, 0)


async def test_what_a_carrier_throttles_after_its_release_leaves_memory(database: str, tmp_path: Path):
    """While a carrier takes nothing, parts that were let go wait in the store like any other, and go once it takes them."""
    async with scene_of(database, tmp_path).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RTHROTTLED] * 1_000)
        ids = await put_all(await scene.tenant(), CLEAN)
        await scene.smsc.submitted(3)
        await scene.hastened(lambda: len(scene.daemon.transit) == 0)
        scene.smsc.statuses.clear()
        tried = len(scene.smsc.submits)
        await scene.hastened(lambda: len(scene.smsc.submits) == tried + 3)
        for each in ids:
            await scene.in_state(each, State.SENT)
        await scene.emptied("waiting")


@pytest.mark.parametrize("come", ["at once", "one by one"])
async def test_each_copy_of_a_part_is_a_message_and_all_are_one_text(database: str, tmp_path: Path, come: str):
    """Five copies of one part: each is paid for, counts in quotas and goes on; the recipient's cap counts one text, let go once."""
    policy = POLICY + '[[cap]]\nid = "day"\nlimit = 2\n'
    async with scene_of(database, tmp_path, policy, account="quota_day = 100\n").playing() as scene:
        tenant = await scene.tenant()
        numbers = [1, 1, 2, 1, 1, 1, 3]
        if come == "at once":
            asked = [tenant.ask(const.SUBMIT_SM, part(CLEAN[number - 1], number, 3)) for number in numbers]
            ids = [id_of(answer) for answer in await asyncio.gather(*asked)]
        else:
            ids = [id_of(await put(tenant, CLEAN[number - 1], number, 3)) for number in numbers]
        await scene.smsc.submitted(7)
        for each in ids:
            await scene.in_state(each, State.SENT)
        assert bodies(scene) == [part(CLEAN[number - 1], number, 3) for number in sorted(numbers)]
        assert scene.daemon.hold.fates == {("released", "rules"): 1}
        assert await scene.spent() == 7 * (await scene.row(ids[0]))["price"]
        assert await scene.connection.fetchval("SELECT sum(used) FROM quota") == 7
        assert await counted(scene) == 1


async def test_a_copy_of_a_part_whose_text_has_gone_is_part_of_another(database: str, tmp_path: Path):
    """Its reference may stand for a new text: the old one is not let go again, and the copy alone is refused and paid back."""
    async with scene_of(database, tmp_path, POLICY + '[[cap]]\nid = "day"\nlimit = 9\n').playing() as scene:
        tenant = await scene.tenant()
        await put_all(tenant, CLEAN)
        await scene.smsc.submitted(3)
        copies = [id_of(await put(tenant, CLEAN[1], 2, 3)) for _ in range(2)]
        await scene.later(31.0)
        for each in copies:
            row = await scene.in_state(each, State.REJECTED)
            assert (row["error"], row["refund"]) == (STATUSES["parts_missing"][0], row["price"])
        assert len(scene.smsc.submits) == 3
        assert await counted(scene) == 1
        again = await put_all(tenant, CLEAN, reference=9)
        for each in again:
            await scene.in_state(each, State.SENT)
        assert await counted(scene) == 2


async def test_what_a_carrier_throttles_after_its_release_goes_at_once_after_a_kill(database: str, tmp_path: Path):
    """The gateway dies while parts that were let go wait in memory for a slow link: the next one sends them, not a day later."""
    async with scene_of(database, tmp_path).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RTHROTTLED] * 3)
        ids = await put_all(await scene.tenant(), CLEAN)
        await scene.until(lambda: scene.count("waiting w JOIN message m USING (id) WHERE m.state = 3 AND w.node = 1"))
        await scene.kill()
        assert await scene.count("message WHERE state = 3") > 0
        await scene.start()
        for each in ids:
            await scene.in_state(each, State.SENT)
        await scene.emptied("waiting")
