"""Registers: tenants and accounts as people look at them."""

from __future__ import annotations

import pytest

from smsgw.admin.standing import change_state
from smsgw.store import credentials, provisioning, registers
from smsgw.store.database import Connection
from tests.contract import contract


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account that has a secret."""
    await contract(connection)
    await provisioning.put(connection, ("account", "acme1"), {"tenant": "acme", "window": 7})
    await credentials.set_secret(connection, "acme1", "hash")
    return connection


async def test_tenants_and_accounts_with_their_states(acme: Connection):
    """Each row says what holds, of the account and of its tenant; nobody else's is there."""
    await change_state(acme, "tenant", "acme", "frozen", actor="ops", reason="x")
    (tenant,) = await registers.tenants(acme)
    (account,) = await registers.accounts(acme, tenant="acme")
    assert (tenant["state"], tenant["reason"], tenant["accounts"]) == ("frozen", "x", 1)
    assert (account["state"], account["tenant_state"], account["secrets"]) == ("active", "frozen", 1)
    assert account["settings"] == {"window": 7}
    assert await registers.accounts(acme, "nobody") == await registers.tenants(acme, "nobody") == []


async def test_history_is_of_one_name(acme: Connection):
    """The newest change first, from what to what, of the kinds that were asked for."""
    await change_state(acme, "tenant", "acme", "frozen", actor="ops", reason="x")
    await change_state(acme, "tenant", "acme", "active", actor="ops", reason="y")
    told = await registers.history(acme, ["tenant_state"], "acme")
    assert [(row["old"]["state"], row["new"]["state"], row["reason"]) for row in told] == [
        ("frozen", "active", "y"),
        ("active", "frozen", "x"),
    ]
    assert await registers.history(acme, ["account_state"], "acme") == []
