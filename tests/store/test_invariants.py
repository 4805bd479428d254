from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from smsgw.model import State
from smsgw.store import invariants, partitions
from smsgw.store.database import Connection
from tests.store.cycles import DAY_S, Cycles, change, quota, wait
from tests.store.work import FORGING, fund

OPENED = "INSERT INTO ledger (tenant, kind, day, amount, messages) VALUES"


@pytest.fixture
async def life(connection: Connection) -> Connection:
    """A database in which everything has happened: accepted, refused, refunded, sent, waiting, over a quota."""
    await fund(connection, 100)
    await fund(connection, 50, tenant=2, credit=10)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    news = [cycle.new(number, tenant=2 - number % 2, account=2 - number % 2, price=10) for number in range(1, 12)]
    await cycle(new=news, quota=[quota(1, 5), quota(1, 9, span=3, length=31 * DAY_S)])
    states = [State.DELIVERED, State.FAILED, State.SENT, State.QUEUED, State.REFUSED]
    refunds = {State.FAILED: 10, State.REFUSED: 4}
    rows = [
        change(number, state=state, tenant=2 - number % 2, refund=refunds.get(state, 0)) for number, state in enumerate(states, 1)
    ]
    await cycle(changed=rows, wait=[wait(4)])
    assert await connection.fetchval("SELECT count(*) FROM message") == 10
    return connection


async def broken(connection: Connection) -> list[str]:
    """The first words of what does not hold."""
    return [fault.name.split()[0] + " " + fault.name.split()[1] for fault in await invariants.check(connection)]


async def test_what_the_gateway_writes_holds(life: Connection):
    """Nothing is broken after an ordinary life, nor in an empty database."""
    assert await invariants.check(life) == []
    await life.execute(FORGING + "TRUNCATE message, content, balance, ledger, refund, quota, waiting")
    assert await invariants.check(life) == []


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("UPDATE balance SET amount = amount - 1 WHERE tenant = 1", {"B1 balance"}),
        (f"{OPENED} (1, 'top_up', 1, 5, 0)", {"B1 balance"}),
        ("DELETE FROM ledger WHERE kind = 'opening' AND tenant = 2", {"B1 balance"}),
        (
            (
                "ALTER TABLE balance DROP CONSTRAINT balance_covers_credit_limit;"
                "UPDATE balance SET amount = -11 WHERE tenant = 2;"
                "UPDATE ledger SET amount = amount - 11 - (SELECT sum(amount) FROM ledger WHERE tenant = 2)"
                " WHERE kind = 'opening' AND tenant = 2"
            ),
            {"B1 balance"},
        ),
        ("DELETE FROM message WHERE id = 1", {"B2 each", "B6 quota"}),
        ("UPDATE message SET price = price + 1 WHERE id = 1", {"B2 each"}),
        ("UPDATE message SET debit_day = debit_day + 1 WHERE id = 2", {"B2 each"}),
        ("UPDATE ledger SET messages = messages + 1 WHERE kind = 'debit' AND tenant = 1", {"B2 each"}),
        (f"{OPENED} (3, 'debit', 5, -7, 1); INSERT INTO balance VALUES (3, -7, 7)", {"B2 each"}),
        ("INSERT INTO refund VALUES (6, 2, 20000, 1); UPDATE message SET refund = 1 WHERE id = 6", {"B3 each"}),
        ("DELETE FROM refund WHERE message = 2", {"B3 each", "B3 a"}),
        (
            (
                "UPDATE refund SET amount = 11 WHERE message = 2; UPDATE message SET refund = 11 WHERE id = 2;"
                "UPDATE ledger SET amount = amount + 1 WHERE kind = 'refund' AND tenant = 2;"
                "UPDATE balance SET amount = amount + 1 WHERE tenant = 2"
            ),
            {"B3 a"},
        ),
        ("UPDATE message SET refund = 3 WHERE id = 2", {"B3 a"}),
        ("UPDATE message SET refund = 1 WHERE id = 1", {"B3 a"}),
        ("INSERT INTO node (id, low_water) VALUES (0, 7)", {"Nothing open"}),  # 6 is SUBMITTING, and in nobody's memory
        ("INSERT INTO node (id, low_water) VALUES (0, 5); DELETE FROM waiting", {"Nothing open"}),
        ("UPDATE quota SET used = used + 1 WHERE span = 2", {"B6 quota"}),
        ("UPDATE quota SET used = used - 1 WHERE span = 3", {"B6 quota"}),
        ("UPDATE quota SET parts = parts - 1 WHERE span = 3", {"B6 quota"}),
        ("UPDATE message SET state = 10 WHERE id = 4", {"No message"}),
        ("INSERT INTO waiting (id, link, state) VALUES (77, 7, 3)", {"No message"}),
        ("DELETE FROM content WHERE id = 4", {"What is"}),
    ],
)
async def test_a_planted_fault_is_found(life: Connection, fault: str, names: set[str]):
    """Each invariant finds what breaks it, names it, and no other one cries."""
    await life.execute(FORGING + fault)
    assert set(await broken(life)) == names


async def test_faults_are_shown_with_their_rows(life: Connection):
    """A broken invariant comes with the first rows that show it, and no more than asked for."""
    await life.execute("UPDATE balance SET amount = amount - 1")
    (fault,) = await invariants.check(life, limit=1)
    assert fault.name == "B1 balance equals the sum of its ledger"
    assert len(fault.rows) == 1
    assert fault.rows[0]["ledger"] - fault.rows[0]["balance"] == 1


async def test_what_retention_drops_is_no_fault(life: Connection):
    """Days whose messages are gone are not compared with the books any more; the days after them still are."""
    first = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    cycle = Cycles(life)
    cycle.seq = 10
    month = quota(1, 9, span=3, start=int(first.timestamp()), length=31 * DAY_S)
    for number in range(3):
        day = first + datetime.timedelta(days=number)
        await partitions.ensure_days(life, day, ahead=0)
        start, _ = partitions.day_range(day.date())
        since_1970 = int(day.timestamp() // 86_400)
        rows = [cycle.new(start, price=1), cycle.new(start + 1, price=1)]
        await cycle(new=rows, day=since_1970, quota=[quota(1, 9, start=since_1970 * DAY_S), month])
        done = [change(start, state=State.DELIVERED), change(start + 1, state=State.DELIVERED)]
        await cycle(changed=done, day=since_1970)
    assert await invariants.check(life) == []
    dropped = await partitions.drop_old(life, first + datetime.timedelta(days=181))
    assert "message_20260301" in dropped.dropped
    assert await invariants.check(life) == []
    last, _ = partitions.day_range(first.date() + datetime.timedelta(days=2))
    await life.execute("UPDATE message SET price = 2 WHERE id = $1", last)
    assert await broken(life) == ["B2 each"]


async def test_they_read_one_snapshot(life: Connection, monkeypatch: pytest.MonkeyPatch):
    """Under load the books hold at each instant: all queries see the same one, and write nothing."""
    seen: list[Any] = []

    class Watched:
        def transaction(self, **options: Any) -> Any:
            seen.append(options)
            return life.transaction(**options)

        async def fetch(self, query: str) -> Any:
            return await life.fetch(query)

    monkeypatch.setattr(invariants, "INVARIANTS", {"snapshot": "SELECT 1 WHERE pg_current_snapshot() IS NULL"})
    assert await invariants.check(Watched()) == []
    assert seen == [{"isolation": "repeatable_read", "readonly": True}]


async def test_messages_are_counted_by_state(life: Connection):
    """How many messages stand where, by the number of the state."""
    count: Callable[[Any], Awaitable[dict[int, int]]] = invariants.totals
    assert await count(life) == {10: 1, 11: 1, 6: 1, 3: 1, 12: 1, 4: 5}
