"""What the tests of administration share: a tenant, and the loop that the gateway runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from smsgw.store.database import Connection
from tests.contract import contract


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop: its transports and sockets are of no class of asyncio's, and aiohttp and the API have to do with both."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with an account."""
    return await contract(connection, "acme1")
