"""Cycles closed by the calendar, on a real store: those that are over and no other, once, after any downtime."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smsgw.admin import closing
from smsgw.admin.closer import AT_ONCE, Closer
from smsgw.model import State
from smsgw.reports.cycle import cycle_at, cycle_of, following
from smsgw.store.database import Connection, connect, open_pool
from smsgw.telemetry.meters import Meters
from smsgw.wire import Clock
from tests.admin.test_closing import PRICE, Year, moment
from tests.journey.scene import Scene, id_of

DAY_S = 86_400.0


def closer(pool: object = None, *, after_s: float = DAY_S) -> Closer:
    """One that asks nobody."""
    return Closer(pool, lambda _job: True, Clock(), Meters(), after_s=after_s)  # type: ignore[arg-type]


async def opened(connection: Connection, days_ago: int, **settings: object) -> datetime:
    """A tenant whose books were opened so many days ago, with a message a day since; returns when."""
    year = Year(connection)
    await connection.execute(
        "INSERT INTO tenant (name, currency, basis, settings) VALUES ('acme', 'CNY', 'sent', $1)",
        json.dumps({"timezone": "Asia/Shanghai", **settings}),
    )
    await connection.execute("INSERT INTO account (tenant, system_id) VALUES (1, 'acme1')")
    await connection.execute("INSERT INTO balance (tenant, amount) VALUES (1, 0)")
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1) ON CONFLICT DO NOTHING")
    start = datetime.now(ZoneInfo("Asia/Shanghai")).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    await year.book("opening", 1_000 * 1_000_000, f"{start:%Y-%m-%dT%H:%M:%S}")
    for day in range(days_ago):
        await year.submit(f"{start + timedelta(days=day):%Y-%m-%dT10:00:00}")
    return start


async def closed(connection: Connection) -> list[tuple[str, str]]:
    """Cycle and actor of what is closed, in order."""
    rows = await connection.fetch("SELECT cycle, actor FROM statement ORDER BY id")
    return [(row["cycle"], row["actor"]) for row in rows]


async def test_days_that_were_missed_are_closed_in_order(connection: Connection):
    """Four days ago to the last one whose delay is over, each opening with what the one before was closed with; again: nothing."""
    start = await opened(connection, 4, cycle="day")
    node = closer()
    made = await node.close_due(connection)
    first = cycle_at(start, "Asia/Shanghai", 1, "day")
    due = [first.name]
    while (end := cycle_of(following(due[-1]), "Asia/Shanghai", 1, "day").end) <= datetime.now(UTC) - timedelta(days=1):
        due.append(following(due[-1]))
        assert end > first.end
    assert await closed(connection) == [(name, "smsgw") for name in due]
    assert (made, node.counts["closed"], len(due) >= 2) == (len(due), len(due), True)
    assert await node.close_due(connection) == 0
    texts = [json.loads(row["content"]) for row in await connection.fetch("SELECT content FROM statement ORDER BY id")]
    assert all(later["opening"] == earlier["closing"] for earlier, later in itertools.pairwise(texts))
    assert all(one["movements"]["charges"] == -PRICE for one in texts)
    again = await closing.close(connection, "acme", due[0], actor="ann")
    assert again.text == (await connection.fetchval("SELECT content FROM statement ORDER BY id LIMIT 1"))


async def test_weeks_begin_on_their_day_and_a_long_downtime_is_caught_up(connection: Connection):
    """Ten weeks from Wednesday to Wednesday; a node closes so many at once, and goes on the next time."""
    await opened(connection, 70, cycle="week", cycle_start_day=3)
    node = closer()
    await node.close_due(connection)
    names = [name for name, _ in await closed(connection)]
    assert 8 <= len(names) <= AT_ONCE
    assert all(following(one) == two for one, two in itertools.pairwise(names))
    spans = await connection.fetch("SELECT from_ms, until_ms FROM statement ORDER BY id")
    zone = ZoneInfo("Asia/Shanghai")
    assert {datetime.fromtimestamp(row["from_ms"] / 1000, zone).isoweekday() for row in spans} == {3}
    assert [row["until_ms"] for row in spans[:-1]] == [row["from_ms"] for row in spans[1:]]


async def test_several_nodes_close_a_cycle_once(database: str, connection: Connection):
    """Four at the same moment: each cycle is one row, and no node fails."""
    await opened(connection, 4, cycle="day")
    connections = [await connect(database) for _ in range(4)]
    nodes = [closer() for _ in connections]
    await asyncio.gather(*(node.close_due(one) for node, one in zip(nodes, connections, strict=True)))
    await closer().close_due(connection)
    for one in connections:
        await one.close()
    names = [name for name, _ in await closed(connection)]
    assert len(names) == len(set(names)) >= 2
    assert sum(node.counts["failed"] for node in nodes) == 0


async def test_books_that_do_not_reconcile_are_left_to_a_person(connection: Connection):
    """Nothing is closed; it is counted and not tried again for an hour, and other tenants are closed all the same."""
    await opened(connection, 4, cycle="day")
    await connection.execute("UPDATE balance SET amount = amount - 7")
    other = Year(connection)
    await other.start("zeta", cycle="month")
    node = closer()
    await node.close_due(connection)
    await node.close_due(connection)
    assert node.counts["failed"] == 1
    parties = await connection.fetch("SELECT DISTINCT party FROM statement")
    assert [row["party"] for row in parties] == ["zeta"]


async def test_books_that_were_never_opened_have_no_cycle(connection: Connection):
    """A tenant without a booking is left alone, and so is one whose first cycle goes on."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('new', 'CNY')")
    await opened(connection, 0, cycle="day")
    assert await closer().close_due(connection) == 0


async def test_what_is_older_than_messages_are_kept_is_not_begun_with(connection: Connection):
    """Books of 2025 whose cycles were never closed begin with the first month whose messages are all there."""
    await Year(connection).start()
    await closer().close_due(connection)
    first = (await closed(connection))[0][0]
    oldest = datetime.now(UTC) - timedelta(days=171)
    assert cycle_of(first, "Asia/Shanghai").start > oldest
    assert moment("2025-10-01T00:00") < oldest


async def test_an_errand_is_asked_for_now_and_then_and_never_twice(database: str, connection: Connection):
    """Every ten minutes, not while one is under way, and not at all where nothing is to be closed."""
    await opened(connection, 4, cycle="day")
    jobs: list[object] = []
    async with await open_pool(database) as pool:
        node = Closer(pool, lambda job: not jobs.append(job), Clock(), Meters(), after_s=DAY_S)  # type: ignore[func-returns-value]
        node.tick()
        node.tick()
        (job,) = jobs
        await job()  # type: ignore[operator]
        node.tick()
        assert len(jobs) == 1
        assert node.counted()["closed",] >= 2
        off = Closer(pool, lambda job: not jobs.append(job), Clock(), Meters(), after_s=0.0)  # type: ignore[func-returns-value]
        off.tick()
        assert len(jobs) == 1


@pytest.mark.parametrize(("form", "name"), [("day", "2025-10-31"), ("week", "2025-W44")])
async def test_a_closed_cycle_of_any_form_is_the_same_again(connection: Connection, form: str, name: str):
    """What came late is an adjustment of the next; content and file of the closed one are the same to the octet."""
    year = Year(connection)
    await year.start(cycle=form)
    late = await year.submit("2025-10-31T10:00", count=3)
    made = await closing.close(connection, "acme", name, actor="ann")
    file = await closing.file_of(connection, made, "csv")
    await year.end(late[:1], State.FAILED, "2025-11-03T09:00", refund=PRICE)
    again = await closing.close(connection, "acme", name, actor="bob")
    assert (again.text, await closing.file_of(connection, again, "csv")) == (made.text, file)
    after = following(name)
    said = {}
    while not said.get("late_refunded_messages"):
        said = json.loads((await closing.close(connection, "acme", after, actor="ann")).text)
        assert said["opening"] is not None
        assert after < "2025-11-10" or after < "2025-W47"
        after = following(after)
    assert said["movements"]["late_refunds"] == PRICE


async def test_another_form_goes_on_where_the_last_cycle_ended(connection: Connection):
    """After October weeks: the first is short, from the first of November to the end of its week; then months again."""
    year = Year(connection)
    await year.start()
    await closing.close(connection, "acme", "2025-10", actor="ann")
    await connection.execute("""UPDATE tenant SET settings = settings || '{"cycle": "week"}'""")
    with pytest.raises(closing.Refused, match="close 2025-W44 before 2025-W45"):
        await closing.close(connection, "acme", "2025-W45", actor="ann")
    with pytest.raises(ValueError, match="such as 2026-W47"):
        await closing.close(connection, "acme", "2025-11", actor="ann")
    week = json.loads((await closing.close(connection, "acme", "2025-W44", actor="ann")).text)
    assert (week["from"][:10], week["until"][:10]) == ("2025-11-01", "2025-11-03")
    await connection.execute("""UPDATE tenant SET settings = settings || '{"cycle": "month"}'""")
    month = json.loads((await closing.close(connection, "acme", "2025-11", actor="ann")).text)
    assert (month["from"][:10], month["until"][:10]) == ("2025-11-03", "2025-12-01")


async def test_a_contract_that_has_ended_gets_no_more_statements(connection: Connection):
    """Once a cycle was closed ten days after its end there is nothing to state: late refunds have all come."""
    await opened(connection, 40, cycle="day")
    await connection.execute(
        "INSERT INTO standing (kind, subject, state, reason, actor, since)"
        " VALUES ('tenant', 1, 'closed', 'x', 'ops', now() - interval '25 days')"
    )
    node = closer()
    for _ in range(3):
        await node.close_due(connection)
    last = await connection.fetchval("SELECT max(until_ms) FROM statement")
    age = datetime.now(UTC) - datetime.fromtimestamp(last / 1000, UTC)
    assert timedelta(days=13) < age < timedelta(days=15)


async def test_a_running_gateway_closes_the_day_that_is_over(database: str):
    """A message, its debit and its receipt; two days later the gateway has closed that day, nobody asked, and counts it."""
    async with Scene(database, tenant='cycle = "day"').playing() as scene:
        tenant = await scene.tenant()
        id_of(await tenant.submit(registered_delivery=1))
        scene.smsc.receipt((await scene.smsc.submitted(1))[0])
        await scene.receipt(tenant)
        await scene.turns()
        assert await scene.count("statement") == 0
        await scene.later(2.5 * DAY_S)
        await scene.until(lambda: scene.count("statement"))
        row = await scene.connection.fetchrow("SELECT actor, content FROM statement ORDER BY id LIMIT 1")
        assert row is not None
        said = json.loads(row["content"])
        assert (row["actor"], said["movements"]["charges"], said["charges"][0]["messages"]) == ("smsgw", -38_000, 1)
        await scene.until(lambda: scene.daemon.closer.counts["closed"] >= 1)  # counted a moment after it is committed
