"""What a start finds and takes up."""

from __future__ import annotations

from smsgw.smpp import const
from smsgw.store.database import Connection
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


async def test_a_parked_receipt_finds_its_message_after_a_restart(database: str, connection: Connection):
    """A receipt that matched nothing is kept by the store; what later names its id gets it, and it is kept no longer."""
    async with Smsc() as smsc:
        async with running(database, provisioning(smsc.port)) as daemon:
            await smsc.bound()
            async with await Esme.connect(daemon.ports[0]) as esme:
                await esme.bind("acme1", "secret")
                await esme.submit(registered_delivery=1)
                (submit,) = await smsc.submitted(1)
                body = smsc.receipt_body(submit, text_id=b"4711", tlv_id=b"4711")
                assert (await smsc.delivered(smsc.deliver(body))).status == const.ESME_ROK
        assert await connection.fetchval("SELECT upstream_id FROM orphan") == "4711"
        smsc.ids = lambda _number: b"4711"
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await smsc.bound()
            await esme.bind("acme1", "secret")
            message_id = (await esme.submit(registered_delivery=1)).body[:-1]
            came = await esme.request(const.DELIVER_SM)
            assert b"id:" + message_id in came.octets
    assert await connection.fetchval("SELECT count(*) FROM orphan") == 0
