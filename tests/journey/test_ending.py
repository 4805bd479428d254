"""How messages end: refunds by basis, receipts of our own, the books."""

from __future__ import annotations

import asyncio

import pytest

from smsgw.model import State
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import read_sm, sm_body
from smsgw.store import invariants
from smsgw.store.database import Connection
from tests.journey.scene import Scene, id_of
from tests.peers import WAIT_S, Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc


async def ended(esme: Esme, connection: Connection) -> tuple[int, int, int]:
    """Wait until the message is final; returns its state, its refund and how many refund rows there are."""
    async with asyncio.timeout(WAIT_S):
        while (await connection.fetchval("SELECT count(*) FROM message WHERE state >= 10")) != 1:
            await esme.ask(const.ENQUIRE_LINK)
    row = await connection.fetchrow("SELECT state, refund, (SELECT count(*) FROM refund) AS n FROM message")
    assert row is not None
    return row["state"], row["refund"], row["n"]


@pytest.mark.parametrize(("basis", "refund"), [("submitted", 0), ("sent", 38_000), ("delivered", 38_000)])
async def test_a_refusal_of_the_carrier_is_paid_back_by_basis(database: str, connection: Connection, basis: str, refund: int):
    """REFUSED: billed on what was submitted it costs, on what was sent or delivered it does not; its receipt says REJECTD (C16)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, tenant=f'basis = "{basis}"')) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        smsc.statuses.append(const.ESME_RINVDSTADR)
        await smsc.bound()
        await esme.bind("acme1", "secret")
        assert (await esme.submit(registered_delivery=1)).status == const.ESME_ROK
        came = await esme.request(const.DELIVER_SM)
        told = receipt.parse(came.octets, read_sm(came.octets))
        assert told is not None
        assert told.stat == b"REJECTD"
        assert await ended(esme, connection) == (State.REFUSED, refund, int(refund > 0))
        assert not await invariants.check(connection)


@pytest.mark.parametrize(("basis", "refund"), [("submitted", 0), ("sent", 0), ("delivered", 38_000)])
async def test_a_failed_delivery_is_paid_back_where_delivery_is_billed(
    database: str, connection: Connection, basis: str, refund: int
):
    """FAILED by the carrier's receipt: only a contract on delivery gets its money back, once, a second receipt changes nothing."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port, tenant=f'basis = "{basis}"')) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        await esme.bind("acme1", "secret")
        await esme.submit(registered_delivery=1)
        (submit,) = await smsc.submitted(1)
        for _ in range(2):
            assert (await smsc.delivered(smsc.receipt(submit, "UNDELIV"))).status == const.ESME_ROK
        assert await ended(esme, connection) == (State.FAILED, refund, int(refund > 0))
        assert not await invariants.check(connection)


async def test_what_wants_no_receipt_ends_when_it_is_sent(database: str, connection: Connection):
    """Nobody waits for a receipt: SENT is the end, memory forgets the message and nothing is owed (item 120)."""
    async with (
        Smsc() as smsc,
        running(database, provisioning(smsc.port)) as daemon,
        await Esme.connect(daemon.ports[0]) as esme,
    ):
        await smsc.bound()
        await esme.bind("acme1", "secret")
        await esme.submit()
        await smsc.submitted(1)
        async with asyncio.timeout(WAIT_S):
            while await connection.fetchval("SELECT state FROM message") != State.SENT or len(daemon.transit):
                await esme.ask(const.ENQUIRE_LINK)
        assert await connection.fetchval("SELECT count(*) FROM owed") == 0


async def test_a_relay_tenant_is_answered_when_the_receipt_comes_first(database: str):
    """A receipt without an id, ahead of the answer, proves that the carrier has it: ESME_ROK, the receipt, no slot lost."""
    async with Scene(database, account='mode = "relay"').playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        smsc.late = True
        body = sm_body(source=b"1069", dest=b"8613800138000", short_message=b"hi", registered_delivery=1)
        asked = tenant.send(const.SUBMIT_SM, body)
        await smsc.delivered(smsc.receipt(await smsc.submit(), text_id=b"", tlv_id=b""))
        ours = id_of(await tenant.answer_to(asked))
        assert (await scene.receipt(tenant)).message_id == ours
        smsc.answer_late()
        [link] = scene.daemon.directory.links()
        await scene.until(lambda: scene.daemon.carriers.room(link.id) == link.window)
        assert (await scene.row(ours))["state"] == State.DELIVERED
        [session] = scene.daemon.registry.sessions()
        assert session.undecided == 0
        assert [response.sequence for response in tenant.responses].count(asked) == 1
