from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from smsgw.carriers.line import Line, LinkEvents
from smsgw.carriers.link import NEXT, BindRefused, BindState, LinkBind, settings_of
from smsgw.model import Dialect, Outcome, Refused, Sent, Throttled, Unknown
from smsgw.smpp import const, pdu
from smsgw.smpp.pdu import encode
from smsgw.telemetry import LinkMeter
from tests.carriers.ends import WAIT_S, Notes, link, message, side
from tests.script import ManualClock, payload
from tests.smsc import Smsc


def bind_of(**fields: Any) -> LinkBind:
    """Return a bind on its own, never connected."""
    line = Line(link(**fields), LinkEvents(), LinkMeter("alpha-1"), ManualClock())
    line.binds.append(LinkBind(line, const.BIND_TRANSCEIVER))
    return line.binds[0]


# ---- what submits lead to ---------------------------------------------------------------------------------------------------


async def test_a_submit_goes_as_it_is_and_is_answered():
    """The carrier gets the body octet for octet, and its id comes back as Sent."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        await ours.bound()
        ours.submit(7, text=b"as it is", tlvs=bytes.fromhex("1400 0003 000100"))
        came = await smsc.submit()
        assert came.pdu.body == message(7, b"as it is", tlvs=bytes.fromhex("1400 0003 000100")).body
        assert await ours.outcomes() == [(7, Sent(b"1"))]
        meter = ours.meters.link("alpha-1")
        assert (meter.submitted, meter.sent, sum(meter.latency.counts)) == (1, 1, 1)


async def test_a_carrier_that_answers_twice_keeps_its_bind():
    """However many answers to nothing come: to close the bind would put in doubt what is still unanswered."""
    async with Smsc() as smsc, side(link(smsc.port, window=1_500)) as ours:
        await ours.bound()
        smsc.garbled = lambda octets: octets * 2
        for number in range(1_100):
            ours.submit(number)
        assert len(await ours.outcomes(1_100)) == 1_100
        [session] = smsc.sessions
        await session.ask(const.ENQUIRE_LINK)
        assert ours.states() == ["bound"]


async def test_a_data_sm_goes_as_data_sm():
    """A message that came by data_sm goes on by data_sm, and its data_sm_resp counts."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        await ours.bound()
        ours.submit(command=const.DATA_SM, tlvs=bytes.fromhex(payload(b"payload")))
        came = await smsc.submit()
        assert (came.pdu.command, came.content) == (const.DATA_SM, b"payload")
        assert await ours.outcomes() == [(1, Sent(b"1"))]


@pytest.mark.parametrize(
    ("status", "dialect", "outcome"),
    [
        (const.ESME_RTHROTTLED, Dialect(), Throttled(const.ESME_RTHROTTLED)),
        (const.ESME_RMSGQFUL, Dialect(), Throttled(const.ESME_RMSGQFUL)),
        (const.ESME_RMSGQFUL, Dialect(permanent=frozenset({0x14})), Refused(const.ESME_RMSGQFUL, retryable=False)),
        (const.ESME_RSYSERR, Dialect(), Refused(const.ESME_RSYSERR, retryable=True)),
        (const.ESME_RSYSERR, Dialect(permanent=frozenset({8})), Refused(const.ESME_RSYSERR, retryable=False)),
        (const.ESME_RINVBNDSTS, Dialect(), Refused(const.ESME_RINVBNDSTS, retryable=True)),
        (const.ESME_RINVDSTADR, Dialect(), Refused(const.ESME_RINVDSTADR, retryable=False)),
        (0x0400, Dialect(), Refused(0x0400, retryable=False)),
        (0x0400, Dialect(retryable=frozenset({0x0400})), Refused(0x0400, retryable=True)),
        (0xDEADBEEF, Dialect(), Refused(0xDEADBEEF, retryable=False)),
    ],
)
async def test_a_status_becomes_an_outcome(status: int, dialect: Dialect, outcome: Outcome):
    """Each status is a throttle answer, a refusal that may be tried elsewhere, or one that may not: by class, then by dialect."""
    async with Smsc() as smsc, side(link(smsc.port, dialect=dialect)) as ours:
        smsc.statuses.append(status)
        await ours.bound()
        ours.submit()
        assert await ours.outcomes() == [(1, outcome)]


async def test_a_generic_nack_is_an_answer():
    """A generic_nack to a submit refuses it with the nack's status."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.garbled = lambda octets: encode(const.GENERIC_NACK, const.ESME_RINVCMDID, int.from_bytes(octets[12:16], "big"))
        await ours.bound()
        ours.submit()
        assert await ours.outcomes() == [(1, Refused(const.ESME_RINVCMDID, retryable=True))]


async def test_rok_in_the_wrong_pdu_is_a_doubt():
    """ESME_ROK in a PDU that does not answer a submit leaves the message in doubt, never sent or refused."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.garbled = lambda octets: encode(const.QUERY_SM_RESP, 0, int.from_bytes(octets[12:16], "big"))
        await ours.bound()
        ours.submit()
        assert await ours.outcomes() == [(1, Unknown("wrong_response", written=True))]


@pytest.mark.parametrize("body", [b"", b"abc", b"abc\0", b"abc\0\x04\x28\0\x01\x20"])
async def test_an_answer_may_be_of_any_shape(body: bytes):
    """A submit_sm_resp without a body, without a NUL or with TLVs gives the id that it has."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.garbled = lambda octets: encode(const.SUBMIT_SM_RESP, 0, int.from_bytes(octets[12:16], "big"), body)
        await ours.bound()
        ours.submit()
        assert await ours.outcomes() == [(1, Sent(body[:3]))]


async def test_no_answer_in_time_is_a_doubt_and_a_late_one_ends_it():
    """A time-out tells Unknown and frees the window; the ESME_ROK that comes later tells Sent with its id."""
    async with Smsc() as smsc, side(link(smsc.port, window=1, response_timeout_s=5.0)) as ours:
        smsc.late = True
        await ours.bound()
        ours.submit(3)
        await smsc.submit()
        assert ours.carriers.room(1) == 0
        ours.pass_(5.5)
        assert await ours.outcomes() == [(3, Unknown("timeout", written=True))]
        assert ours.carriers.room(1) == 1
        smsc.answer_late()
        assert await ours.outcomes(2) == [(3, Unknown("timeout", written=True)), (3, Sent(b"1", late_on=1))]
        assert ours.meters.link("alpha-1").timeouts == 1


@pytest.mark.parametrize(
    ("status", "late"),
    [
        (const.ESME_RINVDSTADR, Refused(const.ESME_RINVDSTADR, retryable=False, late=True)),
        (const.ESME_RSYSERR, Refused(const.ESME_RSYSERR, retryable=True, late=True)),
        (const.ESME_RTHROTTLED, Throttled(const.ESME_RTHROTTLED, late=True)),
    ],
)
async def test_a_late_refusal_is_told_as_late(status: int, late: Outcome):
    """A refusal after the time-out ends the doubt; it neither slows the link down nor counts as another submit."""
    async with Smsc() as smsc, side(link(smsc.port, response_timeout_s=5.0)) as ours:
        smsc.late = True
        smsc.statuses.append(status)
        await ours.bound()
        ours.submit(3)
        await smsc.submit()
        ours.pass_(5.5)
        smsc.answer_late()
        smsc.late = False
        ours.submit(4)
        assert await ours.outcomes(3) == [(3, Unknown("timeout", written=True)), (3, late), (4, Sent(b"2"))]
        meter = ours.meters.link("alpha-1")
        assert (meter.throttled, sum(meter.refused.values())) == (0, 0)


async def test_a_loss_leaves_doubts_oldest_first():
    """When the connection breaks, each submit without an answer is Unknown and written, in the order of sending."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.late = True
        await ours.bound()
        for number in (1, 2, 3):
            ours.submit(number)
        await smsc.submitted(3)
        await smsc.close()
        smsc.cut()
        lost = Unknown("link_lost", written=True)
        assert await ours.outcomes(3) == [(1, lost), (2, lost), (3, lost)]


async def test_what_was_not_handed_to_the_socket_was_not_written():
    """Of what the loss brings back, what was still to be written in this turn of the loop surely was not; the rest is in doubt."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.late = True
        await ours.bound()
        ours.submit(1)
        await smsc.submit()
        bind = ours.submit(2)
        assert bind.wire is not None
        bind.wire._transport.abort()  # type: ignore[union-attr]
        ours.submit(3)
        assert await ours.outcomes(3) == [
            (1, Unknown("link_lost", written=True)),
            (2, Unknown("link_lost", written=False)),
            (3, Unknown("link_lost", written=False)),
        ]


async def test_a_slot_on_a_lost_bind_was_not_written():
    """A message whose slot was reserved before the connection broke is Unknown and surely not written."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        await ours.bound()
        bind = ours.carriers.reserve((1,))
        assert bind is not None
        await smsc.close()
        smsc.cut()
        await ours.until(lambda: not ours.carriers.bound(1))
        bind.submit(message(9), 0.0)
        assert await ours.outcomes() == [(9, Unknown("link_down", written=False))]
        assert bind.reserved == 0


async def test_a_slot_survives_a_reconnect():
    """A reserved slot is good on the next session of its bind."""
    async with Smsc() as smsc, side(link(smsc.port, window=2)) as ours:
        await ours.bound()
        bind = ours.carriers.reserve((1,))
        assert bind is not None
        smsc.cut()
        await ours.until(lambda: len(smsc.live) == 1 and len(smsc.sessions) == 2 and ours.carriers.bound(1))
        assert ours.carriers.room(1) == 1
        bind.submit(message(9), 0.0)
        assert await ours.outcomes() == [(9, Sent(b"1"))]
        assert ours.carriers.room(1) == 2


async def test_one_bad_message_does_not_silence_the_others():
    """When whoever hears an outcome fails for one message, the others of a lost connection are told all the same."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.late = True
        ours.notes.fails_for = 2
        await ours.bound()
        for number in (1, 2, 3):
            ours.submit(number)
        await smsc.submitted(3)
        with structlog.testing.capture_logs() as logs:
            smsc.cut()
            assert [number for number, _ in await ours.outcomes(2)] == [1, 3]
        failed = [entry for entry in logs if entry["event"] == "outcome_failed"]
        assert [(entry["message"], entry["error"]) for entry in failed] == [(2, "RuntimeError")]
        assert "content" not in str(failed)


async def test_one_bad_answer_does_not_cost_the_session():
    """When whoever hears an outcome or a delivery fails, the session goes on; the carrier is asked to deliver again."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        ours.notes.fails_for = 1
        smsc.late = True
        await ours.bound()
        for number in (1, 2):
            ours.submit(number)
        await smsc.submitted(2)
        smsc.answer_late()
        assert await ours.outcomes() == [(2, Sent(b"2"))]
        body = pdu.sm_body(source=b"86138", dest=b"1069")
        first, second = smsc.deliver(body), smsc.deliver(body)
        assert (await smsc.delivered(first)).status == const.ESME_RX_T_APPN
        assert (await smsc.delivered(second)).status == const.ESME_ROK
        assert len(smsc.sessions) == 1


# ---- room -------------------------------------------------------------------------------------------------------------------


async def test_the_window_holds():
    """Never more than `window` submits wait for an answer; reserved ones count; each answer frees one."""
    async with Smsc() as smsc, side(link(smsc.port, window=3)) as ours:
        smsc.late = True
        await ours.bound()
        ours.submit(1)
        held = ours.carriers.reserve((1,))
        assert held is not None
        ours.submit(2)
        assert ours.carriers.reserve((1,)) is None
        held.release()
        assert ours.carriers.room(1) == 1
        await smsc.submitted(2)
        smsc.answer_late()
        await ours.outcomes(2)
        assert ours.carriers.room(1) == 3


async def test_room_is_told_once_a_turn():
    """Whoever found a link full is told once that it has room, however many answers came at once; without asking, not at all."""
    async with Smsc() as smsc, side(link(smsc.port, window=5)) as ours:
        smsc.late = True
        await ours.bound()
        await ours.until(lambda: ours.notes.rooms)
        for number in range(5):
            ours.submit(number)
        await smsc.submitted(5)
        told = len(ours.notes.rooms)
        assert ours.carriers.reserve((1,)) is None
        smsc.answer_late()
        await ours.outcomes(5)
        await ours.until(lambda: len(ours.notes.rooms) > told)
        smsc.late = False
        for number in range(5):
            ours.submit(number)
        await ours.outcomes(10)
        assert len(ours.notes.rooms) == told + 1


async def test_a_throttle_answer_slows_the_link_and_says_so():
    """After a throttle answer the link gives no leave for a moment, is seen as slowed, logged once, and recovers by itself."""
    async with Smsc() as smsc, side(link(smsc.port, rate=100)) as ours:
        smsc.statuses += [const.ESME_RTHROTTLED] * 3
        await ours.bound()
        with structlog.testing.capture_logs() as logs:
            for number in (1, 2, 3):
                ours.submit(number)
            await ours.outcomes(3)
            assert ours.carriers.reserve((1,)) is None
            row = ours.carriers.rows()[0]
            assert (row["slowed"], row["rate"]) == (True, 50.0)
            assert row["throttled_for_s"] > 0
            ours.pass_(30.0)
        assert [entry["event"] for entry in logs] == ["link_slowed", "link_at_full_speed"]
        assert ours.carriers.reserve((1,)) is not None
        assert ours.meters.link("alpha-1").throttled == 3


# ---- what carriers send -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["transceiver", "transmitter", "receiver"])
async def test_deliveries_are_taken_on_every_bind(kind: str):
    """A deliver_sm is handed on and answered with a single NUL, on a transmitter too: carriers do that."""
    async with Smsc() as smsc, side(link(smsc.port, bind=kind)) as ours:
        await smsc.bound()
        answer = await smsc.delivered(smsc.deliver(pdu.sm_body(source=b"86138", dest=b"1069", short_message=b"mo")))
        assert (answer.command, answer.status, answer.body) == (const.DELIVER_SM_RESP, 0, b"\0")
        assert [came.command for _, came in ours.notes.delivered] == [const.DELIVER_SM]


async def test_a_delivery_behind_the_bind_resp_is_taken():
    """A receipt in the same octets as the bind_resp is taken: carriers send what has waited at once."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        smsc.greeting = pdu.sm_body(source=b"86138", dest=b"1069", short_message=b"waited")
        [session] = await smsc.bound()
        assert (await session.answer_to(4_711)).status == 0
        assert len(ours.notes.delivered) == 1


async def test_deliveries_are_answered_when_the_journey_says():
    """The answer to a delivery goes out when it is given, with its status, and as the response of its command."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        ours.notes.answers = None
        await smsc.bound()
        sent = smsc.deliver(pdu.data_sm_body(source=b"86138", dest=b"1069"), const.DATA_SM)
        await ours.until(lambda: ours.notes.delivered)
        bind, came = ours.notes.delivered[0]
        bind.answer(came, const.ESME_RX_T_APPN)
        answer = await smsc.delivered(sent)
        assert (answer.command, answer.status) == (const.DATA_SM_RESP, const.ESME_RX_T_APPN)


async def test_an_answer_after_the_end_of_its_session_goes_nowhere():
    """Answering a delivery of a session that has ended does nothing."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        ours.notes.answers = None
        await smsc.bound()
        smsc.deliver(pdu.sm_body(source=b"86138", dest=b"1069"))
        await ours.until(lambda: ours.notes.delivered)
        bind, came = ours.notes.delivered[0]
        await smsc.close()
        smsc.cut()
        await ours.until(lambda: not ours.carriers.bound(1))
        bind.answer(came, 0)
        assert bind.wire is None


async def test_an_alert_is_counted_and_never_answered():
    """alert_notification has no response: it is counted, and the session goes on."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        [session] = await smsc.bound()
        session.send(const.ALERT_NOTIFICATION, b"\0\0" + b"86138\0" + b"\0\0" + b"1069\0")
        answer = await smsc.delivered(smsc.deliver(pdu.sm_body(source=b"86138", dest=b"1069")))
        assert answer.status == 0
        assert ours.meters.link("alpha-1").alerts == 1
        assert [came.command for came in session.responses] == [const.DELIVER_SM_RESP]


async def test_both_ends_ask_whether_the_other_lives():
    """We answer the carrier's enquire_link, and ask it when nothing was heard for long."""
    async with Smsc() as smsc, side(link(smsc.port, enquire_link_s=30.0)) as ours:
        [session] = await smsc.bound()
        assert (await session.ask(const.ENQUIRE_LINK)).status == 0
        await ours.bound()
        ours.pass_(31.0)
        assert (await session.request(const.ENQUIRE_LINK)).body == b""


async def test_a_carrier_that_is_dead_is_left():
    """Without an answer to enquire_link the connection is given up, and dialled again."""
    async with Smsc() as smsc, side(link(smsc.port, enquire_link_s=30.0, response_timeout_s=10.0)) as ours:
        smsc.quiet = True
        await ours.bound()
        ours.pass_(31.0)
        ours.pass_(11.0)
        await ours.until(lambda: len(smsc.live) == 1 and len(smsc.sessions) == 2)
        assert ours.meters.link("alpha-1").disconnects["enquire_link_timeout"] == 1


async def test_no_submit_on_a_session_that_the_carrier_unbinds():
    """Once the carrier has said unbind, nothing more is submitted on that session."""
    async with Smsc() as smsc, side(link(smsc.port)) as ours:
        ours.notes.answers = None
        [session] = await smsc.bound()
        smsc.deliver(pdu.sm_body(source=b"86138", dest=b"1069"))  # unanswered, so the unbind_resp has to wait
        await ours.until(lambda: ours.notes.delivered)
        session.send(const.UNBIND)
        await ours.until(lambda: not ours.carriers.bound(1))
        assert ours.carriers.reserve((1,)) is None
        assert ours.states() == ["bound"]
        ours.notes.delivered[0][0].answer(ours.notes.delivered[0][1], 0)
        await session.closed()
        assert [came.command for came in session.responses] == [const.DELIVER_SM_RESP, const.UNBIND_RESP]


# ---- binding ----------------------------------------------------------------------------------------------------------------


async def test_a_bind_says_its_credentials():
    """The carrier reads the link's system_id, password, system_type and version."""
    async with Smsc() as smsc, side(link(smsc.port, password="secret99x", system_type="VMS")):
        [session] = await smsc.bound()
        fields = session.bind_fields
        assert fields is not None
        assert (fields.system_id, fields.password, fields.system_type) == (b"gw", b"secret99x", b"VMS")


@pytest.mark.parametrize(
    ("ours_is", "theirs", "rule", "effective", "bare"),
    [
        (0x34, 0x34, "auto", 0x34, False),
        (0x34, None, "auto", 0x34, False),
        (0x34, 0x50, "auto", 0x34, False),
        (0x50, 0x34, "auto", 0x34, False),
        (0x34, 0x33, "auto", 0x33, True),
        (0x33, 0x34, "auto", 0x33, True),
        (0x34, 0x00, "auto", 0x33, True),
        (0x34, 0x33, "always", 0x33, False),
        (0x34, 0x34, "never", 0x34, True),
    ],
)
async def test_the_lesser_version_rules(ours_is: int, theirs: int | None, rule: str, effective: int, bare: bool):  # noqa: FBT001 - a column
    """The lower interface version is in force, and below 3.4 no TLV is sent, unless the dialect says otherwise."""
    async with Smsc() as smsc, side(link(smsc.port, interface_version=ours_is, dialect=Dialect(tlvs=rule))) as ours:
        smsc.version = theirs
        await ours.bound()
        bind = ours.submit(tlvs=bytes.fromhex("1400 0001 01"))
        came = await smsc.submit()
        assert bind.version == effective
        assert (len(came.pdu.octets) == came.sm.tlv_at) is bare


async def test_what_such_a_carrier_cannot_take_may_go_elsewhere():
    """A data_sm for a carrier without TLVs is refused by ourselves, retryable, and takes no room."""
    async with Smsc() as smsc, side(link(smsc.port, interface_version=0x33, window=1)) as ours:
        await ours.bound()
        ours.submit(command=const.DATA_SM, tlvs=bytes.fromhex(payload(b"payload")))
        assert await ours.outcomes() == [(1, Refused(const.ESME_RINVCMDID, retryable=True))]
        assert ours.carriers.room(1) == 1
        assert smsc.submits == []


async def test_a_refused_bind_is_an_error_with_its_status():
    """`run` raises BindRefused with the status, leaves the connection and keeps the bind down."""
    async with Smsc() as smsc:
        smsc.bind_statuses.append(const.ESME_RBINDFAIL)
        bind = bind_of(port=smsc.port)
        with pytest.raises(BindRefused, match="ESME_RBINDFAIL") as refused:
            await bind.run()
        assert (refused.value.status, bind.state, bind.wire) == (const.ESME_RBINDFAIL, BindState.DOWN, None)
        await smsc.sessions[0].closed()


async def test_a_carrier_that_does_not_answer_the_bind_times_out():
    """Without a bind_resp in time `run` raises TimeoutError and closes the connection."""
    async with Smsc() as smsc:
        smsc.mute = True
        clock = ManualClock()
        bind = LinkBind(
            Line(link(smsc.port, response_timeout_s=5.0), LinkEvents(), LinkMeter("alpha-1"), clock), const.BIND_TRANSCEIVER
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_raises(bind, TimeoutError))
            await smsc.until(lambda: smsc.sessions and smsc.sessions[0].requests)
            clock.pass_(6.0)
            bind.tick(clock.now())
            await running
        await smsc.sessions[0].closed()
        assert bind.state is BindState.DOWN


async def test_a_carrier_that_hangs_up_at_the_bind_is_an_oserror():
    """A connection that ends before the bind_resp raises like one that could not be made."""
    async with Smsc() as smsc:
        smsc.mute = True
        bind = bind_of(port=smsc.port)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_raises(bind, OSError))
            await smsc.until(lambda: smsc.sessions and smsc.sessions[0].requests)
            smsc.cut()
            await running
        assert bind.state is BindState.DOWN


async def test_a_cancelled_session_closes_and_tells():
    """Cancelling `run` closes the connection, and what was outstanding is Unknown."""
    notes = Notes()
    async with Smsc() as smsc:
        smsc.late = True
        bind = bind_of(port=smsc.port)
        up = asyncio.Event()
        bind.line.events.on_outcome = notes.on_outcome
        bind.line.events.on_room = lambda _link: up.set()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bind.run())
            await asyncio.wait_for(up.wait(), WAIT_S)
            bind.reserved += 1
            bind.submit(message(5), 0.0)
            await smsc.submit()
            running.cancel()
        assert notes.outcomes == [(5, Unknown("link_lost", written=True))]
        await smsc.sessions[0].closed()


async def _raises(bind: LinkBind, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await bind.run()


def test_states_lead_where_the_table_says():
    """Every state leads somewhere and back to DOWN; a move that is not in the table is our own mistake."""
    assert set(NEXT) == set(BindState)
    assert all(BindState.DOWN in NEXT[state] for state in BindState if state is not BindState.DOWN)
    bind = bind_of()
    with pytest.raises(AssertionError):
        bind.enter(BindState.BOUND)


def test_the_links_time_outs_are_those_of_its_sessions():
    """Time-outs of a link become those of its sessions; there is no session_init timer on a bind that we make."""
    settings = settings_of(link(enquire_link_s=7.0, response_timeout_s=9.0))
    assert (settings.enquire_link_s, settings.response_timeout_s, settings.session_init_s) == (7.0, 9.0, 0.0)
