"""A contract in the store, without a file: what tests of states, marks, secrets and the like begin with."""

from __future__ import annotations

from smsgw.store import provisioning
from smsgw.store.database import Connection


async def contract(connection: Connection, *accounts: str, tenant: str = "acme") -> Connection:
    """Make a prepaid tenant in CNY with these accounts, and return the connection."""
    await provisioning.put(connection, ("tenant", tenant), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
    for account in accounts:
        await provisioning.put(connection, ("account", account), {"tenant": tenant})
    return connection
