"""A unit of work to test against a real PostgreSQL: seats, books, messages, and effects that can be waited for.

`Lossy` is a connection that loses answers at COMMIT: what was committed is not heard of, as when a network fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg

from smsgw.model import Account, Message, Owed, OwedKind, Rejected, State, Tenant
from smsgw.store.commit import Commit, CommitCaps, Seat
from smsgw.store.database import Connection, connect
from smsgw.store.ids import Ids
from smsgw.wire import Clock

WAIT_S = 30.0
ACME = Tenant(1, "acme", "CNY")
FAST = CommitCaps(pace_s=0.0)

FORGING = "SET session_replication_role = replica;"
"""A session that says this may change what was booked: the triggers that keep the books do not see it."""

STORED = (
    "id source destination body command state rev link attempt resends parts price basis registered mode short_id upstream_id error"
    " refund expires_at sent_at done_at"
).split()
"""What a message has in its row, and reads back."""
OF_THIS_PROCESS = frozenset(
    "held session sequence bind rule fingerprint caps links content_class answered_at due_at pending".split()
)
"""What it has besides, which no constructor takes."""

Connect = Callable[[], Awaitable[Connection]]


def account(number: int = 1, tenant: Tenant = ACME, **limits: Any) -> Account:
    """Return an account of a tenant."""
    return Account(id=number, system_id=f"a{number}", tenant=tenant, **limits)


def message(ids: Ids, of: Account | None = None, **fields: Any) -> Message:
    """Return a new message that costs 1 unit and is ready to be submitted."""
    values: dict[str, Any] = {"source": "1069", "destination": "8613800138000", "body": b"body", "price": 1, "parts": 1}
    values |= {"state": State.SUBMITTING, "link": 7, "attempt": 1, **fields}
    own = {name: values.pop(name) for name in OF_THIS_PROCESS & values.keys()}
    made = Message(id=ids.next(), account=of or account(), **values)
    for name, value in own.items():
        setattr(made, name, value)
    return made


def twin(of: Message) -> Message:
    """Return another object of the same message, as a second reading of its row gives it."""
    made = Message(of.id, of.account, of.source, of.destination, of.body)
    for name in (*STORED, *OF_THIS_PROCESS):
        setattr(made, name, getattr(of, name))
    return made


def owed(ids: Ids, of: int = 1, about: int = 0, **fields: Any) -> Owed:
    """Return a receipt (or, about nothing, an MO) that an account is owed."""
    kind = int(OwedKind.RECEIPT if about else OwedKind.MO)
    return Owed(**{"id": ids.next(), "account": of, "message": about, "kind": kind, "body": b"owed", "expires_at": 4e9} | fields)


async def fund(connection: Connection, amount: int, *, tenant: int = 1, credit: int = 0) -> None:
    """Open a tenant's books."""
    await connection.execute("INSERT INTO balance (tenant, amount, credit_limit) VALUES ($1, $2, $3)", tenant, amount, credit)
    await connection.execute("INSERT INTO ledger (tenant, kind, day, amount) VALUES ($1, 'opening', 0, $2)", tenant, amount)


async def seat(connection: Connection, node: int = 1) -> Seat:
    """Let a node have the first epoch."""
    await connection.execute("INSERT INTO node (id, epoch) VALUES ($1, 1)", node)
    return Seat(node, 1)


def connecting(dsn: str, node: int = 1) -> Connect:
    """Return what opens connections for cycles, as the gateway's do."""

    async def ready() -> Connection:
        connection = await connect(dsn, name=f"unit of work {node}", batches=True)
        try:
            await connection.execute("SET plan_cache_mode = force_generic_plan")
        except BaseException:
            connection.terminate()
            raise
        return connection

    return ready


async def terminate(connection: Connection, node: int = 1) -> int:
    """Kill the backend of a node's unit of work; returns how many there were."""
    return int(
        await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            f"unit of work {node}",
        )
    )


class Effects:
    """An effect that remembers what it was told, in order, and wakes whoever waits for that."""

    def __init__(self, watch: Callable[[Any, Any], None] | None = None) -> None:
        """`watch` is told too."""
        self.seen: list[tuple[Any, Any]] = []
        self._watch = watch
        self._changed = asyncio.Event()

    def __call__(self, argument: Any, verdict: Any) -> None:
        self.seen.append((argument, verdict))
        self._changed.set()
        if self._watch is not None:
            self._watch(argument, verdict)

    async def count(self, number: int) -> list[tuple[Any, Any]]:
        """Wait until it has run so often."""
        async with asyncio.timeout(WAIT_S):
            while len(self.seen) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.seen

    @property
    def passed(self) -> list[Any]:
        """What was durable."""
        return [argument for argument, verdict in self.seen if verdict is None]

    @property
    def refused(self) -> list[tuple[Any, str]]:
        """What was not, and why."""
        return [(argument, verdict.reason) for argument, verdict in self.seen if isinstance(verdict, Rejected)]


@contextlib.asynccontextmanager
async def working(commit: Commit) -> AsyncIterator[Commit]:
    """Run a unit of work; drained at the end."""
    async with asyncio.TaskGroup() as group:
        group.create_task(commit.run())
        try:
            yield commit
        finally:
            commit.stop()


async def done(commit: Commit) -> None:
    """Run a unit of work until all that was handed over is durable and its effects have run."""
    commit.stop()
    async with asyncio.timeout(WAIT_S):
        await commit.run()


class Node:
    """One node: its ids and a unit of work that writes for it."""

    def __init__(self, dsn: str, at: Seat, *, caps: CommitCaps = FAST, connect: Connect | None = None, **options: Any) -> None:
        """Prepare; nothing runs yet."""
        self.ids = Ids(at.node, Clock())
        self.commit = Commit(connect or connecting(dsn, at.node), at, self.ids, Clock(), caps, **options)
        self.effects = Effects()

    def submit(self, of: Account | None = None, **fields: Any) -> Message:
        """Hand a new message over."""
        new = message(self.ids, of, **fields)
        self.commit.add(new, self.effects)
        return new

    async def done(self) -> None:
        """See `done`."""
        await done(self.commit)


class Lossy:
    """Makes connections that lose what `lose` says: "before" or "after" the statement has run, or None; once a statement."""

    def __init__(self, connect: Connect, lose: Callable[[int], str | None]) -> None:
        """`lose` is given the number of the statement."""
        self._connect = connect
        self._lose = lose
        self.statements = 0
        self.connections = 0

    async def __call__(self) -> Any:
        """Connect."""
        self.connections += 1
        return _LossyConnection(await self._connect(), self)

    async def run(self, statement: Any, connection: asyncpg.Connection[Any], arguments: tuple[Any, ...], **options: Any) -> Any:
        """Run a statement, and perhaps do not tell."""
        self.statements += 1
        lost = self._lose(self.statements)
        if lost != "before":
            answer = await statement.fetchval(*arguments, **options)
            if lost is None:
                return answer
        connection.terminate()
        raise ConnectionResetError("lost")


class _LossyConnection:
    def __init__(self, connection: Connection, lossy: Lossy) -> None:
        self._connection = connection
        self._lossy = lossy

    async def prepare(self, query: str) -> Any:
        statement = await self._connection.prepare(query)
        lossy, connection = self._lossy, self._connection

        class Prepared:
            async def fetchval(self, *arguments: Any, **options: Any) -> Any:
                return await lossy.run(statement, connection, arguments, **options)

        return Prepared()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
