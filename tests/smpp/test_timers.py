"""Timers: what is due when."""

from __future__ import annotations

import pytest

from smsgw.smpp.timers import Due, Timers

SETTINGS = {
    "session_init_s": 10.0,
    "enquire_link_s": 30.0,
    "response_timeout_s": 5.0,
    "inactivity_s": 100.0,
    "slow_pdu_s": 7.0,
}


def due(timers: Timers, now: float, *, bound: bool = True, **changed: float) -> Due:
    """Ask the timers with these settings changed."""
    return timers.due(now, bound=bound, **{**SETTINGS, **changed})


def test_a_connection_that_does_not_bind_ends():
    """The time from connecting to bind is limited, and octets that dribble in do not extend it."""
    timers = Timers(0.0)
    timers.heard(9.0)
    assert due(timers, 10.0, bound=False) is Due.NOTHING
    assert due(timers, 10.1, bound=False) is Due.SESSION_INIT


def test_silence_is_asked_about_and_then_ends_the_session():
    """After enquire_link_s of silence the peer is asked; without an answer within the response time-out it is dead."""
    timers = Timers(0.0)
    assert due(timers, 30.0) is Due.NOTHING
    assert due(timers, 30.1) is Due.ENQUIRE
    timers.enquired_at = 30.1
    assert due(timers, 35.0) is Due.NOTHING
    assert due(timers, 35.2) is Due.NO_ENQUIRE_LINK_RESP


def test_anything_heard_answers_the_question():
    """Any octets from the peer show that it lives."""
    timers = Timers(0.0)
    timers.enquired_at = 31.0
    timers.heard(33.0)
    assert due(timers, 40.0) is Due.NOTHING


def test_keep_alive_is_no_activity():
    """enquire_link does not count as a transaction: a session that only keeps alive is inactive in the end."""
    timers = Timers(0.0)
    timers.heard(99.0)
    assert due(timers, 100.5) is Due.INACTIVE


def test_half_a_pdu_must_become_whole():
    """An incomplete PDU ends the session after slow_pdu_s, bound or not."""
    timers = Timers(0.0)
    timers.partial_since = 1.0
    assert due(timers, 8.0, bound=False) is Due.NOTHING
    assert due(timers, 8.1, bound=False) is Due.SLOW_PDU


@pytest.mark.parametrize("name", ["session_init_s", "enquire_link_s", "inactivity_s", "slow_pdu_s"])
def test_nought_switches_a_timer_off(name: str):
    """A time-out of 0 never runs out."""
    timers = Timers(0.0)
    timers.partial_since = 1.0 if name == "slow_pdu_s" else 0.0
    off = {**dict.fromkeys(SETTINGS, 0.0), "response_timeout_s": 5.0}
    assert timers.due(1e9, bound=name != "session_init_s", **off) is Due.NOTHING


def test_without_a_response_time_out_silence_after_a_question_ends_nothing():
    """response_timeout_s of 0 never runs out: a peer that has not answered by the next tick is not taken for dead."""
    timers = Timers(0.0)
    timers.enquired_at = 31.0
    assert due(timers, 1e9, response_timeout_s=0.0, inactivity_s=0.0) is Due.NOTHING
