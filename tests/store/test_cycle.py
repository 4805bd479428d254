"""cycle() alone, called by hand: what each group of its arguments does, and how PostgreSQL goes about it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from smsgw.model import State
from smsgw.store import invariants
from smsgw.store.database import Connection, connect
from tests.store.cycles import DAY, DAY_IDS, DAY_S, EPOCH_S, Cycles, change, quota, wait
from tests.store.work import FORGING, WAIT_S, fund, seat

PAST, FUTURE = 1, 4_000_000_000_000


async def column(connection: Connection, query: str) -> list[Any]:
    """The first column of a query's rows."""
    return [row[0] for row in await connection.fetch(query)]


async def whole(connection: Connection) -> None:
    """The books hold."""
    assert await invariants.check(connection) == []


# ---- token and epoch ------------------------------------------------------------------------------------------------


async def test_an_empty_cycle_keeps_its_token(cycle: Cycles, connection: Connection):
    """A cycle without rows does nothing but remember that it was committed."""
    assert await cycle() == {}
    row = await connection.fetchrow("SELECT node, epoch, seq, answer FROM commit_token")
    assert row is not None
    assert tuple(row) == (1, 1, 1, None)


async def test_the_same_token_does_nothing_twice(cycle: Cycles, connection: Connection):
    """A token that was committed brings the stored answer back, whatever rows come with it."""
    rows = [cycle.new(1, price=600), cycle.new(2, price=600)]
    first = await cycle(new=rows, owed=[cycle.owed(9)], claimed=[(7, 1)])
    assert first == {"refused": [[2, "balance"]], "claimed": []}
    assert await cycle(seq=1, new=[cycle.new(3)]) == first
    assert await column(connection, "SELECT id FROM message") == [1]
    assert await connection.fetchval("SELECT amount FROM balance") == 400
    await whole(connection)


async def test_a_passed_epoch_writes_nothing(cycle: Cycles, connection: Connection):
    """After the epoch was raised a cycle of the old one fails with SG001 and leaves nothing, its token neither."""
    await connection.execute("UPDATE node SET epoch = 2")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await cycle(new=[cycle.new(1)])
    assert caught.value.sqlstate == "SG001"
    assert await column(connection, "SELECT id FROM message") == await column(connection, "SELECT seq FROM commit_token") == []


async def test_a_take_over_waits_for_the_cycle_before_it(cycle: Cycles, database: str):
    """The epoch cannot rise while a cycle of it is open: what the new epoch finds is all there will be."""
    connection = cycle._connection
    other = await connect(database)
    try:
        async with connection.transaction():
            await cycle(new=[cycle.new(1)])
            await other.execute("SET lock_timeout = '50ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("UPDATE node SET epoch = epoch + 1")
        await other.execute("UPDATE node SET epoch = epoch + 1")
    finally:
        await other.close()
    assert await connection.fetchval("SELECT epoch FROM node") == 2


async def test_the_node_row_moves_only_forward(cycle: Cycles, connection: Connection):
    """With a low water a cycle keeps it, the newest time and the heartbeat; the newest time never falls."""
    await connection.execute("UPDATE node SET heartbeat = 'epoch'")
    await cycle(low_water=500, last_ms=9)
    await cycle(low_water=400, last_ms=8)
    row = await connection.fetchrow("SELECT low_water, last_ms, heartbeat > now() - interval '1 minute' FROM node")
    assert row is not None
    assert tuple(row) == (400, 9, True)
    await connection.execute("UPDATE node SET heartbeat = 'epoch'")
    await cycle(low_water=0, last_ms=10)
    assert await connection.fetchval("SELECT heartbeat = 'epoch' FROM node")


# ---- new messages ---------------------------------------------------------------------------------------------------


async def test_new_messages_are_written_with_content_and_short_ids(cycle: Cycles, connection: Connection):
    """A row, its content cut out of the blob, the short id both ways, one debit row for all of a day."""
    rows = [cycle.new(1, price=3), cycle.new(2, price=4)]
    assert await cycle(new=rows, short=[(2, 1, "0000000a")]) == {}
    await cycle(new=[cycle.new(3, price=5)])
    found = await connection.fetch("SELECT id, short_id, debit_day, body FROM message JOIN content USING (id) ORDER BY id")
    assert [tuple(row) for row in found] == [(1, "", DAY, b"body 1"), (2, "0000000a", DAY, b"body 2"), (3, "", DAY, b"body 3")]
    assert await connection.fetchval("SELECT message FROM short_id WHERE account = 1 AND short = '0000000a'") == 2
    debit = await connection.fetch("SELECT amount, messages FROM ledger WHERE kind = 'debit'")
    assert [tuple(row) for row in debit] == [(-12, 3)]
    await whole(connection)


async def test_a_short_id_that_comes_round_names_the_newer_message(cycle: Cycles, connection: Connection):
    """Short ids come round after 2^32: then the newer message is meant."""
    await cycle(new=[cycle.new(1)], short=[(1, 1, "0000000a")])
    await cycle(new=[cycle.new(2)], short=[(2, 1, "0000000a")])
    assert await column(connection, "SELECT message FROM short_id") == [2]


async def test_tenants_are_judged_apart(cycle: Cycles, connection: Connection):
    """One tenant's empty balance refuses its own messages only, in order of arrival, and books each tenant's sum."""
    await fund(connection, 5, tenant=2)
    rows = [cycle.new(number, tenant=2 - number % 2, account=2 - number % 2, price=2) for number in range(1, 9)]
    assert await cycle(new=rows) == {"refused": [[6, "balance"], [8, "balance"]]}
    books = await connection.fetch("SELECT tenant, amount, messages FROM ledger WHERE kind = 'debit' ORDER BY tenant")
    assert [tuple(row) for row in books] == [(1, -8, 4), (2, -4, 2)]
    await whole(connection)


async def test_a_quota_refuses_in_order_and_touches_no_money(cycle: Cycles, connection: Connection):
    """What a quota refuses is not debited; another account of the tenant is not held by it; both periods count."""
    rows = [cycle.new(number, account=2 - number % 2, price=10) for number in range(1, 9)]
    month = quota(1, 3, span=3, length=31 * DAY_S)
    answer = await cycle(new=rows, quota=[quota(1, 2), month])
    assert answer == {"refused": [[5, "quota"], [7, "quota"]]}
    found = await connection.fetch("SELECT span, used, parts FROM quota ORDER BY span")
    assert [tuple(row) for row in found] == [(2, 2, 2), (3, 2, 2)]
    assert await connection.fetchval("SELECT amount FROM balance") == 940
    await whole(connection)
    later = [DAY_IDS + 9, DAY_IDS + 10]
    tomorrow = await cycle(
        new=[cycle.new(number) for number in later], quota=[quota(1, 2, start=EPOCH_S + DAY_S), month], day=DAY + 1
    )
    assert tomorrow == {"refused": [[later[1], "quota"]]}
    await whole(connection)


async def test_free_messages_pass_an_empty_balance(cycle: Cycles, connection: Connection):
    """A price of nothing is covered by a balance of nothing."""
    await connection.execute(
        FORGING + "UPDATE balance SET amount = 0; UPDATE ledger SET amount = 0; RESET session_replication_role"
    )
    assert await cycle(new=[cycle.new(1, price=0), cycle.new(2, price=1)]) == {"refused": [[2, "balance"]]}
    await whole(connection)


# ---- changes --------------------------------------------------------------------------------------------------------


async def test_a_change_writes_every_column_it_names(cycle: Cycles, connection: Connection):
    """State, attempt, resends, link, error, times, refund and the carrier's id change with the revision; nothing else does."""
    await cycle(new=[cycle.new(1)])
    before = await connection.fetchrow("SELECT * FROM message")
    assert await cycle(changed=[change(1, state=State.FAILED, refund=1, upstream="a b")]) == {}
    after = await connection.fetchrow("SELECT * FROM message")
    assert before is not None
    assert after is not None
    expected = dict(before) | {
        "rev": 1, "state": 11, "attempt": 2, "resends": 1, "link": 8, "error": 5, "sent_ms": 111, "done_ms": 222, "refund": 1,
        "upstream_id": "a b",
    }  # fmt: skip
    assert dict(after) == expected
    await whole(connection)


async def test_a_change_names_the_revision_it_has_read(cycle: Cycles, connection: Connection):
    """A change of another revision, or of no row, is told and brings neither refund nor receipt."""
    await cycle(new=[cycle.new(1), cycle.new(2)])
    await cycle(changed=[change(1, rev=0)])
    stale, good, none = change(1, rev=0, refund=1), change(2, rev=0, refund=1), change(77, refund=1)
    rows = [cycle.owed(number, message=about) for number, about in ((11, 1), (12, 2), (13, 77), (14, 0))]
    answer = await cycle(changed=[stale, good, none], owed=rows, wait=[wait(1), wait(77)], unwait=[(77,)])
    assert sorted(answer["unapplied"]) == [1, 77]
    assert await column(connection, "SELECT message FROM refund") == [2]
    assert await column(connection, "SELECT id FROM owed ORDER BY id") == [12, 14]
    assert await column(connection, "SELECT id FROM waiting") == []
    assert await connection.fetchval("SELECT rev FROM message WHERE id = 1") == 1
    await whole(connection)


async def test_refunds_are_given_once(cycle: Cycles, connection: Connection):
    """However often a message says that it was refunded, its price comes back once, into one row of the day."""
    await cycle(new=[cycle.new(1, price=30), cycle.new(2, price=5)])
    await cycle(changed=[change(1, refund=30), change(2, refund=5)])
    await cycle(changed=[change(1, rev=1, refund=30)], day=DAY + 1)
    assert await connection.fetchval("SELECT amount FROM balance") == 1_000
    books = await connection.fetch("SELECT day, amount, messages FROM ledger WHERE kind = 'refund'")
    assert [tuple(row) for row in books] == [(DAY, 35, 2)]
    await whole(connection)


async def test_a_refund_pays_for_what_is_new(cycle: Cycles, connection: Connection):
    """Refunds come before debits within a cycle."""
    await cycle(new=[cycle.new(1, price=1_000)])
    assert await cycle(changed=[change(1, refund=1_000)], new=[cycle.new(2, price=999)]) == {}
    assert await connection.fetchval("SELECT amount FROM balance") == 1
    await whole(connection)


async def test_balances_are_locked_in_one_order(cycle: Cycles, database: str):
    """A cycle that refunds one tenant and debits another takes both balances in order of tenant: no two cycles can deadlock."""
    connection = cycle._connection
    await fund(connection, 100, tenant=2)
    await cycle(new=[cycle.new(1, tenant=2, account=2)])
    other = await connect(database)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM balance WHERE tenant = 1 FOR UPDATE")
            await connection.execute("SET lock_timeout = '50ms'")
            rows = {"changed": [change(1, tenant=2, refund=1)], "new": [cycle.new(2)]}
            await connection.execute(
                "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'the refund went first'; END $$;"
                "CREATE TRIGGER held BEFORE INSERT ON refund FOR EACH ROW EXECUTE FUNCTION held()"
            )
            with pytest.raises(asyncpg.LockNotAvailableError):
                await cycle(**rows)
    finally:
        await other.close()


async def test_a_balance_is_read_under_its_lock(cycle: Cycles, database: str):
    """What another node is just spending is waited for: then the rest is judged, and nothing breaks the balance's own check."""
    connection = cycle._connection
    other = await connect(database, batches=True)
    try:
        await seat(connection, 2)
        async with asyncio.TaskGroup() as group:
            async with other.transaction():
                two = Cycles(other, node=2)
                await two(new=[two.new(50, price=995)])
                asked = group.create_task(cycle(new=[cycle.new(1, price=3), cycle.new(2, price=3)]))
                async with asyncio.timeout(WAIT_S):
                    while not await other.fetchval(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    ):
                        assert not asked.done()
            assert await asked == {"refused": [[2, "balance"]]}
    finally:
        await other.close()
    await whole(connection)


async def test_a_conflict_frees_what_waits(cycle: Cycles, connection: Connection):
    """A message that somebody else has changed is his: its waiting row is free and due at once, or gone if it is final."""
    await cycle(new=[cycle.new(number) for number in (1, 2, 3)], wait=[wait(number, node=1, due=FUTURE) for number in (1, 2, 3)])
    await connection.execute("UPDATE message SET rev = 5, state = CASE id WHEN 1 THEN 10 WHEN 2 THEN 5 ELSE 4 END")
    rows = [change(number) for number in (1, 2, 3)]
    assert sorted((await cycle(changed=rows, unwait=[(1,), (2,), (3,)]))["unapplied"]) == [1, 2, 3]
    found = await connection.fetch("SELECT id, node, state, due_ms < $1 AS due FROM waiting ORDER BY id", FUTURE)
    assert [tuple(row) for row in found] == [(2, 0, 5, True), (3, 1, 3, False)]


# ---- owed, waiting, references, orphans -----------------------------------------------------------------------------


async def test_owed_rows_come_and_go(cycle: Cycles, connection: Connection):
    """Rows are written free or claimed, closed, put back or kept; only their holder may put them back."""
    await cycle(owed=[cycle.owed(1), cycle.owed(2, node=1), cycle.owed(3, node=1), cycle.owed(4, node=1)])
    await seat(connection, 2)
    await Cycles(connection, node=2)(put_back=[(2, 9, 99, 0)])
    await cycle(done=[(1,)], put_back=[(3, 2, 50, 0), (4, 3, 60, 1)])
    rows = await connection.fetch("SELECT id, node, epoch, tries, due_ms, body FROM owed ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (2, 1, 1, 0, 0, b"owed 2"),
        (3, 0, 0, 2, 50, b"owed 3"),
        (4, 1, 1, 3, 60, b"owed 4"),
    ]


async def test_leases_take_the_oldest_that_are_due(cycle: Cycles, connection: Connection):
    """A lease takes so many free rows of an account, oldest first, that are due; another node's lease finds the rest."""
    await cycle(owed=[cycle.owed(number) for number in (1, 2, 3, 4)] + [cycle.owed(5, account=2)])
    await connection.execute("UPDATE owed SET due_ms = $1 WHERE id = 2", FUTURE)
    answer = await cycle(leased=[(1, 2), (2, 9)])
    assert sorted(answer["leased"]) == [1, 3, 5]
    await seat(connection, 2)
    assert await Cycles(connection, node=2)(leased=[(1, 9)]) == {"leased": [4]}
    assert await connection.fetchval("SELECT array_agg((node, epoch) ORDER BY id) FROM owed") == [
        (1, 1),
        (0, 0),
        (1, 1),
        (2, 1),
        (1, 1),
    ]


async def test_two_nodes_never_lease_one_row(cycle: Cycles, database: str):
    """A row that another node is just taking is passed over, not waited for."""
    connection = cycle._connection
    await cycle(owed=[cycle.owed(1), cycle.owed(2)], new=[cycle.new(8), cycle.new(9)], wait=[wait(8), wait(9)])
    await seat(connection, 2)
    other = await connect(database, batches=True)
    try:
        async with connection.transaction():
            assert await cycle(leased=[(1, 1)], claimed=[(7, 1)]) == {"leased": [1], "claimed": [8]}
            answer = await Cycles(other, node=2)(leased=[(1, 5)], claimed=[(7, 5)])
            assert answer == {"leased": [2], "claimed": [9]}
    finally:
        await other.close()


async def test_waiting_rows_are_put_moved_and_taken_out(cycle: Cycles, connection: Connection):
    """A row is written once a message and moved after that; taken out first, so that out and in again leaves it in."""
    await cycle(new=[cycle.new(1), cycle.new(2)], wait=[wait(1, due=5), wait(2, node=1)])
    await cycle(wait=[wait(1, link=8, state=State.IN_DOUBT, due=6, expires=9, node=1)], unwait=[(1,), (2,)])
    rows = await connection.fetch("SELECT id, link, state, node, epoch, due_ms, expires_ms FROM waiting")
    assert [tuple(row) for row in rows] == [(1, 8, 5, 1, 1, 6, 9)]


async def test_a_claim_takes_what_may_go_now(cycle: Cycles, connection: Connection):
    """A link's claim takes QUEUED rows of it that are due: by priority, oldest first, at most as many as it says."""
    rows = [
        wait(1),
        wait(2, due=FUTURE),
        wait(3, link=8),
        wait(4),
        wait(5),
        wait(6, state=State.IN_DOUBT, due=PAST),
        wait(7, node=1),
    ]
    await cycle(new=[cycle.new(number) for number in range(1, 8)], wait=rows)
    await connection.execute("UPDATE waiting SET priority = 1 WHERE id = 5")
    assert await cycle(claimed=[(7, 2)]) == {"claimed": [5, 1]}
    assert await cycle(claimed=[(7, 9), (8, 9)]) == {"claimed": [4, 3]}
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM waiting WHERE node = 1 AND epoch = 1") == [
        1,
        3,
        4,
        5,
        7,
    ]


async def test_the_claim_of_time_takes_what_is_due_or_expired(cycle: Cycles):
    """Link 0 stands for time: what is not QUEUED and due, and what is QUEUED and over its validity period."""
    rows = [
        wait(1, state=State.IN_DOUBT, due=PAST),
        wait(2, state=State.IN_DOUBT, due=FUTURE),
        wait(3, expires=PAST),
        wait(4, expires=FUTURE),
        wait(5),
        wait(6, state=State.IN_DOUBT, due=PAST, node=1),
    ]
    await cycle(new=[cycle.new(number) for number in range(1, 7)], wait=rows)
    assert await cycle(claimed=[(0, 9)]) == {"claimed": [1, 3]}
    assert await cycle(claimed=[(0, 9)]) == {"claimed": []}


async def test_a_refused_message_waits_nowhere(cycle: Cycles, connection: Connection):
    """A row of waiting for a message that the cycle refuses is not written."""
    answer = await cycle(new=[cycle.new(1, price=5_000), cycle.new(2)], wait=[wait(1), wait(2)])
    assert answer == {"refused": [[1, "balance"]]}
    assert await column(connection, "SELECT id FROM waiting") == [2]
    await whole(connection)


async def test_references_and_parked_receipts_are_kept(cycle: Cycles, connection: Connection):
    """References lie in the partition of the moment they were written; parked receipts with their octets, until they go."""
    await cycle(at=12_345, refer=[(7, 1, '"up 1"', "86138"), (7, 2, '"up 1"', "86139")], park=[cycle.parked(5, key="up 2")])
    rows = await connection.fetch("SELECT at, link, message, upstream_id, destination FROM upstream_ref ORDER BY message")
    assert [tuple(row) for row in rows] == [(12_345, 7, 1, "up 1", "86138"), (12_345, 7, 2, "up 1", "86139")]
    parked = await connection.fetchrow("SELECT id, link, command, upstream_id, body FROM orphan")
    assert parked is not None
    assert tuple(parked) == (5, 7, 5, "up 2", b"parked 5")
    await cycle(unpark=[(5,)])
    assert await column(connection, "SELECT id FROM orphan") == []


# ---- plans ----------------------------------------------------------------------------------------------------------


async def test_no_statement_of_a_cycle_reads_a_whole_table(cycle: Cycles, connection: Connection):
    """With tables full and with tables never analysed, hot statements go by key: no sequential scan of what can grow."""
    await connection.execute("SET plan_cache_mode = force_generic_plan; LOAD 'auto_explain'")
    plans: list[str] = []
    connection.add_log_listener(lambda _, said: plans.append(str(said.message)))  # type: ignore[attr-defined]
    for analysed in (False, True):
        await _fill(cycle, 1_000 if analysed else 1)
        if analysed:
            await connection.execute("ANALYZE")
        await connection.execute("SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;")
        await connection.execute("SET client_min_messages = log")
        first = 5_000 if analysed else 100_000
        await _fill(cycle, first, 3)
        await cycle(
            changed=[change(first), change(first + 1, refund=1)], owed=[cycle.owed(first + 50, message=first, node=1)],
            done=[(first + 2,)], put_back=[(first + 50, 1, 1, 0)], unwait=[(first,)], unpark=[(first,)],
        )  # fmt: skip
        await cycle(claimed=[(7, 2), (0, 2)], leased=[(1, 2)], low_water=5)
        await connection.execute("RESET client_min_messages; SET auto_explain.log_min_duration = -1")
    assert len(plans) > 40
    grown = ("message", "content", "owed", "waiting", "upstream_ref", "orphan", "refund", "commit_token", "short_id", "ledger")
    scans = [plan for plan in plans if any(f"Seq Scan on {table}" in plan for table in grown)]
    assert not scans, scans[0]


async def _fill(cycle: Cycles, first: int, count: int = 300) -> None:
    numbers = range(first, first + count)
    await cycle(
        new=[cycle.new(number) for number in numbers],
        short=[(number, 1, f"{number:08x}") for number in numbers],
        quota=[quota(1, 10_000)],
        owed=[cycle.owed(number) for number in numbers],
        wait=[wait(number) for number in numbers],
        refer=[(7, number, f"up{number}", "86138") for number in numbers],
        park=[cycle.parked(number) for number in numbers],
    )


async def test_the_answer_is_json_that_python_reads(cycle: Cycles, connection: Connection):
    """Ids above 2^53 come back whole: they are numbers of JSON, not of floating point."""
    great = 2**63 - 5
    await cycle(new=[cycle.new(great, price=2_000)])
    stored = json.loads(await connection.fetchval("SELECT answer FROM commit_token"))
    assert stored == {"refused": [[great, "balance"]]}
