from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from smsgw.model import State
from smsgw.store import books, invariants
from smsgw.store.books import By, ReferenceTaken, Refused
from smsgw.store.database import Connection, connect
from tests.store.cycles import DAY, Cycles, change
from tests.store.work import fund

BY = By("ann", "test")
TENANTS = "INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY'), ('borg', 'EUR')"


@pytest.fixture
async def life(connection: Connection) -> Connection:
    """Two tenants with 100 and 50, eight messages at 10 of the first: DELIVERED, FAILED and paid back, SENT, QUEUED, …"""
    await connection.execute(TENANTS)
    await fund(connection, 100)
    await fund(connection, 50, tenant=2, credit=10)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(number, price=10) for number in range(1, 6)] + [cycle.new(6, price=0)])
    await cycle(
        changed=[
            change(1, state=State.DELIVERED),
            change(2, state=State.FAILED, refund=10),
            change(3, state=State.SENT),
            change(4, state=State.QUEUED),
            change(6, state=State.DELIVERED),
        ]
    )
    return connection


async def booked(connection: Connection, tenant: str, kind: str, amount: int, reference: str = "") -> int:
    """Book in a transaction of its own; returns the balance after it."""
    async with connection.transaction():
        of = await books.hold(connection, tenant)
        await books.book(connection, of, kind, amount, DAY, BY, reference)
    return (await books.balances(connection, tenant))[0].amount


async def test_bookings_move_the_balance_with_their_row(life: Connection):
    """What is booked stands in the ledger with actor, reason and reference, and the balance is its sum."""
    assert await booked(life, "acme", "top_up", 30, "wire-1") == 90
    assert await booked(life, "acme", "adjustment", -15) == 75
    assert await booked(life, "borg", "settlement", -50) == 0
    rows = [tuple(row.values()) for row in await books.history(life, "acme")]
    assert [(kind, amount, actor, reason, reference) for _, _, _, kind, amount, _, actor, reason, reference in rows][-2:] == [
        ("top_up", 30, "ann", "test", "wire-1"),
        ("adjustment", -15, "ann", "test", ""),
    ]
    assert await invariants.check(life) == []


async def test_history_is_of_one_tenant_and_bounded(life: Connection):
    """The newest bookings of the tenant asked for, oldest first, from a day on."""
    await booked(life, "borg", "top_up", 1)
    assert [row["kind"] for row in await books.history(life, "acme")] == ["opening", "debit", "refund"]
    assert [row["kind"] for row in await books.history(life, "acme", limit=2)] == ["debit", "refund"]
    assert [row["kind"] for row in await books.history(life, "acme", since=DAY)] == ["debit", "refund"]
    with pytest.raises(books.NoSuchTenant, match="nobody"):
        await books.history(life, "nobody")


async def test_a_reference_is_booked_once_a_tenant(life: Connection):
    """The same reference again is refused with what was booked under it; another tenant may have the same one."""
    await booked(life, "acme", "top_up", 30, "wire-1")
    with pytest.raises(ReferenceTaken, match=r"'wire-1' is booked already: top_up number .* by ann at"):
        await booked(life, "acme", "top_up", 30, "wire-1")
    assert await booked(life, "borg", "top_up", 5, "wire-1") == 55
    assert (await books.balances(life, "acme"))[0].amount == 90


async def test_one_reference_of_two_at_once_is_booked(database: str, life: Connection):
    """Two that book the same reference at the same time wait for one another: exactly one passes."""
    other = await connect(database)
    try:
        async with life.transaction():
            of = await books.hold(life, "acme")
            second = asyncio.create_task(booked(other, "acme", "top_up", 7, "twice"))
            await asyncio.sleep(0)
            await books.book(life, of, "top_up", 7, DAY, BY, "twice")
        with pytest.raises(ReferenceTaken):
            await second
    finally:
        await other.close()
    assert (await books.balances(life, "acme"))[0].amount == 67


async def test_nobody_is_taken_below_the_credit_limit(life: Connection):
    """An adjustment that the balance does not cover is refused whole; up to the limit it passes."""
    with pytest.raises(Refused, match="below the credit limit"):
        await booked(life, "borg", "adjustment", -61)
    assert await booked(life, "borg", "adjustment", -60) == -10
    assert (await books.balances(life, "borg"))[0].available == 0


async def test_a_credit_limit_covers_what_is_owed(life: Connection):
    """A limit that the balance is below of is refused."""
    await booked(life, "borg", "adjustment", -55)
    async with life.transaction():
        await books.set_credit_limit(life, await books.hold(life, "borg"), 5)
    with pytest.raises(Refused, match="top it up first"):
        async with life.transaction():
            await books.set_credit_limit(life, await books.hold(life, "borg"), 4)
    assert (await books.balances(life, "borg"))[0].credit_limit == 5


async def refunded(connection: Connection, message: int, now_ms: int = 10**6) -> books.Refunded | None:
    """Refund by hand in a transaction of its own."""
    async with connection.transaction():
        return await books.refund_message(connection, message, DAY, now_ms, BY)


async def test_a_message_is_refunded_by_hand_once(life: Connection):
    """Its price comes back with the unit of work's own refund row, signed; again, or after the contract's refund, it is refused."""
    assert await refunded(life, 1) == books.Refunded(1, "acme", 10, 70)
    for number in (1, 2):
        with pytest.raises(Refused, match="was refunded before"):
            await refunded(life, number)
    assert await refunded(life, 99) is None
    assert [tuple(row.values())[2:] for row in await books.refunds_by_hand(life, "acme")] == [(10, "ann", "test")]
    assert await invariants.check(life) == []


async def test_what_is_on_its_way_is_not_refunded_by_hand(life: Connection):
    """A queued message and one just sent are in a gateway's memory: only what has ended, or was sent long ago, is given back."""
    for number, state in ((4, "QUEUED"), (3, "SENT"), (5, "SUBMITTING")):
        with pytest.raises(Refused, match=rf"still on its way \({state}\)"):
            await refunded(life, number, now_ms=200)
    with pytest.raises(Refused, match="has cost nothing"):
        await refunded(life, 6)
    assert await refunded(life, 3, now_ms=111 + books.SETTLED_MS + 1) is not None
    assert await invariants.check(life) == []


async def test_a_refund_by_hand_and_the_contracts_own_pay_once(life: Connection):
    """A late receipt of a message that was refunded by hand changes its state and pays nothing again."""
    await refunded(life, 3)
    cycle = Cycles(life)
    cycle.seq = 10
    await cycle(changed=[change(3, rev=2, state=State.FAILED, refund=10)])
    assert await life.fetchval("SELECT state FROM message WHERE id = 3") == State.FAILED
    assert (await books.balances(life, "acme"))[0].amount == 70
    assert await invariants.check(life) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger SET amount = amount + 1 WHERE kind = 'opening'",
        "UPDATE ledger SET reason = 'another' WHERE kind = 'debit'",
        "UPDATE ledger SET day = day + 1 WHERE kind = 'refund'",
        "UPDATE ledger SET kind = 'top_up' WHERE kind = 'refund'",
        "UPDATE ledger SET messages = messages - 1 WHERE kind = 'debit'",
        "DELETE FROM ledger WHERE kind = 'debit'",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "UPDATE refund SET amount = 1",
        "DELETE FROM refund",
        "TRUNCATE refund",
    ],
)
async def test_what_was_booked_stays(life: Connection, change: str):
    """The database itself refuses to change, delete or empty what was booked."""
    before = await life.fetch("SELECT * FROM ledger ORDER BY id")
    with pytest.raises(asyncpg.PostgresError, match="never changed or deleted") as refused:
        await life.execute(change)
    assert refused.value.sqlstate == "SG002"
    assert await life.fetch("SELECT * FROM ledger ORDER BY id") == before


async def test_people_and_gateways_never_deadlock(database: str, connection: Connection):
    """Bookings and refunds by hand beside two nodes that debit and refund the same tenants: all pass, no 40P01 in the log."""
    await connection.execute(TENANTS)
    for tenant in (1, 2):
        await fund(connection, 10_000, tenant=tenant)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await connection.fetchval(deadlocks)

    async def node(number: int) -> None:
        own = await connect(database, batches=True)
        cycle = Cycles(own, node=number)
        first = number * 1_000
        for turn in range(40):
            ids = range(first + turn * 4, first + turn * 4 + 4)
            news = [cycle.new(each, tenant=1 + (each + number) % 2, price=3) for each in ids]
            done = [
                change(each - 4, state=State.FAILED, tenant=1 + (each + number) % 2, refund=3) for each in ids if turn and each % 2
            ]
            await cycle(new=news, changed=done)
        await own.close()

    async def person(tenant: str, move: Callable[[int], int]) -> None:
        own = await connect(database)
        for turn in range(60):
            await booked(own, tenant, "adjustment", move(turn))
        await own.close()

    async def refunder() -> None:
        own = await connect(database)
        for number in range(1_000, 1_160, 4):
            try:
                await refunded(own, number, 10**9)
            except Refused:
                continue
        await own.close()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in (1, 2):
            group.create_task(node(number))
        group.create_task(person("acme", lambda turn: 1 + turn))
        group.create_task(person("borg", lambda turn: -1 - turn % 3))
        group.create_task(refunder())
    await connection.execute("SELECT pg_stat_force_next_flush()")
    assert await connection.fetchval(deadlocks) == before
    assert await invariants.check(connection) == []
