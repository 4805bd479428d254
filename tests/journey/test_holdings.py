from __future__ import annotations

from smsgw.config import Hold
from smsgw.journey.holdings import ACCOUNT_FULL, FULL, Holdings
from smsgw.model import Account, Tenant
from smsgw.store.holds import Held

TENANT = Tenant(id=1, name="acme", currency="CNY")
ONE, TWO = (Account(id=number, system_id=f"acme{number}", tenant=TENANT) for number in (1, 2))


def test_what_is_held_has_a_bound_for_each_account_and_for_all():
    """Each entry takes a place, what has gone gives it back."""
    holdings = Holdings(Hold(per_account=2, total=3))
    assert [holdings.enter(ONE) for _ in range(3)] == [None, None, ACCOUNT_FULL]
    assert [holdings.enter(TWO) for _ in range(2)] == [None, FULL]
    holdings.leave(ONE.id, 1)
    assert holdings.enter(TWO) is None


def test_what_waits_for_its_hours_gives_its_place_back_and_has_bounds_of_its_own():
    """Over them it does not wait, and stays where it was."""
    holdings = Holdings(Hold(per_account=2, total=2, deferred_per_account=2, deferred_total=3))
    assert [holdings.enter(ONE) for _ in range(2)] == [None, None]
    assert holdings.defer(ONE.id, 2)
    assert [holdings.enter(ONE), holdings.enter(TWO)] == [None, None]
    assert not holdings.defer(ONE.id, 1)
    assert not holdings.defer(TWO.id, 2)
    assert holdings.defer(TWO.id, 1)
    assert [holdings.enter(TWO), holdings.enter(ONE)] == [None, FULL]
    holdings.leave(ONE.id, 2, waited=True)
    assert holdings.enter(TWO) == FULL
    assert holdings.defer(ONE.id, 1)


def test_what_the_store_has_counted_holds():
    """What other nodes hold fills the bounds here as well, each kind its own."""
    holdings = Holdings(Hold(per_account=5, total=9, deferred_per_account=4))
    kinds = ("parts", 2), ("review", 2), ("deferred", 4)
    holdings.count([Held(ONE.id, kind, texts=1, messages=messages, age_s=7.0) for kind, messages in kinds])
    assert not holdings.defer(ONE.id, 1)
    assert [holdings.enter(ONE) for _ in range(2)] == [None, ACCOUNT_FULL]
    holdings.count([])
    assert holdings.enter(ONE) is None
    assert holdings.defer(ONE.id, 1)
