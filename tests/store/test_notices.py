"""Notices in the store: written once for a key, told once."""

from __future__ import annotations

import pytest

from smsgw.store import notices
from smsgw.store.database import Connection
from tests.contract import contract


@pytest.fixture
async def tenant(connection: Connection) -> int:
    """The id of a tenant."""
    await contract(connection)
    return int(await connection.fetchval("SELECT id FROM tenant"))


async def test_a_notice_of_a_key_is_written_once(connection: Connection, tenant: int):
    """A threshold that is crossed again tells nothing again; notices without a key are all kept."""
    assert await notices.add(connection, tenant, "low_balance", {"at": 1}, coalesce_key="low:1")
    assert not await notices.add(connection, tenant, "low_balance", {"at": 2}, coalesce_key="low:1")
    assert await notices.add(connection, tenant, "state", {})
    assert await notices.add(connection, tenant, "state", {})
    assert [one["params"] for one in await notices.untold(connection)] == [{"at": 1}, {}, {}]


async def test_what_has_been_told_is_not_told_again(connection: Connection, tenant: int):
    """Told notices leave the queue and stay in the list, newest first."""
    await notices.add(connection, tenant, "one", {}, account=None)
    await notices.add(connection, tenant, "two", {})
    first = (await notices.untold(connection, 1))[0]
    await notices.told(connection, [first["id"]])
    assert [one["kind"] for one in await notices.untold(connection)] == ["two"]
    assert [(one["tenant"], one["kind"], one["told_at"] is None) for one in await notices.of(connection, "acme")] == [
        ("acme", "two", True),
        ("acme", "one", False),
    ]
    assert await notices.of(connection, "nobody") == []
