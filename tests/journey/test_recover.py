"""What a start finds and takes up."""

from __future__ import annotations

import pytest

from smsgw.model import State
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from smsgw.store.database import Connection
from tests.journey.scene import Scene, id_of
from tests.peers import Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc


async def test_receipts_owed_outlive_the_process(database: str):
    """A receipt that its tenant has not answered for is owed by the next process, and comes when the tenant binds again."""
    async with Smsc() as smsc:
        async with running(database, provisioning(smsc.port)) as daemon:
            await smsc.bound()
            async with await Esme.connect(daemon.ports[0]) as esme:
                await esme.bind("acme1", "secret")
                esme.lost = 1_000
                message_id = (await esme.submit(registered_delivery=1)).body[:-1]
                (submit,) = await smsc.submitted(1)
                smsc.receipt(submit)
                await esme.request(const.DELIVER_SM)
                esme.abort()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            came = await esme.request(const.DELIVER_SM)
            assert b"id:" + message_id in came.octets


async def test_messages_that_waited_go_after_a_restart(database: str, connection: Connection):
    """Acknowledged while the carrier was down, sent by the next process when it is back."""
    async with Smsc() as smsc:
        await smsc.close()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            for number in range(5):
                await esme.submit(text=b"%d" % number)
        await smsc.open()
        async with running(database, provisioning(smsc.port)):
            came = await smsc.submitted(5)
            assert [submit.content for submit in came] == [b"%d" % number for number in range(5)]
    assert await connection.fetchval("SELECT count(*) FROM message WHERE state IN (3, 4)") == 0


async def test_a_parked_receipt_finds_its_message_after_a_crash(database: str):
    """A receipt came before the answer, then the gateway died; when the carrier names the id, its message gets the receipt."""
    async with Scene(database).playing() as scene:
        smsc = scene.smsc
        smsc.ids = lambda _: b"4711"
        smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        assert (await smsc.delivered(smsc.receipt(await smsc.submit()))).status == const.ESME_ROK
        await scene.kill()
        assert await scene.connection.fetchval("SELECT upstream_id FROM orphan") == "4711"
        smsc.late = False
        await scene.start()
        tenant = await scene.tenant()
        assert (await scene.receipt(tenant)).message_id == ours
        await scene.emptied("orphan")
        assert len(smsc.submits) == 2


async def test_a_parked_receipt_means_no_message_that_came_after_it(database: str):
    """What was reported before it was submitted was reported of another message with the same id."""
    async with Scene(database).playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        submit = await smsc.submit()
        await scene.in_state(ours, State.SENT)
        assert (await smsc.delivered(smsc.receipt(submit, text_id=b"4711", tlv_id=b"4711"))).status == const.ESME_ROK
        await scene.later(60)
        smsc.ids = lambda _: b"4711"
        ours = id_of(await tenant.submit(registered_delivery=1))
        await scene.in_state(ours, State.SENT)
        await scene.later(6)
        await scene.until(lambda: scene.count("upstream_ref WHERE upstream_id = '4711'"))
        await scene.daemon.recover._sweep_parked()
        await scene.settled()
        assert (await scene.row(ours))["state"] == State.SENT
        assert await scene.count("orphan") == 1


# ---- after a crash --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "submits", "state"),
    [("resend", 2, State.SENT), ("hold", 1, State.IN_DOUBT), ("resend_if_no_receipt", 2, State.SENT)],
)
async def test_what_was_on_its_way_when_the_gateway_died_is_in_doubt(database: str, policy: str, submits: int, state: State):
    """Submitted and unanswered: each account's policy decides; nothing is debited again, and the tenant's id stays the same."""
    async with Scene(database, account=f'in_doubt = "{policy}"').playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        await scene.smsc.submit()
        await scene.kill()
        scene.smsc.late = False
        await scene.start()
        tenant = await scene.tenant()
        if policy != "resend":
            await scene.until(lambda: scene.count("message WHERE state = 5 AND error <> 0"))
            await scene.later(31)
        if policy == "hold":
            await scene.turns()
        row = await scene.in_state(ours, state)
        assert len(scene.smsc.submits) == submits
        assert (row["refund"], await scene.spent()) == (0, row["price"])
        if submits == 2:
            scene.smsc.receipt(scene.smsc.submits[1])
            assert (await scene.receipt(tenant)).message_id == ours


async def test_what_was_throttled_before_the_gateway_died_is_no_older_doubt(database: str):
    """An earlier attempt was refused, the last one unanswered: the doubt is new, and waits as its account wants."""
    async with Scene(database, account='in_doubt = "hold"').playing() as scene:
        smsc = scene.smsc
        smsc.statuses.append(const.ESME_RTHROTTLED)
        ours = id_of(await (await scene.tenant()).submit(registered_delivery=1))
        await smsc.submitted(1)
        smsc.late = True
        await scene.hastened(lambda: len(smsc.submits) == 2)
        await scene.kill()
        await scene.start()
        await scene.until(lambda: scene.count("message WHERE state <> 4 AND error <> 0"))
        await scene.turns()
        assert (await scene.row(ours))["state"] == State.IN_DOUBT


async def test_a_receipt_parked_by_another_process_is_matched_or_expires(database: str):
    """Whoever parked it: it is tried again each second while fresh, each minute later, and goes when its time is over."""
    async with Scene(database, more="[receipts]\nparked_ttl_s = 600.0").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        submit = await smsc.submit()
        await scene.in_state(ours, State.SENT)
        for text_id in (b"elsewhere", b"never"):
            assert (await smsc.delivered(smsc.receipt(submit, text_id=text_id, tlv_id=text_id))).status == const.ESME_ROK
        await scene.kill()
        await scene.start()
        tenant = await scene.tenant()
        await scene.until(lambda: scene.daemon.receipt.parked_count == 2)
        await scene.later(300)
        await scene.connection.execute("UPDATE upstream_ref SET upstream_id = 'elsewhere'")
        await scene.later(61)
        await scene.daemon.recover._sweep_parked()
        assert (await scene.receipt(tenant)).message_id == ours
        await scene.emptied("orphan WHERE upstream_id = 'elsewhere'")  # the tenant may hear of it before its row is gone
        await scene.later(300)
        await scene.daemon.recover._sweep_parked()
        await scene.emptied("orphan")
        assert (scene.daemon.receipt.parked_count, scene.daemon.receipt.parked) == (0, {})
        assert scene.daemon.meters.process.parked_expired == 1


async def test_what_waits_for_no_receipt_stays_sent(database: str):
    """SENT is the end where nobody waits for a receipt: after 72 hours it is not made UNKNOWN, however it was sent."""
    async with Scene(database).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        tenant = await scene.tenant()
        waited = id_of(await tenant.submit())
        await scene.smsc.open()
        await scene.in_state(waited, State.SENT)
        asked = id_of(await tenant.submit(registered_delivery=1))
        await scene.in_state(asked, State.SENT)
        await scene.later(6)
        await scene.until(lambda: scene.count("upstream_ref WHERE message = $1", int(asked)))
        await scene.later(72 * 3600 + 60)
        await scene.daemon.recover._give_up_receipts()
        await scene.in_state(asked, State.UNKNOWN)
        await scene.settled()
        assert (await scene.row(waited))["state"] == State.SENT


async def test_upkeep_drops_short_ids_with_their_days(database: str):
    """A day of messages that retention drops takes its short ids with it."""
    async with Scene(database).playing() as scene:
        day = int(await scene.connection.fetchval("SELECT 86400000::int8 << 22"))
        await scene.connection.execute(f"CREATE TABLE message_20250102 PARTITION OF message FOR VALUES FROM ({day}) TO ({2 * day})")
        await scene.connection.execute(f"INSERT INTO short_id VALUES (1, '0000000a', {day + 5})")
        await scene.daemon.recover._round(0)
        assert await scene.count("short_id") == 0


async def test_what_no_receipt_came_for_is_given_up_after_a_long_downtime_too(database: str):
    """Nobody was there for longer than references are kept: who waits for a receipt is told before they go."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        await scene.in_state(ours, State.SENT)
        await scene.kill()
        await scene.start()  # which writes the reference
        await scene.kill()
        assert await scene.count("upstream_ref") == 1
        await scene.later(9 * 86_400)
        await scene.start()
        came = await scene.receipt(await scene.tenant())
        assert (came.message_id, came.stat) == (ours, b"UNKNOWN")
        await scene.in_state(ours, State.UNKNOWN)
        await scene.later(61)
        await scene.until(lambda: scene.count("partitioned WHERE parent = 'upstream_ref' AND kept_from > 0"))


async def test_nothing_is_accepted_while_the_gateway_drains(database: str):
    """SIGTERM: a new submit reads ESME_RSYSERR, what is undecided is answered with its id, then both sides are unbound."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            undecided = tenant.send(const.SUBMIT_SM, sm_body(source=b"1", dest=b"86138", short_message=b"x"))
            await scene.until(lambda: len(scene.daemon.transit))
            scene._stop.set()
            await scene.until(lambda: scene.daemon.accept.draining)
            assert (await tenant.submit()).status == const.ESME_RSYSERR
            assert all(response.sequence != undecided for response in tenant.responses)
        ours = id_of(await tenant.answer_to(undecided))
        await tenant.request(const.UNBIND)
        await scene.smsc.live[0].request(const.UNBIND)
        await scene._life
        assert [row["id"] for row in await scene.rows()] == [int(ours)]
        assert (await scene.row(ours))["state"] == State.SENT
