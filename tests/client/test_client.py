from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smsgw.client import Client, Incoming, NotBound, Receipt, Refused, Unanswered
from smsgw.sim.carrier import Carrier
from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import read_sm, sm_body
from tests.sim.ends import until
from tests.smsc import Smsc

PLAIN = CarrierSettings(system_id="acme1", password="secret", keep_bodies=10)
NUMBER = "8613800000000"


def client(port: int, **changed: Any) -> Client:
    """Return a client of this port, with the credentials of PLAIN."""
    return Client("127.0.0.1", port, "acme1", "secret", **changed)


async def test_a_message_gets_its_id_and_its_receipt_with_its_reference() -> None:
    """`send` returns the id; the receipt names it and brings back what was given as reference."""
    got: list[Receipt] = []
    async with Carrier(PLAIN).listening() as (_, port), client(port, on_receipt=got.append) as bound:
        message_id = await bound.send("10690001", NUMBER, "Your code is 123456", reference={"order": 7})
        await until(lambda: got)
    assert [(one.message_id, one.delivered, one.final, one.reference) for one in got] == [(message_id, True, True, {"order": 7})]


async def test_a_receipt_under_the_number_of_an_open_submit_changes_nothing() -> None:
    """What the gateway delivers may bear the sequence number of a submit that waits: it is answered, and so is the submit."""
    got: list[Receipt] = []
    async with Smsc() as smsc, client(smsc.port, on_receipt=got.append) as bound:
        smsc.late = True
        sending = asyncio.create_task(bound.send("10690001", NUMBER, "x"))
        (submit,) = await smsc.submitted(1)
        (session,) = smsc.live
        sequence = session.send(const.DELIVER_SM, smsc.receipt_body(submit), sequence=submit.pdu.sequence)
        assert (await session.answer_to(sequence)).status == const.ESME_ROK
        smsc.answer_late()
        assert await sending == submit.message_id.decode()
        assert [one.message_id for one in got] == [submit.message_id.decode()]


async def test_texts_arrive_as_written() -> None:
    """GSM text, Chinese, letters as sender and a validity arrive as the specification writes them."""
    carrier = Carrier(PLAIN)
    async with carrier.listening() as (_, port), client(port) as bound:
        await bound.send("10690001", "+" + NUMBER, "Grüße €1", receipt=False)
        await bound.send("ACME", NUMBER, "你好", validity=timedelta(hours=1))
    first, second = (read_sm(octets) for octets in carrier.ledger.bodies)
    assert (first.dest, first.dest_ton, first.data_coding, first.registered_delivery) == (NUMBER.encode(), 1, 0, 0)
    assert (second.source, second.source_ton, second.data_coding, second.validity) == (b"ACME", 5, 8, b"000000010000000R")
    assert carrier.ledger.bodies[1][second.sm_at : second.tlv_at] == "你好".encode("utf-16-be")


async def test_a_long_text_goes_in_one_piece() -> None:
    """Over 254 octets a text travels as message_payload."""
    carrier = Carrier(PLAIN)
    async with carrier.listening() as (_, port), client(port) as bound:
        await bound.send("10690001", NUMBER, "字" * 300)
    octets = carrier.ledger.bodies[0]
    assert tlv.find(octets, read_sm(octets).tlv_at, const.TAG_MESSAGE_PAYLOAD) == ("字" * 300).encode("utf-16-be")


@pytest.mark.parametrize("status", [0x45, 0x400, 0x12345])
async def test_a_refusal_brings_its_status_and_the_session_lives_on(status: int) -> None:
    """Any status of 32 bits is told as a number; the next message goes on the same bind."""
    carrier = Carrier(replace(PLAIN, shares=Shares(errors={status: 1.0})))
    async with carrier.listening() as (_, port), client(port) as bound:
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await bound.send("10690001", NUMBER, "x")
            assert refused.value.status == status
    assert carrier.ledger.binds == 1


async def test_a_throttled_message_is_sent_again() -> None:
    """ESME_RTHROTTLED is not the user's concern, unless it does not end."""
    carrier = Carrier(replace(PLAIN, rate=200))
    async with carrier.listening() as (_, port):
        async with client(port, window=50, throttle_pause_s=0.02) as bound:
            ids = await asyncio.gather(*(bound.send("10690001", NUMBER, "x") for _ in range(50)))
        assert len(set(ids)) == 50
        assert carrier.ledger.throttled > 0
        carrier.settings = replace(carrier.settings, rate=0.001)
        async with client(port, throttle_tries=2, throttle_pause_s=0.001) as bound:
            sending = [bound.send("10690001", NUMBER, "x") for _ in range(3)]
            outcomes = await asyncio.gather(*sending, return_exceptions=True)
        assert any(isinstance(outcome, Refused) and outcome.status == 0x58 for outcome in outcomes)


async def test_the_window_is_kept() -> None:
    """No more messages are unanswered than the window says, however many are sent at once."""
    carrier = Carrier(replace(PLAIN, response_delay_ms=2))
    async with carrier.listening() as (_, port), client(port, window=7) as bound:
        await asyncio.gather(*(bound.send("10690001", NUMBER, "x") for _ in range(60)))
    assert carrier.ledger.most_unanswered == 7


async def test_a_lost_connection_leaves_doubt_and_is_dialled_again() -> None:
    """What was unanswered ends as Unanswered; the next message goes on a new bind."""
    carrier = Carrier(replace(PLAIN, silent_after=1, silent_takes=True))
    async with carrier.listening() as (_, port), client(port) as bound:
        await bound.send("10690001", NUMBER, "x")
        doubtful = asyncio.ensure_future(bound.send("10690001", NUMBER, "y"))
        await until(lambda: carrier.ledger.mute)
        carrier.drop_connections()
        with pytest.raises(Unanswered):
            await doubtful
        assert await bound.send("10690001", NUMBER, "z")
    assert carrier.ledger.binds == 2


async def test_no_answer_in_time_is_doubt() -> None:
    """A message without an answer ends as Unanswered after the time-out."""
    carrier = Carrier(replace(PLAIN, shares=Shares(mute=1.0)))
    async with carrier.listening() as (_, port), client(port, response_timeout_s=0.05) as bound:
        with pytest.raises(Unanswered):
            await bound.send("10690001", NUMBER, "x")


@pytest.mark.parametrize(
    "text",
    [
        b"id:77 sub:001 dlvrd:001 submit date:261124010203 done date:261124010204 stat:DELIVRD err:0x2A text:x",
        b"id:77 sub:001 dlvrd:001 submit date:2611240102 done date:2611240103 stat:DELIVRD err:DB:0141 text:",
        b"",
    ],
)
async def test_receipts_that_the_library_cannot_read_come_all_the_same(text: bytes) -> None:
    """Dates with seconds, errors in other notations and receipts of TLVs alone are given, answered, and end nothing."""
    got: list[Receipt] = []
    tlvs = tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, b"77\0") + tlv.append(const.TAG_MESSAGE_STATE, b"\x02")
    body = sm_body(source=b"8613800000000", dest=b"10690001", esm_class=4, short_message=text, tlvs=tlvs)
    carrier = Carrier(PLAIN)
    async with carrier.listening() as (_, port), client(port, on_receipt=got.append) as bound:
        carrier.send_mo(body)
        await until(lambda: carrier.ledger.mo_acknowledged)
        await bound.send("10690001", NUMBER, "x")
    assert (got[0].message_id, got[0].stat, got[0].state) == ("77", "DELIVRD", 2)
    assert carrier.ledger.binds == 1


async def test_messages_to_us_are_read() -> None:
    """A message to our number is given with its text, header elements taken off."""
    got: list[Incoming] = []
    header = b"\x05\x00\x03\x07\x02\x01"
    body = sm_body(
        source=b"8613800000000", dest=b"10690001", esm_class=0x40, data_coding=8, short_message=header + "你好".encode("utf-16-be")
    )
    carrier = Carrier(PLAIN)
    async with carrier.listening() as (_, port), client(port, on_message=got.append):
        carrier.send_mo(body)
        await until(lambda: got)
    assert (got[0].source, got[0].destination, got[0].text, got[0].exact) == ("8613800000000", "10690001", "你好", True)


async def test_a_callback_that_fails_ends_nothing() -> None:
    """What the user's callback raises goes to `on_error`; the receipt is answered."""
    errors: list[Exception] = []

    def fail(_: Receipt) -> None:
        raise KeyError("mine")

    carrier = Carrier(PLAIN)
    async with carrier.listening() as (_, port), client(port, on_receipt=fail, on_error=errors.append) as bound:
        await bound.send("10690001", NUMBER, "x")
        await until(lambda: carrier.ledger.receipts_acknowledged)
    assert [type(error) for error in errors] == [KeyError]


async def test_a_refused_bind_is_told() -> None:
    """Wrong credentials raise NotBound with the status."""
    async with Carrier(replace(PLAIN, password="another")).listening() as (_, port):
        with pytest.raises(NotBound) as refused:
            async with client(port):
                pytest.fail("it was bound")
    assert refused.value.status == 0x0D


async def test_nobody_there_is_told() -> None:
    """Without a gateway, NotBound comes after the time-out."""
    with pytest.raises(NotBound):
        async with client(1, bind_timeout_s=0.1):
            pytest.fail("it was bound")


def test_what_smpp_cannot_carry_is_refused_at_once() -> None:
    """A password of nine characters is an error of the caller."""
    with pytest.raises(ValueError, match="password"):
        Client("127.0.0.1", 1, "acme1", "123456789")
