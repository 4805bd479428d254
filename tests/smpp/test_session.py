"""Session: framing, states, answers of its own, requests and their answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.smpp import bodies, const
from smsgw.smpp.pdu import HEADER, Pdu, encode, sm_body
from smsgw.smpp.session import LEGAL, LateResponse, Role, Session, SessionSettings, SessionState

SUBMIT = sm_body(source=b"1000", dest=b"2000", short_message=b"hello")
KNOWN = sorted(number for number in const.COMMAND_NAMES if not number & const.RESP)


def session(role: Role = Role.MC, *, bound: int | None = const.BIND_TRANSCEIVER, **settings: float) -> Session:
    """Make a session, bound unless told otherwise."""
    made = Session(role, SessionSettings(**settings), 0.0)  # type: ignore[arg-type]
    if bound is not None:
        made.bound_as(bound, const.V34)
    return made


def said(made: Session) -> list[tuple[int, int, int]]:
    """What the session has written, as (command, status, sequence); empties it."""
    octets = b"".join(made.out)
    made.out.clear()
    found, at = [], 0
    while at < len(octets):
        length, command, status, sequence = HEADER.unpack_from(octets, at)
        found.append((command, status, sequence))
        at += length
    return found


# ---- framing (CONFORMANCE 1-8, 20-23) ------------------------------------------------------------------------------------


def test_pdus_come_whole_however_they_are_cut():
    """Two PDUs fed octet by octet come out whole, each once (item 1)."""
    made = session()
    stream = encode(const.SUBMIT_SM, 0, 1, SUBMIT) + encode(const.SUBMIT_SM, 0, 2, SUBMIT)
    got = [pdu for octet in stream for pdu in made.receive(bytes((octet,)), 0.0)]
    assert [pdu.sequence for pdu in got] == [1, 2]
    assert got[0].octets == stream[: len(stream) // 2]


@pytest.mark.parametrize("length", [0, 1, 15, 70_001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_answered_and_ends_the_stream(length: int):
    """command_length below 16 or over the limit gets generic_nack ESME_RINVCMDLEN with its number, then the end (items 2-4, 6)."""
    made = session()
    made.receive(HEADER.pack(length, const.SUBMIT_SM, 0, 77), 0.0)
    assert said(made) == [(const.GENERIC_NACK, const.ESME_RINVCMDLEN, 77)]
    assert made.closing == "bad_length"
    assert made.receive(encode(const.ENQUIRE_LINK, 0, 1), 0.0) == []


def test_a_bad_length_is_seen_before_the_header_is_whole():
    """Four octets are enough to know; the sequence number is unknown then, so the nack carries 0 (items 3, 6)."""
    made = session()
    made.receive(b"\xff\xff\xff\xff", 0.0)
    assert said(made) == [(const.GENERIC_NACK, const.ESME_RINVCMDLEN, 0)]


def test_a_full_message_payload_fits():
    """The limit of a PDU admits 65,535 octets of message_payload (item 5)."""
    made = session()
    body = sm_body(source=b"1", dest=b"2", tlvs=const.TAG_MESSAGE_PAYLOAD.to_bytes(2, "big") + b"\xff\xff" + bytes(65_535))
    assert len(made.receive(encode(const.SUBMIT_SM, 0, 1, body), 0.0)) == 1


def test_an_unknown_command_is_nacked_and_skipped():
    """generic_nack ESME_RINVCMDID with the same number; the next PDU is read where it starts (items 7, 24)."""
    made = session()
    got = made.receive(encode(0x00010200, 0, 9, b"whatever") + encode(const.SUBMIT_SM, 0, 10, SUBMIT), 0.0)
    assert said(made) == [(const.GENERIC_NACK, const.ESME_RINVCMDID, 9)]
    assert [pdu.sequence for pdu in got] == [10]


@pytest.mark.parametrize("command", [0x80010200, const.SUBMIT_SM_RESP, const.GENERIC_NACK, const.BIND_TRANSCEIVER_RESP])
def test_a_response_to_nothing_is_never_answered(command: int):
    """Unsolicited responses, known or not, are counted and let be (items 8, 17, 19)."""
    made = session()
    assert made.receive(encode(command, 0, 5), 0.0) == []
    assert said(made) == []
    assert made.bad_pdus == 1
    assert not made.closing


def test_bad_pdus_have_a_budget():
    """A peer that sends nothing but nonsense is let go after bad_pdu_limit of it (C14)."""
    made = session(bad_pdu_limit=3)
    for number in range(4):
        made.receive(encode(0x77, 0, number + 1), 0.0)
    assert made.closing == "too_many_bad_pdus"


def test_stray_octets_in_bodyless_pdus_are_skipped():
    """enquire_link with a body is answered all the same, without one (item 20)."""
    made = session()
    made.receive(encode(const.ENQUIRE_LINK, 0, 3, b"\0"), 0.0)
    assert b"".join(made.out) == encode(const.ENQUIRE_LINK_RESP, 0, 3)


@given(st.binary(max_size=400), st.integers(1, 400))
def test_any_octets_any_cut_never_an_exception(octets: bytes, cut: int):
    """Whatever a peer sends and however it is cut, the session answers or closes and never raises; cutting changes nothing."""
    whole, pieces = session(), session()
    at_once = whole.receive(octets, 0.0)
    in_two = pieces.receive(octets[:cut], 0.0) + pieces.receive(octets[cut:], 0.0)
    assert [p.octets for p in at_once] == [p.octets for p in in_two]
    assert whole.closing == pieces.closing


# ---- states (CONFORMANCE 25-42) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", [SessionState.OPEN, SessionState.BOUND_TX, SessionState.BOUND_RX, SessionState.BOUND_TRX])
@pytest.mark.parametrize("command", KNOWN)
def test_every_command_in_every_state_is_legal_or_refused(role: Role, state: SessionState, command: int):
    """A legal request reaches the application; every other one is answered by the core, once, and the session goes on."""
    made = session(role, bound=None)
    made._enter(state)
    got = made.receive(encode(command, 0, 42), 0.0)
    answers = said(made)
    if command in LEGAL[role, state]:
        assert [pdu.command for pdu in got] == [command]
        assert answers == []
    else:
        assert got == []
        assert len(answers) == (0 if command == const.ALERT_NOTIFICATION else 1)
        assert all(sequence == 42 for _, _, sequence in answers)


def test_only_binds_before_the_bind():
    """submit_sm in OPEN gets submit_sm_resp ESME_RINVBNDSTS (item 25); enquire_link is answered (item 26)."""
    made = session(bound=None)
    made.receive(encode(const.SUBMIT_SM, 0, 1, SUBMIT) + encode(const.ENQUIRE_LINK, 0, 2), 0.0)
    assert said(made) == [(const.SUBMIT_SM_RESP, const.ESME_RINVBNDSTS, 1), (const.ENQUIRE_LINK_RESP, 0, 2)]


@pytest.mark.parametrize("command", [const.SUBMIT_SM, const.QUERY_SM, const.CANCEL_SM, const.REPLACE_SM, const.DATA_SM])
def test_a_receiver_may_not_submit(command: int):
    """On a receiver bind submits are refused with their own response (items 28, 29)."""
    made = session(bound=const.BIND_RECEIVER)
    made.receive(encode(command, 0, 1), 0.0)
    assert said(made) == [(command | const.RESP, const.ESME_RINVBNDSTS, 1)]


@pytest.mark.parametrize("command", [const.BIND_RECEIVER, const.BIND_TRANSMITTER, const.BIND_TRANSCEIVER])
def test_a_second_bind_changes_nothing(command: int):
    """A bind on a bound session gets its response with ESME_RALYBND; the session stays as it was (item 33)."""
    made = session(bound=const.BIND_TRANSMITTER)
    made.receive(encode(command, 0, 4, bodies.bind_body(system_id=b"other")), 0.0)
    assert said(made) == [(command | const.RESP, const.ESME_RALYBND, 4)]
    assert made.state is SessionState.BOUND_TX


def test_a_carrier_may_deliver_on_a_transmitter():
    """Centres that do so exist: the request reaches the application and the bind lives (item 30)."""
    made = session(Role.ESME, bound=const.BIND_TRANSMITTER)
    assert [pdu.command for pdu in made.receive(encode(const.DELIVER_SM, 0, 1, SUBMIT), 0.0)] == [const.DELIVER_SM]


# ---- unbind (CONFORMANCE 35-38) ------------------------------------------------------------------------------------------


def test_unbind_is_answered_behind_what_is_owed():
    """Answers already owed go out before unbind_resp; requests after unbind are refused (item 35)."""
    made = session()
    (submit,) = made.receive(encode(const.SUBMIT_SM, 0, 1, SUBMIT), 0.0)
    made.receive(encode(const.UNBIND, 0, 2) + encode(const.SUBMIT_SM, 0, 3, SUBMIT), 0.0)
    assert said(made) == [(const.SUBMIT_SM_RESP, const.ESME_RINVBNDSTS, 3)]
    assert not made.closing
    made.respond(submit, 0, b"id\0")
    assert said(made) == [(const.SUBMIT_SM_RESP, 0, 1), (const.UNBIND_RESP, 0, 2)]
    assert made.closing == "unbound_by_peer"


def test_unbind_does_not_wait_for_ever():
    """When an answer that is owed never comes, unbind_wait_s is the end; the unbind is answered even so."""
    made = session(unbind_wait_s=5.0)
    made.receive(encode(const.SUBMIT_SM, 0, 1, SUBMIT) + encode(const.UNBIND, 0, 2), 0.0)
    made.tick(5.0)
    assert (said(made), made.closing) == ([], "")
    made.tick(5.1)
    assert (said(made), made.closing) == ([(const.UNBIND_RESP, 0, 2)], "unbound_by_peer")


def test_an_unbind_behind_what_has_no_response_of_its_own_is_answered():
    """A nacked submit_multi and an alert_notification are dealt with: the unbind in the same octets waits for nothing (item 35)."""
    made = session()
    (multi,) = made.receive(encode(const.SUBMIT_MULTI, 0, 1, SUBMIT) + encode(const.UNBIND, 0, 2), 0.0)
    made.nack(multi, const.ESME_RINVCMDID)
    assert said(made) == [(const.GENERIC_NACK, const.ESME_RINVCMDID, 1), (const.UNBIND_RESP, 0, 2)]
    made = session(Role.ESME)
    assert made.receive(encode(const.ALERT_NOTIFICATION, 0, 1, b"") + encode(const.UNBIND, 0, 2), 0.0)
    made.unanswerable()
    assert said(made) == [(const.UNBIND_RESP, 0, 2)]


def test_an_esme_hears_the_answers_that_a_leaving_centre_still_gives():
    """A centre unbinds with submits unanswered: unbind_resp and the end come behind its answers (item 38)."""
    made = session(Role.ESME, unbind_wait_s=5.0)
    made.request(const.SUBMIT_SM, SUBMIT, "a", 0.0)
    made.request(const.SUBMIT_SM, SUBMIT, "b", 0.0)
    said(made)
    made.receive(encode(const.UNBIND, 0, 9), 1.0)
    (answer,) = made.receive(encode(const.SUBMIT_SM_RESP, 0, 1, b"id\0"), 2.0)
    assert (answer.context, said(made), made.closing) == ("a", [], "")
    (answer,) = made.receive(encode(const.SUBMIT_SM_RESP, 0, 2, b"id\0"), 3.0)
    assert (answer.context, said(made), made.closing) == ("b", [(const.UNBIND_RESP, 0, 9)], "unbound_by_peer")


def test_our_unbind_closes_at_its_answer_and_crossing_requests_are_answered():
    """A deliver_sm that crosses our unbind still reaches the application (item 36)."""
    made = session(Role.ESME)
    made.unbind(1.0)
    assert said(made) == [(const.UNBIND, 0, 1)]
    got = made.receive(encode(const.DELIVER_SM, 0, 8, SUBMIT) + encode(const.UNBIND_RESP, 0, 1), 2.0)
    assert [pdu.sequence for pdu in got] == [8]
    assert made.closing == "unbound"


def test_crossing_unbinds_are_both_answered():
    """Our unbind and the peer's cross: the peer gets its answer (item 37)."""
    made = session()
    made.unbind(1.0)
    made.receive(encode(const.UNBIND, 0, 5), 1.0)
    assert said(made) == [(const.UNBIND, 0, 1), (const.UNBIND_RESP, 0, 5)]


def test_loss_brings_back_what_was_outstanding():
    """A connection that ends without unbind brings back all own requests (item 38)."""
    made = session(Role.ESME)
    made.request(const.SUBMIT_SM, SUBMIT, "a", 0.0)
    made.request(const.SUBMIT_SM, SUBMIT, "b", 0.0)
    assert made.lost() == ["a", "b"]
    assert made.state is SessionState.CLOSED


def test_loss_tells_what_never_left():
    """What was asked since the octets were taken last is the rest of what comes back, whatever was answered meanwhile."""
    made = session(Role.ESME)
    for name in "ab":
        made.request(const.SUBMIT_SM, SUBMIT, name, 0.0)
    made.written()
    made.receive(encode(const.SUBMIT_SM_RESP, 0, 1, b"id\0"), 0.0)
    for name in "cd":
        made.request(const.SUBMIT_SM, SUBMIT, name, 0.0)
    assert (made.lost(), made.unwritten) == (["b", "c", "d"], 2)


# ---- requests of ours (CONFORMANCE 10-18, 21, 63, 66) --------------------------------------------------------------------


def test_answers_come_back_with_their_context_in_any_order():
    """Matching is by sequence number alone (item 66)."""
    made = session(Role.ESME)
    for name in "ab":
        made.request(const.SUBMIT_SM, SUBMIT, name, 0.0)
    got = made.receive(encode(const.SUBMIT_SM_RESP, 0, 2, b"x\0") + encode(const.SUBMIT_SM_RESP, 0, 1, b"y\0"), 0.0)
    assert [pdu.context for pdu in got] == ["b", "a"]


def test_a_nack_is_the_final_answer_to_its_request():
    """generic_nack with the number of a pending request comes back with its context (item 18)."""
    made = session(Role.ESME)
    made.request(const.SUBMIT_SM, SUBMIT, "a", 0.0)
    (pdu,) = made.receive(encode(const.GENERIC_NACK, const.ESME_RINVCMDID, 1), 0.0)
    assert (pdu.context, pdu.command) == ("a", const.GENERIC_NACK)


def test_equal_numbers_in_both_directions_do_not_clash():
    """Each side has its own sequence space (item 13)."""
    made = session(Role.ESME)
    made.request(const.SUBMIT_SM, SUBMIT, "a", 0.0)
    (request,) = made.receive(encode(const.DELIVER_SM, 0, 1, SUBMIT), 0.0)
    assert request.context is None
    assert made.outstanding == 1


def test_a_late_answer_is_late_and_not_lost():
    """After its time-out a request is expired; its answer then comes back marked as late (item 63)."""
    made = session(Role.ESME, response_timeout_s=5.0)
    made.request(const.SUBMIT_SM, SUBMIT, "a", 0.0)
    assert made.tick(5.1) == ["a"]
    (pdu,) = made.receive(encode(const.SUBMIT_SM_RESP, 0, 1, b"id\0"), 6.0)
    assert isinstance(pdu.context, LateResponse)
    assert pdu.context.context == "a"


def test_high_sequence_numbers_are_echoed():
    """Peers send numbers above 0x7FFFFFFF: they come back unchanged (items 11, 12)."""
    made = session()
    (pdu,) = made.receive(encode(const.SUBMIT_SM, 0, 0xFFFFFFFE, SUBMIT), 0.0)
    made.respond(pdu, 0, b"id\0")
    assert said(made) == [(const.SUBMIT_SM_RESP, 0, 0xFFFFFFFE)]


def test_a_status_in_a_request_is_ignored():
    """command_status of a request means nothing (item 10)."""
    made = session()
    assert len(made.receive(encode(const.SUBMIT_SM, 99, 1, SUBMIT), 0.0)) == 1


# ---- keep-alive (CONFORMANCE 60-65) --------------------------------------------------------------------------------------


def test_silence_is_asked_about():
    """An idle session sends enquire_link, and ends when nothing comes back (item 61)."""
    made = session(enquire_link_s=30.0, response_timeout_s=5.0)
    made.tick(31.0)
    assert said(made) == [(const.ENQUIRE_LINK, 0, 1)]
    made.tick(37.0)
    assert made.closing == "enquire_link_timeout"


def test_an_answered_question_keeps_the_session():
    """enquire_link_resp, with whatever status, shows that the peer lives (item 65)."""
    made = session(enquire_link_s=30.0, response_timeout_s=5.0)
    made.tick(31.0)
    assert made.receive(encode(const.ENQUIRE_LINK_RESP, 8, 1), 32.0) == []
    made.tick(40.0)
    assert not made.closing
    assert made.bad_pdus == 0


def test_a_connection_that_never_binds_ends():
    """session_init_s after connecting without a bind the connection is closed (item 60)."""
    made = session(bound=None, session_init_s=10.0)
    made.receive(b"\0", 9.0)
    made.tick(10.5)
    assert made.closing == "session_init_timeout"


def test_half_a_pdu_does_not_pin_a_session():
    """A PDU that does not become whole in slow_pdu_s ends the session, however its octets dribble (item 23)."""
    made = session(slow_pdu_s=10.0)
    octets = encode(const.SUBMIT_SM, 0, 1, SUBMIT)
    for second in range(1, 13):
        made.receive(octets[second : second + 1], float(second))
        made.tick(float(second))
    assert made.closing == "slow_pdu_timeout"


def test_a_repr_shows_no_content():
    """A PDU's repr shows its header and length, nothing of its body."""
    assert "hello" not in repr(Pdu(encode(const.SUBMIT_SM, 0, 1, SUBMIT), const.SUBMIT_SM, 0, 1))
