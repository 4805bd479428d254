from __future__ import annotations

import asyncio

from smsgw.model import Mode
from smsgw.store import credentials, provisioned
from smsgw.store import provisioning as store
from smsgw.store.database import Connection
from tests.store.entities import ACCOUNT, ENTITIES, LINK, TENANT


async def test_what_is_put_reads_back(filled: Connection):
    """Entities read back as they were put."""
    assert await store.read_entities(filled) == ENTITIES


async def test_a_put_changes_what_is_there(filled: Connection):
    """A second put replaces settings and keeps the id, which messages refer to."""
    before = await provisioned.read(filled, str)
    await store.put(filled, ACCOUNT, {"tenant": "acme"})
    after = await provisioned.read(filled, str)
    assert after.accounts[0].id == before.accounts[0].id
    assert (after.accounts[0].mode, after.accounts[0].window) == (Mode.STORE, 50)


async def test_everything_can_be_deleted(filled: Connection):
    """In reverse order everything goes, the balance stays."""
    for key in reversed(ENTITIES):
        await store.delete(filled, key)
    assert await store.read_entities(filled) == {}
    assert await filled.fetchval("SELECT count(*) FROM balance") == 1


async def test_a_listener_hears_of_a_change(filled: Connection, database: str):
    """Every change is a new version, announced at COMMIT to whoever listens."""
    before = await provisioned.version(filled)
    async with store.listening(database) as (_, changed):
        async with filled.transaction():
            await store.audit(filled, "ops", TENANT, None, ENTITIES[TENANT])
            await store.announce(filled)
        async with asyncio.timeout(5.0):
            await changed.wait()
    assert await provisioned.version(filled) > before


async def test_who_comes_back_has_the_old_id_and_secrets(filled: Connection):
    """Deleted and put again, tenant, account, carrier and link have the ids that messages and books refer to."""
    await credentials.set_secret(filled, "acme1", "hash")
    await store.set_link_password(filled, "alpha-1", "sealed")
    before = await provisioned.read(filled, str)
    for key in reversed(ENTITIES):
        await store.delete(filled, key)
    assert await store.retired(filled, "tenant") == {"acme"}
    secrets = {key: await store.put(filled, key, values) for key, values in ENTITIES.items()}
    for key in (ACCOUNT, LINK):
        await store.restore_secrets(filled, key, secrets[key])
    after = await provisioned.read(filled, str)
    assert (secrets[ACCOUNT], secrets[LINK]) == (("hash",), ("sealed",))
    assert [after.tenants, after.accounts, after.links] == [before.tenants, before.accounts, before.links]
    assert await store.retired(filled, "tenant") == frozenset()


async def test_a_name_under_another_owner_is_somebody_else(filled: Connection):
    """An account that comes back under another tenant gets a new id and no secret: what is owed to the old one is not its own."""
    await credentials.set_secret(filled, "acme1", "hash")
    old = (await provisioned.read(filled, str)).accounts[0].id
    await store.delete(filled, ACCOUNT)
    await store.put(filled, ("tenant", "other"), ENTITIES[TENANT])
    assert await store.put(filled, ACCOUNT, {"tenant": "other"}) == ()
    assert (await provisioned.read(filled, str)).accounts[0].id != old
