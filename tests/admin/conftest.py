from __future__ import annotations

import pytest

from smsgw.store.database import Connection
from tests.contract import contract


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account."""
    return await contract(connection, "acme1")
