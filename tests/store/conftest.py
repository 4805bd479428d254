from __future__ import annotations

import pytest

from smsgw.store import provisioning
from smsgw.store.database import Connection
from tests.contract import contract
from tests.store.cycles import Cycles
from tests.store.entities import ENTITIES
from tests.store.work import fund, seat


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


@pytest.fixture
async def cycle(connection: Connection) -> Cycles:
    """Node 1, and a tenant with 1,000 units."""
    await fund(connection, 1_000)
    await seat(connection)
    return Cycles(connection)
