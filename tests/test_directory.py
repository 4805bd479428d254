"""The Directory: looking up, sharing what did not change, following the store."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import zlib

import pytest

from smsgw.config import ConfigError
from smsgw.directory import Directory, follow_directory, load_directory
from smsgw.model import Account, Carrier, Link, Number, Price, Provisioned, Route, Tenant
from smsgw.policy.ruleset import Bundle, make_bundle
from smsgw.store import credentials, policies
from smsgw.store import provisioning as store
from smsgw.store.database import Connection

ACME = Tenant(1, "acme", "CNY")
ALPHA = Carrier(1, "alpha")
LINK = Link(3, "alpha-1", ALPHA, "127.0.0.1", 2776, "gw")
ONE, TWO = Account(1, "acme1", ACME), Account(2, "acme2", ACME, rate=5)
ROWS = Provisioned(
    version=7,
    tenants=(ACME,),
    accounts=(ONE, TWO),
    numbers=(Number("1069", "acme1"), Number("10691", "acme2"), Number("2", "nobody")),
    carriers=(ALPHA,),
    links=(LINK,),
    routes=(Route(1, "", ("alpha-1",)),),
    prices=(Price("acme", "", 38_000),),
)


def plain(stored: str) -> str:
    """A store without seals."""
    return stored


async def provision(connection: Connection, *entities: tuple[store.Key, dict[str, object]]) -> None:
    """Write entities as whoever changes provisioning does."""
    async with connection.transaction():
        await store.lock(connection)
        for key, values in entities:
            await store.put(connection, key, values)
            await store.audit(connection, "test", key, None, values)
        await store.announce(connection)


async def remove(connection: Connection, key: store.Key) -> None:
    """Delete an entity as whoever changes provisioning does."""
    async with connection.transaction():
        await store.lock(connection)
        await store.delete(connection, key)
        await store.audit(connection, "test", key, {}, None)
        await store.announce(connection)


TENANT = ("tenant", "acme"), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"}
CARRIER = ("carrier", "alpha"), {}


def account(name: str, **settings: object) -> tuple[store.Key, dict[str, object]]:
    """An account of acme."""
    return ("account", name), {"tenant": "acme", **settings}


def link(name: str) -> tuple[store.Key, dict[str, object]]:
    """A link of alpha."""
    return ("link", name), {"carrier": "alpha", "host": "127.0.0.1", "port": 2776, "system_id": "gw"}


def test_everything_is_found_by_name_and_by_id():
    """Accounts by system_id, links by name, both by id; what is not there is None."""
    directory = Directory(ROWS)
    assert (directory.account("acme1"), directory.account_by_id(2), directory.account("acme3")) == (ONE, TWO, None)
    assert (directory.link(3), directory.link_by_name("alpha-1"), directory.link(1)) == (LINK, LINK, None)
    assert (directory.tenants(), directory.carriers(), directory.links()) == ((ACME,), (ALPHA,), (LINK,))
    assert directory.accounts() == (ONE, TWO)
    assert directory.routes.choose("8613800000000") == (3,)
    assert directory.tariff.price(1, "8613800000000") == 38_000


def test_the_longest_service_number_owns_what_extends_it():
    """A message to an extension of a number goes to who owns the longest beginning of it."""
    directory = Directory(ROWS)
    assert [directory.owner_of(number) for number in ("1069", "+10690001", "106912", "107", "", "2")] == [
        *(ONE, ONE, TWO),
        *(None, None, None),
    ]


def test_what_did_not_change_is_the_same_object():
    """A new version shares every value, the routes and the prices with the one before, so `is` tells what changed."""
    before = Directory(ROWS)
    copy = dataclasses.replace
    rows = copy(ROWS, version=8, accounts=(copy(ONE), copy(TWO, rate=9)), links=(copy(LINK),), tenants=(copy(ACME),))
    after = Directory(rows, before)
    assert after.account("acme1") is before.account("acme1")
    assert after.account("acme2") is not before.account("acme2")
    assert (after.link(3), after.routes, after.tariff) == (before.link(3), before.routes, before.tariff)
    assert after.routes is before.routes
    assert after.tariff is before.tariff
    assert Directory(copy(rows, links=(copy(LINK, id=4),)), before).routes.choose("86") == (4,)
    assert Directory(copy(rows, prices=(Price("acme", "", 1),)), before).tariff.price(1, "86") == 1


@pytest.mark.alone(reason="it measures microseconds")
def test_one_accounts_change_shares_the_rest_and_costs_little():
    """With 2,000 accounts one account's change takes under a millisecond, and the version before is as it was."""
    many = tuple(Account(number, f"a{number}", ACME) for number in range(2_000))
    before = Directory(dataclasses.replace(ROWS, accounts=many))
    changed = Account(5, "a5", ACME, rate=1)
    took = []
    after = before
    for _ in range(5):
        began = time.perf_counter()
        after = before.with_accounts(8, (changed,), ("a6",))
        took.append(time.perf_counter() - began)
    assert min(took) < 0.001
    assert (after.version, after.account("a5"), after.account("a6"), after.account_by_id(6)) == (8, changed, None, None)
    assert (before.version, before.account("a5"), before.account("a6")) == (7, many[5], many[6])
    assert after.account("a7") is before.account("a7")
    assert after.tariff is before.tariff


def test_an_account_made_anew_is_not_found_by_its_old_id():
    """Deleted and made again under one name, it has one id: the new one."""
    directory = Directory(ROWS).with_accounts(8, (Account(9, "acme1", ACME),), ())
    assert (directory.account_by_id(1), directory.account("acme1")) == (None, directory.account_by_id(9))
    assert len(directory.accounts()) == 2


async def test_an_accounts_change_is_read_alone(connection: Connection):
    """Where only accounts changed, what is loaded shares all else with the version before, deletions included."""
    await provision(connection, TENANT, account("a1"), account("a2"), CARRIER, link("l1"))
    before = await load_directory(connection, plain)
    await provision(connection, account("a1", rate=7), account("a3"))
    await credentials.set_secret(connection, "a3", "hash")
    await remove(connection, ("account", "a2"))
    after = await load_directory(connection, plain, before)
    fresh = await load_directory(connection, plain)
    assert after.version == fresh.version > before.version
    assert after.accounts() == fresh.accounts()
    assert [(each.system_id, each.rate, each.secrets) for each in after.accounts()] == [("a1", 7, ()), ("a3", 0, ("hash",))]
    assert after.routes is before.routes
    assert after.links()[0] is before.links()[0]


async def test_any_other_change_is_read_whole(connection: Connection):
    """A tenant, a link or a price that changed brings a Directory with all that changed with it."""
    await provision(connection, TENANT, account("a1"), CARRIER, link("l1"))
    before = await load_directory(connection, plain)
    await provision(connection, (("tenant", "acme"), {**TENANT[1], "credit_limit": 5}), account("a1", rate=1), link("l2"))
    after = await load_directory(connection, plain, before)
    assert (after.tenants()[0].credit_limit, after.accounts()[0].tenant.credit_limit) == (5, 5)
    assert [each.name for each in after.links()] == ["l1", "l2"]
    assert after.links()[0] is before.links()[0]


async def test_a_link_without_its_password_is_dialled_by_nobody(connection: Connection):
    """A password that cannot be had harms its link alone: messages wait for it, and no carrier sees a wrong password."""

    def unseal(stored: str) -> str:
        if stored:
            raise ConfigError(["ALPHA_PASSWORD is not set in the environment"])
        return stored

    await provision(connection, CARRIER, link("l1"), link("l2"), (("route", ""), {"links": ["l1"], "part_rule": "gsm_ucs2"}))
    await store.set_link_password(connection, "l1", "sealed")
    directory = await load_directory(connection, unseal)
    first, second = directory.links()
    assert first.nodes
    assert not {0, 1, 1_023} & set(first.nodes)
    assert (first.password, second.nodes) == ("", ())
    assert directory.faults == (("l1", "ALPHA_PASSWORD is not set in the environment"),)
    assert directory.routes.choose("86") == (first.id,)


@pytest.mark.alone(reason="a change is promised within a second")
async def test_a_change_is_followed_at_once(database: str, connection: Connection):
    """Long before the next poll the new version is there; it comes once."""
    await provision(connection, TENANT, account("a1"))
    first = await load_directory(connection, plain)
    versions = follow_directory(database, plain, first, poll_s=600.0)
    coming = asyncio.ensure_future(anext(versions))
    async with asyncio.timeout(10.0):
        while not await listeners(connection):
            pass
        began = time.monotonic()
        await provision(connection, account("a1", rate=3))
        second = await coming
    assert time.monotonic() - began < 1.0
    assert second.version > first.version
    assert [each.rate for each in second.accounts()] == [3]
    await versions.aclose()


async def test_a_lost_connection_loses_no_change(database: str, connection: Connection):
    """What changed while nobody listened is found as soon as the connection is made again."""
    await provision(connection, TENANT, account("a1"))
    versions = follow_directory(database, plain, await load_directory(connection, plain), poll_s=600.0)
    coming = asyncio.ensure_future(anext(versions))
    async with asyncio.timeout(20.0):
        while not await listeners(connection):
            pass
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smsgw follow'")
        await provision(connection, account("a2"))
        directory = await coming
    assert [each.system_id for each in directory.accounts()] == ["a1", "a2"]
    await versions.aclose()


async def listeners(connection: Connection) -> int:
    """How many connections listen: the version has been compared, and only a notification or the poll wakes them."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'smsgw follow' AND datname = current_database()"
            " AND state = 'idle' AND query LIKE '%audit%'"
        )
    )


async def test_going_back_to_the_version_before_takes_no_compiling(connection: Connection):
    """The set that was taken over from is kept compiled: a rollback is in force at once, and so is a second thought about it."""
    bundles = [
        make_bundle(["set.toml"], lambda *_, word=word: f'[[terms]]\nid = "a"\nwords = ["{word}"]\nmust = ["{word}"]\n', b"k" * 32)
        for word in ("甲乙", "丙丁", "戊己")
    ]
    for bundle in bundles:
        await policies.keep_content(connection, bundle.version, bundle.encode())

    async def in_force(at: int, before: Directory | None) -> Directory:
        await provision(connection, (("policy", "set"), {"files": ["set.toml"], "version": bundles[at].version}))
        return await load_directory(connection, plain, before, number_key=b"k" * 32)

    first = await in_force(0, None)
    second = await in_force(1, first)
    back = await in_force(0, second)
    again = await in_force(1, back)
    assert back.policies["set"] is first.policies["set"]
    assert again.policies["set"] is second.policies["set"]
    other = await load_directory(connection, plain, again, number_key=b"k" * 32)
    assert other.policies_before["set"] is first.policies["set"]
    third = await in_force(2, other)
    assert third.policies["set"].sources != second.policies["set"].sources
    assert third.policies_before["set"] is second.policies["set"]


LIST = Bundle([("s.toml", '[recipient]\nblock = "list"\n')], {}, {"list": "AAA="})


@pytest.mark.parametrize(
    "content", [b"no zlib", zlib.compress(b"{}"), zlib.compress(LIST.encode())], ids=["packed", "shape", "list"]
)
async def test_a_set_that_cannot_be_made_is_no_end_of_the_others(connection: Connection, content: bytes):
    """However what is stored of it is broken: it is told, the version before stays, and at a start everything else is there."""
    good = make_bundle(["set.toml"], lambda *_: '[[terms]]\nid = "a"\nwords = ["甲乙"]\nmust = ["甲乙"]\n', b"k" * 32)
    await policies.keep_content(connection, good.version, good.encode())
    await provision(connection, (("policy", "set"), {"files": ["set.toml"], "version": good.version}), TENANT)
    first = await load_directory(connection, plain, number_key=b"k" * 32)
    await connection.execute("INSERT INTO policy_content (version, content) VALUES ($1, $2)", "f" * 64, content)
    await provision(connection, (("policy", "set"), {"files": ["set.toml"], "version": "f" * 64}))
    second = await load_directory(connection, plain, first, number_key=b"k" * 32)
    assert second.policies["set"] is first.policies["set"]
    started = await load_directory(connection, plain, number_key=b"k" * 32)
    assert (started.policies, [tenant.name for tenant in started.tenants()]) == ({}, ["acme"])
    assert [[name for name, _ in one.policy_faults] for one in (second, started)] == [["set"], ["set"]]
