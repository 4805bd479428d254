"""Time: expiry, spilling, messages that wait for a carrier in rows, receipts that never come."""

from __future__ import annotations

import asyncio

from smsgw.model import Message, State
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import read_sm
from smsgw.store.database import Connection
from tests.peers import WAIT_S, Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

SOON = "[unit_of_work]\nspill_after_s = 0.2\n"


async def until(esme: Esme, connection: Connection, query: str, wanted: object) -> None:
    """Ask the store again and again, an enquire_link between, until it says what is wanted."""
    async with asyncio.timeout(WAIT_S):
        while await connection.fetchval(query) != wanted:
            await esme.ask(const.ENQUIRE_LINK)


async def test_a_carrier_that_is_down_costs_rows_not_memory(database: str, connection: Connection):
    """Without any link the messages are acknowledged and wait in the store; when the carrier is back they go, in order, once."""
    async with Smsc() as smsc:
        await smsc.close()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            answers = [await esme.submit(text=b"%d" % number) for number in range(20)]
            assert {answer.status for answer in answers} == {const.ESME_ROK}
            assert await connection.fetchval("SELECT count(*) FROM waiting WHERE state = 3") == 20
            assert len(daemon.transit) == 0
            await smsc.open()
            came = await smsc.submitted(20)
            assert [submit.content for submit in came] == [b"%d" % number for number in range(20)]
            await until(esme, connection, "SELECT count(*) FROM waiting", 0)
            assert await connection.fetchval("SELECT count(*) FROM message WHERE state = 6") == 20


async def test_a_queued_message_expires_by_its_validity(database: str, connection: Connection):
    """Over its validity_period before it could be sent: EXPIRED, a receipt that says so, the price given back (C03)."""
    async with Smsc() as smsc:
        await smsc.close()
        async with running(database, provisioning(smsc.port)) as daemon, await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            before = await connection.fetchval("SELECT amount FROM balance")
            await esme.submit(validity=b"000000000001000R", registered_delivery=1)
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert found.stat == b"EXPIRED"
            await until(esme, connection, "SELECT count(*) FROM waiting", 0)
            assert await connection.fetchval("SELECT state FROM message") == State.EXPIRED
            assert await connection.fetchval("SELECT amount FROM balance") == before


async def test_what_is_open_for_long_leaves_memory_and_is_still_found(database: str, connection: Connection):
    """A sent message without its receipt is spilled: its reference stands in the store, and a late receipt finds it."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port), more=SOON) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            message_id = (await esme.submit(registered_delivery=1)).body[:-1]
            (submit,) = await smsc.submitted(1)
            await until(esme, connection, "SELECT count(*) FROM upstream_ref", 1)
            assert len(daemon.transit) == 0
            smsc.receipt(submit)
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert found.message_id == message_id
            await until(esme, connection, "SELECT state FROM message", State.DELIVERED)


async def test_a_receipt_that_never_comes_leaves_it_unknown(database: str, connection: Connection):
    """A message that is still SENT when receipts are waited for no longer is UNKNOWN, and its tenant is told."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port), more=SOON) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            message_id = int((await esme.submit(registered_delivery=1)).body[:-1])
            await until(esme, connection, "SELECT count(*) FROM upstream_ref", 1)
            ended: list[Message] = []
            daemon.recall.load_messages([message_id], lambda message: (ended.append(message), daemon.due.never_receipted(message)))  # type: ignore[func-returns-value]
            came = await esme.request(const.DELIVER_SM)
            found = receipt.parse(came.octets, read_sm(came.octets))
            assert found is not None
            assert (found.stat, ended[0].id) == (b"UNKNOWN", message_id)
