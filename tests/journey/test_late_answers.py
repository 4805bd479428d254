"""Answers that carriers give after the time-out, when the message has been sent again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smsgw.model import State
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import Pdu, read_sm
from tests.journey.doubts import sent_twice, to_be_refused_late
from tests.journey.scene import Scene, id_of
from tests.peers import WAIT_S, Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

COUNT = 10


def id_in(delivered: Pdu) -> bytes:
    """Return the message id that a receipt names to the tenant."""
    found = receipt.parse(delivered.octets, read_sm(delivered.octets))
    assert found is not None
    return found.message_id


async def eventually(esme: Esme, condition: Any) -> None:
    """Exchange enquire_links until the condition holds: each is a turn of the gateway's loop."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await esme.ask(const.ENQUIRE_LINK)


async def test_receipts_of_either_attempt_find_their_message(database: str):
    """A message that timed out is sent again; when both answers come, a receipt for the first attempt closes it, once, and no
    slot of the link is lost.
    """
    async with Smsc() as smsc, running(database, provisioning(smsc.port, link="response_timeout_s = 0.5")) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            assert (await esme.bind("acme1", "secret")).status == const.ESME_ROK
            smsc.late = True
            submitted = [await esme.submit(registered_delivery=1) for _ in range(COUNT)]
            await smsc.submitted(2 * COUNT)
            smsc.answer_late()
            for submit in smsc.submits[:COUNT]:
                smsc.receipt(submit)
            came = [id_in(await esme.request(const.DELIVER_SM)) for _ in range(COUNT)]
            assert sorted(came) == sorted(response.body[:-1] for response in submitted)
            [link] = daemon.directory.links()
            await eventually(esme, lambda: daemon.carriers.room(link.id) == link.window)
            assert daemon.dispatch.in_doubt == COUNT
            assert daemon.commit.effect_failures == 0
            assert len(smsc.submits) == 2 * COUNT


async def test_a_link_that_breaks_and_returns_loses_nothing(database: str):
    """Messages without an answer when their link breaks are sent once more when it is back, and each has one receipt."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port)) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            assert (await esme.bind("acme1", "secret")).status == const.ESME_ROK
            smsc.late = True
            submitted = [await esme.submit(registered_delivery=1) for _ in range(COUNT)]
            await smsc.submitted(COUNT)
            smsc.late, smsc.receipts = False, "DELIVRD"
            smsc.cut()
            came = [id_in(await esme.request(const.DELIVER_SM)) for _ in range(COUNT)]
            assert sorted(came) == sorted(response.body[:-1] for response in submitted)
            assert len(smsc.submits) == 2 * COUNT


async def test_ids_that_differ_by_pdu_meet(database: str):
    """With a dialect, hex in the answer and decimal in the receipt are the same message, early receipts included."""
    dialect = 'dialect = { submit_id = "hex-to-dec" }'
    async with Smsc() as smsc, running(database, provisioning(smsc.port, link=dialect)) as daemon:
        smsc.ids = lambda number: b"%08X" % (number + 0xABCDEF)
        smsc.receipt_ids = lambda raw: b"%d" % int(raw, 16)
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            assert (await esme.bind("acme1", "secret")).status == const.ESME_ROK
            for smsc.early, smsc.receipts in (("", "DELIVRD"), ("DELIVRD", "")):
                response = await esme.submit(registered_delivery=1)
                assert id_in(await esme.request(const.DELIVER_SM)) == response.body[:-1]


async def test_what_came_to_its_end_is_not_sent_again(database: str):
    """The first attempt is answered late and receipted; what the carrier then says of the second one changes nothing."""
    async with Scene(database, link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await sent_twice(scene, tenant)
        (session, answer), _ = smsc.kept
        session.send_raw(answer)
        await scene.in_state(ours, State.SENT)
        smsc.receipt(smsc.submits[0])
        assert (await scene.receipt(tenant)).stat == b"DELIVRD"
        session.send(const.SUBMIT_SM_RESP, status=const.ESME_RTHROTTLED, sequence=smsc.submits[1].pdu.sequence)
        await scene.until(lambda: not scene.daemon.carriers.windows()["alpha-1",])
        await scene.turns()
        row = await scene.row(ours)
        assert (row["state"], row["error"], row["attempt"]) == (State.DELIVERED, 0, 2)
        assert len(smsc.submits) == 2


async def test_a_doubt_that_was_given_up_is_settled_by_a_late_answer_and_its_receipt(database: str):
    """Neither attempt was answered in time, both are answered late: the receipt of either is the tenant's, once."""
    async with Scene(database, link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        ours = id_of(await tenant.submit(registered_delivery=1))
        for count in (1, 2):
            await smsc.submitted(count)
            await scene.later(6)
        assert (await scene.receipt(tenant)).stat == b"UNKNOWN"
        smsc.late = False
        smsc.answer_late()
        await scene.until(lambda: scene.count("upstream_ref WHERE upstream_id IN ('1', '2')"))
        for submit in reversed(smsc.submits):
            assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).stat == b"DELIVRD"
        assert (await scene.in_state(ours, State.DELIVERED))["refund"] == 0
        await scene.turns()
        assert len([one for one in tenant.requests if one.command == const.DELIVER_SM]) == 2
        assert await scene.count("orphan") == 0


async def test_a_receipt_of_the_second_attempt_finds_its_message_too(database: str):
    """The first attempt was answered late, the second in time; the carrier reports the second one alone."""
    async with Scene(database, link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await sent_twice(scene, tenant)
        smsc.answer_late()
        await scene.in_state(ours, State.SENT)
        await smsc.delivered(smsc.receipt(smsc.submits[1]))
        assert (await scene.receipt(tenant)).message_id == ours
        assert (await scene.row(ours))["state"] == State.DELIVERED


HOLD = {"account": 'in_doubt = "hold"', "tenant": 'basis = "sent"', "link": "response_timeout_s = 5.0"}


@pytest.mark.parametrize("status", [const.ESME_RTHROTTLED, const.ESME_RSYSERR])
async def test_what_was_refused_late_is_sent_again(database: str, status: int):
    """Never to be sent again in doubt, it is in none once the carrier says, late, that it did not take it."""
    async with Scene(database, **HOLD).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await to_be_refused_late(scene, tenant, status)
        smsc.answer_late()
        await scene.in_state(ours, State.QUEUED)
        await scene.later(2)
        row = await scene.in_state(ours, State.SENT)
        assert (row["resends"], len(smsc.submits)) == (0, 2)
        await scene.emptied("waiting")
        smsc.receipt(smsc.submits[1])
        assert (await scene.receipt(tenant)).message_id == ours


async def test_what_was_refused_late_for_good_is_refused(database: str):
    """The carrier says late that it does not take it: REFUSED, given back, and not UNKNOWN after three days."""
    async with Scene(database, **HOLD).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await to_be_refused_late(scene, tenant, const.ESME_RINVDSTADR)
        smsc.answer_late()
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat, came.error) == (ours, b"REJECTD", b"011")
        assert (await scene.row(ours))["refund"] > 0
        assert await scene.spent() == 0
        await scene.emptied("waiting")


async def test_a_late_refusal_of_the_first_attempt_leaves_no_doubt_of_it(database: str):
    """The carrier refuses both attempts, the first one late: it has neither, so REFUSED and given back."""
    async with Scene(database, tenant='basis = "sent"', link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.statuses.extend([const.ESME_RINVDSTADR] * 2)
        ours = await sent_twice(scene, tenant)
        smsc.answer_late()
        assert (await scene.receipt(tenant)).stat == b"REJECTD"
        assert (await scene.in_state(ours, State.REFUSED))["refund"] > 0


async def test_a_late_refusal_after_the_message_was_taken_up_again_changes_nothing(database: str):
    """Sent again after its waiting time, and taken: what the carrier then says of the first attempt is of no account."""
    account = 'in_doubt = "resend_if_no_receipt"\nin_doubt_wait_s = 30'
    async with Scene(database, account=account, link="response_timeout_s = 5.0\nenquire_link_s = 3600").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await to_be_refused_late(scene, tenant, const.ESME_RTHROTTLED)
        await scene.later(31)
        await scene.in_state(ours, State.SENT)
        smsc.answer_late()
        await scene.turns()
        row = await scene.row(ours)
        assert (row["state"], row["attempt"], len(smsc.submits)) == (State.SENT, 2, 2)
        smsc.receipt(smsc.submits[1])
        assert (await scene.receipt(tenant)).stat == b"DELIVRD"


@pytest.mark.parametrize(("failed", "delivered"), [(1, 0), (0, 1)])
async def test_a_delivery_counts_after_the_failure_of_another_attempt(database: str, failed: int, delivered: int):
    """Both attempts were taken, one is reported undelivered, then the other delivered: its tenant is told both, keeps its money,
    and what else the carrier says changes nothing.
    """
    async with Scene(database, tenant='basis = "delivered"', link="response_timeout_s = 5.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = await sent_twice(scene, tenant)
        smsc.answer_late()
        await scene.until(lambda: scene.count("upstream_ref WHERE upstream_id = '2'"))
        smsc.receipt(smsc.submits[failed], "UNDELIV")
        assert (await scene.receipt(tenant)).stat == b"UNDELIV"
        assert (await scene.in_state(ours, State.FAILED))["refund"] > 0
        smsc.receipt(smsc.submits[delivered])
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"DELIVRD")
        for submit, stat in ((failed, "UNDELIV"), (delivered, "EXPIRED"), (delivered, "DELIVRD")):
            assert (await smsc.delivered(smsc.receipt(smsc.submits[submit], stat))).status == const.ESME_ROK
        row = await scene.in_state(ours, State.DELIVERED)
        assert (row["error"], row["refund"]) == (0, row["price"])
        assert await scene.spent() == 0
        await scene.settled()
        assert len([one for one in tenant.requests if one.command == const.DELIVER_SM]) == 2


async def test_a_delivery_after_a_failure_counts_only_where_a_message_was_sent_again(database: str):
    """Of one attempt the first word is the last: a carrier that says later that it was delivered after all is answered, no more."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        submit = await smsc.submit()
        smsc.receipt(submit, "UNDELIV")
        assert (await scene.receipt(tenant)).stat == b"UNDELIV"
        assert (await smsc.delivered(smsc.receipt(submit))).status == const.ESME_ROK
        assert (await scene.row(ours))["state"] == State.FAILED
