from __future__ import annotations

import asyncio

import pytest

from smsgw.model import Basis, InDoubt, Mode
from smsgw.store import credentials
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from smsgw.store.provisioning import Key

TENANT: Key = ("tenant", "acme")
ACCOUNT: Key = ("account", "acme1")
LINK: Key = ("link", "alpha-1")
ENTITIES: store.Entities = {
    TENANT: {"currency": "CNY", "credit_limit": 5, "basis": "delivered"},
    ("carrier", "alpha"): {},
    ACCOUNT: {"tenant": "acme", "mode": "relay", "in_doubt": "hold", "window": 7, "allow_from": ["192.0.2.0/24"]},
    LINK: {
        "carrier": "alpha",
        "host": "h",
        "port": 1,
        "system_id": "gw",
        "dialect": {"submit_id": "hex-to-dec", "retryable": [88]},
    },
    ("number", "1069"): {"account": "acme1"},
    ("route", ""): {"links": ["alpha-1"], "part_rule": "octet"},
    ("price", "acme/86"): {"price": 38_000},
}


@pytest.fixture
async def filled(connection: Connection) -> Connection:
    """A store with one of each."""
    for key, values in ENTITIES.items():
        await store.put(connection, key, values)
    return connection


async def test_what_is_put_reads_back(filled: Connection):
    """Entities read back as they were put."""
    assert await store.read_entities(filled) == ENTITIES


async def test_rows_become_values(filled: Connection):
    """The daemon reads the model's values: enumerations, tuples, a dialect, the link's opened password."""
    await store.set_link_password(filled, "alpha-1", "sealed")
    await credentials.set_secret(filled, "acme1", "hash")
    read = await store.read(filled, str.upper)
    (account,), (link,) = read.accounts, read.links
    assert (account.mode, account.in_doubt, account.window, account.secrets) == (Mode.RELAY, InDoubt.HOLD, 7, ("hash",))
    assert (account.tenant.basis, account.tenant.credit_limit, account.allow_from) == (Basis.DELIVERED, 5, ("192.0.2.0/24",))
    assert (link.password, link.dialect.submit_id, link.dialect.retryable) == ("SEALED", "hex-to-dec", frozenset({88}))
    assert (read.routes[0].part_rule, read.numbers[0].number, read.prices[0].prefix) == ("octet", "1069", "86")


async def test_a_put_changes_what_is_there(filled: Connection):
    """A second put replaces settings and keeps the id, which messages refer to."""
    before = await store.read(filled, str)
    await store.put(filled, ACCOUNT, {"tenant": "acme"})
    after = await store.read(filled, str)
    assert after.accounts[0].id == before.accounts[0].id
    assert (after.accounts[0].mode, after.accounts[0].window) == (Mode.STORE, 50)


async def test_everything_can_be_deleted(filled: Connection):
    """In reverse order everything goes, the balance stays."""
    for key in reversed(ENTITIES):
        await store.delete(filled, key)
    assert await store.read_entities(filled) == {}
    assert await filled.fetchval("SELECT count(*) FROM balance") == 1


async def test_an_opening_balance_is_booked_once(filled: Connection):
    """The ledger and the balance get it together, and a second time changes neither."""
    for amount in (100, 200):
        await store.open_balance(filled, "acme", amount, 20_000, "ops")
    assert await store.balance_of(filled, "acme") == 100
    assert await store.opening_of(filled, "acme") == 100
    assert await filled.fetchval("SELECT sum(amount) FROM ledger") == 100


async def test_a_listener_hears_of_a_change(filled: Connection, database: str):
    """Every change is a new version, announced at COMMIT to whoever listens."""
    before = await store.version(filled)
    async with store.listening(database) as (_, changed):
        async with filled.transaction():
            await store.audit(filled, "ops", TENANT, None, ENTITIES[TENANT])
            await store.announce(filled)
        async with asyncio.timeout(5.0):
            await changed.wait()
    assert await store.version(filled) > before


async def test_who_comes_back_has_the_old_id_and_secrets(filled: Connection):
    """Deleted and put again, tenant, account, carrier and link have the ids that messages and books refer to."""
    await credentials.set_secret(filled, "acme1", "hash")
    await store.set_link_password(filled, "alpha-1", "sealed")
    before = await store.read(filled, str)
    for key in reversed(ENTITIES):
        await store.delete(filled, key)
    assert await store.retired(filled, "tenant") == {"acme"}
    secrets = {key: await store.put(filled, key, values) for key, values in ENTITIES.items()}
    for key in (ACCOUNT, LINK):
        await store.restore_secrets(filled, key, secrets[key])
    after = await store.read(filled, str)
    assert (secrets[ACCOUNT], secrets[LINK]) == (("hash",), ("sealed",))
    assert [after.tenants, after.accounts, after.links] == [before.tenants, before.accounts, before.links]
    assert await store.retired(filled, "tenant") == frozenset()


async def test_a_name_under_another_owner_is_somebody_else(filled: Connection):
    """An account that comes back under another tenant gets a new id and no secret: what is owed to the old one is not its own."""
    await credentials.set_secret(filled, "acme1", "hash")
    old = (await store.read(filled, str)).accounts[0].id
    await store.delete(filled, ACCOUNT)
    await store.put(filled, ("tenant", "other"), ENTITIES[TENANT])
    assert await store.put(filled, ACCOUNT, {"tenant": "other"}) == ()
    assert (await store.read(filled, str)).accounts[0].id != old


async def test_credit_limits_are_held_against_the_balance(filled: Connection):
    """A limit goes to the balance that the unit of work debits; one that is overdrawn already is refused by name."""
    await store.set_credit_limits(filled, {"acme": 7})
    assert await filled.fetchval("SELECT credit_limit FROM balance") == 7
    await filled.execute("UPDATE balance SET amount = -6")
    with pytest.raises(store.Overdrawn, match="acme"):
        await store.set_credit_limits(filled, {"acme": 5})
    assert await store.has_ledger(filled, "acme") is False
