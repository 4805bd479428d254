"""What was in doubt and sent again: however a later attempt ends, the first may have arrived, and nobody is told otherwise."""

from __future__ import annotations

import pytest

from smsgw.model import State
from smsgw.smpp import const
from tests.journey.doubts import PRICE, doubted, taken_first_and_refused_then, unknown
from tests.journey.scene import Scene, id_of
from tests.rig import provisioning

SENT_BASIS = 'basis = "sent"'  # REFUSED costs nothing there, UNKNOWN does
PATIENT = 'in_doubt = "resend_if_no_receipt"\nin_doubt_wait_s = 30'


async def test_a_refusal_of_what_was_sent_again_leaves_it_unknown(database: str):
    """The carrier refuses the second attempt for good: the first may have arrived, so no refund, and a receipt that says so."""
    async with Scene(database, tenant=SENT_BASIS).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.statuses.extend([const.ESME_ROK, const.ESME_RINVDSTADR])
        ours = await doubted(scene, tenant)
        await unknown(scene, tenant, ours)
        assert (await scene.row(ours))["error"] == const.ESME_RINVDSTADR
        assert len(scene.smsc.submits) == 2


async def test_a_validity_that_ends_after_a_doubt_leaves_it_unknown(database: str):
    """It was to be sent again and its time is over: not EXPIRED before it was sent, which would be given back."""
    async with Scene(database, account=PATIENT).playing() as scene:
        tenant = await scene.tenant()
        ours = await doubted(scene, tenant, validity=b"000000000020000R")
        await scene.in_state(ours, State.IN_DOUBT)
        await scene.later(31)
        await unknown(scene, tenant, ours)
        assert ((await scene.row(ours))["resends"], len(scene.smsc.submits)) == (0, 1)
        assert scene.daemon.dispatch.resent == 0


async def test_a_validity_that_ends_in_memory_after_a_doubt_leaves_it_unknown(database: str):
    """It waits in memory behind another message, for the one slot of its link, when its time is over."""
    more = "[unit_of_work]\nspill_after_s = 36000"
    async with Scene(database, text=one_slot, more=more).playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1, validity=b"000000000100000R"))
        await scene.smsc.submit()
        await tenant.submit(text=b"behind it")
        await scene.later(6)
        assert (await scene.smsc.submit()).content == b"behind it"
        await scene.until(lambda: scene.daemon.dispatch.queued)
        scene.smsc.late = False
        await scene.later(3_601)
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"UNKNOWN")
        assert (await scene.row(ours))["refund"] == 0
        assert [submit.content for submit in await scene.smsc.submitted(3)] == [b"hello", b"behind it", b"behind it"]


def one_slot(*ports: int) -> str:
    """Provision a link that waits five seconds for one answer at a time."""
    return provisioning(*ports, link="response_timeout_s = 5.0").replace("window = 500", "window = 1")


async def test_a_crash_between_the_attempts_leaves_the_doubt(database: str):
    """The gateway dies with the first attempt on the wire; the next one sends it again and is refused."""
    async with Scene(database, tenant=SENT_BASIS).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.late = True
        ours = id_of(await tenant.submit(registered_delivery=1))
        await scene.smsc.submit()
        await scene.kill()
        scene.smsc.late = False
        scene.smsc.statuses.append(const.ESME_RINVDSTADR)
        await scene.start()
        await unknown(scene, await scene.tenant(), ours)


async def test_the_first_attempts_receipt_still_counts(database: str):
    """The second attempt is refused, then the carrier answers the first one late and reports it: DELIVERED, told and kept."""
    async with Scene(database, tenant=SENT_BASIS, link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await taken_first_and_refused_then(scene, tenant)
        await smsc.delivered(smsc.receipt(smsc.submits[0]))
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"DELIVRD")
        assert (await scene.in_state(ours, State.DELIVERED))["refund"] == 0
        assert await scene.count("orphan") == 0


async def test_the_first_attempts_failure_is_given_back_once(database: str):
    """Delivery is billed: what the late receipt of the first attempt says was not delivered costs nothing after all."""
    async with Scene(database, tenant='basis = "delivered"', link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await taken_first_and_refused_then(scene, tenant)
        await smsc.delivered(smsc.receipt(smsc.submits[0], "UNDELIV"))
        assert (await scene.receipt(tenant)).stat == b"UNDELIV"
        assert (await scene.in_state(ours, State.FAILED))["refund"] == PRICE
        assert await scene.spent() == 0


@pytest.mark.parametrize("status", [const.ESME_RINVDSTADR, const.ESME_RSYSERR])
async def test_what_was_surely_not_taken_is_refused_as_ever(database: str, status: int):
    """A slot lost before a line was written, a throttle answer, then a refusal: no doubt, so REFUSED and given back."""
    async with Scene(database, tenant=SENT_BASIS).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.statuses.extend([const.ESME_RTHROTTLED, *[status] * 10])
        ours = id_of(await tenant.submit(registered_delivery=1))

        async def ended() -> bool:
            await scene.later(30)
            return bool((await scene.row(ours))["state"] == State.REFUSED)

        await scene.until(ended)
        assert (await scene.receipt(tenant)).stat == b"REJECTD"
        assert (await scene.row(ours))["refund"] == PRICE


async def test_a_doubt_of_a_deleted_account_is_not_sent_again(database: str):
    """What the account wanted nobody knows any more, and may have been to send nothing twice: it is given up in its time."""
    async with Scene(database, account='in_doubt = "hold"').playing() as scene:
        ours = await doubted(scene, await scene.tenant())
        await scene.in_state(ours, State.IN_DOUBT)
        text = provisioning(scene.smsc.port)
        start, end = text.index("[[account]]"), text.index("[[price]]")
        await scene.provision(text[:start] + text[end:])
        await scene.until(lambda: scene.daemon.directory.account("acme1") is None)
        await scene.later(72 * 3600 + 1)
        await scene.in_state(ours, State.UNKNOWN)
        assert len(scene.smsc.submits) == 1
        await scene.emptied("waiting")
