from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from smsgw.model import Message, Rejected, State
from smsgw.store import invariants
from smsgw.store.batch import Batch
from smsgw.store.commit import CONFLICT, POISON, CommitCaps, Fenced
from smsgw.store.database import Connection, connect
from smsgw.store.receipts import ParkedReceipt
from tests.builds import plain_only
from tests.store.work import (
    ACME,
    WAIT_S,
    Effects,
    Lossy,
    Node,
    account,
    connecting,
    fund,
    message,
    owed,
    seat,
    terminate,
    twin,
    working,
)

UNSTORABLE = "8613\x00"  # PostgreSQL's text holds no NUL


@pytest.fixture
async def node(database: str, connection: Connection) -> Node:
    """Node 1, with a tenant that has money."""
    await fund(connection, 1_000_000)
    return Node(database, await seat(connection))


async def whole(connection: Connection, amount: int | None = None) -> None:
    """The books hold, and the balance is this."""
    assert await invariants.check(connection) == []
    if amount is not None:
        assert await connection.fetchval("SELECT amount FROM balance WHERE tenant = 1") == amount


# ---- effects --------------------------------------------------------------------------------------------------------


async def test_effects_run_after_the_commit(database: str, connection: Connection):
    """An effect runs when any other connection can see what was committed, and not before."""
    await fund(connection, 100)
    order: list[str] = []
    node = Node(database, await seat(connection), probe=order.append)
    node.effects = Effects(lambda _message, _verdict: order.append("effect"))
    new = node.submit()
    await node.done()
    assert order[:4] == ["before_commit", "after_commit", "effect", "between_effects"]
    row = await connection.fetchrow("SELECT * FROM message")
    assert row is not None
    assert (row["id"], row["state"], row["price"], row["link"], row["rev"]) == (new.id, State.SUBMITTING, 1, 7, 0)
    assert await connection.fetchval("SELECT body FROM content WHERE id = $1", new.id) == b"body"
    assert node.effects.seen == [(new, None)]
    await whole(connection, 99)


async def test_the_next_statement_is_on_the_wire_before_effects_run(database: str, connection: Connection):
    """Under load the effects of a cycle run while PostgreSQL works on the next one."""
    await fund(connection, 1_000)
    order: list[str] = []
    node = Node(database, await seat(connection), caps=CommitCaps(new=2, pace_s=0.0), probe=order.append)
    for _ in range(4):
        node.submit()
    await node.done()
    first, second = [at for at, point in enumerate(order) if point == "before_commit"]
    assert order[first:second] == ["before_commit", "after_commit"]
    assert order[second + 1] == "between_effects"
    assert len(node.effects.passed) == 4


async def test_an_effect_that_raises_ends_nothing(node: Node, connection: Connection):
    """An effect that fails is counted; the effects of the others run, and the loop goes on."""

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault of a journey")

    commit, effects = node.commit, node.effects
    async with working(commit):
        commit.add(message(node.ids), fail)
        new = node.submit()
        await effects.count(1)
        commit.on_conflict = fail
        commit.change(message(node.ids), fail)
        commit.owe(owed(node.ids), fail, None)
        commit.claim(7, 1, fail)
        commit.lease(1, 1, fail)
        commit.change(new, effects, new)
        await effects.count(2)
    assert commit.effect_failures == 6
    assert await connection.fetchval("SELECT count(*) FROM message") == 2


async def test_a_change_writes_the_present_state_once(node: Node, connection: Connection):
    """A message that changes twice before a cycle takes it is written once, as it is then, and both effects run in order."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        new = node.submit()
        await effects.count(1)
        new.state = State.SENT
        new.upstream_id = 'a"b\\c'
        commit.change(new, effects, "sent")
        new.state = State.DELIVERED
        new.done_at = 1_767_225_600.25
        commit.change(new, effects, "delivered", owed(node.ids, about=new.id))
        assert await effects.count(3) == [(new, None), ("sent", None), ("delivered", None)]
    row = await connection.fetchrow("SELECT state, rev, upstream_id, done_ms FROM message")
    assert row is not None
    assert tuple(row) == (State.DELIVERED, 1, 'a"b\\c', 1_767_225_600_250)
    assert new.rev == 1
    assert await connection.fetchval("SELECT message FROM owed") == new.id


# ---- durable limits -------------------------------------------------------------------------------------------------


async def test_exactly_the_affordable_messages_pass(database: str, connection: Connection):
    """Where the sum does not fit, messages pass one by one in order of arrival; one too dear lets a later, cheaper one pass."""
    await fund(connection, 10)
    node = Node(database, await seat(connection))
    prices = [4, 5, 3, 1, 2, 1]
    news = [node.submit(price=price) for price in prices]
    await node.done()
    assert node.effects.passed == [news[0], news[1], news[3]]
    assert node.effects.refused == [(news[2], "balance"), (news[4], "balance"), (news[5], "balance")]
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM message") == [m.id for m in node.effects.passed]
    await whole(connection, 0)


async def test_a_refusal_leaves_no_row(database: str, connection: Connection):
    """A message that was refused leaves neither content, nor a short id, nor a place to wait, nor a count in the books."""
    await fund(connection, 0)
    node = Node(database, await seat(connection))
    refused = node.submit(account(quota_day=5), short_id="000000aa")
    node.commit.wait(refused, 7, 0.0, claimed=False)
    await node.done()
    assert node.effects.refused == [(refused, "balance")]
    for table in ("message", "content", "short_id", "waiting"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert await connection.fetchval("SELECT sum(used) FROM quota") == 0
    assert await connection.fetchval("SELECT count(*) FROM ledger WHERE kind = 'debit'") == 0
    await whole(connection, 0)


async def test_who_has_no_balance_may_send_nothing(node: Node, connection: Connection):
    """A tenant without a balance row is refused; the tenants beside it are not."""
    stranger = account(9, tenant=type(ACME)(9, "stranger", "CNY"))
    node.submit(stranger)
    passed = node.submit()
    await node.done()
    assert [reason for _, reason in node.effects.refused] == ["balance"]
    assert node.effects.passed == [passed]
    await whole(connection, 999_999)


async def test_credit_is_spent_to_its_limit(database: str, connection: Connection):
    """A balance goes below zero down to the credit limit and not one unit further."""
    await fund(connection, 2, credit=3)
    node = Node(database, await seat(connection))
    for _ in range(8):
        node.submit()
    await node.done()
    assert len(node.effects.passed) == 5
    await whole(connection, -3)


@pytest.mark.parametrize("limits", [{"quota_day": 3}, {"quota_month": 3}, {"quota_day": 3, "quota_month": 5}])
async def test_quotas_are_counted_to_the_last_message(database: str, connection: Connection, limits: dict[str, int]):
    """An account's quota of a day or month lets exactly so many messages pass, over several cycles, and costs nothing after."""
    await fund(connection, 100)
    node = Node(database, await seat(connection), caps=CommitCaps(new=2, pace_s=0.0))
    limited, free = account(1, **limits), account(2)
    for _ in range(5):
        node.submit(limited)
        node.submit(free)
    await node.done()
    assert [m.account.id for m in node.effects.passed] == [1, 2, 1, 2, 1, 2, 2, 2]
    assert {reason for _, reason in node.effects.refused} == {"quota"}
    assert await connection.fetchval("SELECT max(used) FROM quota") == 3
    await whole(connection, 92)


async def test_two_nodes_spend_the_last_units_together(database: str, connection: Connection):
    """Two nodes that drain one balance at once let exactly as many messages pass as it pays for, round after round."""
    await fund(connection, 0)
    nodes = [Node(database, await seat(connection, number), caps=CommitCaps(new=16, pace_s=0.0)) for number in (1, 2)]
    async with working(nodes[0].commit), working(nodes[1].commit):
        for turn in range(1, 4):
            await connection.execute("UPDATE balance SET amount = amount + 100")
            await connection.execute("INSERT INTO ledger (tenant, kind, day, amount) VALUES (1, 'top_up', 0, 100)")
            for _ in range(80):
                for node in nodes:
                    node.submit()
            for node in nodes:
                await node.effects.count(80 * turn)
            assert sum(len(node.effects.passed) for node in nodes) == 100 * turn
            assert {reason for node in nodes for _, reason in node.effects.refused} == {"balance"}
            await whole(connection, 0)


# ---- lost connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_cycle_whose_answer_was_lost_is_decided_by_its_token(database: str, connection: Connection, lost: str):
    """The same cycle is sent again under the same token: what was committed is not done twice, and its answer comes back."""
    await fund(connection, 3)
    at = await seat(connection)
    lossy = Lossy(connecting(database), lambda number: lost if number in {1, 2, 5} else None)
    node = Node(database, at, caps=CommitCaps(new=5, pace_s=0.0), connect=lossy)
    async with working(node.commit):
        for _ in range(5):
            node.submit()
        await node.effects.count(5)
        node.commit.change(node.effects.passed[0], node.effects, "change", owed(node.ids, about=node.effects.passed[0].id))
        await node.effects.count(6)
    assert len(node.effects.passed) == 4
    assert [reason for _, reason in node.effects.refused] == ["balance", "balance"]
    assert node.commit.replays == lossy.connections - 1 == 3
    assert await connection.fetchval("SELECT count(*) FROM owed") == 1
    await whole(connection, 0)


async def test_claims_come_back_with_a_replay(database: str, connection: Connection):
    """What a lost answer had claimed and leased is this node's, and the replay says so."""
    await fund(connection, 10)
    at = await seat(connection)
    lossy = Lossy(connecting(database), lambda number: "after" if number == 2 else None)
    node = Node(database, at, connect=lossy)
    claimed, leased = Effects(), Effects()
    async with working(node.commit):
        queued = node.submit(state=State.QUEUED)
        node.commit.wait(queued, 7, 0.0, claimed=False)
        mo = owed(node.ids)
        node.commit.owe(mo, node.effects, mo)
        await node.effects.count(2)
        node.commit.claim(7, 10, claimed)
        node.commit.lease(1, 10, leased)
        assert await claimed.count(1) == [([queued.id], None)]
        assert await leased.count(1) == [([mo.id], None)]
    assert lossy.connections == 2


async def test_nothing_is_lost_or_done_twice_whenever_the_server_cuts_the_connection(database: str, connection: Connection):
    """While the backend is killed again and again, each message is decided once and the balance is exact."""
    await fund(connection, 10_000)
    node = Node(database, await seat(connection), caps=CommitCaps(new=8, owed=8, changed=8, pace_s=0.0))
    chance = random.Random(4)
    receipts = Effects()

    def settle(new: Message, verdict: Rejected | None) -> None:
        if verdict is None:
            new.state, new.refund = State.FAILED, chance.choice((0, 1))
            node.commit.change(new, receipts, new, owed(node.ids, about=new.id))

    node.effects = Effects(settle)
    async with working(node.commit):
        for turn in range(1, 13):
            for _ in range(40):
                node.submit()
            await node.effects.count(40 * turn - chance.randrange(40))
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
            await terminate(connection)
        news = [new for new, _ in await node.effects.count(480)]
        await receipts.count(480)
    assert len({new.id for new in news}) == 480
    assert node.effects.refused == receipts.refused == []
    assert node.commit.replays > 0
    assert await connection.fetchval("SELECT count(*) FROM message WHERE state = 11 AND rev = 1") == 480
    assert await connection.fetchval("SELECT count(DISTINCT message) FROM owed") == 480
    await whole(connection, 10_000 - 480 + sum(new.refund for new in news))


async def test_unavailable_while_the_server_is_away(database: str, connection: Connection):
    """While nobody can be connected to, `available` is False and nothing is answered; afterwards all is decided."""
    await fund(connection, 10)
    at = await seat(connection)
    back = asyncio.Event()
    away = asyncio.Event()
    open_one = connecting(database)
    tried = 0

    async def connect_later() -> Connection:
        nonlocal tried
        tried += 1
        if tried in {2, 3} and not back.is_set():
            away.set()
            return await connect("postgresql://nobody@127.0.0.1:1/none", timeout_s=1.0)
        await back.wait() if tried > 1 else None
        return await open_one()

    node = Node(database, at, connect=connect_later)
    async with working(node.commit):
        node.submit()
        await node.effects.count(1)
        assert node.commit.available
        await terminate(connection)
        node.submit()
        async with asyncio.timeout(WAIT_S):
            await away.wait()
        assert not node.commit.available
        assert len(node.effects.seen) == 1
        back.set()
        await node.effects.count(2)
        assert node.commit.available
    assert not node.commit.available
    await whole(connection, 8)


async def test_a_server_that_may_not_write_poisons_nothing(database: str, connection: Connection):
    """A standby's refusal to write is no fault of the rows: the cycle waits for a server that takes it."""
    await fund(connection, 10)
    at = await seat(connection)
    opened: list[Connection] = []

    async def read_only_first() -> Connection:
        made = await connecting(database)()
        if not opened:
            await made.execute("SET default_transaction_read_only = on")
        opened.append(made)
        return made

    node = Node(database, at, connect=read_only_first)
    node.submit()
    await node.done()
    assert len(node.effects.passed) == 1
    assert len(opened) == 2
    await whole(connection, 9)


async def test_a_deadlock_or_a_full_disk_is_tried_again(database: str, connection: Connection):
    """A failure that may pass is answered with the same cycle again, not with the loss of its rows."""
    await fund(connection, 10)
    await connection.execute("""
        CREATE SEQUENCE tried;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            CASE nextval('tried') WHEN 1 THEN RAISE SQLSTATE '40P01'; WHEN 2 THEN RAISE SQLSTATE '53100';
                WHEN 3 THEN RAISE SQLSTATE '58030'; ELSE NULL; END CASE;
            RETURN NEW; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON commit_token FOR EACH ROW EXECUTE FUNCTION fail();
    """)
    node = Node(database, await seat(connection))
    node.submit()
    await node.done()
    assert len(node.effects.passed) == 1
    assert node.commit.poisoned == 0
    await whole(connection, 9)


# ---- poison ---------------------------------------------------------------------------------------------------------


async def test_one_poison_row_is_found_and_the_others_are_stored(node: Node, connection: Connection):
    """A new message that cannot be stored is refused alone, wherever it stands."""
    news = [node.submit(destination=UNSTORABLE if number in {3, 17} else "86138") for number in range(40)]
    await node.done()
    assert node.effects.refused == [(news[3], POISON.reason), (news[17], POISON.reason)]
    assert node.commit.poisoned == 2
    assert await connection.fetchval("SELECT count(*) FROM message") == 38
    await whole(connection, 1_000_000 - 38)


async def test_text_that_is_no_unicode_is_poison_too(node: Node, connection: Connection):
    """What cannot even be sent to the server is found in the same way, and the connection stays."""
    news = [node.submit(destination=text) for text in ("86138", "\ud800", "86139")]
    await node.done()
    assert node.effects.refused == [(news[1], POISON.reason)]
    assert (node.commit.poisoned, node.commit.replays) == (1, 0)
    await whole(connection, 1_000_000 - 2)


async def test_a_poison_change_is_parked_and_the_others_are_written(node: Node, connection: Connection):
    """A change that cannot be stored is told so, its receipt is not owed, its row stays as it was; the others are written."""
    commit, effects = node.commit, node.effects
    forgotten: list[Message] = []
    commit.on_conflict = forgotten.append
    async with working(commit):
        news = [node.submit(short_id=f"{number:08x}") for number in range(5)]
        await effects.count(5)
        for number, new in enumerate(news):
            new.state = State.SENT
            new.upstream_id = UNSTORABLE if number == 2 else f"up{number}"
            commit.change(new, effects, number, owed(node.ids, about=new.id))
        fresh = node.submit()
        await effects.count(11)
    assert effects.refused == [(2, POISON.reason)]
    assert effects.passed[5:] == [fresh, 0, 1, 3, 4]
    assert forgotten == [news[2]]
    assert (commit.poisoned, commit.conflicts) == (1, 0)
    states = await connection.fetch("SELECT state FROM message ORDER BY id")
    assert [row["state"] for row in states] == [6, 6, 4, 6, 6, 4]
    assert await connection.fetchval("SELECT count(*) FROM owed") == 4


async def test_poison_that_belongs_to_no_message_is_found(node: Node, connection: Connection):
    """An MO or a parked receipt that cannot be stored is told so; what stands beside it is durable and told that."""
    commit, effects = node.commit, node.effects
    new = node.submit()
    for number, kind in enumerate([0, 99_999, 0]):
        commit.owe(owed(node.ids, kind=kind), effects, f"mo {number}")
    for number, key in enumerate(["a", UNSTORABLE, "c"]):
        commit.park(ParkedReceipt(node.ids.next(), 7, 5, key, b"receipt", 4e9), effects, f"parked {number}")
    await node.done()
    assert effects.passed == [new, "mo 0", "mo 2", "parked 0", "parked 2"]
    assert effects.refused == [("mo 1", POISON.reason), ("parked 1", POISON.reason)]
    assert await connection.fetchval("SELECT count(*) FROM owed") == 2
    assert await connection.fetchval("SELECT count(*) FROM orphan") == 2


async def test_poison_takes_nothing_small_with_it(node: Node, connection: Connection):
    """Rows that were closed, put back, freed, claimed or leased beside a poison row are done all the same."""
    commit, effects = node.commit, node.effects
    claimed, leased = Effects(), Effects()
    async with working(commit):
        news = [node.submit(state=State.QUEUED) for _ in range(3)]
        for new in news[:2]:
            commit.wait(new, 7, 0.0, claimed=False)
        kept = [owed(node.ids, of=2, claimed=True) for _ in range(3)]
        for each in kept:
            commit.owe(each, effects, each)
        await effects.count(6)
        commit.owe(owed(node.ids, kind=99_999), effects, "poison")
        commit.close(kept[0].id)
        commit.postpone(kept[1], keep=False)
        commit.unwait(news[0].id)
        commit.wait(news[2], 8, 0.0, claimed=False)
        commit.claim(7, 5, claimed)
        commit.lease(2, 5, leased)
        await effects.count(7)
    assert effects.refused == [("poison", POISON.reason)]
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM owed") == [each.id for each in kept[1:]]
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM waiting") == [news[1].id, news[2].id]
    assert claimed.seen == [([news[1].id], None)]
    assert leased.seen == [([kept[1].id], None)]


# ---- conflicts ------------------------------------------------------------------------------------------------------


async def test_a_conflict_is_told_and_its_receipt_is_not_owed(node: Node, connection: Connection):
    """A change whose row somebody else has changed is not written: no state, no refund, no receipt, no place to wait."""
    commit, effects = node.commit, node.effects
    lost: list[Message] = []
    commit.on_conflict = lost.append
    async with working(commit):
        first, second = node.submit(), node.submit()
        commit.wait(first, 7, 0.0, claimed=True)
        await effects.count(2)
        await connection.execute("UPDATE message SET rev = rev + 1, state = 10 WHERE id = $1", first.id)
        for new in (first, second):
            new.state, new.refund = State.FAILED, 1
            commit.change(new, effects, new, owed(node.ids, about=new.id))
            commit.unwait(new.id)
        await effects.count(4)
    assert effects.seen[2:] == [(first, CONFLICT), (second, None)]
    assert lost == [first]
    assert commit.conflicts == 1
    assert await connection.fetchval("SELECT array_agg(message) FROM owed") == [second.id]
    assert await connection.fetchval("SELECT array_agg(message) FROM refund") == [second.id]
    assert await connection.fetchval("SELECT state FROM message WHERE id = $1", first.id) == State.DELIVERED
    assert await connection.fetchval("SELECT count(*) FROM waiting") == 0  # it is final
    await whole(connection, 1_000_000 - 1)


async def test_what_memory_made_of_a_row_that_has_changed_is_never_written(node: Node, connection: Connection):
    """A message changes again while its change is on the wire: where that conflicts, the second one does, which builds on it."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        new = node.submit()
        await effects.count(1)
        async with connection.transaction():
            await connection.execute("LOCK TABLE commit_token IN ACCESS EXCLUSIVE MODE")
            new.state = State.SENT
            commit.change(new, effects, "first")
            async with asyncio.timeout(WAIT_S):
                while commit.changed:  # noqa: ASYNC110 - a turn of the loop at a time
                    await asyncio.sleep(0)
            await connection.execute("UPDATE message SET rev = rev + 1, state = 10 WHERE id = $1", new.id)
            new.state = State.FAILED
            commit.change(new, effects, "second", owed(node.ids, about=new.id))
        await effects.count(3)
    assert effects.seen[1:] == [("first", CONFLICT), ("second", CONFLICT)]
    assert await connection.fetchval("SELECT state FROM message") == State.DELIVERED
    assert await connection.fetchval("SELECT count(*) FROM owed") == 0


async def test_a_message_that_was_read_twice_is_changed_once(node: Node, connection: Connection):
    """Of two objects of one message the first one's change is written and told; the other's conflicts, and is told so."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        new = node.submit()
        await effects.count(1)
        second, third = twin(new), twin(new)
        for state, one in ((State.DELIVERED, new), (State.FAILED, second), (State.EXPIRED, third)):
            one.state = state
            commit.change(one, effects, int(state), owed(node.ids, about=new.id))
        await effects.count(4)
    assert effects.seen[1:] == [(State.DELIVERED, None), (State.FAILED, CONFLICT), (State.EXPIRED, CONFLICT)]
    assert await connection.fetchval("SELECT state FROM message") == State.DELIVERED
    assert await connection.fetchval("SELECT count(*) FROM owed") == 1


async def test_what_waits_no_longer_is_taken_out_with_the_change_that_says_so(node: Node, connection: Connection):
    """Another object of the message conflicts in the cycle before: that one takes nothing out, and the next one does."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        new = node.submit()
        await effects.count(1)
        stale = twin(new)
        stale.rev = new.rev - 1
        commit.wait(new, 7, 4e9, claimed=True)
        commit.change(new, effects, "waits")
        await effects.count(2)
        assert await connection.fetchval("SELECT count(*) FROM waiting") == 1
        commit.change(stale, effects, "stale")
        new.state = State.SENT
        commit.change(new, effects, "sent")
        commit.unwait(new.id)
        await effects.count(4)
        assert effects.seen[2:] == [("stale", CONFLICT), ("sent", None)]
        assert await connection.fetchval("SELECT count(*) FROM waiting") == 0
    await whole(connection)


async def test_what_is_said_last_of_a_place_counts(node: Node, connection: Connection):
    """Taken out and put back before a cycle has taken either, it is there."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        new = node.submit()
        await effects.count(1)
        commit.unwait(new.id)
        commit.wait(new, 7, 4e9, claimed=False)
        commit.change(new, effects, "waits")
        await effects.count(2)
    assert await connection.fetchval("SELECT count(*) FROM waiting") == 1


@plain_only
async def test_rows_are_locked_in_one_order(node: Node):
    """Whatever the order in which messages changed or went to wait, a cycle writes them by id: no two can block each other."""
    commit, effects = node.commit, node.effects
    async with working(commit):
        news = [node.submit() for _ in range(4)]
        await effects.count(4)
        packed: list[Batch] = []
        pack = commit._pack
        commit._pack = lambda: packed.append(pack()) or packed[-1]  # type: ignore[method-assign, func-returns-value]
        for new in reversed(news):
            new.state = State.QUEUED
            commit.change(new, effects, new)
            commit.wait(new, 7, 0.0, claimed=False)
        await effects.count(8)
    ids = [new.id for new in news]
    assert [[row[0] for row in rows] for batch in packed for rows in (batch.changed, batch.wait) if rows] == [ids, ids]


# ---- fencing and the end --------------------------------------------------------------------------------------------


async def test_fenced_when_the_epoch_was_raised_elsewhere(database: str, connection: Connection):
    """After a take-over nothing of the old epoch is written or answered: the unit of work ends with Fenced."""
    await fund(connection, 10)
    node = Node(database, await seat(connection))
    running = asyncio.create_task(node.commit.run())
    node.submit()
    await node.effects.count(1)
    await connection.execute("UPDATE node SET epoch = epoch + 1")
    node.submit()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with asyncio.timeout(WAIT_S):
            await running
    assert caught.group_contains(Fenced)
    assert len(node.effects.seen) == 1
    await whole(connection, 9)


async def test_fenced_too_when_the_answer_to_the_last_cycle_was_lost(database: str, connection: Connection):
    """A replay after a take-over brings the stored answer if the cycle was committed before it; what comes after is fenced."""
    await fund(connection, 10)
    at = await seat(connection)

    def lose(number: int) -> str | None:
        return "after" if number == 1 else None

    lossy = Lossy(connecting(database), lose)

    async def taken_over() -> Any:
        if lossy.connections == 1:
            await connection.execute("UPDATE node SET epoch = epoch + 1")
        return await lossy()

    node = Node(database, at, connect=taken_over)
    running = asyncio.create_task(node.commit.run())
    node.submit()
    assert await node.effects.count(1) == [(node.effects.passed[0], None)]
    node.submit()
    with pytest.raises(BaseExceptionGroup) as caught:
        await running
    assert caught.group_contains(Fenced)
    await whole(connection, 9)


async def test_stop_drains(node: Node, connection: Connection):
    """`stop` ends the loop when everything is durable and has had its effect, and what effects hand over meanwhile too."""
    later = Effects()

    def then(new: Message, _verdict: Rejected | None) -> None:
        new.state = State.SENT
        node.commit.change(new, later, new)

    node.effects = Effects(then)
    for _ in range(300):
        node.submit()
    await node.done()
    assert len(later.passed) == 300
    assert node.commit.backlog == 0
    assert not node.commit.available
    assert await connection.fetchval("SELECT count(*) FROM message WHERE state = 6") == 300


async def test_counts_what_it_does(node: Node):
    """Cycles, rows and the time of a cycle are told to whoever shows them."""
    seconds: list[float] = []
    node.commit.observe = seconds.append
    node.submit()
    await node.done()
    assert node.commit.cycles == len(seconds) == 1
    assert node.commit.rows == 1
    assert node.commit.cycle_s == seconds[0] > 0


async def test_the_heartbeat_goes_with_a_cycle(node: Node, connection: Connection):
    """A cycle carries the low water, the newest id and the heartbeat of the node, once a second at most."""
    node.commit.low_water = lambda: 12_345
    await connection.execute("UPDATE node SET heartbeat = now() - interval '1 hour'")
    node.submit()
    await node.done()
    row = await connection.fetchrow("SELECT low_water, last_ms, heartbeat > now() - interval '1 minute' AS fresh FROM node")
    assert row is not None
    assert tuple(row) == (12_345, node.ids.last_ms, True)
