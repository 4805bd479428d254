from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from smsgw.model import Account, Tenant
from smsgw.policy.throttle import RECIPIENT, Bucket, Throttle

ACCOUNT = Account(7, "acme1", Tenant(1, "acme", "CNY"), rate=10, burst=30)


def test_the_first_burst_passes_whole():
    """A bucket starts full, and what exceeds it is refused without taking anything."""
    bucket = Bucket(10, 30, 0.0)
    assert bucket.take(30, 0.0)
    assert not bucket.take(1, 0.0)


def test_it_refills_at_its_rate_and_no_further_than_the_burst():
    """A tenth of a second is worth one token at 10 a second; an hour is worth the burst."""
    bucket = Bucket(10, 30, 0.0)
    bucket.take(30, 0.0)
    assert not bucket.take(2, 0.1)
    assert bucket.take(1, 0.1)
    assert bucket.take(30, 3600.0)
    assert not bucket.take(1, 3600.0)


def test_without_a_burst_a_second_of_the_rate_may_come_at_once():
    """A burst of 0, or one below the rate, is the rate."""
    for burst in (0, 3):
        bucket = Bucket(10, burst, 0.0)
        assert all(bucket.take(1, 0.0) for _ in range(10))
        assert not bucket.take(1, 0.0)


def test_a_message_longer_than_the_burst_passes_when_the_bucket_is_full():
    """It leaves a debt, which is refilled before anything else passes: no message is throttled for ever."""
    bucket = Bucket(2, 3, 0.0)
    assert bucket.take(7, 0.0)
    assert not bucket.take(1, 2.0)
    assert bucket.take(1, 2.5)
    assert not bucket.take(7, 3.0)


def test_what_is_given_back_can_be_taken_again():
    """Tokens of a message that was refused after all return, up to the burst."""
    bucket = Bucket(10, 30, 0.0)
    bucket.take(30, 0.0)
    bucket.give_back(5)
    assert bucket.take(5, 0.0)
    bucket.give_back(100)
    assert bucket.take(30, 0.0)
    assert not bucket.take(1, 0.0)


def test_each_account_has_its_own_bucket():
    """One account that has used up its tokens takes none of another's; one without a rate needs none."""
    throttle = Throttle()
    assert throttle.take(ACCOUNT, 30, 0.0) == ""
    assert throttle.take(ACCOUNT, 1, 0.0) == "rate"
    assert throttle.take(replace(ACCOUNT, id=8), 30, 0.0) == ""
    assert not any(throttle.take(replace(ACCOUNT, id=9, rate=0), 1_000, 0.0) for _ in range(3))


def test_new_limits_hold_at_once():
    """A changed rate starts a new bucket, a changed burst cuts the one there is, also back to none."""
    throttle = Throttle()
    throttle.take(ACCOUNT, 30, 0.0)
    assert not throttle.take(replace(ACCOUNT, rate=100, burst=0), 100, 0.0)
    full = replace(ACCOUNT, id=8)
    throttle.take(full, 1, 0.0)
    assert not throttle.take(replace(full, burst=0), 10, 60.0)
    assert throttle.take(replace(full, burst=0), 1, 60.0)


def test_accounts_that_are_gone_are_forgotten():
    """A bucket is kept for accounts that exist; one that comes back starts full."""
    throttle = Throttle()
    throttle.take(ACCOUNT, 30, 0.0)
    throttle.forget({ACCOUNT.id})
    assert throttle.take(ACCOUNT, 30, 0.0)
    throttle.forget(set())
    assert not throttle.take(ACCOUNT, 30, 0.0)


@given(
    st.integers(1, 1_000),
    st.integers(0, 5_000),
    st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(1, 20)), max_size=60),
)
def test_no_more_passes_than_burst_plus_rate(rate: int, burst: int, asked: list[tuple[float, int]]):
    """However messages come, no more than burst (or one message that is longer) + rate × time ever passes."""
    bucket, now, passed = Bucket(rate, burst, 0.0), 0.0, 0
    for pause, parts in asked:
        now += pause
        passed += parts if bucket.take(parts, now) else 0
        assert passed <= max(burst, rate, *(parts for _, parts in asked)) + rate * now + 1e-6


class Session:
    """Who keeps a session's bucket."""

    bucket: Bucket | None = None


def test_every_kind_of_bucket_limits_by_its_own_rate():
    """Session, sender and recipient have rates of their own; the refusal says which one it was."""
    limited = replace(ACCOUNT, rate=100, burst=100, session_rate=5, sender_rate=3.0, recipient_rate=0.5, recipient_burst=2)
    throttle, one, other = Throttle(), Session(), Session()

    def take(source: str, to: str, session: Session, now: float = 0.0) -> str:
        return throttle.take(limited, 1, now, source=source, to=to, session=session)

    assert [take("a", "861", one) for _ in range(3)] == ["", "", "recipient_rate"]
    assert take("a", "862", one) == ""
    assert take("a", "863", one) == "sender_rate"
    assert [take("b", "863", one), take("b", "864", one), take("b", "865", one)] == ["", "", "session_rate"]
    assert take("b", "865", other) == ""
    assert take("c", "+861", other, 1.9) == "recipient_rate"
    assert take("c", "+861", other, 2.0) == ""


def test_who_is_refused_by_one_bucket_takes_from_none():
    """A message that its recipient's bucket refuses leaves the account's as it was."""
    limited = replace(ACCOUNT, rate=10, burst=10, recipient_rate=1.0)
    throttle = Throttle()
    assert throttle.take(limited, 1, 0.0, to="1") == ""
    assert [throttle.take(limited, 1, 0.0, to="1") for _ in range(20)] == ["recipient_rate"] * 20
    assert [throttle.take(limited, 1, 0.0, to=str(to)) for to in range(2, 12)] == [""] * 9 + ["rate"]


def test_a_message_that_is_refused_later_gives_all_back():
    """What a route, a balance or a quota refuses cost no token of any kind."""
    limited = replace(ACCOUNT, rate=10, burst=10, session_rate=10, sender_rate=10.0, recipient_rate=10.0)
    throttle, session = Throttle(), Session()
    for _ in range(100):
        assert throttle.take(limited, 10, 0.0, source="a", to="1", session=session) == ""
        throttle.give_back(limited, 10, 0.0, source="a", to="1", session=session)
    assert throttle.take(limited, 10, 0.0, source="a", to="1", session=session) == ""


def test_senders_and_recipients_are_bounded():
    """Over the cap the bucket that was used longest ago goes, and is counted."""
    limited = replace(ACCOUNT, rate=0, recipient_rate=1.0)
    throttle = Throttle(most=3)
    for to in ("1", "2", "3", "1", "4"):
        throttle.take(limited, 1, 0.0, to=to)
    assert (len(throttle), throttle.dropped) == (3, 1)
    assert throttle.take(limited, 1, 0.5, to="1") == "recipient_rate"
    assert throttle.take(limited, 1, 0.5, to="2") == ""
    throttle.forget(set())
    assert len(throttle) == 0


def offer(throttle: Throttle, account: Account, begin: float, seconds: float, sizes: tuple[int, ...]) -> list[tuple[float, int]]:
    """Offer messages of these sizes, over and over, three times as fast as the rate allows; returns what passed, and when."""
    passed, now, number = [], begin, 0
    while now < begin + seconds:
        parts = sizes[number % len(sizes)]
        if not throttle.take(account, parts, now):
            passed.append((now, parts))
        now += parts / (3 * account.rate)
        number += 1
    return passed


def test_a_burst_and_then_the_rate():
    """100 parts/s with a burst of 200: 200 pass at once, then 100/s within 2 % over 30 s; long messages count by their parts."""
    limited = replace(ACCOUNT, rate=100, burst=200)
    for sizes in ((1,), (1, 2, 3), (5,)):
        throttle = Throttle()
        assert sum(0 if throttle.take(limited, 1, 1_000.0) else 1 for _ in range(500)) == 200
        passed = sum(parts for _, parts in offer(throttle, limited, 1_000.0, 30.0, sizes))
        assert abs(passed - 3_000) <= 60


def test_the_same_across_a_restart():
    """A process that learns what the one before it had told goes on where that one stopped: no second burst."""
    limited = replace(ACCOUNT, rate=100, burst=200)
    before = Throttle()
    assert sum(0 if before.take(limited, 1, 0.0) else 1 for _ in range(500)) == 200
    first = offer(before, limited, 0.0, 15.0, (1, 2, 3))
    told = [share for _, share in before.shares(15.0, 10)]
    after = Throttle()
    after.know([(share.kind, share.key, share.full_in_s) for share in told], 515.0)  # another process, another clock
    second = offer(after, limited, 515.0, 15.0, (1, 2, 3))
    passed = sum(parts for _, parts in first + second)
    assert abs(passed - 3_000) <= 60


def test_what_others_took_is_a_debt():
    """A bucket that hears that it is to be full later lets nothing pass until the rate has paid for it."""
    bucket = Bucket(10, 20, 0.0)
    assert bucket.take(20, 0.0)
    assert bucket.share(0.5).taken == 20
    bucket.take(2, 0.5)
    bucket.learn(4.0, 0.5)  # somebody else has taken as much
    assert round(bucket.level(0.5)) == -22
    assert not bucket.take(1, 2.6)
    assert bucket.take(1, 2.8)


def test_keys_tell_no_address():
    """What is told of a recipient is a keyed hash: another key gives another one, the same key the same."""
    limited = replace(ACCOUNT, rate=0, recipient_rate=1.0)
    keys = []
    for key in (b"one", b"one", b"other"):
        throttle = Throttle(key)
        throttle.take(limited, 1, 0.0, to="8613800138000")
        ((_, share),) = throttle.shares(0.0, 10)
        assert share.kind == RECIPIENT
        keys.append(share.key)
    assert keys[0] == keys[1] != keys[2]
    assert 8613800138000 not in keys
