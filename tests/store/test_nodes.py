from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from smsgw.model import State
from smsgw.store import invariants, nodes
from smsgw.store.commit import Seat
from smsgw.store.database import Connection, connect
from tests.store.cycles import Cycles, change, wait
from tests.store.work import WAIT_S, Node, fund

NOW_MS = 1_800_000_000_000
TAKEOVER_S = 10.0


@pytest.fixture
async def other(database: str) -> AsyncIterator[Connection]:
    """A second connection: another process."""
    opened = await connect(database, name="other", batches=True)
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a lock as long as a test may take, not as long as a dead backend may linger."""
    monkeypatch.setattr(nodes, "LOCK_WAIT_S", 0.2)


def ident(number: int, node: int = 1) -> int:
    """An id of a node, of the number-th millisecond."""
    return number << 22 | node << 12


async def aged(connection: Connection, node: int, seconds: float) -> None:
    """Let a node be silent, and the server have been up, for so long."""
    await connection.execute(
        "UPDATE node SET heartbeat = clock_timestamp() - make_interval(secs => $2) WHERE id = $1", node, seconds
    )
    # The server of the tests is younger than that: a function of ours stands before the system's.
    await connection.execute(
        "CREATE OR REPLACE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT 'epoch'::timestamptz $$; SET search_path = public, pg_catalog"
    )


# ---- seats ----------------------------------------------------------------------------------------------------------


async def test_a_start_takes_the_seat_and_raises_the_epoch(connection: Connection, other: Connection):
    """Each start of a node has an epoch of its own, above all before it, and a heart that has just beaten."""
    first = await nodes.take_seat(connection, 5, NOW_MS)
    assert first.seat == Seat(5, 1)
    assert first.adopted == {"in_doubt": 0, "waiting": 0, "references": 0, "owed": 0}
    await connection.close()
    second = await nodes.take_seat(other, 5, NOW_MS)
    assert second.seat == Seat(5, 2)
    assert second.last_ms > first.last_ms >= 1
    assert await other.fetchval("SELECT heartbeat > now() - interval '1 minute' FROM node")


async def test_a_second_process_is_refused(connection: Connection, other: Connection):
    """While a process lives as a node nobody else may: the epoch stays, and another node id is free."""
    await nodes.take_seat(connection, 5, NOW_MS)
    with pytest.raises(nodes.SeatTaken, match="node 5 is running elsewhere"):
        await nodes.take_seat(other, 5, NOW_MS)
    assert await other.fetchval("SELECT epoch FROM node WHERE id = 5") == 1
    assert await other.fetchval("SHOW lock_timeout") == "0"
    assert (await nodes.take_seat(other, 6, NOW_MS)).seat == Seat(6, 1)


async def test_a_start_waits_for_the_backend_of_a_dead_process(
    connection: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
):
    """The lock of a process that has died may be held a moment longer: a start waits for it."""
    monkeypatch.setattr(nodes, "LOCK_WAIT_S", int(WAIT_S))
    await nodes.take_seat(connection, 5, NOW_MS)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(nodes.take_seat(other, 5, NOW_MS))
        async with asyncio.timeout(WAIT_S):
            while not await locks(connection, "locktype = 'advisory' AND NOT granted"):
                pass
        await connection.close()
    assert taking.result().seat.epoch == 2


async def test_ids_begin_above_everything_stored(connection: Connection):
    """A start begins above the newest id of the store, also when its node row has never heard of it."""
    await fund(connection, 10)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (5, 1)")
    cycle = Cycles(connection, node=5)
    await cycle(new=[cycle.new(ident(700, 5))], owed=[cycle.owed(ident(800, 5))], park=[cycle.parked(ident(900, 5))])
    assert (await nodes.take_seat(connection, 5, NOW_MS)).last_ms > 900


# ---- the life and death of other nodes ------------------------------------------------------------------------------


async def locks(connection: Connection, condition: str) -> int:
    """How many locks of this database are so."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
            f" AND {condition}"
        )
    )


async def with_work(connection: Connection, node: int = 2) -> Cycles:
    """A node with something to be taken up: a claimed receipt."""
    await connection.execute("INSERT INTO node (id, epoch) VALUES ($1, 1)", node)
    cycle = Cycles(connection, node=node)
    await cycle(owed=[cycle.owed(ident(5, node), node=node)])
    return cycle


async def test_a_node_is_dead_after_a_long_silence(connection: Connection):
    """Only the silence of others counts, and only where there is work of theirs to take up."""
    await with_work(connection)
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []
    await aged(connection, 2, TAKEOVER_S - 2)
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []
    await aged(connection, 2, TAKEOVER_S + 1)
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == [2]
    assert await nodes.dead_nodes(connection, 2, TAKEOVER_S) == []
    await connection.execute("DELETE FROM owed")
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []


@pytest.mark.parametrize("work", ["bind", "waiting", "message"])
async def test_work_of_any_kind_is_seen(connection: Connection, work: str):
    """Counted binds, claimed messages and open rows above the low water are work too; what is final or below is not."""
    await fund(connection, 10)
    await connection.execute("INSERT INTO node (id, epoch, low_water) VALUES (2, 1, $1)", ident(5, 2))
    cycle = Cycles(connection, node=2)
    below, above = ident(4, 2), ident(6, 2)
    await cycle(new=[cycle.new(below), cycle.new(above), cycle.new(ident(7, 3))])
    await cycle(changed=[change(above, state=State.DELIVERED)])
    await aged(connection, 2, 60)
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []
    match work:
        case "bind":
            await connection.execute("INSERT INTO bind (node, epoch, session, account, kind) VALUES (2, 1, 1, 1, 'trx')")
        case "waiting":
            await cycle(wait=[wait(below, node=2)])
        case _:
            await cycle(new=[cycle.new(ident(8, 2))])
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == [2]


async def test_a_node_whose_last_beat_lies_ahead_is_dead(connection: Connection):
    """The store's clock was put back since: a living node would have told of itself by that clock within a second."""
    await with_work(connection)
    await aged(connection, 2, -(TAKEOVER_S - 2))
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []
    await aged(connection, 2, -3_600)
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == [2]
    assert await nodes.take_over(connection, 2, NOW_MS, TAKEOVER_S) is not None


async def test_a_restart_of_the_server_makes_nobody_dead(connection: Connection):
    """A restart drops every lock: silence is counted from the server's start at the earliest."""
    await with_work(connection)
    await connection.execute("UPDATE node SET heartbeat = now() - interval '1 day'")
    assert await nodes.dead_nodes(connection, 1, 86_000.0) == []
    assert await nodes.take_over(connection, 2, NOW_MS, 86_000.0) is None


async def test_a_node_whose_lock_is_held_is_not_taken_over(connection: Connection, other: Connection):
    """However long it is silent: a process that holds its lock may only be slow."""
    await nodes.hold_lock(other, 2)
    await with_work(connection)
    await aged(connection, 2, 3_600)
    assert await nodes.take_over(connection, 2, NOW_MS, TAKEOVER_S) is None
    assert await connection.fetchval("SELECT epoch FROM node WHERE id = 2") == 1


async def test_a_node_whose_heart_beats_is_not_taken_over(connection: Connection):
    """A free lock is not enough: the connection that held it may have broken and be on its way back."""
    await with_work(connection)
    await aged(connection, 2, TAKEOVER_S - 2)
    assert await nodes.take_over(connection, 2, NOW_MS, TAKEOVER_S) is None
    assert await connection.fetchval("SELECT epoch FROM node WHERE id = 2") == 1
    assert await locks(connection, "locktype = 'advisory'") == 0


async def test_a_take_over_fences_and_frees(connection: Connection, other: Connection, database: str):
    """A silent node without its lock is adopted once: its epoch rises, its claims are free, its next cycle is fenced."""
    cycle = await with_work(connection)
    await aged(connection, 2, TAKEOVER_S + 1)
    assert await nodes.take_over(connection, 2, NOW_MS, TAKEOVER_S) == {"in_doubt": 0, "waiting": 0, "references": 0, "owed": 1}
    with pytest.raises(Exception, match="was taken over"):
        await cycle()
    assert await nodes.dead_nodes(connection, 1, TAKEOVER_S) == []
    assert (await nodes.take_seat(other, 2, NOW_MS)).seat.epoch == 3
    await fund(connection, 10)
    node = Node(database, Seat(2, 3))
    node.submit()
    await node.done()
    assert len(node.effects.passed) == 1


async def test_others_live_while_their_hearts_beat(connection: Connection):
    """Another node that has been heard of lately may get the receipts of our messages."""
    assert not await nodes.others_live(connection, 1, TAKEOVER_S)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    assert await nodes.others_live(connection, 1, TAKEOVER_S)
    await aged(connection, 2, 3 * TAKEOVER_S + 1)
    assert not await nodes.others_live(connection, 1, TAKEOVER_S)


# ---- adoption -------------------------------------------------------------------------------------------------------

OPEN = [state for state in State if state < State.DELIVERED]


async def adopt(connection: Connection, node: int = 1) -> dict[str, int]:
    """What a start or a take-over runs."""
    found: dict[str, int] = json.loads(await connection.fetchval("SELECT adopt($1, $2)", node, NOW_MS))
    return found


async def picture(connection: Connection) -> dict[str, list[Any]]:
    """Everything that adoption may touch."""
    queries = {
        "message": "SELECT id, state, rev FROM message ORDER BY id",
        "waiting": "SELECT id, link, state, node, epoch, due_ms, expires_ms FROM waiting ORDER BY id",
        "upstream_ref": "SELECT link, message, upstream_id, destination FROM upstream_ref ORDER BY message",
        "owed": "SELECT id, node, epoch FROM owed ORDER BY id",
        "bind": "SELECT node, session FROM bind ORDER BY 1, 2",
    }
    return {name: [tuple(row) for row in await connection.fetch(query)] for name, query in queries.items()}


@pytest.fixture
async def cycle(connection: Connection) -> Cycles:
    """Node 1 in its first epoch."""
    await fund(connection, 1_000)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    return Cycles(connection)


async def put(cycle: Cycles, states: list[State], *, first: int = 1, node: int = 1) -> list[int]:
    """Write messages of a node in these states."""
    ids = [ident(first + number, node) for number in range(len(states))]
    await cycle(new=[cycle.new(number, state=State.QUEUED) for number in ids])
    await cycle(changed=[change(number, state=state, upstream=f"up{number}") for number, state in zip(ids, states, strict=True)])
    return ids


async def test_every_open_row_is_spilled(cycle: Cycles, connection: Connection):
    """HELD, SCHEDULED, QUEUED, IN_DOUBT wait again, SUBMITTING is in doubt, SENT gets its reference; what is final stays."""
    ids = await put(cycle, list(State))
    await connection.execute("UPDATE message SET expires_ms = 77")
    by_state = dict(zip(State, ids, strict=True))
    assert await adopt(connection) == {"in_doubt": 1, "waiting": 5, "references": 1, "owed": 0}
    seen = await picture(connection)
    assert seen["waiting"] == [
        (by_state[State.HELD], 8, State.HELD, 0, 0, NOW_MS, 0),
        (by_state[State.SCHEDULED], 8, State.SCHEDULED, 0, 0, NOW_MS, 0),
        (by_state[State.QUEUED], 8, State.QUEUED, 0, 0, 0, 77),
        (by_state[State.SUBMITTING], 8, State.IN_DOUBT, 0, 0, NOW_MS, 0),
        (by_state[State.IN_DOUBT], 8, State.IN_DOUBT, 0, 0, NOW_MS, 0),
    ]
    assert seen["upstream_ref"] == [(8, by_state[State.SENT], f"up{by_state[State.SENT]}", "86138")]
    changed = {number: (state, rev) for number, state, rev in seen["message"]}
    assert changed[by_state[State.SUBMITTING]] == (State.IN_DOUBT, 2)
    assert all(changed[by_state[state]] == (state, 1) for state in State if state is not State.SUBMITTING)
    assert await invariants.check(connection) == []


async def test_adoption_may_be_run_again(cycle: Cycles, connection: Connection):
    """A second adoption finds nothing and changes nothing, whatever there was."""
    ids = await put(cycle, list(State))
    await cycle(
        owed=[cycle.owed(ident(90), node=1)],
        wait=[wait(number, state=State.SUBMITTING, due=NOW_MS + 5, node=1) for number in ids[:6]],
    )
    first = await adopt(connection)
    after = await picture(connection)
    assert first["owed"] == 1
    assert await adopt(connection) == {"in_doubt": 0, "waiting": 0, "references": 0, "owed": 0}
    assert await picture(connection) == after


async def test_claims_are_freed(cycle: Cycles, connection: Connection):
    """What the node had claimed is free: messages as they stand, receipts, counted binds; another node's stay claimed."""
    await connection.execute("UPDATE node SET low_water = $1 WHERE id = 1", ident(1_000))
    ids = await put(cycle, OPEN, node=2)
    theirs = await put(cycle, [State.SUBMITTING], first=50, node=2)
    await cycle(wait=[wait(number, state=State.QUEUED, due=9, node=1) for number in ids], owed=[cycle.owed(ident(90), node=1)])
    two = Cycles(connection, node=2)
    await two(wait=[wait(theirs[0], node=2)], owed=[two.owed(ident(91), node=2)])
    await connection.execute(
        "INSERT INTO bind (node, epoch, session, account, kind) VALUES (1, 1, 1, 1, 'trx'), (2, 1, 1, 1, 'trx')"
    )
    assert await adopt(connection) == {"in_doubt": 1, "waiting": 0, "references": 0, "owed": 1}
    seen = await picture(connection)
    assert seen["waiting"] == [
        (ids[0], 7, State.HELD, 0, 0, 9, 0),
        (ids[1], 7, State.SCHEDULED, 0, 0, 9, 0),
        (ids[2], 7, State.QUEUED, 0, 0, 9, 0),
        (ids[3], 7, State.IN_DOUBT, 0, 0, NOW_MS, 0),
        (ids[4], 7, State.IN_DOUBT, 0, 0, NOW_MS, 0),
        (theirs[0], 7, State.QUEUED, 2, 1, 0, 0),
    ]
    assert seen["owed"] == [(ident(90), 0, 0), (ident(91), 2, 1)]
    assert seen["bind"] == [(2, 1)]


async def test_the_claim_owns_a_message_not_its_id(cycle: Cycles, connection: Connection):
    """A message that this node accepted and another one has claimed is not put in doubt: the other is submitting it."""
    ours, theirs = await put(cycle, [State.SUBMITTING, State.SUBMITTING])
    await Cycles(connection, node=2)(wait=[wait(theirs, node=2)])
    assert (await adopt(connection))["in_doubt"] == 1
    assert [row[:2] for row in (await picture(connection))["message"]] == [(ours, State.IN_DOUBT), (theirs, State.SUBMITTING)]
    assert [row[3] for row in (await picture(connection))["waiting"]] == [0, 2]


async def test_what_another_node_is_just_settling_is_waited_for(cycle: Cycles, connection: Connection, other: Connection):
    """A message that another node's cycle is bringing to its end while it is adopted waits nowhere afterwards."""
    ending, open_one = await put(cycle, [State.QUEUED, State.QUEUED])
    async with asyncio.TaskGroup() as group:
        async with other.transaction():
            await Cycles(other, node=2)(changed=[change(ending, rev=1, state=State.DELIVERED)], unwait=[(ending,)])
            adopting = group.create_task(adopt(connection))
            async with asyncio.timeout(WAIT_S):
                while not adopting.done() and not await locks(other, "NOT granted"):
                    pass
        assert (await adopting)["waiting"] == 1
    assert [row[0] for row in (await picture(connection))["waiting"]] == [open_one]
    assert await invariants.check(connection) == []


async def test_adoption_and_a_cycle_never_wait_for_each_other(cycle: Cycles, connection: Connection, other: Connection):
    """While another node's cycle holds messages that are to be adopted, adoption holds nothing that the cycle may need next."""
    ours, claimed = await put(cycle, [State.QUEUED, State.QUEUED])
    await cycle(wait=[wait(claimed, node=1)])
    async with asyncio.TaskGroup() as group:
        async with other.transaction():
            two = Cycles(other, node=2)
            await two(changed=[change(ours, rev=1), change(claimed, rev=1, state=State.DELIVERED)])
            adopting = group.create_task(adopt(connection))
            async with asyncio.timeout(WAIT_S):
                while not adopting.done() and not await locks(other, "NOT granted"):
                    pass
            await two(unwait=[(claimed,)])
        await adopting
    assert (await picture(connection))["waiting"] == []
    assert await invariants.check(connection) == []


async def test_only_what_is_above_the_low_water_is_read(cycle: Cycles, connection: Connection):
    """Rows below the low water have been spilled before; adoption leaves the low water above everything."""
    low, high = await put(cycle, [State.QUEUED, State.QUEUED])
    await connection.execute("UPDATE node SET low_water = $1 WHERE id = 1", high)
    assert (await adopt(connection))["waiting"] == 1
    assert [row[0] for row in (await picture(connection))["waiting"]] == [high]
    row = await connection.fetchrow("SELECT low_water, last_ms FROM node WHERE id = 1")
    assert row is not None
    assert row["low_water"] > high > low
    assert row["last_ms"] == row["low_water"] >> 22


async def test_a_reference_that_is_there_is_not_written_again(cycle: Cycles, connection: Connection):
    """A SENT message whose reference was written at its settle has one reference; one without an id of the carrier has none."""
    first, second = await put(cycle, [State.SENT, State.SENT])
    await cycle(refer=[(8, first, f"up{first}", "86138")])
    await connection.execute("UPDATE message SET upstream_id = '' WHERE id = $1", second)
    assert (await adopt(connection))["references"] == 0


# ---- tokens ---------------------------------------------------------------------------------------------------------


async def test_old_answers_are_forgotten_but_the_last(cycle: Cycles, connection: Connection):
    """Answers older than an hour go; the last of each node stays, for a node that was away longer than that."""
    for _ in range(3):
        await cycle()
    two = Cycles(connection, node=2)
    await two()
    await connection.execute("UPDATE commit_token SET at = now() - interval '2 hours'")
    await cycle()
    await nodes.prune_tokens(connection)
    kept = await connection.fetch("SELECT node, seq FROM commit_token ORDER BY node, seq")
    assert [tuple(row) for row in kept] == [(1, 4), (2, 1)]
