"""Throttle answers: a message that its carriers have no room for loses nothing by it, however long that lasts."""

from __future__ import annotations

from smsgw.model import State
from smsgw.smpp import const
from tests.journey.scene import Scene, id_of

THROTTLES = [const.ESME_RTHROTTLED, const.ESME_RMSGQFUL] * 6


async def test_throttle_answers_are_no_refusals(database: str):
    """After twelve of them a refusal that passes is the first one, and tried again a second later; the tenth is the last."""
    async with Scene(database).playing() as scene:
        smsc = scene.smsc
        smsc.statuses.extend([*THROTTLES, const.ESME_RSYSERR])
        ours = id_of(await (await scene.tenant()).submit())
        await scene.hastened(lambda: len(smsc.submits) >= 13)
        await scene.settled()
        assert (await scene.row(ours))["state"] == State.QUEUED
        await scene.later(3)
        await scene.in_state(ours, State.SENT)
        assert len(smsc.submits) == 14


async def test_refusals_are_counted_between_throttle_answers(database: str):
    """Ten refusals end a message, also one that was throttled before each of them."""
    async with Scene(database).playing() as scene:
        smsc = scene.smsc
        smsc.statuses.extend([const.ESME_RTHROTTLED, const.ESME_RSYSERR] * 20)
        ours = id_of(await (await scene.tenant()).submit())
        await scene.hastened(lambda: len(smsc.submits) >= 20, pace=10)
        await scene.in_state(ours, State.REFUSED)
        await scene.turns()
        assert len(smsc.submits) == 20


async def test_throttling_by_several_links_fails_nothing(database: str):
    """Two links throttle the same message up to twelve times each, then refuse it once: it is sent."""
    async with Scene(database, links=2).playing() as scene:
        for smsc in scene.smscs:
            smsc.statuses.extend([*THROTTLES, const.ESME_RSYSERR])
        ours = id_of(await (await scene.tenant()).submit())
        await scene.hastened(lambda: any(not smsc.statuses for smsc in scene.smscs), pace=1)
        for smsc in scene.smscs:
            smsc.statuses.clear()
        await scene.later(3)
        row = await scene.in_state(ours, State.SENT)
        assert row["attempt"] <= 3  # the other link may have refused it, too, before its list was cleared
        assert sum(len(smsc.submits) for smsc in scene.smscs) > 20


async def test_throttle_answers_before_a_restart_are_no_refusals_after_it(database: str):
    """Six before a restart and six after it: a refusal that passes is the first one all the same."""
    async with Scene(database).playing() as scene:
        smsc = scene.smsc
        smsc.statuses.extend([*THROTTLES, const.ESME_RSYSERR])
        ours = id_of(await (await scene.tenant()).submit())
        await scene.hastened(lambda: len(smsc.submits) >= 6)
        await scene.stop()
        await scene.start()
        await scene.hastened(lambda: not smsc.statuses)
        await scene.settled()
        assert (await scene.row(ours))["state"] == State.QUEUED
        await scene.later(3)
        await scene.in_state(ours, State.SENT)


async def test_a_validity_that_ends_while_throttled_ends_the_message(database: str):
    """Its time is over when the first link throttles it: no other link gets it, EXPIRED, and its money back."""
    async with Scene(database, links=2).playing() as scene:
        first, second = scene.smscs
        tenant = await scene.tenant()
        first.late = True
        first.statuses.append(const.ESME_RTHROTTLED)
        ours = id_of(await tenant.submit(validity=b"000000000020000R", registered_delivery=1))
        await first.submit()
        await scene.later(21)
        first.answer_late()
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"
        row = await scene.row(ours)
        assert (row["refund"], await scene.spent()) == (row["price"], 0)
        assert not second.submits
        await scene.emptied("waiting")
