"""Who is bound now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.tenants.registry import Registry
from tests.tenants.front import account, front_door


async def test_receivers_are_those_that_may_be_delivered_to():
    """Receivers are an account's RX and TRX sessions, oldest first; a transmitter is a session only (CONFORMANCE 30, 179)."""
    async with front_door(account(id=1), account("acme2", id=2)) as front:
        scripts = [await front.bound(kind) for kind in ("receiver", "transmitter", "transceiver")]
        other = await front.bound(system_id="acme2")
        rx, tx, trx, theirs = map(front.session_of, [*scripts, other])
        registry = front.registry
        assert list(registry.receivers(1)) == [rx, trx]
        assert list(registry.of(1)) == [rx, tx, trx]
        assert list(registry.receivers(2)) == [theirs]
        assert list(registry.receivers(3)) == []
        assert list(registry.sessions()) == [rx, tx, trx, theirs]
        assert (len(registry), sorted(registry.receiving())) == (4, [1, 2])
        await scripts[0].play(">> closed")
        assert list(registry.receivers(1)) == [trx]
        trx.unbind("kicked")
        assert not registry.receivers(1)
        assert list(registry.of(1)) == [tx, trx]
        await scripts[2].play("<< unbind 1", ">> unbind_resp 1", "<< closed")
        await scripts[1].play(">> closed")
        assert (list(registry.of(1)), registry.receiving()) == ([], [2])


async def test_binding_is_told():
    """on_bound hears of every session that bound, on_receiver_bound of accounts that may be delivered to now."""
    async with front_door(account(id=1)) as front:
        bound, receivers = [], []
        front.registry.on_bound = lambda session: bound.append(session.bound_kind)
        front.registry.on_receiver_bound = receivers.append
        await front.bound("transmitter")
        await front.bound("receiver")
        assert (bound, receivers) == (["tx", "rx"], [1])


async def test_undecided_counts_over_all_sessions():
    """`undecided` is what drain waits for: submits without an answer, of all sessions."""
    async with front_door() as front:
        for _ in range(2):
            script = await front.bound()
            await script.play(">> submit_sm 2", ">> submit_sm 3")
        assert front.registry.undecided == 4
        front.notes.answer()
        assert front.registry.undecided == 3


async def test_what_did_not_change_is_left_alone():
    """A new Directory that shares an account with the one before does not touch its sessions."""
    async with front_door(account(window=3)) as front:
        session = front.session_of(await front.bound())
        session.window = 1
        front.registry.apply(front.directory)
        assert session.window == 1
        front.directory.change("acme1", rate=5)
        front.registry.apply(front.directory)
        assert (session.window, session.account.rate) == (3, 5)


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=60), st.integers(0, 4))
def test_claims_never_exceed_their_limit(steps: list[tuple[int, bool]], limit: int):
    """Whatever comes and goes, an account holds at most `limit` claims (0: any number), and a released one is free again."""
    registry = Registry()
    held: dict[int, int] = {}
    for account_id, claims in steps:
        taken = held.get(account_id, 0)
        if claims:
            granted = registry.claim(account_id, limit)
            assert granted == (not limit or taken < limit)
            held[account_id] = taken + granted
        elif taken:
            registry.release(account_id)
            held[account_id] = taken - 1
    assert {key: claims.total() for key, claims in registry._claims.items()} == {key: count for key, count in held.items() if count}
