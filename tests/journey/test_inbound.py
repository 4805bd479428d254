"""MO messages: to the account that owns the number, kept until it binds, refused when nobody owns it."""

from __future__ import annotations

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import Pdu, data_sm_body, read_sm, sm_body
from tests.journey.scene import Scene
from tests.peers import Esme
from tests.rig import provisioning, running
from tests.smsc import Smsc

MO = sm_body(source=b"8613800138000", source_ton=1, dest=b"1069000112", short_message="退订".encode("utf-16-be"), data_coding=8,
             tlvs=tlv.append(0x1400, b"a\0b"))  # fmt: skip


async def test_an_mo_message_reaches_the_owner_of_its_number(database: str):
    """The longest number that the destination starts with decides; the body comes octet for octet (C05)."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port)) as daemon:
        await smsc.bound()
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret", "rx")
            sent = smsc.deliver(MO)
            came: Pdu = await esme.request(const.DELIVER_SM)
            assert came.body == MO
            assert read_sm(came.octets).dest == b"1069000112"
            answer = await smsc.delivered(sent)
            assert (answer.status, answer.body) == (const.ESME_ROK, b"\0")


async def test_an_mo_message_waits_for_its_owner(database: str):
    """With nobody bound it is stored and answered; who binds a receiver later gets it, once."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port)) as daemon:
        await smsc.bound()
        assert (await smsc.delivered(smsc.deliver(MO))).status == const.ESME_ROK
        async with await Esme.connect(daemon.ports[0]) as esme:
            await esme.bind("acme1", "secret")
            assert (await esme.request(const.DELIVER_SM)).body == MO
            for _ in range(3):
                await esme.ask(const.ENQUIRE_LINK)
            assert sum(pdu.command == const.DELIVER_SM for pdu in esme.requests) == 1


async def test_a_number_that_nobody_owns_is_refused(database: str):
    """The carrier is told that this one goes nowhere, and it is counted."""
    async with Smsc() as smsc, running(database, provisioning(smsc.port)) as daemon:
        await smsc.bound()
        answer = await smsc.delivered(smsc.deliver(sm_body(source=b"86138", dest=b"95555", short_message=b"x")))
        assert answer.status == const.ESME_RX_R_APPN
        assert daemon.meters.process.mo_unowned == 1


OTHERS = """
[[account]]
tenant = "acme"
system_id = "acme2"
password = "secret"

[[number]]
number = "106900011"
account = "acme2"
"""


async def test_the_longest_number_decides(database: str):
    """A number and an extension of it belong to different accounts: each gets what is its own, also by data_sm."""
    async with Scene(database, account=OTHERS).playing() as scene:
        first, second = await scene.tenant("rx"), await scene.tenant("rx", system_id="acme2")
        payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"\0long\xff")
        for dest, owner in ((b"10690001", first), (b"1069000119", second), (b"+106900011", second), (b"1069000122", first)):
            for command, body in (
                (const.DELIVER_SM, sm_body(source=b"86138", dest=dest, short_message=b"x")),
                (const.DATA_SM, data_sm_body(source=b"86138", dest=dest, tlvs=payload)),
            ):
                assert (await scene.smsc.delivered(scene.smsc.deliver(body, command))).status == const.ESME_ROK
                assert (await owner.request(command)).body == body
        await scene.emptied("owed")
        assert scene.daemon.meters.account("acme1").mo_delivered == 4


async def test_an_mo_message_is_answered_after_its_commit(database: str):
    """Not before it is stored; while the store is away the carrier is asked to come again."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            sent = scene.smsc.deliver(MO)
            for _ in range(50):
                await tenant.ask(const.ENQUIRE_LINK)
            assert not sent[0].responses
            assert not tenant.requests
        assert (await scene.smsc.delivered(sent)).status == const.ESME_ROK
        assert (await tenant.request(const.DELIVER_SM)).body == MO
        async with scene.storeless():
            assert (await scene.smsc.delivered(scene.smsc.deliver(MO))).status == const.ESME_RX_T_APPN
        await scene.settled()
        assert len(tenant.requests) == 1


async def test_a_flood_waits_at_its_carrier(database: str):
    """The store is slow, the carrier knows no window: `unmatched` messages and receipts wait here, the rest is to come again."""
    async with Scene(database, link="enquire_link_s = 3600", more="[receipts]\nunmatched = 3").playing() as scene:
        smsc, tenant = scene.smsc, await scene.tenant()
        for _ in range(5):
            await tenant.submit(registered_delivery=1)
        submits = await smsc.submitted(5)
        await scene.settled()
        async with scene.stuck():
            sent = [smsc.deliver(MO) for _ in range(5)]
            receipts = [smsc.receipt(submit) for submit in submits]
            for later in (*sent[3:], *receipts[3:]):
                assert (await smsc.delivered(later)).status == const.ESME_RX_T_APPN
            assert (len(scene.daemon.commit.owed), scene.daemon.receipt.unanswered) == (3, 3)
        for taken in (*sent[:3], *receipts[:3]):
            assert (await smsc.delivered(taken)).status == const.ESME_ROK
        await tenant.until(lambda: len([one for one in tenant.requests if one.command == const.DELIVER_SM]) == 6)
