from __future__ import annotations

import json
from typing import Any

import pytest

from smsgw.admin import books
from smsgw.admin.books import Booking, NoSuchTenant, ReferenceTaken, Refused, Signature
from smsgw.model import State
from smsgw.store import invariants, provisioned, provisioning
from smsgw.store.books import balances
from smsgw.store.database import Connection
from tests.store.cycles import Cycles, change
from tests.store.work import fund

ANN = Signature("ann", "bank transfer")


CLOSING = "INSERT INTO standing (kind, subject, state, reason, actor, since) VALUES ('tenant', 1, 'closing', 'test', 'test', now())"


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with 100 (of 10⁻⁶) and a message at 10 that was delivered."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY')")
    await fund(connection, 100)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(1, price=10)])
    await cycle(changed=[change(1, state=State.DELIVERED)])
    return connection


async def audited(connection: Connection) -> list[tuple[Any, ...]]:
    """The audit's rows: kind, name, old, new, actor, reason."""
    rows = await connection.fetch("SELECT kind, name, old, new, actor, reason FROM audit ORDER BY id")
    return [(row["kind"], row["name"], json.loads(row["old"]), json.loads(row["new"]), row["actor"], row["reason"]) for row in rows]


async def amount(connection: Connection) -> int:
    """The tenant's balance."""
    return (await balances(connection, "acme"))[0].amount


async def test_each_booking_says_before_and_after_and_is_audited(acme: Connection):
    """A top-up, an adjustment and a settlement move the balance, and each leaves who, what from what to what, and why."""
    done = await books.top_up(acme, "acme", 40, ANN)
    assert done == Booking("acme", "CNY", "top_up", 40, 90, 130, done.number)
    assert done.number > 0
    assert (await books.adjust(acme, "acme", -30, ANN)).after == 100
    await acme.execute(CLOSING)
    settled = await books.settle(acme, "acme", Signature("bob", "contract ended", "end-7"))
    assert (settled.amount, settled.after, await amount(acme)) == (-100, 0, 0)
    assert await audited(acme) == [
        ("balance", "acme", {"balance": "0.00009"}, _moved("0.00013", "top_up", "0.00004"), "ann", "bank transfer"),
        ("balance", "acme", {"balance": "0.00013"}, _moved("0.0001", "adjustment", "-0.00003"), "ann", "bank transfer"),
        ("balance", "acme", {"balance": "0.0001"}, _moved("0.00", "settlement", "-0.0001", "end-7"), "bob", "contract ended"),
    ]
    assert await invariants.check(acme) == []


def _moved(balance: str, kind: str, moved: str, reference: str = "") -> dict[str, str]:
    return {"balance": balance, "kind": kind, "amount": moved, "reference": reference}


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda connection: books.top_up(connection, "acme", 0, ANN), "more than nothing"),
        (lambda connection: books.top_up(connection, "acme", -1, ANN), "an adjustment"),
        (lambda connection: books.adjust(connection, "acme", 0, ANN), "adjusts nothing"),
        (lambda connection: books.adjust(connection, "acme", -91, ANN), "below the credit limit"),
        (lambda connection: books.set_credit_limit(connection, "acme", -1, ANN), "not negative"),
        (lambda connection: books.top_up(connection, "acme", 1, Signature("ann", " ")), "needs a reason"),
        (lambda connection: books.top_up(connection, "acme", 1, Signature("ann", "x" * 501)), "at most 500"),
        (lambda connection: books.top_up(connection, "acme", 1, Signature("ann", "two\nlines")), "one line"),
        (lambda connection: books.refund(connection, 1, Signature("ann", "")), "needs a reason"),
    ],
)
async def test_what_the_books_do_not_allow_changes_nothing(acme: Connection, call: Any, why: str):
    """It is refused with what is wrong; no row, no audit, the same balance."""
    with pytest.raises(Refused, match=why):
        await call(acme)
    assert await amount(acme) == 90
    assert await audited(acme) == []


async def test_a_balance_of_nought_needs_no_settlement(acme: Connection):
    """Settling twice books once."""
    await acme.execute(CLOSING)
    await books.settle(acme, "acme", ANN)
    with pytest.raises(Refused, match="nothing to settle"):
        await books.settle(acme, "acme", ANN)


async def test_only_what_ends_is_settled_and_takes_no_top_up(acme: Connection):
    """An active contract is not settled; a closing one takes no top-up, but an adjustment."""
    with pytest.raises(Refused, match="only one that is closing or closed"):
        await books.settle(acme, "acme", ANN)
    await acme.execute(CLOSING)
    with pytest.raises(Refused, match="it takes no top-up"):
        await books.top_up(acme, "acme", 1, ANN)
    assert (await books.adjust(acme, "acme", 1, ANN)).after == 91


async def test_a_dry_run_shows_and_takes_back(acme: Connection):
    """It says what it would come to; ledger, balance, audit and reference are as before."""
    dry = Signature("ann", "bank transfer", "wire-1", dry_run=True)
    assert await books.top_up(acme, "acme", 40, dry) == Booking("acme", "CNY", "top_up", 40, 90, 130, 0, "wire-1")
    assert (await books.set_credit_limit(acme, "acme", 9, dry)).after == 9
    refunded = await books.refund(acme, 1, dry)
    assert refunded is not None
    assert refunded.balance == 100
    assert (await amount(acme), await audited(acme)) == (90, [])
    assert (await balances(acme, "acme"))[0].credit_limit == 0
    assert (await books.top_up(acme, "acme", 40, Signature("ann", "bank transfer", "wire-1"))).after == 130


async def test_a_reference_is_never_booked_twice(acme: Connection):
    """Whoever is not sure asks again: the second is refused, also as another kind and with another amount."""
    by = Signature("ann", "bank transfer", "wire-1")
    await books.top_up(acme, "acme", 40, by)
    for again in (books.top_up(acme, "acme", 40, by), books.adjust(acme, "acme", -1, by)):
        with pytest.raises(ReferenceTaken, match="'wire-1'"):
            await again
    assert await amount(acme) == 130


async def test_a_credit_limit_is_provisioned_and_real(acme: Connection):
    """Balance and tenant say the new one, the version of provisioning rises, and the audit has the entity before and after."""
    before = await provisioned.version(acme)
    done = await books.set_credit_limit(acme, "acme", 50, Signature("ann", "postpaid from now on"))
    assert (done.kind, done.before, done.after) == ("credit_limit", 0, 50)
    assert (await balances(acme, "acme"))[0].available == 140
    assert (await provisioning.read_entities(acme))["tenant", "acme"]["credit_limit"] == 50
    assert await provisioned.version(acme) > before
    assert (await audited(acme))[-1][3]["credit_limit"] == 50


async def test_money_moves_without_a_new_version_of_provisioning(acme: Connection):
    """A top-up makes no gateway read its provisioning again."""
    await acme.execute("INSERT INTO audit (actor, kind, name) VALUES ('ann', 'account', 'acme1')")
    before = await provisioned.version(acme)
    await books.top_up(acme, "acme", 1, ANN)
    await books.refund(acme, 1, ANN)
    assert await provisioned.version(acme) == before
    assert await provisioned.read_changed_accounts(acme, before, {}) is None


async def test_a_refund_by_hand_is_signed_and_audited(acme: Connection):
    """The message's price comes back once, by a person, with his reason."""
    done = await books.refund(acme, 1, Signature("ann", "goodwill"))
    assert done is not None
    assert (done.tenant, done.amount, done.balance) == ("acme", 10, 100)
    assert await audited(acme) == [("refund", "1", {"refund": "0.00"}, {"refund": "0.00001", "tenant": "acme"}, "ann", "goodwill")]
    assert await books.refund(acme, 2, ANN) is None
    assert await invariants.check(acme) == []


async def test_a_tenant_that_is_not_there_is_named(acme: Connection):
    """Every operation on an unknown tenant says whom it did not find."""
    for call in (
        books.top_up(acme, "nobody", 1, ANN),
        books.settle(acme, "nobody", ANN),
        books.set_credit_limit(acme, "nobody", 1, ANN),
    ):
        with pytest.raises(NoSuchTenant, match="nobody"):
            await call
