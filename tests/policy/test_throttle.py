from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from smsgw.model import Account, Tenant
from smsgw.policy.throttle import Bucket, Throttle

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
    assert throttle.take(ACCOUNT, 30, 0.0)
    assert not throttle.take(ACCOUNT, 1, 0.0)
    assert throttle.take(replace(ACCOUNT, id=8), 30, 0.0)
    assert all(throttle.take(replace(ACCOUNT, id=9, rate=0), 1_000, 0.0) for _ in range(3))


def test_new_limits_hold_at_once():
    """A changed rate starts a new bucket, a changed burst cuts the one there is, also back to none."""
    throttle = Throttle()
    throttle.take(ACCOUNT, 30, 0.0)
    assert throttle.take(replace(ACCOUNT, rate=100, burst=0), 100, 0.0)
    full = replace(ACCOUNT, id=8)
    throttle.take(full, 1, 0.0)
    assert throttle.take(replace(full, burst=0), 10, 60.0)
    assert not throttle.take(replace(full, burst=0), 1, 60.0)


def test_accounts_that_are_gone_are_forgotten():
    """A bucket is kept for accounts that exist; one that comes back starts full."""
    throttle = Throttle()
    throttle.take(ACCOUNT, 30, 0.0)
    throttle.forget({ACCOUNT.id})
    assert not throttle.take(ACCOUNT, 30, 0.0)
    throttle.forget(set())
    assert throttle.take(ACCOUNT, 30, 0.0)


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
