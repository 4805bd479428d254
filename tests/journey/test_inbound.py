"""MO messages: to the account that owns the number, kept until it binds, refused when nobody owns it."""

from __future__ import annotations

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import Pdu, read_sm, sm_body
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
