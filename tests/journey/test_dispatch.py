"""From a durable message to the carrier's answer: routes, throttling, doubts, and tenants that are answered by the carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from smsgw.model import State
from smsgw.smpp import const, tlv
from smsgw.smpp.clock import parse_time
from smsgw.smpp.pdu import sm_body
from smsgw.wire import Wire
from tests.builds import plain_only
from tests.journey.scene import Scene, id_of
from tests.rig import provisioning
from tests.smsc import Smsc

RELAY = 'mode = "relay"'
PRICE = 38_000
_BODY = sm_body(source=b"1069", dest=b"8613800138000", short_message=b"hello")
_BODY_WITH_RECEIPT = sm_body(source=b"1069", dest=b"8613800138000", short_message=b"hello", registered_delivery=1)


# ---- store: routes and throttling -----------------------------------------------------------------------------------


async def test_what_was_surely_not_taken_goes_to_the_next_route(database: str):
    """A throttled message, or one refused with a status that passes, is sent once more, on the next link of its route."""
    async with Scene(database, links=2).playing() as scene:
        first, second = scene.smscs
        tenant = await scene.tenant()
        for number, (status, attempt) in enumerate(((const.ESME_RSYSERR, 2), (const.ESME_RTHROTTLED, 1)), 1):
            first.statuses.append(status)
            ours = id_of(await tenant.submit())
            submit = await second.submit()
            row = await scene.in_state(ours, State.SENT)
            assert (row["link"], row["attempt"], row["upstream_id"]) == (2, attempt, submit.message_id.decode())
            assert (len(first.submits), len(second.submits)) == (number, number)
        assert await scene.spent() == 2 * PRICE


async def test_a_lasting_refusal_is_final(database: str):
    """What a carrier refuses for good goes to nobody else: REFUSED, with the receipt that says so."""
    async with Scene(database, links=2, tenant='basis = "sent"').playing() as scene:
        scene.smsc.statuses.append(const.ESME_RINVDSTADR)
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat, came.error) == (ours, b"REJECTD", b"011")
        row = await scene.row(ours)
        assert (row["state"], row["error"], row["refund"]) == (State.REFUSED, const.ESME_RINVDSTADR, PRICE)
        assert not scene.smscs[1].submits


async def test_a_link_that_is_down_is_passed_over(database: str):
    """With the first link of the route down, messages take the next one at once."""
    async with Scene(database, links=2).playing() as scene:
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        tenant = await scene.tenant()
        await tenant.submit()
        await scene.smscs[1].submit()


async def test_what_finds_no_room_waits_for_a_link_that_is_up(database: str):
    """The first link is down and the second one full: a message waits for the second, not for the first or for its spill."""
    more = "[unit_of_work]\nspill_after_s = 36000"
    text = lambda *ports: provisioning(*ports).replace("window = 500", "window = 1")  # noqa: E731 - as provisioning is
    async with Scene(database, links=2, text=text, more=more).playing() as scene:
        down, up = scene.smscs
        await down.close()
        down.cut()
        [first, _] = scene.daemon.directory.links()
        await scene.until(lambda: not scene.daemon.carriers.bound(first.id))
        up.late = True
        tenant = await scene.tenant()
        for text_of in (b"1", b"2"):
            await tenant.submit(text=text_of)
        await up.submit()
        await scene.until(lambda: scene.daemon.dispatch.queued)
        up.late = False
        up.answer_late()
        assert (await up.submit()).content == b"2"


async def test_throttling_never_fails_a_message(database: str):
    """However often a carrier throttles, the message waits, the link slows down, and at last it is sent."""
    async with Scene(database).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RTHROTTLED, const.ESME_RMSGQFUL] * 6)
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit())
        await scene.hastened(lambda: len(scene.smsc.submits) > 12)
        assert (await scene.in_state(ours, State.SENT))["error"] == 0
        [meter] = scene.daemon.meters.links.values()
        assert meter.throttled == 12


async def test_a_status_that_passes_is_not_tried_for_ever(database: str):
    """Ten attempts, further and further apart, then REFUSED; between them the message waits in the store."""
    async with Scene(database).playing() as scene:
        scene.smsc.statuses.extend([const.ESME_RSYSERR] * 20)
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit())
        for attempt in range(1, 10):
            await scene.smsc.submitted(attempt)
            await scene.until(lambda: scene.count("waiting WHERE node = 0 AND due_ms > 0"))
            assert len(scene.smsc.submits) == attempt
            await scene.later(300)
        await scene.in_state(ours, State.REFUSED)
        await scene.emptied("waiting")
        assert len(scene.smsc.submits) == 10


async def test_the_parts_of_a_long_message_take_one_link(database: str):
    """A part goes where its first part went, also when another link has room sooner; other messages do not wait for that."""
    more = "[unit_of_work]\nspill_after_s = 3600.0\n"  # from the store a part goes to any link
    async with Scene(database, links=2, link="rate = 1", more=more).playing() as scene:
        first, second = scene.smscs
        tenant = await scene.tenant()
        for number in (1, 2, 3):
            await tenant.submit(text=b"\5\0\3\7\3%cpart" % number, esm_class=0x40)
        await tenant.submit(text=b"alone")
        assert [submit.content for submit in await second.submitted(1)] == [b"alone"]
        await scene.hastened(lambda: len(first.submits) == 3)
        assert len(second.submits) == 1


async def test_messages_over_the_limit_of_memory_wait_in_the_store(database: str):
    """What a slow carrier leaves over goes to the store beyond `spill_over`, and comes back in order, each once."""
    async with Scene(database, more="[unit_of_work]\nspill_over = 5").playing() as scene:
        scene.smsc.late = True
        scene.daemon.carriers.apply([])
        await scene.until(lambda: not scene.daemon.carriers.rows())
        tenant = await scene.tenant()
        for number in range(30):
            await tenant.submit(text=b"%d" % number)
        assert len(scene.daemon.transit) == 0
        assert await scene.count("waiting") == 30
        scene.smsc.late = False
        scene.daemon.carriers.apply(scene.daemon.directory.links())
        submits = await scene.smsc.submitted(30)
        assert [submit.content for submit in submits] == [b"%d" % number for number in range(30)]
        await scene.emptied("waiting")


VENDOR = tlv.append(0x1400, b"\0a\0\xff\0") + tlv.append(0x3FFF, b"") + tlv.append(0x1400, b"again") + tlv.append(0x0005, b"\1")
STRANGE = sm_body(
    source=b"Shop",
    source_ton=5,
    dest=b"8613800138000",
    dest_ton=1,
    dest_npi=1,
    service_type=b"CMT",
    esm_class=0xC3,
    protocol_id=0x41,
    priority=2,
    data_coding=0xF6,
    short_message=b"\x06\x08\x04\0\xff\x02\x01\0\xfe\0",
    tlvs=VENDOR,
)


@pytest.mark.parametrize("waits", [False, True])
async def test_every_octet_reaches_the_carrier(database: str, waits: bool):  # noqa: FBT001 - the two ways
    """UDH, flags, coding, vendor TLVs with NULs, twice and empty: as the tenant sent them, at once or after a wait."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        if waits:
            await scene.smsc.close()
            scene.smsc.cut()
            await scene.until(lambda: not scene.daemon.carriers.bound(1))
        await tenant.ask(const.SUBMIT_SM, STRANGE)
        if waits:
            assert await scene.count("waiting") == 1
            await scene.smsc.open()
        assert (await scene.smsc.submit()).pdu.body == STRANGE


async def test_a_carrier_that_was_away_for_long_gets_everything_soon(database: str):
    """Hundreds of rows wait; when the carrier is back they go in pages, in order, as fast as its window allows."""
    async with Scene(database, link="enquire_link_s = 3600", more="[unit_of_work]\nspill_after_s = 3600").playing() as scene:
        smsc = scene.smsc
        await smsc.close()
        smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        tenant = await scene.tenant()
        asked = [tenant.send(const.SUBMIT_SM, sm_body(source=b"1", dest=b"86", short_message=b"%d" % n)) for n in range(800)]
        for sequence in asked:
            assert (await tenant.answer_to(sequence)).status == const.ESME_ROK
        assert len(scene.daemon.transit) == 0
        await smsc.open()
        await smsc.bound()
        began = scene.clock.now()
        await smsc.submitted(800)
        assert scene.clock.now() - began < 4.0
        assert [submit.content for submit in smsc.submits] == [b"%d" % n for n in range(800)]
        await scene.emptied("waiting")


async def _waiting(scene: Scene) -> bytes:
    """Cut the carrier and submit a message, which waits in the store; returns its id."""
    await scene.smsc.close()
    scene.smsc.cut()
    await scene.until(lambda: not scene.daemon.carriers.bound(1))
    ours = id_of(await (await scene.tenant()).submit())
    await scene.until(lambda: scene.count("waiting WHERE node = 0"))
    return ours


async def test_attempts_are_counted_as_far_as_the_row_can(database: str):
    """A message that a carrier has throttled for days is sent all the same: its row says 32,767 attempts and no more."""
    async with Scene(database).playing() as scene:
        ours = await _waiting(scene)
        await scene.connection.execute("UPDATE message SET attempt = 32767")
        await scene.smsc.open()
        assert (await scene.in_state(ours, State.SENT))["attempt"] == 32_767


async def test_a_message_whose_change_cannot_be_stored_is_taken_up_later(database: str):
    """It is not sent, since that is not written down; it waits in the store, for an hour, and holds up nobody."""
    async with Scene(database).playing() as scene:
        ours = await _waiting(scene)
        await scene.refusing("UPDATE ON message", "NEW.state = 4")
        await scene.smsc.open()
        await scene.until(lambda: scene.daemon.commit.poisoned)
        await scene.until(lambda: scene.count("waiting WHERE node = 0"))
        await scene.turns()
        assert scene.daemon.commit.poisoned == 1
        assert not scene.smsc.submits
        await scene.taking()
        await scene.later(3_600)
        await scene.in_state(ours, State.SENT)
        assert await scene.count("waiting") == 0


async def test_what_expires_in_memory_is_not_sent(database: str):
    """A message that waits behind a slow link past its validity is EXPIRED and paid back, not submitted."""
    async with Scene(database, link="rate = 1", more="[unit_of_work]\nspill_after_s = 3600").playing() as scene:
        tenant = await scene.tenant()
        await tenant.submit()
        ours = id_of(await tenant.submit(validity=b"000000000100000R", registered_delivery=1))
        scene.smsc.cut()
        await scene.later(3601)
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"EXPIRED")
        assert (await scene.row(ours))["refund"] == PRICE
        assert len(scene.smsc.submits) == 1


@plain_only
async def test_a_message_that_finds_no_room_once_durable_is_told_of_the_next(database: str):
    """A slot that became free before it was durable, and is taken since, is not the last: the next is its own, without a tick."""
    async with Scene(database, text=lambda *ports: provisioning(*ports).replace("window = 500", "window = 1")).playing() as scene:
        scene.daemon.due.tick = lambda: None  # type: ignore[method-assign]
        scene.smsc.late = True
        tenant = await scene.tenant()
        await tenant.submit()
        await scene.smsc.submit()
        async with scene.stalled():
            waiting = tenant.send(const.SUBMIT_SM, _BODY)
            await scene.until(lambda: scene.daemon.carriers._runners[1].line.starved)
            scene.smsc.answer_late()
            await scene.until(lambda: scene.daemon.carriers.room(1) and not scene.daemon.carriers._runners[1].line.starved)
            faster = tenant.send(const.SUBMIT_SM, _BODY)
            await scene.until(lambda: not scene.daemon.carriers.room(1))
        await tenant.answer_to(waiting)
        await tenant.answer_to(faster)
        await scene.smsc.submit()
        assert len(scene.smsc.submits) == 2
        scene.smsc.answer_late()
        await scene.smsc.submit()


async def test_submitting_is_durable_before_the_first_octet(database: str):
    """Until its row is committed as SUBMITTING, not one octet of a message leaves."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, _BODY)
            for _ in range(50):
                await tenant.ask(const.ENQUIRE_LINK)
            assert not scene.smsc.submits
            assert all(response.sequence != sequence for response in tenant.responses)
        ours = id_of(await tenant.answer_to(sequence))
        scene.smsc.late = True
        await scene.smsc.submit()
        assert (await scene.row(ours))["state"] in {State.SUBMITTING, State.SENT}


async def test_what_expires_while_its_commit_takes_long_is_not_sent(database: str):
    """PostgreSQL takes half a minute: what is over its validity by then is EXPIRED and paid back, not sent late."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source=b"1069", dest=b"86138", short_message=b"late", validity=b"000000000020000R", registered_delivery=1)
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, body)
            await scene.until(lambda: len(scene.daemon.transit) == 1)
            await scene.later(25)
        ours = id_of(await tenant.answer_to(sequence))
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"EXPIRED")
        assert await scene.spent() == 0
        assert not scene.smsc.submits
        await scene.until(lambda: scene.daemon.carriers.room(1) == 500)


async def test_a_relay_tenant_is_told_what_expired_while_its_commit_took_long(database: str):
    """ESME_RSYSERR and its money back, and nothing sent."""
    async with Scene(database, account=RELAY).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source=b"1069", dest=b"86138", short_message=b"late", validity=b"000000000020000R")
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, body)
            await scene.until(lambda: len(scene.daemon.transit) == 1)
            await scene.later(25)
        assert (await tenant.answer_to(sequence)).status == const.ESME_RSYSERR
        assert await scene.spent() == 0
        assert not scene.smsc.submits


async def _left_of(database: str, validity: bytes) -> bytes:
    """Return what the carrier reads of a validity_period whose message waited for PostgreSQL for 25 seconds."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source=b"1069", dest=b"86138", short_message=b"in time", validity=validity)
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, body)
            await scene.until(lambda: len(scene.daemon.transit) == 1)
            await scene.later(25)
        id_of(await tenant.answer_to(sequence))
        return (await scene.smsc.submit()).sm.validity  # type: ignore[union-attr]


async def test_a_validity_loses_what_its_commit_took(database: str):
    """A relative validity_period of a minute is half a minute when PostgreSQL took the other half."""
    assert b"0000000000300" <= await _left_of(database, b"000000000100000R") < b"0000000000350"


async def test_a_validity_of_a_year_loses_no_more_than_others(database: str):
    """What waited half a minute is still valid for a year less half a minute: no form of it is too long to be told."""
    now = datetime.now(UTC)
    valid = parse_time(await _left_of(database, b"010000000000000R"), now)
    assert valid is not None
    assert timedelta(days=364) < valid - now < timedelta(days=366)


async def test_what_was_never_written_is_no_doubt(database: str):
    """A slot whose link went down before the message was written: it goes back to the queue and is sent once, later."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, _BODY)
            await scene.until(lambda: len(scene.daemon.transit) == 1)
            scene.smsc.cut()
            await scene.until(lambda: not scene.daemon.carriers.bound(1))
        ours = id_of(await tenant.answer_to(sequence))
        await scene.in_state(ours, State.SENT)
        assert (len(scene.smsc.submits), scene.daemon.dispatch.in_doubt) == (1, 0)


class Breaking:
    """The loop of a wire whose connection breaks with the next thing that is to be written."""

    def __init__(self, wire: Wire) -> None:
        self._transport = wire._transport

    def call_soon(self, flush: Callable[[], None]) -> None:
        """Break the connection first."""
        assert self._transport is not None
        self._transport.abort()
        asyncio.get_running_loop().call_soon(flush)


@plain_only
async def test_what_never_reached_the_socket_takes_another_link(database: str):
    """Its link broke in the turn of the loop in which it was to be written: no doubt, whatever its account does with doubts."""
    async with Scene(database, links=2, account='in_doubt = "hold"').playing() as scene:
        first, second = scene.smscs
        tenant = await scene.tenant()
        async with scene.stalled():
            sequence = tenant.send(const.SUBMIT_SM, _BODY)
            await scene.until(lambda: len(scene.daemon.transit) == 1)
            [message] = scene.daemon.transit.open.values()
            message.bind.wire._loop = Breaking(message.bind.wire)
        ours = id_of(await tenant.answer_to(sequence))
        assert (await second.submit()).content == b"hello"
        await scene.in_state(ours, State.SENT)
        assert (len(first.submits), scene.daemon.dispatch.in_doubt) == (0, 0)


# ---- store: doubts --------------------------------------------------------------------------------------------------


async def _doubt(smsc: Smsc) -> None:
    """Let the carrier take a message and break the connection instead of answering."""
    await smsc.submit()
    smsc.cut()


async def test_a_doubt_is_resent_once_then_given_up(database: str):
    """`resend`: sent once more without a second debit; still no answer: UNKNOWN, no refund, and the tenant is told."""
    async with Scene(database).playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        await _doubt(scene.smsc)
        await _doubt(scene.smsc)
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (ours, b"UNKNOWN")
        row = await scene.row(ours)
        assert (row["state"], row["attempt"], row["resends"], row["refund"]) == (State.UNKNOWN, 2, 1, 0)
        assert (len(scene.smsc.submits), scene.daemon.dispatch.in_doubt, scene.daemon.dispatch.resent) == (2, 2, 1)
        assert await scene.spent() == PRICE
        await scene.emptied("waiting")


async def test_a_doubt_may_be_held(database: str):
    """`hold`: never sent again; UNKNOWN when the time for receipts is over."""
    async with Scene(database, account='in_doubt = "hold"').playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        await _doubt(scene.smsc)
        await scene.in_state(ours, State.IN_DOUBT)
        await scene.later(71 * 3600)
        await scene.smsc.bound()
        await scene.turns()
        assert (await scene.row(ours))["state"] == State.IN_DOUBT
        await scene.later(3700)
        assert (await scene.receipt(tenant)).stat == b"UNKNOWN"
        assert len(scene.smsc.submits) == 1


async def test_a_doubt_may_wait_before_it_is_resent(database: str):
    """`resend_if_no_receipt`: sent again after `in_doubt_wait_s`, not before."""
    account = 'in_doubt = "resend_if_no_receipt"\nin_doubt_wait_s = 30'
    async with Scene(database, account=account).playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        await _doubt(scene.smsc)
        await scene.in_state(ours, State.IN_DOUBT)
        await scene.later(25)
        await scene.smsc.bound()
        await scene.turns()
        assert (await scene.row(ours))["state"] == State.IN_DOUBT
        scene.smsc.late = False
        await scene.later(6)
        again = (await scene.smsc.submitted(2))[1]
        scene.smsc.receipt(again)
        assert (await scene.receipt(tenant)).message_id == ours


@pytest.mark.parametrize("policy", ["hold", "resend_if_no_receipt"])
async def test_a_late_answer_ends_the_doubt(database: str, policy: str):
    """The carrier's answer after the time-out settles the message: it is not sent again, and its receipt finds it."""
    async with Scene(database, account=f'in_doubt = "{policy}"', link="response_timeout_s = 5").playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit(registered_delivery=1))
        submit = await scene.smsc.submit()
        await scene.later(6)
        await scene.in_state(ours, State.IN_DOUBT)
        scene.smsc.answer_late()
        await scene.in_state(ours, State.SENT)
        await scene.emptied("waiting")
        await scene.later(60)
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == ours
        assert len(scene.smsc.submits) == 1


# ---- relay ----------------------------------------------------------------------------------------------------------


async def test_a_relay_tenant_gets_the_carriers_answer_after_its_commit(database: str):
    """ESME_ROK with our id, once the settle is committed; then the receipt, as anywhere."""
    async with Scene(database, account=RELAY).playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        sequence = tenant.send(const.SUBMIT_SM, _BODY_WITH_RECEIPT)
        submit = await scene.smsc.submit()
        async with scene.stalled():
            scene.smsc.answer_late()
            for _ in range(50):
                await tenant.ask(const.ENQUIRE_LINK)
            assert all(response.sequence != sequence for response in tenant.responses)
        ours = id_of(await tenant.answer_to(sequence))
        assert (await scene.row(ours))["state"] == State.SENT
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == ours


@pytest.mark.parametrize(
    ("basis", "status"), [("submitted", const.ESME_RINVDSTADR), ("sent", const.ESME_RSYSERR), ("delivered", 0x0450)]
)
async def test_a_relay_tenant_gets_the_carriers_refusal_and_its_money_back(database: str, basis: str, status: int):
    """The carrier's own status, no receipt, the price back whatever the basis; nobody else is tried."""
    async with Scene(database, links=2, account=RELAY, tenant=f'basis = "{basis}"').playing() as scene:
        scene.smsc.statuses.append(status)
        tenant = await scene.tenant()
        answer = await tenant.submit(registered_delivery=1)
        assert (answer.status, answer.body) == (status, b"")
        [row] = await scene.rows()
        assert (row["state"], row["refund"]) == (State.REFUSED, PRICE)
        assert (await scene.spent(), await scene.count("owed"), len(scene.smscs[1].submits)) == (0, 0, 0)


@pytest.mark.parametrize(("links", "state"), [(1, State.SENT), (2, State.SUBMITTING)])
async def test_a_relay_tenant_is_not_told_what_could_not_be_stored(database: str, links: int, state: State):
    """The carrier's answer, or the way to the next carrier, cannot be written: an error, once, and the money comes back."""
    async with Scene(database, account=RELAY, links=links).playing() as scene:
        tenant = await scene.tenant()
        await scene.refusing("UPDATE ON message", f"NEW.state = {state}")
        if links > 1:
            scene.smsc.statuses.append(const.ESME_RTHROTTLED)
        assert (await tenant.submit()).status == const.ESME_RSYSERR
        [row] = await scene.rows()
        assert row["state"] == State.SUBMITTING
        await scene.until(lambda: scene.count("waiting"))
        await scene.later(3_601)
        await scene.in_state(row["id"], State.IN_DOUBT)
        await scene.later(31)
        await scene.in_state(row["id"], State.UNKNOWN)
        assert await scene.spent() == 0
        await scene.emptied("waiting")
        assert len([one for smsc in scene.smscs for one in smsc.submits]) == 1
        scene.daemon.commit.poisoned = 0


@pytest.mark.parametrize("account", ["", RELAY])
async def test_what_no_receipt_is_due_for_has_come_to_its_end(database: str, account: str):
    """In both modes: SENT is the end then, with its time, and nobody takes it for open."""
    async with Scene(database, account=account).playing() as scene:
        ours = id_of(await (await scene.tenant()).submit())
        row = await scene.in_state(ours, State.SENT)
        assert row["done_ms"] == row["sent_ms"] > 0
        await scene.until(lambda: not len(scene.daemon.transit))


async def test_relay_never_queues(database: str):
    """No free slot: ESME_RTHROTTLED. No bound link: ESME_RSYSERR. Neither leaves a row or a debit."""
    async with Scene(database, account=RELAY, link="rate = 1").playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        first = tenant.send(const.SUBMIT_SM, _BODY)
        assert (await tenant.submit()).status == const.ESME_RTHROTTLED
        scene.smsc.answer_late()
        await scene.smsc.submit()
        scene.smsc.answer_late()
        assert (await tenant.answer_to(first)).status == const.ESME_ROK
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        assert (await tenant.submit()).status == const.ESME_RSYSERR
        assert len(await scene.rows()) == 1
        assert await scene.spent() == PRICE


async def test_a_throttled_relay_message_takes_the_next_route_once(database: str):
    """ESME_RTHROTTLED leads to the next link; when the last one throttles too, the tenant reads it and pays nothing."""
    async with Scene(database, links=2, account=RELAY).playing() as scene:
        first, second = scene.smscs
        first.statuses.append(const.ESME_RTHROTTLED)
        tenant = await scene.tenant()
        ours = id_of(await tenant.submit())
        assert (await scene.row(ours))["link"] == 2
        await scene.later(60)
        await scene.until(lambda: scene.daemon.carriers.room(1))
        first.statuses.append(const.ESME_RMSGQFUL)
        second.statuses.append(const.ESME_RTHROTTLED)
        assert (await tenant.submit()).status == const.ESME_RTHROTTLED
        assert (len(first.submits), len(second.submits)) == (2, 2)
        assert (await scene.rows())[1]["refund"] == PRICE
        assert await scene.spent() == PRICE


async def test_a_relay_doubt_is_an_error_and_costs_nothing(database: str):
    """The link breaks before the answer: ESME_RSYSERR, state UNKNOWN, refunded, not resent, no receipt."""
    async with Scene(database, account=RELAY, tenant='basis = "delivered"').playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        asked = asyncio.create_task(tenant.submit(registered_delivery=1))
        await _doubt(scene.smsc)
        assert (await asked).status == const.ESME_RSYSERR
        [row] = await scene.rows()
        assert (row["state"], row["refund"]) == (State.UNKNOWN, PRICE)
        await scene.smsc.bound()
        await scene.turns()
        assert (len(scene.smsc.submits), await scene.count("owed"), await scene.spent()) == (1, 0, 0)


async def test_a_relay_message_of_a_dead_process_is_given_up(database: str):
    """After a crash nobody can answer it: IN_DOUBT, then UNKNOWN after `in_doubt_wait_s`, refunded, never resent, no receipt."""
    async with Scene(database, account=RELAY).playing() as scene:
        scene.smsc.late = True
        tenant = await scene.tenant()
        tenant.send(const.SUBMIT_SM, _BODY_WITH_RECEIPT)
        await scene.smsc.submit()
        await scene.kill()
        await scene.start()
        [row] = await scene.rows()
        await scene.until(lambda: scene.count("message WHERE state = 5 AND error <> 0"))
        await scene.later(31)
        row = await scene.in_state(row["id"], State.UNKNOWN)
        assert row["refund"] == PRICE
        assert (len(scene.smsc.submits), await scene.count("owed"), await scene.spent()) == (1, 0, 0)
        await scene.emptied("waiting")
