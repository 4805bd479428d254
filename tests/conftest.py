"""What every test may ask for: a fresh migrated database, a connection to it, a place for a server of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from smsgw.store.database import Connection, connect, remove_scratch, scratch_directory
from smsgw.store.embedded import reachable_programs
from tests.databases import Databases, TestServer

pytest_plugins = ["tests.company", "tests.serving"]

# How long an example takes says how busy the machine is. (What hypothesis does otherwise in continuous integration stays as it is.)
settings.register_profile("smsgw", parent=settings(), deadline=None)
settings.load_profile("smsgw")

_shared: dict[str, TestServer] = {}  # of the process that started pytest-xdist's workers


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """One server for all workers: the parent starts it and tells each of them where it is."""
    server = _shared.setdefault("server", _shared.get("server") or TestServer())
    node.workerinput["postgres"] = server.dsn


def pytest_unconfigure() -> None:
    """The workers have ended: stop what was started for them."""
    server = _shared.pop("server", None)
    if server is not None:
        server.close()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Databases on the session's server, which starts with the first test that asks."""
    worker = getattr(request.config, "workerinput", None)
    server = None if worker else TestServer()
    made = Databases(worker["postgres"], worker["workerid"]) if worker else Databases(server.dsn)  # type: ignore[union-attr]
    yield made
    made.close()
    if server is not None:
        server.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The dsn of a database with every migration applied, which no other test has seen."""
    dsn = databases.take()
    yield dsn
    databases.give_back(dsn)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """A connection to `database`, planning as the unit of work does."""
    opened = await connect(database, name="test", batches=True)
    yield opened
    await opened.close()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A data directory for an `EmbeddedServer`, which the test stops; `tmp_path` is closed to the server's user."""
    path = scratch_directory("smsgw-scratch-")
    yield path
    remove_scratch(path)


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """PostgreSQL's bin directory where the server's user can reach it: servers of one's own need no copy then."""
    path = scratch_directory("smsgw-programs-")
    yield reachable_programs(path)
    remove_scratch(path)
