"""Connecting: to the embedded server or to any PostgreSQL from version 14 on.

Promises that no connection is used for the data path whose server could lose what it has committed: `check_durability`
says so before anything is served. Must never put a dsn with a password into an error or a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

import asyncpg

from smsgw.store.embedded import EmbeddedServer, remove_scratch, scratch_directory
from smsgw.store.errors import DatabaseRefused, DatabaseUnavailable, StoreError
from smsgw.store.migrations import migrate

__all__ = [
    "LOST",
    "Connection",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "EmbeddedServer",
    "Pool",
    "StoreError",
    "borrowed",
    "check_durability",
    "connect",
    "grouped",
    "heed_cancellation",
    "listening",
    "migrate",
    "open_pool",
    "others_connected",
    "remove_scratch",
    "scratch_directory",
]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

LOST: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, StoreError)
"""What a connection that is gone may say. The last but one is asyncpg's own confusion about one that ended amid an answer."""
LEAST_VERSION: Final = 14
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")

_UNREADABLE: Final = (
    "the dsn cannot be read: postgresql://user:password@host/database; in a password write %40 for @, %3F for ?, %2F for /"
)
_SESSION: Final[Mapping[str, str]] = {
    "timezone": "UTC",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
}
# The batch statements join a handful of rows by key. With tables that were never analysed the planner takes a scan of
# the whole table for cheaper, which cost four times the work where it was measured.
_BATCHES: Final[Mapping[str, str]] = {"enable_seqscan": "off", "enable_mergejoin": "off"}


async def connect(dsn: str, *, name: str = "smsgw", batches: bool = False, timeout_s: float = 10.0) -> Connection:
    """One connection, for the unit of work (`batches=True`: plans by key) or for anything else.

    Raises `DatabaseUnavailable` if nobody answers in time, `DatabaseRefused` if we are not let in or the dsn is wrong.
    """
    try:
        return await asyncpg.connect(dsn, timeout=timeout_s, server_settings=_settings(name, batches=batches))
    except _REFUSALS as error:
        raise DatabaseRefused(f"the database does not let us in: {error}") from None
    except _TROUBLE as error:
        raise _unavailable(dsn, error) from None
    except ValueError:
        raise DatabaseRefused(_UNREADABLE) from None  # its words may repeat the password


async def open_pool(
    dsn: str, *, name: str = "smsgw", least: int = 1, most: int = 8, batches: bool = False, timeout_s: float = 10.0
) -> Pool:
    """A pool of at most `most` connections. Raises as `connect` does."""
    try:
        return await asyncpg.create_pool(
            dsn, min_size=least, max_size=most, timeout=timeout_s, server_settings=_settings(name, batches=batches)
        )
    except _REFUSALS as error:
        raise DatabaseRefused(f"the database does not let us in: {error}") from None
    except _TROUBLE as error:
        raise _unavailable(dsn, error) from None
    except ValueError:
        raise DatabaseRefused(_UNREADABLE) from None  # its words may repeat the password


def _unavailable(dsn: str, error: Exception) -> DatabaseUnavailable:
    """Say who does not answer, and why; a password in the dsn is left out."""
    url = urlsplit(dsn)
    # With an "@" elsewhere the dsn is not what it seems, and what looks like a host may be a password.
    host = url.netloc.rpartition("@")[2] if ("@" in url.netloc) == ("@" in dsn) else ""
    where = f" at {host}" if host else ""
    return DatabaseUnavailable(f"the database{where} does not answer: {str(error) or type(error).__name__}")


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """Give one connection of a pool for a while."""
    async with pool.acquire() as connection:
        yield cast("Connection", connection)


@asynccontextmanager
async def listening(dsn: str, channel: str, *, name: str) -> AsyncIterator[tuple[Connection, asyncio.Event]]:
    """Connect and listen to a channel; the event is set at each notification, and when the connection ends. Raises as `connect`."""
    connection = await connect(dsn, name=name)
    changed = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: changed.set())
        await connection.add_listener(channel, lambda *_: changed.set())
        yield connection, changed
    finally:
        connection.terminate()


def heed_cancellation() -> None:
    """Raise CancelledError in a task that was cancelled and has not ended: for each round of a loop that uses connections.

    A connection that is lost in the moment of a cancellation may swallow it (`asyncio.wait_for` of Python 3.11), and a group
    cancels its tasks once only.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def grouped(work: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
    """Run `work` with a group for its tasks: for what is compiled, and so must not leave a group itself.

    Code that mypyc compiled and that waits while it handles an exception, or leaves an `async with` by one, may go on with the
    exception of somebody else.
    """
    async with asyncio.TaskGroup() as group:
        await work(group)


async def check_durability(connection: Connection, *, unsafe: bool = False) -> tuple[str, ...]:
    """Raise `DatabaseRefused` if this server is too old, read-only, or may lose what it has committed.

    With `unsafe` the last is only told: the settings that are off are returned, for a warning that cannot be missed.
    """
    major = connection.get_server_version().major
    if major < LEAST_VERSION:
        raise DatabaseRefused(f"PostgreSQL {major} is too old: smsgw needs {LEAST_VERSION} or newer")
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise DatabaseRefused("this PostgreSQL is a standby and takes no writes: give the dsn of the primary")
    values = {name: await connection.fetchval(f"SHOW {name}") for name in _DURABLE}
    off = tuple(name for name, value in values.items() if value == "off")
    if off and not unsafe:
        raise DatabaseRefused(
            f"{', '.join(off)} is off in this PostgreSQL, so a crash would lose acknowledged messages: turn it on, or "
            "start with --unsafe if that may happen"
        )
    return off


async def others_connected(connection: Connection) -> int:
    """Return how many other connections of smsgw this server has, in any of its databases."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'smsgw%' AND pid <> pg_backend_pid()"
        )
    )


def _settings(name: str, *, batches: bool) -> dict[str, str]:
    return {"application_name": name, **_SESSION, **(_BATCHES if batches else {})}


_REFUSALS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
