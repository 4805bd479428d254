from __future__ import annotations

import pytest

from smsgw.model import Account, State, Tenant
from smsgw.smpp.pdu import sm_body
from smsgw.store import messages
from smsgw.store.database import Connection
from tests.store.cycles import Cycles, change
from tests.store.work import STORED, Node, account, fund, seat, working


def account_of(number: int, tenant: int) -> Account:
    """A Directory of one account, and a stand-in for any other."""
    return account(number) if number == 1 else Account(id=number, system_id="", tenant=Tenant(tenant, "", ""))


async def test_a_message_comes_back_as_it_was_written(database: str, connection: Connection):
    """Every stored field of a message reads back equal, times to the millisecond, its content octet by octet."""
    await fund(connection, 1_000)
    node = Node(database, await seat(connection))
    async with working(node.commit):
        written = node.submit(
            source='"短信"', destination="+86 138\\", body=bytes(range(256)), command=0x103, parts=3, price=7, basis=2,
            registered=17, mode=1, short_id="0000beef", expires_at=1_800_000_000.125,
        )  # fmt: skip
        await node.effects.count(1)
        written.state, written.upstream_id, written.error, written.refund = State.FAILED, 'up "1"', 2**40, 7
        written.attempt, written.resends, written.link = 9, 3, 12
        written.sent_at, written.done_at = 1_700_000_000.5, 1_700_000_001.25
        node.commit.change(written)
    (read,) = await messages.load(connection, [written.id], account_of)
    assert (read.rev, written.rev) == (1, 1)
    for name in STORED:
        assert getattr(read, name) == getattr(written, name), name
    assert read.text_id == b"0000beef"


async def test_what_was_changed_comes_back_with_the_message(database: str, connection: Connection):
    """Words and the tenant's own TON and NPI are stored with the message, and not for one that a durable limit refuses."""
    await fund(connection, 10)
    node = Node(database, await seat(connection))
    body = sm_body(source_ton=1, source_npi=1, source=b"1069", dest_ton=1, dest_npi=1, dest=b"86138")
    changed = {"source": "ACME", "body": body, "transform": ("source_replaced", "tlv_0x1400")}
    ends = ((5, 0, b"ACME"), (1, 1, b"86138"))
    async with working(node.commit):
        sent = node.submit(price=7, ends=ends, **changed)
        held = node.submit(price=3, ends=None, held=("", 1, 1, 0, ""), **changed)
        await node.effects.count(2)
        refused = node.submit(price=7, ends=ends, **changed)
        await node.effects.count(3)
    assert await connection.fetch("SELECT message FROM transform ORDER BY message") == [(sent.id,), (held.id,)]
    assert await connection.fetchval("SELECT count(*) FROM held_part") == 1
    first, second = await messages.load(connection, [sent.id, held.id, refused.id], account_of)
    assert (first.transform, first.ends, first.source) == (changed["transform"], ends, "ACME")
    assert (second.transform, second.ends, second.reply) == (changed["transform"], None, "")


async def test_messages_are_read_in_order_and_gaps_are_left_out(cycle: Cycles, connection: Connection):
    """Ids come back in order, without those that have no row; a dropped content reads as empty, a gone account as a stand-in."""
    await fund(connection, 10, tenant=9)
    await cycle(new=[cycle.new(1), cycle.new(2, tenant=9, account=5), cycle.new(3)])
    await connection.execute("DELETE FROM content WHERE id = 3")
    read = await messages.load(connection, [3, 99, 2, 1], account_of)
    assert [(message.id, message.body) for message in read] == [(1, b"body 1"), (2, b"body 2"), (3, b"")]
    assert [(message.account.system_id, message.account.tenant.id) for message in read] == [("a1", 1), ("", 9), ("a1", 1)]
    assert await messages.load(connection, [], account_of) == []


async def test_what_is_claimed_and_due(connection: Connection):
    """Rows of the node, whatever the clock says since, also those set aside; not what is on its way, free ones, others'."""
    await connection.execute(
        "INSERT INTO waiting (id, link, state, due_ms, expires_ms, node) VALUES (1, 7, 1, 5, 0, 1), (2, 7, 5, $1, 0, 1),"
        " (3, 7, 4, $1, 0, 1), (4, 7, 3, 5, 0, 0), (5, 7, 3, 5, 0, 2), (7, 7, 4, 5, 0, 1)",
        4_000_000_000_000,
    )
    assert await messages.due(connection, [1, 2, 3, 4, 5, 6, 7], 1) == {1, 2, 7}


async def test_links_that_are_waited_for_are_found_once(connection: Connection):
    """Each link for which a free message waits, whatever its time; not those of claimed ones, nor of those that are not queued."""
    assert await messages.waited_for(connection) == []
    await connection.execute(
        "INSERT INTO waiting (id, link, state, due_ms, node) VALUES (1, 9, 3, 0, 0), (2, 7, 3, $1, 0), (3, 7, 3, 0, 0),"
        " (4, 5, 3, 0, 1), (5, 4, 1, 0, 0)",
        4_000_000_000_000,
    )
    assert await messages.waited_for(connection) == [7, 9]


async def test_references_are_found_newest_first(cycle: Cycles, connection: Connection):
    """A carrier's id leads to every message of that link that had it, the newest first; other links' are others."""
    rows = [(7, 1, '"up 1"', "86138"), (7, 3, '"up 1"', "86139"), (8, 2, '"up 1"', "86137"), (7, 4, "99", "86136")]
    await cycle(refer=rows)
    found = await messages.referred(connection, [(7, "up 1"), (7, "none"), (8, "99")])
    assert found == [(7, "up 1", 3, "86139"), (7, "up 1", 1, "86138")]
    assert await messages.referred(connection, []) == []


async def test_an_account_finds_its_own_messages_only(cycle: Cycles, connection: Connection):
    """query_sm finds a message by the id that its account was given, decimal or short, and never another account's."""
    number = 5 << 40
    await cycle(new=[cycle.new(number), cycle.new(7, account=2)], short=[(7, 2, "0000000a")])
    await cycle(changed=[change(number, state=State.DELIVERED)])
    row = await messages.query(connection, 1, str(number))
    assert row is not None
    assert tuple(row) == (number, "1069", State.DELIVERED, 5, 222)
    assert await messages.query(connection, 2, str(number)) is None
    short = await messages.query(connection, 2, "0000000a")
    assert short is not None
    assert short["id"] == 7
    assert await messages.query(connection, 1, "0000000a") is None


@pytest.mark.parametrize("text", ["", "abc", "-5", " 7", "9" * 19, "9" * 20, "9" * 65, "٣", "7\x00", "短", "7; DROP"])
async def test_ids_that_are_none_find_nothing(cycle: Cycles, connection: Connection, text: str):
    """Whatever a tenant asks for, an id that was never given finds nothing and breaks nothing."""
    await cycle(new=[cycle.new(7)])
    assert await messages.query(connection, 1, text) is None


async def test_what_never_got_a_receipt_is_found(cycle: Cycles, connection: Connection):
    """SENT messages that are not done, with references from the time asked about, are found once each; others are not."""
    numbers = [1 << 30, 2 << 30, 3 << 30]
    await cycle(new=[cycle.new(number) for number in numbers], refer=[(7, number, '"x"', "86") for number in numbers], at=5 << 30)
    await cycle(refer=[(7, numbers[0], '"y"', "86")], at=6 << 30)
    states = [State.SENT, State.DELIVERED, State.SENT]
    await cycle(changed=[change(number, state=state) for number, state in zip(numbers, states, strict=True)])
    assert await messages.stale_sent(connection, 7 << 30, 10) == []
    await connection.execute("UPDATE message SET done_ms = 0")
    assert await messages.stale_sent(connection, 4 << 30, 10) == []
    assert await messages.stale_sent(connection, 7 << 30, 10, after_id=7 << 30) == []
    assert await messages.stale_sent(connection, 7 << 30, 10, after_id=6 << 30) == [numbers[0]]
    assert sorted(await messages.stale_sent(connection, 7 << 30, 10)) == [numbers[0], numbers[2]]
    assert len(await messages.stale_sent(connection, 7 << 30, 1)) == 1


async def test_short_ids_are_leased_in_blocks(connection: Connection):
    """Each lease of an account begins where the last one ended; accounts do not share."""
    assert [await messages.lease_short_ids(connection, 1, 1_000) for _ in range(3)] == [1, 1_001, 2_001]
    assert await messages.lease_short_ids(connection, 2, 10) == 1
    assert await messages.lease_short_ids(connection, 2, 10) == 11


async def test_short_ids_go_with_their_messages(connection: Connection):
    """Once retention has dropped days, the short ids of their messages are dropped too, and those of kept ones stay."""
    await connection.execute("INSERT INTO short_id VALUES (1, '0000000a', 99), (1, '0000000b', 100), (2, '0000000a', 5)")
    assert await messages.forget_short_ids(connection) == 0
    await connection.execute("UPDATE partitioned SET kept_from = 100 WHERE parent = 'message'")
    assert await messages.forget_short_ids(connection) == 2
    assert await connection.fetchval("SELECT short FROM short_id") == "0000000b"
