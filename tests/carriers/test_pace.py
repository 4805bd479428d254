from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.carriers.pace import HOLD_S, LEAST, Pace


def taken(pace: Pace, start: float, seconds: float, *, step: float = 0.01) -> int:
    """Take all that is given for so long; returns how many, with ticks as the daemon gives them."""
    count = 0
    for turn in range(round(seconds / step)):
        now = start + turn * step
        pace.tick(now)
        while pace.take(now):
            count += 1
            assert count < 1_000_000, "no limit at all"
    return count


def test_without_a_rate_everything_goes():
    """A link without a rate gives leave every time."""
    pace = Pace(0, 100.0)
    assert all(pace.take(100.0) for _ in range(10_000))
    assert (pace.limit, pace.slowed) == (0.0, False)


def test_a_rate_holds_in_any_second():
    """A rate of 100 gives 100 a second, and no more than an eighth beyond it in any one second, the first included."""
    pace = Pace(100, 100.0)
    assert 100 <= taken(pace, 100.0, 1.0) <= 113
    assert 995 <= taken(pace, 101.0, 10.0) <= 1_005


def test_ticks_alone_keep_the_rate():
    """With a look every tenth of a second, no leave is lost."""
    assert 970 <= taken(Pace(100, 100.0), 100.0, 10.0, step=0.1) <= 1_013


def test_one_a_second_is_a_rate():
    """The lowest rate gives one message, then one each second."""
    pace = Pace(1, 100.0)
    assert pace.take(100.0)
    assert not pace.take(100.9)
    assert pace.take(101.0)


def test_leave_can_be_given_back():
    """A slot that was not used costs nothing of the rate."""
    pace = Pace(1, 100.0)
    assert pace.take(100.0)
    pace.give_back()
    assert pace.take(100.0)


def test_leave_is_what_will_be_given_soon():
    """What is saved up, and what comes meanwhile; all that is asked for where there is no rate; none while that is a few."""
    pace = Pace(80, 100.0)
    assert pace.leave(100.0, 1_000) == 13
    assert pace.leave(100.0, 7) == 7
    assert [pace.take(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert pace.leave(100.025, 1_000) == 0
    assert pace.ready(100.025)
    assert pace.leave(100.1, 1_000) == 11
    assert pace.throttled(100.1, 100.05)
    assert pace.leave(100.2, 1_000) == 0
    assert Pace(0, 100.0).leave(100.0, 1_000) == 1_000
    assert Pace(1, 100.0).leave(100.0, 1_000) == 2


def test_ready_takes_nothing():
    """Asking whether there is leave does not use it."""
    pace = Pace(1, 100.0)
    assert pace.ready(100.0)
    assert pace.take(100.0)
    assert not pace.ready(100.0)


def test_a_throttle_answer_holds_and_halves():
    """After a throttle answer nothing goes for a moment, and then half as much a second."""
    pace = Pace(100, 100.0)
    assert pace.throttled(101.0, sent_at=100.9)
    assert pace.slowed
    assert pace.limit == 50.0
    assert not pace.take(101.0 + HOLD_S / 2)
    assert 8 <= taken(pace, 101.0 + HOLD_S, 0.2) <= 12


def test_what_was_on_its_way_says_nothing_new():
    """Throttle answers to messages sent before the slow-down halve nothing; one sent since does."""
    pace = Pace(100, 100.0)
    pace.throttled(101.0, sent_at=100.9)
    for _ in range(99):
        assert not pace.throttled(101.5, sent_at=100.95)
    assert pace.limit == 50.0
    pace.throttled(102.0, sent_at=101.6)
    assert pace.limit == 25.0


def test_a_slow_down_ends_by_itself():
    """Without further throttle answers the configured rate is in force again within half a minute, and its end is told once."""
    pace = Pace(100, 100.0)
    pace.throttled(101.0, sent_at=100.9)
    ended = [second for second in range(60) if pace.tick(102.0 + second)]
    assert len(ended) == 1
    assert 5 <= ended[0] <= 30
    assert (pace.limit, pace.slowed) == (100.0, False)


def test_without_a_rate_half_of_what_went_is_kept():
    """A link without a rate slows down to half of what it was doing, and is free again once twice as much has passed."""
    pace = Pace(0, 100.0)
    for _ in range(1_000):
        pace.take(100.5)
    pace.tick(101.0)
    pace.throttled(101.2, sent_at=101.1)
    assert pace.limit == pytest.approx(500.0)
    ends = next(second for second in range(120) if pace.tick(102.0 + second))
    assert 20 <= ends <= 60
    assert pace.limit == 0.0


def test_a_burst_that_is_throttled_at_once_is_measured():
    """A link throttled in its first second slows down from what it was doing, not from nothing."""
    pace = Pace(0, 100.0)
    for _ in range(200):
        pace.take(100.2)
    pace.throttled(100.5, sent_at=100.2)
    assert pace.limit == pytest.approx(200.0)


def test_a_carrier_that_takes_less_is_found_out():
    """Against a carrier that takes 100 a second, a link without a rate settles near that, with few messages throttled."""
    pace = Pace(0, 0.0)
    allowed, throttled, sent, second = 100, 0, 0, -1
    for turn in range(12_000):
        now = 1.0 + turn * 0.01
        pace.tick(now)
        if int(now) != second:
            second, allowed = int(now), 100
        for _ in range(100):
            if not pace.take(now):
                break
            if allowed:
                allowed -= 1
                sent += turn >= 6_000
            else:
                throttled += turn >= 6_000
                pace.throttled(now, sent_at=now)
    assert sent >= 60 * 55
    assert throttled <= sent / 100


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.sampled_from(["take", "throttled", "tick", "give_back"])), max_size=200))
def test_no_history_stops_a_link_for_good(history: list[tuple[float, str]]):
    """Whatever happened, a link gives leave again within two seconds of quiet."""
    pace, now = Pace(50, 0.0), 1.0
    for passed, what in history:
        now += passed
        match what:
            case "take":
                pace.take(now)
            case "throttled":
                pace.throttled(now, now)
            case "tick":
                pace.tick(now)
            case _:
                pace.give_back()
    assert pace.limit >= LEAST
    assert taken(pace, now, 2.0) >= 1
