"""What a tenant is owed: to whichever receiver is bound, as its window allows, again until it is answered for."""

from __future__ import annotations

import time

from smsgw.model import State
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from tests.journey.scene import Scene, id_of, read_receipt
from tests.peers import Esme

OTHER = """
[[account]]
tenant = "acme"
system_id = "acme2"
password = "secret"
window = 1000

[[number]]
number = "10690002"
account = "acme2"
"""


async def _receipted(tenant: Esme, count: int = 1) -> list[bytes]:
    """Submit messages and let the carrier deliver them; returns their ids."""
    asked = [tenant.send(const.SUBMIT_SM, sm_body(source=b"1", dest=b"86138", registered_delivery=1)) for _ in range(count)]
    return [id_of(await tenant.answer_to(sequence)) for sequence in asked]


def _ids(tenant: Esme) -> list[bytes]:
    return [read_receipt(request).message_id for request in tenant.requests if request.command == const.DELIVER_SM]


async def test_receipts_wait_for_a_receiver(database: str):
    """A tenant that binds as transmitter gets none; they are rows until it binds a receiver, in order, each once."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        sender = await scene.tenant("tx")
        ours = await _receipted(sender, 20)
        await scene.until(lambda: scene.count("owed WHERE node = 0"))
        for message_id in ours:
            await scene.in_state(message_id, State.DELIVERED)
        assert await scene.count("owed WHERE node = 0") == 20
        receiver = await scene.tenant("rx")
        await receiver.until(lambda: len(receiver.requests) == 20)
        await scene.emptied("owed")
        assert _ids(receiver) == ours
        assert not sender.requests


async def test_a_receipt_goes_to_another_session_a_little_later(database: str):
    """The submitting session has it at once if it can; another one not before `hold_ms` after the answer to the submit."""
    async with Scene(database, more="[receipts]\nhold_ms = 30000.0").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        both, receiver = await scene.tenant("trx"), await scene.tenant("rx")
        [at_once] = await _receipted(both)
        assert (await scene.receipt(both)).message_id == at_once
        sender = await scene.tenant("tx")
        [held] = await _receipted(sender)
        await scene.in_state(held, State.DELIVERED)
        await scene.turns()
        assert not receiver.requests
        await scene.later(30)
        await scene.until(lambda: len(_ids(both)) + len(_ids(receiver)) == 2)
        assert [*_ids(both), *_ids(receiver)] == [at_once, held]


async def test_a_passing_error_is_tried_again_with_back_off(database: str):
    """The tenant cannot take it now: again after 1, 2, 5, 10 seconds, never sooner, until it can."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        statuses = [const.ESME_RTHROTTLED, const.ESME_RMSGQFUL, const.ESME_RX_T_APPN, const.ESME_RSYSERR, const.ESME_ROK]
        tenant.status = statuses[0]
        [ours] = await _receipted(tenant)
        for tries, wait in enumerate((1, 2, 5, 10), 1):

            async def postponed(tries: int = tries) -> bool:
                return bool(await scene.count("owed WHERE tries = $1", tries))

            await scene.until(postponed)
            await scene.later(wait - 0.5)
            await scene.settled()
            assert len(tenant.requests) == tries
            tenant.status = statuses[tries]
            await scene.later(0.5)
            await tenant.until(lambda tries=tries: len(tenant.requests) == tries + 1)
        await scene.emptied("owed")
        assert _ids(tenant) == [ours] * 5
        assert scene.daemon.meters.account("acme1").receipts_retried == 4


async def test_a_lasting_error_closes_what_was_owed(database: str):
    """The tenant refuses it for good: it is not offered again, and counted."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        for tenant.status in (const.ESME_RX_P_APPN, const.ESME_RX_R_APPN, const.ESME_RINVSRCADR):
            await _receipted(tenant)
            await scene.receipt(tenant)
            await scene.emptied("owed")
        await scene.turns()
        assert len(tenant.requests) == 3
        assert scene.daemon.meters.account("acme1").receipts_refused == 3


async def test_no_answer_means_again(database: str):
    """A deliver_sm that is not answered within the response time is sent again; the late answer changes nothing."""
    async with Scene(database, more="").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.late = True
        [ours] = await _receipted(tenant)
        await scene.receipt(tenant)
        await scene.later(61)
        tenant.late = False
        assert (await scene.receipt(tenant)).message_id == ours
        await scene.emptied("owed")
        tenant.answer_late()
        await scene.turns()
        assert _ids(tenant) == [ours, ours]


async def test_what_a_lost_session_leaves_the_next_one_gets_at_once(database: str):
    """However often it was put off before: who binds anew is not made to wait."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.status = const.ESME_RTHROTTLED
        [ours] = await _receipted(tenant)
        for tries in (1, 2, 3):

            async def postponed(tries: int = tries) -> bool:
                return bool(await scene.count("owed WHERE tries = $1", tries))

            await scene.until(postponed)
            await scene.later(5)
        await scene.until(lambda: scene.count("owed WHERE tries = 4"))
        tenant.abort()
        await scene.until(lambda: not list(scene.daemon.registry.sessions()))
        again = await scene.tenant()
        assert (await scene.receipt(again)).message_id == ours
        await scene.emptied("owed")


async def test_unanswered_receipts_of_a_lost_session_come_again(database: str):
    """A session that breaks with receipts unanswered: all of them go to the next one, once more."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.lost = 1_000
        ours = await _receipted(tenant, 30)
        await tenant.until(lambda: len(_ids(tenant)) == 30)
        tenant.abort()
        again = await scene.tenant()
        await again.until(lambda: len(_ids(again)) == 30)
        await scene.emptied("owed")
        assert sorted(_ids(again)) == sorted(ours)


async def test_the_window_bounds_what_is_on_its_way(database: str):
    """Never more unanswered deliveries than `deliver_window`; the rest follows in order as answers come."""
    async with Scene(database, account="deliver_window = 3").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.late = True
        ours = await _receipted(tenant, 10)
        for message_id in ours:
            await scene.in_state(message_id, State.DELIVERED)
        await scene.settled()
        assert len(tenant.requests) == 3
        tenant.answer_late()
        await tenant.until(lambda: len(tenant.requests) == 6)
        tenant.late = False
        tenant.answer_late()
        await tenant.until(lambda: len(tenant.requests) == 10)
        assert _ids(tenant) == ours
        await scene.emptied("owed")


async def test_receivers_share_what_is_owed(database: str):
    """Several receivers of an account get different rows, each row once."""
    async with Scene(database, account="deliver_window = 5").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        sender = await scene.tenant("tx")
        ours = await _receipted(sender, 40)
        for message_id in ours:
            await scene.in_state(message_id, State.DELIVERED)
        receivers = [await scene.tenant("rx") for _ in range(3)]
        await scene.until(lambda: sum(len(_ids(one)) for one in receivers) == 40)
        await scene.emptied("owed")
        assert sorted(message_id for one in receivers for message_id in _ids(one)) == sorted(ours)


async def test_a_long_backlog_of_two_accounts_flows_to_its_end(database: str):
    """More rows than one lease takes, for two accounts that bind together: both get everything, without waiting for a poll."""
    async with Scene(database, account=OTHER, more="[receipts]\nclaim_cap = 50").playing() as scene:
        smsc = scene.smsc
        numbers = {b"10690001": 300, b"10690002": 300}
        sent = [
            smsc.deliver(sm_body(source=b"86138", dest=number, short_message=b"%d" % n))
            for number, count in numbers.items()
            for n in range(count)
        ]
        for one in sent:
            assert (await smsc.delivered(one)).status == const.ESME_ROK
        daemon = scene.daemon
        first, second = await scene.tenant("tx"), await scene.tenant("tx", system_id="acme2")
        assert not first.requests + second.requests
        receivers = [await scene.tenant("rx"), await scene.tenant("rx", system_id="acme2")]
        began = scene.clock.now()
        await scene.until(lambda: [len(one.requests) for one in receivers] == [300, 300])
        assert scene.clock.now() - began < 4.5
        for receiver in receivers:
            texts = [request.octets.rsplit(b"\0", 1)[1][1:] for request in receiver.requests]
            assert len(set(texts)) == 300
        await scene.emptied("owed")
        assert daemon.meters.account("acme2").mo_delivered == 300


async def test_what_is_owed_too_long_is_dropped_and_counted(database: str):
    """After `receipt_ttl_s` a row goes, whether nobody bound or the tenant never took it."""
    async with Scene(database, account="receipt_ttl_s = 3600").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        sender = await scene.tenant("tx")
        [ours] = await _receipted(sender)
        await scene.in_state(ours, State.DELIVERED)
        await scene.later(3601)
        receiver = await scene.tenant("rx")
        await scene.emptied("owed")
        assert not receiver.requests
        receiver.status = const.ESME_RTHROTTLED
        await _receipted(sender)
        await scene.receipt(receiver)
        await scene.until(lambda: scene.count("owed WHERE tries = 1"))
        await scene.later(3601)
        await scene.emptied("owed")
        assert scene.daemon.meters.process.receipts_expired == 2


async def test_no_more_receipts_wait_than_the_cap(database: str):
    """Over `receipt_cap` the oldest are dropped and counted; who binds then gets the newest."""
    async with Scene(database, account="receipt_cap = 7").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        ours = await _receipted(await scene.tenant("tx"), 20)
        for message_id in ours:
            await scene.in_state(message_id, State.DELIVERED)
        await scene.daemon.recover._upkeep()
        assert scene.daemon.meters.process.receipts_dropped == 13
        receiver = await scene.tenant("rx")
        await scene.emptied("owed")
        kept = await scene.connection.fetch("SELECT id FROM message")
        assert len(_ids(receiver)) == 7
        assert {int(message_id) for message_id in _ids(receiver)} < {row["id"] for row in kept}


async def test_a_final_receipt_overtakes_no_intermediate_one_and_cancels_those_that_wait(database: str):
    """What is still to be repeated of the intermediate ones says nothing new after the final one: it is dropped."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        await tenant.submit(registered_delivery=0x11)
        submit = await smsc.submit()
        tenant.status = const.ESME_RTHROTTLED
        await smsc.delivered(smsc.receipt(submit, "ENROUTE", esm_class=0x20))
        await scene.until(lambda: scene.count("owed WHERE tries = 1"))
        tenant.status = const.ESME_ROK
        await smsc.delivered(smsc.receipt(submit, "DELIVRD"))
        await scene.emptied("owed")
        await scene.later(5)
        await scene.turns()
        assert [read_receipt(request).stat for request in tenant.requests] == [b"ENROUTE", b"DELIVRD"]


async def test_a_final_receipt_cancels_an_intermediate_one_that_waits_for_the_window(database: str):
    """It could not go at once, the final one can: after that it says nothing new, and is dropped."""
    async with Scene(database, account="deliver_window = 1", more="[receipts]\nhold_ms = 60000").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        tenant.late = True
        for registered in (0x01, 0x11):
            await tenant.submit(registered_delivery=registered)
        first, second = await smsc.submitted(2)
        await smsc.delivered(smsc.receipt(first, "DELIVRD"))
        await tenant.request(const.DELIVER_SM)
        await smsc.delivered(smsc.receipt(second, "ENROUTE", esm_class=0x20))
        tenant.late = False
        tenant.answer_late()
        [session] = scene.daemon.registry.sessions()
        await scene.until(lambda: scene.daemon.deliver.ready == 1 and session.room == 1)
        await smsc.delivered(smsc.receipt(second, "DELIVRD"))
        await scene.emptied("owed")
        await scene.later(61)
        await scene.turns()
        came = [request for request in tenant.requests if request.command == const.DELIVER_SM]
        assert [read_receipt(request).stat for request in came] == [b"DELIVRD", b"DELIVRD"]


async def test_a_clock_that_is_put_back_keeps_no_receipt(database: str):
    """`hold_ms` is the longest that a receipt waits for its submit's answer to be read, whatever the wall clock does meanwhile."""
    async with Scene(database).playing() as scene:
        sender, receiver = await scene.tenant("tx"), await scene.tenant("rx")
        await sender.submit(registered_delivery=1)
        submit = await scene.smsc.submit()
        scene.clock.time = lambda: time.time() - 3_600.0  # type: ignore[method-assign]
        scene.smsc.receipt(submit)
        assert (await scene.receipt(receiver)).stat == b"DELIVRD"


async def test_what_a_tenant_cannot_take_stays_in_the_store(database: str):
    """Refused for now by the hundred: no more than `claim_cap` wait in memory for their next try, and all come at last."""
    async with Scene(database, more="[receipts]\nclaim_cap = 10").playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.status = const.ESME_RX_T_APPN
        ours = await _receipted(tenant, 100)
        await scene.until(lambda: scene.daemon.deliver.ready == 10)
        await scene.turns()
        assert scene.daemon.deliver.ready == 10
        assert await scene.count("owed") == 100
        tenant.status = const.ESME_ROK
        await scene.hastened(lambda: set(_ids(tenant)) == set(ours))
        await scene.settled()
        await scene.emptied("owed")
        assert scene.daemon.deliver._put_off == {}


async def test_nobody_keeps_a_receipt_whose_receivers_have_all_gone(database: str):
    """Two receivers leave while the store is slow: what was put off and then let go is free, for whoever binds next."""
    async with Scene(database).playing() as scene:
        one, two = await scene.tenant(), await scene.tenant("rx")
        one.late = two.late = True
        ours = id_of(await one.submit(registered_delivery=1))
        scene.smsc.receipt(await scene.smsc.submit())
        await one.request(const.DELIVER_SM)
        await scene.settled()
        async with scene.stuck():
            one.abort()
            await two.request(const.DELIVER_SM)
            two.abort()
            await scene.until(lambda: not scene.daemon.registry.receivers(1))
        await scene.settled()
        await scene.emptied("owed WHERE node <> 0")  # one who looked for rows meanwhile may have it for a cycle more
        assert await scene.count("owed") == 1
        assert (await scene.receipt(await scene.tenant())).message_id == ours


async def test_receipts_stay_owed_when_the_gateway_dies(database: str):
    """What was not answered for when the gateway was killed is owed by the next one, and by the one after that."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        tenant = await scene.tenant()
        tenant.lost = 1_000
        ours = await _receipted(tenant, 3)
        await tenant.until(lambda: len(_ids(tenant)) == 3)
        for lost in (1_000, 0):
            await scene.kill()
            await scene.start()
            tenant = await scene.tenant()
            tenant.lost = lost
            await tenant.until(lambda tenant=tenant: len(_ids(tenant)) == 3)
            assert sorted(_ids(tenant)) == sorted(ours)
        await scene.emptied("owed")


async def test_tries_are_counted_as_far_as_the_row_can(database: str):
    """Refused for now more often than its row can count, it stays owed, and whoever binds next gets it."""
    async with Scene(database).playing() as scene:
        scene.smsc.receipts = "DELIVRD"
        [ours] = await _receipted(await scene.tenant("tx"))
        await scene.until(lambda: scene.count("owed WHERE node = 0"))
        await scene.connection.execute("UPDATE owed SET tries = 32767")
        first = await scene.tenant("rx")
        first.status = const.ESME_RX_T_APPN
        await first.request(const.DELIVER_SM)
        await scene.until(lambda: scene.count("owed WHERE due_ms > 0"))
        await first.close()
        await scene.until(lambda: not scene.daemon.registry.receiving())
        second = await scene.tenant("rx")
        await scene.later(61)
        assert (await scene.receipt(second)).message_id == ours
        await scene.emptied("owed")
