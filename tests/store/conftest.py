from __future__ import annotations

import pytest

from smsgw.store import provisioning
from smsgw.store.database import Connection
from tests.contract import contract
from tests.store.entities import ENTITIES


@pytest.fixture
async def filled(connection: Connection) -> Connection:
    """A store with one of each."""
    for key, values in ENTITIES.items():
        await provisioning.put(connection, key, values)
    return connection


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account."""
    return await contract(connection, "acme1")
