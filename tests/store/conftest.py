from __future__ import annotations

import pytest

from smsgw.store import provisioning
from smsgw.store.database import Connection
from tests.store.entities import ENTITIES


@pytest.fixture
async def filled(connection: Connection) -> Connection:
    """A store with one of each."""
    for key, values in ENTITIES.items():
        await provisioning.put(connection, key, values)
    return connection
