"""Accounts' secrets in the store."""

from __future__ import annotations

import pytest

from smsgw.store import credentials, provisioning, versions
from smsgw.store.database import Connection


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account."""
    await provisioning.put(connection, ("tenant", "acme"), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
    await provisioning.put(connection, ("account", "acme1"), {"tenant": "acme"})
    return connection


async def test_a_secret_knows_the_version_it_came_after(acme: Connection):
    """A secret that is set with a version does not come after it; one set later does."""
    async with acme.transaction():
        await credentials.set_secret(acme, "acme1", "one")
        version = await versions.keep_version(acme, {}, "ops")
    assert not await credentials.secret_set_since(acme, "acme1", version)
    await credentials.set_secret(acme, "acme1", "two")
    assert await credentials.secret_set_since(acme, "acme1", version)
    assert await credentials.secrets_of(acme, "acme1") == ["two"]
