"""How long content and numbers are kept."""

from __future__ import annotations

import datetime

import pytest

from smsgw.model import State
from smsgw.store import partitions, provisioned, provisioning, retentions
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.migrations import read_migrations

NOW = datetime.datetime.now(datetime.UTC).timestamp()
HOUR, DAY = 3_600, 86_400
EU = {"profile": "eu_min", "content_h": 24, "numbers_days": 30, "encrypted": True}
CN = {"profile": "cn_port", "content_h": 3_600, "numbers_days": 0, "encrypted": False}
hashed = retentions.number_hash(b"k" * 32)


@pytest.fixture
async def store(connection: Connection) -> Connection:
    """A tenant with an account of each of two classes, and one of none; days made for the last half year."""
    await provisioning.put(connection, ("tenant", "acme"), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
    await provisioning.put(connection, ("retention", "eu"), EU)
    await provisioning.put(connection, ("retention", "cn"), CN)
    for name, more in (("eu1", {"retention": "eu"}), ("cn1", {"retention": "cn"}), ("any1", {})):
        await provisioning.put(connection, ("account", name), {"tenant": "acme", **more})
    await connection.execute("UPDATE account_retention SET since_id = 0")  # the messages of these tests are older than their test
    for back in (0, 2, 31, 151, 181):
        await partitions.ensure_days(connection, datetime.datetime.fromtimestamp(NOW - back * DAY, datetime.UTC), ahead=0)
    return connection


async def message(store: Connection, account: int, age_s: float, state: State = State.DELIVERED) -> int:
    """Write a message of an account with its content, as old as that; returns its id."""
    number = least_id_at(NOW - age_s) + account
    await store.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination) VALUES ($1, 1, $2, $3, 0, 0, 0, 1, 4, 0, 1, 'ACME', '4915112345678')",
        number, account, int(state),
    )  # fmt: skip
    await store.execute("INSERT INTO content (class, id, body) VALUES ($1, $2, 'hello')", account % 3, number)
    return number


async def kept(store: Connection) -> set[int]:
    """The ids of all content."""
    return {row["id"] for row in await store.fetch("SELECT id FROM content")}


async def keep(store: Connection, **options: int) -> retentions.Passed:
    """Do a round."""
    return await retentions.keep(store, NOW, hashed, **options)


async def test_classes_are_partitions_by_day_made_ahead(store: Connection):
    """A class keeps its number and its days through a change; nothing of it lies in a DEFAULT partition."""
    ahead = await store.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'content_1'::regclass")
    assert ahead >= 9
    await message(store, 1, 0)
    await provisioning.put(store, ("retention", "eu"), {**EU, "content_h": 0})
    await provisioning.delete(store, ("retention", "eu"))
    assert ("retention", "eu") not in await provisioning.read_entities(store)
    await provisioning.put(store, ("retention", "eu"), EU)
    assert (await provisioning.read_entities(store))["retention", "eu"] == EU
    assert await store.fetchval("SELECT class FROM retention WHERE name = 'eu'") == 1
    assert set((await partitions.default_rows(store)).values()) == {0}


async def test_accounts_know_their_class(store: Connection):
    """A deleted class is none any more; nobody's is 0 and not sealed."""
    read = {one.system_id: one for one in (await provisioned.read(store, str)).accounts}
    assert [(read[name].content_class, read[name].sealed) for name in ("eu1", "cn1", "any1")] == [
        (1, True), (2, False), (0, False),
    ]  # fmt: skip


async def test_content_of_hours_goes_by_the_row(store: Connection):
    """What is older than its class's hours goes, but for what an open message needs; SENT needs it no more."""
    young = await message(store, 1, 23 * HOUR)
    waiting = await message(store, 1, 25 * HOUR, State.QUEUED)
    doubted = await message(store, 1, 26 * HOUR, State.IN_DOUBT)
    await message(store, 1, 27 * HOUR, State.SENT)
    await message(store, 1, 28 * HOUR)
    others = {await message(store, 2, 28 * HOUR), await message(store, 3, 28 * HOUR)}
    assert (await keep(store)).content == 2
    assert await kept(store) == {young, waiting, doubted, *others}


async def test_a_round_takes_a_page(store: Connection):
    """And says whether there is more to do."""
    for hours in range(30, 35):
        await message(store, 1, hours * HOUR)
    assert [((found := await keep(store, limit=2)).content, found.more) for _ in range(3)] == [(2, True), (2, True), (1, False)]


async def test_days_of_a_class_are_dropped_in_its_time(store: Connection):
    """A day of content goes when its class has had its time, and stays while an open message of that class needs it."""
    old = await message(store, 2, 151 * DAY)
    name = f"content_2_{datetime.datetime.fromtimestamp(NOW - 151 * DAY, datetime.UTC):%Y%m%d}"
    await store.execute("UPDATE message SET state = 3 WHERE id = $1", old)
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    assert name in (await partitions.drop_old(store, moment)).held
    await store.execute("UPDATE message SET state = 6 WHERE id = $1", old)
    assert name in (await partitions.drop_old(store, moment)).dropped
    assert await store.fetchval("SELECT count(*) FROM message") == 1


async def test_a_legal_hold_keeps_its_tenants_content_and_nobody_elses(store: Connection):
    """The day stays, listed; what others said in it goes by the row all the same."""
    held, others = await message(store, 2, 151 * DAY), await message(store, 5, 151 * DAY)
    await store.execute("UPDATE message SET tenant = 7 WHERE id = $1", others)
    await store.execute("INSERT INTO legal_hold (tenant, from_id, until_id, reason, actor) VALUES (1, 0, $1, 'x', 'x')", 2**62)
    kept_days = (await partitions.drop_old(store, datetime.datetime.fromtimestamp(NOW, datetime.UTC))).kept
    assert [name[:10] for name in kept_days] == ["content_2_"]
    await keep(store)
    assert await kept(store) == {held}


async def test_numbers_give_way_to_hashes(store: Connection):
    """Of final messages of the class, older than its days; the same number is the same hash, and nobody else's is touched."""
    old = await message(store, 1, 31 * DAY)
    young = await message(store, 1, 2 * DAY)
    other = await message(store, 2, 31 * DAY)
    assert (await keep(store)).numbers == 1
    rows = {row["id"]: (row["source"], row["destination"]) for row in await store.fetch("SELECT * FROM message")}
    assert rows == {
        old: (hashed("ACME"), hashed("4915112345678")),
        young: ("ACME", "4915112345678"),
        other: ("ACME", "4915112345678"),
    }
    assert (await keep(store)).numbers == 0


async def test_open_messages_are_hashed_later(store: Connection):
    """What is open or legally held keeps its numbers; it is looked at again once it has ended, or the hold is released."""
    open_one = await message(store, 1, 31 * DAY, State.SCHEDULED)
    held = await message(store, 1, 31 * DAY - 60)
    await store.execute(
        "INSERT INTO legal_hold (tenant, from_id, until_id, reason, actor) VALUES (1, $1, $2, 'x', 'x')", held, held + 1
    )
    assert (await keep(store)).numbers == 0
    await store.execute("UPDATE message SET state = 15 WHERE id = $1", open_one)
    assert (await keep(store)).numbers == 1
    await store.execute("UPDATE legal_hold SET released_at = now()")
    await retentions.look_again(store)
    assert (await keep(store)).numbers >= 1
    assert await store.fetchval("SELECT count(*) FROM message WHERE destination LIKE 'h:%'") == 2


async def test_who_comes_to_a_class_brings_what_is_old(store: Connection):
    """An account that takes the class later has its old messages hashed too, and so has one that was deleted."""
    await message(store, 3, 31 * DAY)
    await keep(store)
    await provisioning.put(store, ("account", "any1"), {"tenant": "acme", "retention": "eu"})
    assert (await keep(store)).numbers == 1
    await store.execute("UPDATE message SET destination = '1', source = '1'")
    await provisioning.delete(store, ("account", "any1"))
    await retentions.look_again(store)
    assert (await keep(store)).numbers == 1


async def moved(store: Connection, account: str, retention: str, days: float) -> None:
    """An account is of another class, and has been for so many days ("": of none)."""
    await provisioning.put(store, ("account", account), {"tenant": "acme", **({"retention": retention} if retention else {})})
    newest = "SELECT max(since_id) FROM account_retention h WHERE h.account = a.id"
    await store.execute(
        f"UPDATE account_retention h SET since_id = $1 FROM account a WHERE a.id = h.account AND a.system_id = $2"
        f" AND h.since_id = ({newest})",
        least_id_at(NOW - days * DAY),
        account,
    )


async def clear(store: Connection) -> set[int]:
    """The ids of messages whose numbers are there."""
    return {row["id"] for row in await store.fetch("SELECT id FROM message WHERE destination NOT LIKE 'h:%'")}


async def test_what_was_sent_under_cn_port_keeps_its_numbers_for_its_time(store: Connection):
    """An account that has come to a shorter class: its messages of before lose them after 150 days, those of since as it asks."""
    lawful, over, since = await message(store, 2, 60 * DAY), await message(store, 2, 151 * DAY), await message(store, 2, 35 * DAY)
    await moved(store, "cn1", "eu", 40)
    edge = await message(store, 2, 40 * DAY - 30)  # a node that had not heard of it yet
    assert (await keep(store)).numbers == 2
    assert await clear(store) == {lawful, edge}
    assert await retentions.behind(store, NOW) == []
    later = await retentions.keep(store, NOW + 91 * DAY, hashed)
    assert (later.numbers, await clear(store), over < lawful < since) == (1, {edge}, True)
    await retentions.keep(store, NOW + 111 * DAY, hashed)
    assert await clear(store) == set()


async def test_an_open_message_that_the_law_keeps_is_hashed_later(store: Connection):
    """Each of the two walks remembers what it left open, and doctor is told of either that is late."""
    waiting = await message(store, 2, 151 * DAY, State.SCHEDULED)
    await moved(store, "cn1", "eu", 10)
    await keep(store)
    assert await store.fetchval("SELECT law_open FROM retention WHERE name = 'eu'") == [waiting]
    await store.execute("UPDATE message SET state = 15 WHERE id = $1", waiting)
    await keep(store)
    assert await clear(store) == set()
    await store.execute("UPDATE retention SET law_till = 0")
    await message(store, 2, 152 * DAY)
    assert (await retentions.behind(store, NOW))[-1] == "numbers of eu are not hashed after 150 days"


async def test_who_leaves_a_class_leaves_its_promise_behind(store: Connection):
    """What was sent under it loses its numbers in its time; what is sent since does not; coming back brings that too."""
    promised, since = await message(store, 1, 60 * DAY), await message(store, 1, 35 * DAY)
    await moved(store, "eu1", "", 40)
    assert (await keep(store)).numbers == 1
    assert await clear(store) == {since}
    await provisioning.delete(store, ("account", "eu1"))
    await retentions.look_again(store)
    await keep(store)
    assert await clear(store) == {since}
    await provisioning.put(store, ("account", "eu1"), {"tenant": "acme", "retention": "eu"})
    await keep(store)
    assert (await clear(store), promised < since) == (set(), True)


async def test_another_profile_is_another_class(store: Connection):
    """Under the same name: what was written and sent under the one before is kept as that promised, and nothing else is."""
    old, older = await message(store, 2, 60 * DAY), await message(store, 2, 151 * DAY)
    await provisioning.put(store, ("retention", "cn"), {**EU, "encrypted": False})
    assert (await provisioning.read_entities(store))["retention", "cn"]["profile"] == "eu_min"
    known = {row["name"]: tuple(row)[1:] for row in await store.fetch("SELECT name, class, profile, live FROM retention")}
    assert known == {"eu": (1, "eu_min", True), "cn #2": (2, "cn_port", False), "cn": (3, "eu_min", True)}
    read = {one.system_id: one.content_class for one in (await provisioned.read(store, str)).accounts}
    assert read["cn1"] == 3
    await keep(store)
    assert (await clear(store), await kept(store)) == ({old}, {old})
    assert older < old


async def test_each_account_knows_what_it_was_of(store: Connection):
    """Made, changed, by another class under its name, not changed, deleted and made again: one row for each that is another."""
    for more in ({"retention": "eu"}, {"retention": "eu", "rate": 5}):
        await provisioning.put(store, ("account", "any1"), {"tenant": "acme", **more})
    await provisioning.put(store, ("retention", "eu"), {**EU, "profile": "custom"})
    await provisioning.delete(store, ("account", "any1"))
    await provisioning.put(store, ("account", "any1"), {"tenant": "acme"})
    rows = await store.fetch(
        "SELECT account, array_agg(class ORDER BY since_id) AS classes FROM account_retention GROUP BY account ORDER BY account"
    )
    assert [(row["account"], row["classes"]) for row in rows] == [(1, [1, 3]), (2, [2]), (3, [0, 1, 3, 0])]


async def test_what_was_before_is_taken_to_have_been_always(store: Connection):
    """An upgrade knows of each account its present class, and of one that was deleted the one whose numbers it hashed."""
    await provisioning.delete(store, ("account", "eu1"))
    await store.execute(
        "DROP VIEW retention_span; DROP TABLE account_retention; DROP TRIGGER note_retention ON account;"
        " DROP TRIGGER note_retention ON retention; DROP FUNCTION note_retention, id_now, note_retentions;"
        " DROP FUNCTION set_retention; ALTER TABLE retention DROP COLUMN law_till, DROP COLUMN law_open;"
        " UPDATE retention SET hashed_of = '{1,2}' WHERE class = 1"
    )
    (upgrade,) = (one for one in read_migrations() if one.number == 20)
    await store.execute(upgrade.sql)
    rows = await store.fetch("SELECT account, since_id, class FROM account_retention ORDER BY account")
    assert [tuple(row) for row in rows] == [(1, 0, 1), (2, 0, 2), (3, 0, 0)]


async def test_what_is_kept_too_long_is_told(store: Connection):
    """Content an hour and numbers a day beyond their time, for the doctor; not what a round has still to come to."""
    await message(store, 1, 24 * HOUR + 1_800)
    await keep(store)
    assert await retentions.behind(store, NOW) == []
    await message(store, 1, 26 * HOUR)
    await store.execute("UPDATE retention SET hashed_till = 0")
    await message(store, 1, 31 * DAY + HOUR)
    assert [text[:13] for text in await retentions.behind(store, NOW)] == ["content of eu", "numbers of eu"]
    await keep(store)
    assert await retentions.behind(store, NOW) == []


async def test_one_node_at_a_time(store: Connection, database: str):
    """While another does it, nothing is done and nobody waits."""
    from smsgw.store.database import connect

    await message(store, 1, 25 * HOUR)
    other = await connect(database)
    await other.execute("SELECT pg_advisory_lock($1)", retentions._LOCK)
    assert await keep(store) == retentions.Passed()
    await other.close()
