"""The tenant's session: windows, refusals, deliveries, leaving."""

from __future__ import annotations

from structlog.testing import capture_logs

from smsgw.model import Rejected
from smsgw.smpp import const, pdu
from smsgw.smpp.tlv import append
from tests.script import payload
from tests.tenants.front import account, front_door, owed

RECEIPT = pdu.sm_body(
    source=b"8613800138000", dest=b"1069", esm_class=4, short_message=b"id:1 stat:DELIVRD", tlvs=append(0x1E, b"1\0")
)


async def test_a_submit_is_answered_with_its_id_once_the_journey_says_so():
    """submit_sm and data_sm go to accept, and their answer carries the message id and one NUL (CONFORMANCE 151)."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(">> submit_sm 2 short_message=hello", f">> data_sm 3 tlv={payload(b'hello')}")
        assert [p.sequence for _, p in front.notes.accepted] == [2, 3]
        front.notes.answer(b"77")
        front.notes.answer(b"78")
        await script.play("<< submit_sm_resp 2 body=hex:373700", "<< data_sm_resp 3 body=hex:373800")
        assert front.session_of(script).undecided == 0


async def test_more_submits_than_the_window_are_throttled():
    """Over its window a bind gets ESME_RTHROTTLED, and is served again as answers go out (CONFORMANCE 68)."""
    async with front_door(account(window=2)) as front:
        script = await front.bound()
        await script.play(*[f">> submit_sm {n}" for n in (2, 3, 4)], "<< submit_sm_resp 4 ESME_RTHROTTLED body=hex:")
        front.notes.answer(b"1")
        await script.play("<< submit_sm_resp 2 message_id=1", ">> submit_sm 5")
        assert [p.sequence for _, p in front.notes.accepted] == [3, 5]
        assert front.meters.account("acme1").refused == {"window": 1}
        assert front.notes.refused == ["window"]


async def test_windows_belong_to_a_bind():
    """One bind's full window does not throttle another bind of its account."""
    async with front_door(account(window=1)) as front:
        first, second = await front.bound(), await front.bound()
        await first.play(">> submit_sm 2")
        await second.play(">> submit_sm 2")
        assert len(front.notes.accepted) == 2


async def test_a_refusal_becomes_a_status_by_version():
    """5.0's statuses go to 5.0 sessions only; 3.4 and 3.3 get the nearest of theirs (CONFORMANCE 152, 194)."""
    async with front_door() as front:
        front.notes.verdict = Rejected(const.ESME_RPROHIBITED, "policy")
        for version, expected in ((0x50, "ESME_RPROHIBITED body=hex:00"), (0x34, "ESME_RSUBMITFAIL body=hex:")):
            script = await front.bound(version=version)
            await script.play(">> submit_sm 2", f"<< submit_sm_resp 2 {expected}")
        front.notes.verdict = Rejected(const.ESME_RINVOPTPARSTREAM, "tlv")
        script = await front.bound(version=0x33)
        await script.play(">> submit_sm 2", "<< submit_sm_resp 2 ESME_RSUBMITFAIL body=hex:")
        assert front.meters.account("acme1").refused == {"policy": 2, "tlv": 1}
        assert front.notes.refused == ["policy", "policy", "tlv"]
        assert front.session_of(script).undecided == 0


async def test_a_refusal_that_comes_later_is_mapped_too():
    """answer_submit with a status sends no id, and no status that the version does not know."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(">> submit_sm 2")
        front.notes.answer(status=const.ESME_RSERTYPUNAUTH)
        await script.play("<< submit_sm_resp 2 ESME_RINVSERTYP body=hex:")


async def test_queries_go_to_whoever_answers_them():
    """query_sm, cancel_sm, replace_sm and submit_multi are routed to `other` and may be answered in any way."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(
            ">> query_sm 2 message_id=1",
            ">> cancel_sm 3 message_id=1",
            ">> replace_sm 4 message_id=1",
            ">> submit_multi 5 body=hex:00",
        )
        (session, query), (_, cancel), (_, replace), (_, multi) = front.notes.others
        session.respond(query, 0, b"1\0\0\2\0")
        session.refuse(cancel, Rejected(const.ESME_RCANCELFAIL, "final"))
        session.refuse(replace, Rejected(const.ESME_RREPLACEFAIL, "final"))
        session.nack(multi, const.ESME_RINVCMDID)
        await script.play(
            "<< query_sm_resp 2 message_state=2",
            "<< cancel_sm_resp 3 ESME_RCANCELFAIL",
            "<< replace_sm_resp 4 ESME_RREPLACEFAIL",
            "<< generic_nack 5 ESME_RINVCMDID",
        )
        assert not front.meters.account("acme1").refused


async def test_an_error_of_ours_costs_one_message():
    """A journey that raises is answered with ESME_RSYSERR, logged without the error's words, and the session goes on."""
    async with front_door() as front:
        script = await front.bound()
        front.notes.fails = True
        with capture_logs() as logs:
            await script.play(
                ">> submit_sm 2",
                "<< submit_sm_resp 2 ESME_RSYSERR",
                ">> query_sm 3 message_id=1",
                "<< query_sm_resp 3 ESME_RSYSERR",
            )
        assert [line["event"] for line in logs] == ["request_failed"] * 2
        assert "content" not in str(logs)
        front.notes.fails = False
        await script.play(">> submit_sm 4")
        assert front.session_of(script).undecided == 1


async def test_a_receiver_has_room_for_its_window():
    """`room` is the deliver window less what is unanswered: deliver_window, or window where none is given (CONFORMANCE 72)."""
    async with front_door(account(window=3), account("acme2", window=3, deliver_window=1)) as front:
        session = front.session_of(script := await front.bound("receiver"))
        assert session.room == 3
        session.deliver(owed(1, RECEIPT))
        assert session.room == 2
        await script.play("<< deliver_sm 1", ">> deliver_sm_resp 1")
        assert session.room == 3
        assert front.session_of(await front.bound(system_id="acme2")).room == 1
        assert front.session_of(await front.bound("transmitter")).room == 0


async def test_what_is_owed_goes_out_as_it_is():
    """A deliver_sm or data_sm body is sent byte for byte, and the answer's status comes back with its row."""
    data = pdu.data_sm_body(source=b"8613800138000", dest=b"1069", tlvs=append(const.TAG_MESSAGE_PAYLOAD, b"a\0b"))
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        session.deliver(row := owed(1, RECEIPT))
        session.deliver(owed(2, data, command=const.DATA_SM))
        assert row.session is session
        await script.play(
            f"<< deliver_sm 1 body=hex:{RECEIPT.hex()}",
            f"<< data_sm 2 body=hex:{data.hex()}",
            ">> data_sm_resp 2 ESME_RX_T_APPN",
            ">> deliver_sm_resp 1",
        )
        assert front.notes.delivered == [(2, const.ESME_RX_T_APPN), (1, 0)]


async def test_a_33_session_gets_neither_tlvs_nor_data_sm():
    """Below 3.4 a receipt loses its TLVs and a data_sm becomes a deliver_sm with its payload as text (CONFORMANCE 52, 100)."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound(version=0x33))
        session.deliver(owed(1, RECEIPT))
        data = pdu.data_sm_body(source=b"86138", dest=b"1069", data_coding=8, tlvs=append(const.TAG_MESSAGE_PAYLOAD, b"MO"))
        session.deliver(owed(2, data, command=const.DATA_SM))
        await script.play(
            "<< deliver_sm 1 short_message='id:1 stat:DELIVRD' esm_class=4 tlv=",
            "<< deliver_sm 2 short_message=MO source=86138 dest=1069 data_coding=8 tlv=",
        )
        long = pdu.data_sm_body(source=b"8" * 40, dest=b"1069")
        session.deliver(owed(3, long, command=const.DATA_SM))
        assert front.notes.delivered == [(3, const.ESME_RINVDSTADR)]
        assert session.delivering == 2


async def test_no_answer_comes_back_as_none():
    """A delivery that is not answered in time frees its place and is None; a late answer changes nothing (CONFORMANCE 63, 171)."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        session.deliver(owed(1, RECEIPT))
        await script.play("<< deliver_sm 1", "== 25", ">> enquire_link 2", "<< enquire_link_resp 2", "== 25")
        await script.play(">> enquire_link 3", "<< enquire_link_resp 3", "== 11")
        assert front.notes.delivered == [(1, None)]
        assert session.room == 50
        await script.play(">> deliver_sm_resp 1")
        assert front.notes.delivered == [(1, None)]
        assert session.delivering == 0


async def test_a_nack_or_a_wrong_kind_of_answer_is_a_refusal():
    """generic_nack, and the answer to another kind of request, never count as delivered (CONFORMANCE 18, 21)."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        for number in (1, 2, 3):
            session.deliver(owed(number, RECEIPT))
        await script.play(
            *[f"<< deliver_sm {n}" for n in (1, 2, 3)],
            ">> generic_nack 1 ESME_RINVCMDID",
            ">> generic_nack 2",
            ">> submit_sm_resp 3",
        )
        assert front.notes.delivered == [(1, const.ESME_RINVCMDID), (2, const.ESME_RUNKNOWNERR), (3, const.ESME_RUNKNOWNERR)]


async def test_a_lost_session_gives_back_what_it_was_owed():
    """Unanswered deliveries of a lost connection come back as None, after the session is no receiver any more."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        session.deliver(owed(1, RECEIPT))
        session.deliver(owed(2, RECEIPT))
        await script.play("<< deliver_sm 1", "<< deliver_sm 2", ">> closed")
        assert front.notes.delivered == [(1, None), (2, None)]
        assert (session.room, session.delivering, len(front.registry)) == (0, 0, 0)


async def test_an_answer_for_a_lost_session_goes_nowhere():
    """A submit that is decided after its connection was lost is answered into the void, without an error."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(">> submit_sm 2", ">> closed")
        front.notes.answer(b"1")
        assert not script.transport.written


async def test_a_peer_that_does_not_read_is_sent_nothing_more():
    """While the peer leaves its octets unread there is no room and nothing is read from it; then it is closed (CONFORMANCE 71)."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        script.transport.full()
        assert session.room == 0
        assert script.transport.paused
        script.transport.empty()
        assert session.room == 50
        assert not script.transport.paused
        script.transport.full()
        await script.play("== 31", "<< closed peer_does_not_read")


async def test_an_unbind_of_the_peer_waits_for_answers_owed():
    """After the peer's unbind its submits are still answered, then unbind_resp, then the close (CONFORMANCE 35)."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(">> submit_sm 2", ">> unbind 3")
        session = front.session_of(script)
        assert (session.bound, session.room) == (False, 0)
        front.notes.answer(b"9")
        await script.play("<< submit_sm_resp 2 message_id=9", "<< unbind_resp 3", "<< closed unbound_by_peer")


async def test_our_unbind_settles_first():
    """When we unbind: new submits get ESME_RSYSERR, nothing more is delivered, what is open ends first (CONFORMANCE 36)."""
    async with front_door() as front:
        session = front.session_of(script := await front.bound())
        session.deliver(owed(1, RECEIPT))
        await script.play("<< deliver_sm 1", ">> submit_sm 2")
        session.unbind("kicked")
        assert not front.registry.receivers(session.account.id)
        await script.play(">> submit_sm 3", "<< submit_sm_resp 3 ESME_RSYSERR", ">> deliver_sm_resp 1", "== 0.1")
        front.notes.answer(b"5")
        await script.play(
            "<< submit_sm_resp 2 message_id=5", "== 0.1", "<< unbind 2", ">> enquire_link 4", "<< enquire_link_resp 4"
        )
        with capture_logs() as logs:
            await script.play(">> unbind_resp 2", "<< closed")
        assert [(line["event"], line["reason"]) for line in logs] == [("unbound", "kicked")]
        assert front.notes.delivered == [(1, 0)]


async def test_our_unbind_does_not_wait_for_ever():
    """A session that settles nothing gets its unbind when the wait is over, and is closed when it does not answer that."""
    async with front_door() as front:
        script = await front.bound()
        await script.play(">> submit_sm 2")
        front.session_of(script).unbind("kicked", 3)
        await script.play("== 2", "== 2", "<< unbind 1", "== 6", "<< closed")


async def test_crossing_unbinds_are_both_answered():
    """When both sides unbind at once each gets its answer (CONFORMANCE 37)."""
    async with front_door() as front:
        script = await front.bound()
        front.session_of(script).unbind("kicked")
        await script.play("<< unbind 1", ">> unbind 2", "<< unbind_resp 2")


async def test_a_session_says_who_it_is_and_no_more():
    """The repr names number, system_id and kind."""
    async with front_door() as front:
        script = front.script()
        assert repr(front.session_of(script)) == "<TenantSession 1 - unbound>"
        assert repr(front.session_of(await front.bound("receiver"))) == "<TenantSession 2 acme1 rx>"
