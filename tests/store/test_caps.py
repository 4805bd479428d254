"""Caps in the unit of work: counted exactly, eaten by what is accepted alone, without a deadlock."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from smsgw.model import State, Tenant
from smsgw.policy.caps import Counted
from smsgw.store import holds, invariants, limits
from smsgw.store.commit import CommitCaps, Seat
from smsgw.store.database import Connection
from smsgw.store.holds import Capped, Decision, Fate, Text
from tests.properties.test_last_units import deadlocks
from tests.store.cycles import Cycles, quota
from tests.store.work import ACME, Node, account, fund, seat

NOW_MS = 1_764_000_000_000
KEEP_H = 1_000_000


@pytest.fixture
async def cycle(connection: Connection) -> Cycles:
    """Node 1, and a tenant with 10 units."""
    await fund(connection, 10)
    await seat(connection)
    return Cycles(connection)


def cap(message: int, key: int = 5, most: int = 1, *, number: int = 0, since: int = 0, at: int = NOW_MS, enforced: int = 1) -> Any:
    """One row of f_caps."""
    return (message, number, key, since, at, most, KEEP_H, enforced)


async def used(connection: Connection) -> dict[int, int]:
    """How many each counter holds, those that hold none left out."""
    rows = await connection.fetch("SELECT key, cardinality(times) AS used FROM recipient_cap WHERE times <> '{}'")
    return {row["key"]: row["used"] for row in rows}


async def spent(connection: Connection) -> tuple[int, int]:
    """The balance, and what is counted in quotas."""
    return (
        await connection.fetchval("SELECT amount FROM balance WHERE tenant = 1"),
        await connection.fetchval("SELECT coalesce(sum(used), 0)::int8 FROM quota"),
    )


async def test_a_cap_refuses_in_order_and_touches_neither_money_nor_quota(cycle: Cycles, connection: Connection):
    """Of three to one recipient the first goes; the two refused are not in the balance, the quota, the counter or the table."""
    answer = await cycle(new=[cycle.new(n) for n in (1, 2, 3, 4)], quota=[quota(1, 10)], capped=[cap(1), cap(2), cap(3)])
    assert answer == {"refused": [[2, "frequency", 0], [3, "frequency", 0]]}
    assert await spent(connection) == (8, 2)
    assert await used(connection) == {5: 1}
    assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM message") == [1, 4]
    assert await invariants.check(connection) == []


async def test_what_was_counted_before_counts(cycle: Cycles, connection: Connection):
    """The counter of an earlier cycle is full for the next one; another counter is not."""
    assert await cycle(new=[cycle.new(1)], capped=[cap(1)]) == {}
    assert (await cycle(new=[cycle.new(2)], capped=[cap(2)]))["refused"] == [[2, "frequency", 0]]
    assert await cycle(new=[cycle.new(3)], capped=[cap(3, key=6)]) == {}
    assert await used(connection) == {5: 1, 6: 1}


async def test_what_the_balance_refuses_eats_no_cap(cycle: Cycles, connection: Connection):
    """The dear first one is refused for its price, so the cheap second one has the place under the cap; a third has none."""
    news = [cycle.new(1, price=11), cycle.new(2, price=10), cycle.new(3, price=0)]
    answer = await cycle(new=news, capped=[cap(1), cap(2), cap(3)])
    assert answer["refused"] == [[1, "balance"], [3, "frequency", 0]]
    assert await used(connection) == {5: 1}
    assert (await spent(connection))[0] == 0


async def test_what_a_quota_refuses_eats_no_cap(cycle: Cycles, connection: Connection):
    """Over the quota of its account the counter stays as it was."""
    answer = await cycle(new=[cycle.new(1), cycle.new(2)], quota=[quota(1, 1)], capped=[cap(1, most=9), cap(2, most=9)])
    assert answer["refused"] == [[2, "quota"]]
    assert await used(connection) == {5: 1}


async def test_a_message_has_to_fit_all_its_caps(cycle: Cycles, connection: Connection):
    """What one cap refuses is not counted by the other; the answer names the cap that was full."""
    rows = [cap(1, 5, 9), cap(1, 6, 1, number=1), cap(2, 5, 9), cap(2, 6, 1, number=1)]
    answer = await cycle(new=[cycle.new(1), cycle.new(2)], capped=rows)
    assert answer["refused"] == [[2, "frequency", 1]]
    assert await used(connection) == {5: 1, 6: 1}


async def test_two_caps_on_one_counter_count_once(cycle: Cycles, connection: Connection):
    """One that flags at 1 and one that refuses at 3 share what they count."""
    for number in range(1, 5):
        rows = [cap(number, 5, 1, enforced=0), cap(number, 5, 3, number=1)]
        answer = await cycle(new=[cycle.new(number)], capped=rows)
        assert answer == [None, {}, {"over": [[2, 0]]}, {"over": [[3, 0]]}, {"refused": [[4, "frequency", 1]]}][number]
    assert await used(connection) == {5: 3}


async def test_a_flag_lets_go_and_goes_on_counting(cycle: Cycles, connection: Connection):
    """What refuses nothing tells of every message over it, in order, and counts them; memory of it is bounded."""
    rows = [cap(number, enforced=0) for number in (1, 2, 3)]
    assert await cycle(new=[cycle.new(number) for number in (1, 2, 3)], capped=rows) == {"over": [[2, 0], [3, 0]]}
    await connection.execute("UPDATE recipient_cap SET times = array_fill($1::int8, ARRAY[1000])", NOW_MS)
    assert await cycle(new=[cycle.new(4)], capped=[cap(4, enforced=0)]) == {"over": [[4, 0]]}
    assert await used(connection) == {5: 1_000}


async def test_a_rolling_window_forgets_to_the_millisecond(cycle: Cycles, connection: Connection):
    """A whole window later there is room again, a millisecond earlier there is none; what is long over is not kept."""
    window = 86_400_000
    assert await cycle(new=[cycle.new(1)], capped=[cap(1, since=NOW_MS - window)]) == {}
    early = cap(2, since=NOW_MS - 1, at=NOW_MS - 1 + window)
    assert (await cycle(new=[cycle.new(2)], capped=[early]))["refused"] == [[2, "frequency", 0]]
    assert await cycle(new=[cycle.new(3)], capped=[cap(3, since=NOW_MS, at=NOW_MS + window)]) == {}
    late = NOW_MS + 2 * window
    assert await cycle(new=[cycle.new(4)], capped=[cap(4, since=late - window + 1, at=late + 1)]) == {}
    assert await connection.fetchval("SELECT times FROM recipient_cap") == [NOW_MS + window, late + 1]


async def test_a_duplicate_eats_no_cap(cycle: Cycles, connection: Connection):
    """The same message again is neither counted nor refused; one of the same cycle shares the fate of the first."""
    digest = "0" * 32
    far = 4_000_000_000_000
    assert await cycle(new=[cycle.new(1)], double=[(1, 1, digest, far)], capped=[cap(1)]) == {}
    answer = await cycle(new=[cycle.new(2)], double=[(2, 1, digest, far)], capped=[cap(2)])
    assert answer["refused"] == [[2, "duplicate", 1, ""]]
    other = "1" * 32
    answer = await cycle(
        new=[cycle.new(3), cycle.new(4)], double=[(3, 1, other, far), (4, 1, other, far)], capped=[cap(3), cap(4)]
    )  # fmt: skip
    assert answer["refused"] == [[3, "frequency", 0], [4, "frequency", 0]]
    assert await used(connection) == {5: 1}


async def test_a_counter_of_the_platform_counts_all_tenants(cycle: Cycles, connection: Connection):
    """Of two tenants in one cycle, one of which has no money, exactly what passes is counted."""
    await fund(connection, 0, tenant=2)
    news = [cycle.new(1, tenant=2, account=2), cycle.new(2), cycle.new(3, tenant=2, account=2, price=0), cycle.new(4)]
    answer = await cycle(new=news, capped=[cap(number, most=2) for number in (1, 2, 3, 4)])
    assert answer["refused"] == [[1, "balance"], [4, "frequency", 0]]
    assert await used(connection) == {5: 2}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_is_decided_as_if_one_by_one(cycle: Cycles, connection: Connection, seed: int):
    """Three tenants short of money, under shared and own caps: refusals, counters and balances are those of a model."""
    rng = random.Random(seed)
    balances = {1: 10, 2: 25, 3: 40}
    for tenant in (2, 3):
        await fund(connection, balances[tenant], tenant=tenant)
    limits_of = {key: rng.randint(1, 6) for key in range(1, 9)}
    held: Counter[int] = Counter()
    number = 0
    for _ in range(15):
        news, rows, refused, over = [], [], {}, []
        for _ in range(rng.randint(1, 8)):
            number += 1
            tenant, price = rng.randint(1, 3), rng.choice((0, 0, 1, 1, 2, 9))
            news.append(cycle.new(number, tenant=tenant, account=tenant, price=price))
            keys = [(key, key % 4 != 0) for key in rng.choices(range(1, 9), k=rng.randint(0, 3))]
            rows += [cap(number, key, limits_of[key], number=at, enforced=int(hard)) for at, (key, hard) in enumerate(keys)]
            full = [at for at, (key, hard) in enumerate(keys) if held[key] >= limits_of[key] and hard]
            if full:
                refused[number] = ["frequency", full[0]]
            elif balances[tenant] < price:
                refused[number] = ["balance"]
            else:
                over += [[number, at] for at, (key, _) in enumerate(keys) if held[key] >= limits_of[key]]
                balances[tenant] -= price
                held.update({key for key, _ in keys})
        answer = await cycle(new=news, capped=rows)
        assert {key: why for key, *why in answer.get("refused", [])} == refused
        assert sorted(answer.get("over", [])) == over
        assert await used(connection) == {key: count for key, count in held.items() if count}
    rows_of = await connection.fetch("SELECT tenant, amount FROM balance")
    assert {row["tenant"]: row["amount"] for row in rows_of} == balances
    assert await invariants.check(connection) == []


async def test_the_same_token_counts_once(cycle: Cycles, connection: Connection):
    """A replay tells what was told and counts nothing."""
    told = await cycle(new=[cycle.new(1), cycle.new(2)], capped=[cap(1), cap(2)])
    assert await cycle(seq=1, new=[cycle.new(1), cycle.new(2)], capped=[cap(1), cap(2)]) == told
    assert await used(connection) == {5: 1}


async def test_counters_are_found_by_their_keys(cycle: Cycles, connection: Connection):
    """With many counters there, a cycle reads its own alone."""
    await connection.execute("INSERT INTO recipient_cap SELECT n, '{1}', 1 FROM generate_series(1, 20000) AS n")
    await connection.execute("ANALYZE")
    before = await connection.fetchval("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'recipient_cap'")
    await cycle(new=[cycle.new(1), cycle.new(2)], capped=[cap(1), cap(2)])
    await connection.execute("SELECT pg_stat_force_next_flush()")
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'recipient_cap'"
    assert await connection.fetchval(scans) == before


# ---- over the unit of work ------------------------------------------------------------------------------------------


def counted(key: int, limit: int, told: str = "reject") -> Counted:
    """A counter of a natural window."""
    return Counted(f"cap.{key}", key, 0, NOW_MS, limit, KEEP_H, told)


async def test_a_message_hears_which_caps_it_was_over(database: str, connection: Connection):
    """The one that refused it, or those that let it go; a message under all of them hears of none."""
    await fund(connection, 100)
    node = Node(database, await seat(connection))
    caps = (counted(1, 1, "flag"), counted(2, 2))
    for _ in range(3):
        node.submit(caps=caps)
    await node.done()
    seen = [([cap.rule for cap in message.caps], told and told.reason) for message, told in node.effects.seen]
    assert seen == [([], None), (["cap.1"], None), (["cap.2"], "frequency")]


async def test_a_poison_row_leaves_the_others_counted(database: str, connection: Connection):
    """A cycle that is split for one bad row counts all the others once, and tells each its caps."""
    await fund(connection, 100)
    node = Node(database, await seat(connection))
    for number in range(6):
        node.submit(caps=(counted(1, 3),), source="10\x0069" if number == 1 else "1069")
    await node.done()
    assert [told and told.reason for _, told in node.effects.seen] == [None, "not_storable", None, None, "frequency", "frequency"]
    assert await used(connection) == {1: 3}


async def test_two_units_of_work_never_exceed_a_cap_and_never_deadlock(database: str, connection: Connection):
    """Messages of four tenants, counters of the platform in every order, at once over two nodes: each holds exactly its limit."""
    before = await deadlocks(connection)
    tenants = [ACME, *(Tenant(number, f"t{number}", "CNY") for number in (2, 3, 4))]
    for tenant in tenants:
        await fund(connection, 100_000, tenant=tenant.id)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    senders = [account(number, tenant) for number, tenant in enumerate(tenants, 1)]
    nodes = [Node(database, Seat(number, 1), caps=CommitCaps(new=7, pace_s=0.0)) for number in (1, 2)]
    running = [asyncio.create_task(node.commit.run()) for node in nodes]
    keys, each, limit = 40, 10, 5
    for turn in range(each):
        for at in range(keys):
            for way, node in enumerate(nodes):
                key = at if way else keys - 1 - at
                caps = (counted(key, limit), counted(1_000 + (key * 7) % keys, 1_000))
                node.submit(senders[(at + turn) % 4], state=State.QUEUED, caps=caps[:: 1 if way else -1])
    for node in nodes:
        await node.effects.count(keys * each)
        node.commit.stop()
    await asyncio.gather(*running)
    passed = sum(told is None for node in nodes for _, told in node.effects.seen)
    assert passed == keys * limit
    assert {told.reason for node in nodes for _, told in node.effects.seen if told is not None} == {"frequency"}
    holds = await used(connection)
    assert [holds[key] for key in range(keys)] == [limit] * keys
    assert sum(held for key, held in holds.items() if key >= 1_000) == passed
    assert await invariants.check(connection) == []
    assert await deadlocks(connection) == before


async def test_pruning_stands_in_nobodys_way(database: str, connection: Connection):
    """While counters that are over are forgotten again and again, two nodes go on counting in them; nothing deadlocks."""
    before = await deadlocks(connection)
    await fund(connection, 100_000)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    nodes = [Node(database, Seat(number, 1), caps=CommitCaps(new=5, pace_s=0.0)) for number in (1, 2)]
    running = [asyncio.create_task(node.commit.run()) for node in nodes]
    over = [Counted("cap.x", key, 0, NOW_MS, 1_000, 1, "reject") for key in range(20)]
    for number in range(300):
        for way, node in enumerate(nodes):
            node.submit(state=State.QUEUED, caps=tuple(over[:: 1 if way else -1])[number % 10 :])
    while any(len(node.effects.seen) < 300 for node in nodes):
        await limits.prune_caps(connection, 1_000)
    for node in nodes:
        node.commit.stop()
    await asyncio.gather(*running)
    assert all(told is None for node in nodes for _, told in node.effects.seen)
    assert await deadlocks(connection) == before


# ---- held texts -----------------------------------------------------------------------------------------------------


async def texts(connection: Connection, *ids: int) -> list[Decision]:
    """Open texts that are whole, and decisions that release them."""
    await connection.execute(
        "INSERT INTO held_text (id, account, total, parts, joins, complete, due_ms, since_ms)"
        " SELECT number, 1, 1, 1, false, true, 0, 0 FROM unnest($1::int8[]) AS number",
        ids,
    )
    return [Decision(text, Fate.RELEASED, 0) for text in map(text_of, ids)]


def text_of(number: int) -> Text:
    """A text as it was read."""
    return Text(number, 1, 1, 1, 0, True, False, Fate.OPEN, 0, "", "", "", counted=False, parts=[(1, number)])


async def test_texts_that_are_over_a_cap_are_refused_where_they_are_decided(connection: Connection):
    """The first that is as it was read is counted, the next says status, reason and rule of the cap; what is not capped goes."""
    decisions = await texts(connection, 4, 1, 2, 3)
    await connection.execute("UPDATE held_text SET parts = 2 WHERE id = 4")  # another part has come meanwhile
    capped = {number: Capped((counted(7, 9, "flag"), counted(5, 1)), 0x420, ("set:cap.7", "set:cap.5")) for number in (4, 1, 2)}
    fell, full, over = await holds.decide_capped(connection, decisions, capped)
    assert (fell, full, over) == ({1, 2, 3}, {2: 1}, {})
    rows = await connection.fetch("SELECT id, state, error, reason, rule FROM held_text ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (1, Fate.RELEASED, 0, "", ""),
        (2, Fate.REFUSED, 0x420, "frequency", "set:cap.5"),
        (3, Fate.RELEASED, 0, "", ""),
        (4, Fate.OPEN, 0, "", ""),
    ]
    assert await used(connection) == {5: 1, 7: 1}
    again = await texts(connection, 5)
    assert await holds.decide_capped(connection, again, {5: Capped((counted(7, 1, "flag"),), 0, ("",))}) == ({5}, {}, {5: [0]})
    assert await used(connection) == {5: 1, 7: 2}


async def test_a_text_that_a_person_lets_go_is_counted_once(connection: Connection):
    """Of two who count the same text one does, with caps or without; a verdict that counts nothing, or was counted, still falls."""
    decisions = [
        Decision(msgspec.structs.replace(one.text, fate=Fate.RELEASED, actor="ann"), Fate.RELEASED, 0)
        for one in await texts(connection, 1, 2)
    ]
    await connection.execute("UPDATE held_text SET state = 2, actor = 'ann', judged = parts")
    capped = {1: Capped((counted(7, 9),), 1, ("r",))}
    assert await holds.decide_capped(connection, decisions[:1], capped) == ({1}, {}, {})
    assert await holds.decide_capped(connection, decisions[:1], capped) == (set(), {}, {})
    assert await holds.decide(connection, decisions) == {2}
    assert await holds.decide(connection, decisions) == set()
    assert await used(connection) == {7: 1}
    late = [Decision(msgspec.structs.replace(one.text, counted=True), Fate.RELEASED, 0) for one in decisions]
    assert not any(one.counts for one in late)
    assert await holds.decide(connection, late) == {1, 2}


async def test_texts_and_messages_share_counters_without_a_deadlock(database: str, connection: Connection):
    """While two nodes count messages, verdicts on texts are counted by the same counters in another order: none over its limit."""
    before = await deadlocks(connection)
    await fund(connection, 100_000)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1), (2, 1)")
    nodes = [Node(database, Seat(number, 1), caps=CommitCaps(new=5, pace_s=0.0)) for number in (1, 2)]
    running = [asyncio.create_task(node.commit.run()) for node in nodes]
    keys, limit = 20, 15
    for turn in range(20):
        for key in range(keys):
            for way, node in enumerate(nodes):
                caps = (counted(key, limit), counted((key * 7 + turn) % keys, limit))
                node.submit(state=State.QUEUED, caps=caps[:: 1 if way else -1])
    released = 0
    for first in range(1, 400, 20):
        decisions = await texts(connection, *range(first, first + 20))
        capped = {one.text.id: Capped((counted(keys - 1 - one.text.id % keys, limit),), 1, ("r",)) for one in decisions}
        fell, full, _ = await holds.decide_capped(connection, decisions, capped)
        released += len(fell - full.keys())
    for node in nodes:
        await node.effects.count(20 * keys)
        node.commit.stop()
    await asyncio.gather(*running)
    holding = await used(connection)
    assert set(holding.values()) == {limit}
    passed = [message for node in nodes for message, told in node.effects.seen if told is None]
    assert len(passed) + released <= keys * limit <= 2 * len(passed) + released
    assert await invariants.check(connection) == []
    assert await deadlocks(connection) == before
