"""A scene for the journeys: a real gateway on a real PostgreSQL, its carriers and its tenant driven by hand.

    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        answer = await tenant.submit(registered_delivery=1)
        scene.smsc.receipt(await scene.smsc.submit())
        receipt = await scene.receipt(tenant)

At the end of every scene the books must balance. `later` lets time pass, for the gateway and for its database.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from smsgw import config as settings
from smsgw.daemon import Daemon
from smsgw.model import State
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import Pdu, read_data_sm, read_sm
from smsgw.smpp.receipt import Receipt
from smsgw.store import invariants
from smsgw.store.database import Connection, connect
from tests.peers import WAIT_S, Esme
from tests.rig import process_settings, provision, provisioning
from tests.smsc import Smsc

# The database's clock is ahead by as much as the gateway's: its own function is found before that of the system.
HANDS = """
CREATE TABLE hands AS SELECT 0::float8 AS ahead;
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => ahead) FROM public.hands';
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$;
"""


class Hands:
    """A clock whose hands a test can move forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic() + self.ahead

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead


class Scene:
    """One gateway, `links` carriers, and as many tenants' sessions as a test opens.

    `text` replaces the whole provisioning: a function of the carriers' ports.
    """

    def __init__(
        self,
        dsn: str,
        *,
        links: int = 1,
        tenant: str = "",
        account: str = "",
        link: str = "",
        more: str = "",
        text: Callable[..., str] | None = None,
    ) -> None:
        self.dsn = dsn
        self.more = more
        self.records: Path | None = None
        self.smscs = [Smsc() for _ in range(links)]
        self.clock = Hands()
        self.daemon: Daemon = None  # type: ignore[assignment]
        self.connection: Connection = None  # type: ignore[assignment]
        self._text = text or (lambda *ports: provisioning(*ports, tenant=tenant, account=account, link=link))
        self._stack = contextlib.AsyncExitStack()

    @property
    def smsc(self) -> Smsc:
        """The first carrier."""
        return self.smscs[0]

    def recording(self, records: Path) -> Self:
        """Return this scene, whose gateway writes a record line of every message into a file."""
        self.records = records
        return self

    # ---- a life ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def playing(self, *, bound: bool = True) -> AsyncIterator[Scene]:
        """Start carriers and gateway, wait for the links (`bound`), play, drain, and look into the books."""
        async with self._stack:
            for smsc in self.smscs:
                await self._stack.enter_async_context(smsc)
            self.connection = await connect(self.dsn, name="test", batches=True)
            self._stack.push_async_callback(self.connection.close)
            await self.connection.execute(HANDS)
            self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="smsgw-scene-")))
            await self.provision(self._text(*(smsc.port for smsc in self.smscs)))
            async with asyncio.TaskGroup() as self._group:
                await self.start(bound=bound)
                try:
                    yield self
                finally:
                    self._stop.set()
            self._nothing_failed()
            assert await invariants.check(self.connection) == []

    async def provision(self, text: str) -> None:
        """Apply a provisioning file; a running gateway follows."""
        await provision(self.dsn, self.directory, text)

    async def start(self, *, bound: bool = True) -> None:
        """Start the gateway, as the same node as before."""
        recorded: dict[str, Any] = {"messages": "all", "records": self.records} if self.records else {}
        toml = process_settings(self.dsn, self.directory, more=self.more, **recorded)
        daemon = self.daemon = Daemon(settings.parse(toml))
        daemon.clock = self.clock  # type: ignore[assignment]
        ready, self._stop = asyncio.Event(), asyncio.Event()
        self._life = self._group.create_task(daemon.run(ready=ready, stop=self._stop))
        waiting = self._group.create_task(ready.wait())
        await asyncio.wait([waiting, self._life], return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            daemon.hold.look_s = 0.1  # so that nobody waits a second for what it only does now and then
        if bound and ready.is_set():
            for smsc in self.smscs:
                await smsc.bound()

    async def stop(self) -> None:
        """SIGTERM: drain, and end."""
        self._stop.set()
        await self._life
        self._nothing_failed()

    async def kill(self) -> None:
        """End the gateway as kill -9 does: no word to anybody, nothing more written."""
        await self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self.daemon.commit._connect = _never  # type: ignore[assignment]
        self._life.cancel()
        await asyncio.wait([self._life])
        for session in self.daemon.registry.sessions():
            session.wire.abort("killed")

    def _nothing_failed(self) -> None:
        assert self.daemon.commit.effect_failures == 0
        assert self.daemon.commit.poisoned == 0

    @contextlib.asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        """Meanwhile no cycle is committed: PostgreSQL is slow."""
        async with self.connection.transaction():
            await self.connection.execute("LOCK TABLE commit_token IN ACCESS EXCLUSIVE MODE")
            yield

    @contextlib.asynccontextmanager
    async def stuck(self) -> AsyncIterator[None]:
        """Meanwhile a cycle is under way that is not committed: all that follows waits for the next one."""

        async def waits() -> bool:
            held_up = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'commit_token'::regclass"
            return await self.connection.fetchval(held_up) > 0

        async with self.stalled():
            self.daemon.commit.unwait(0)
            await self.until(waits)
            yield

    async def refusing(self, what: str, when: str) -> None:
        """From now on PostgreSQL takes some rows for nonsense: `what` is done to a table, `when` is said of NEW."""
        await self.connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF {when} THEN RAISE 'nonsense' USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
        )
        await self.connection.execute(f"CREATE TRIGGER refuse BEFORE {what} FOR EACH ROW EXECUTE FUNCTION refuse()")

    async def taking(self) -> None:
        """PostgreSQL takes everything again, and that it did not is forgotten."""
        await self.connection.execute("DROP FUNCTION refuse() CASCADE")
        self.daemon.commit.poisoned = 0

    @contextlib.asynccontextmanager
    async def storeless(self) -> AsyncIterator[None]:
        """Meanwhile the unit of work has no connection, and gets none."""
        commit = self.daemon.commit
        connect_again = commit._connect
        commit._connect = _refused
        await self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'smsgw unit of work'"
        )
        await self.until(lambda: not commit.available)
        try:
            yield
        finally:
            commit._connect = connect_again

    async def tenant(self, kind: str = "trx", version: int = const.V34, system_id: str = "acme1") -> Esme:
        """Bind a session of the tenant."""
        esme = await self._stack.enter_async_context(await Esme.connect(self.daemon.ports[0]))
        assert (await esme.bind(system_id, "secret", kind, version)).status == const.ESME_ROK
        return esme

    # ---- time and waiting -----------------------------------------------------------------------------------------

    async def later(self, seconds: float) -> None:
        """Let so much time pass, in the gateway and in its database."""
        await self.connection.execute("UPDATE hands SET ahead = $1", self.clock.ahead + seconds)
        self.clock.ahead += seconds

    async def hastened(self, condition: Callable[[], Any], pace: float = 0.25) -> None:
        """Wait until a condition holds, while time runs faster: `pace` seconds with each look, but none while a cycle is on."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                if self.daemon.commit._asleep:  # a slow database is not to look like hours without an answer
                    await self.later(pace)
                await self.connection.execute("SELECT pg_sleep(0.003)")

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition holds (it may be a coroutine function); returns what it returned. Raises TimeoutError."""
        async with asyncio.timeout(WAIT_S):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await self.connection.execute("SELECT pg_sleep(0.003)")

    async def turns(self) -> None:
        """Let the gateway's once-a-second work be done twice, and all that follows from it."""
        for _ in range(2):
            second = self.daemon._second
            await self.later(1.0)
            await self.until(lambda second=second: self.daemon._second > second)
            await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is on the way into the store any more, and what came of it has gone out and been answered."""
        commit = self.daemon.commit
        for _ in range(2):
            await self.until(lambda: not commit.backlog and not commit._has_work())
            cycle = commit.cycles
            commit.unwait(0)
            await self.until(lambda cycle=cycle: commit.cycles > cycle)

    # ---- what the tenant got --------------------------------------------------------------------------------------

    async def receipt(self, esme: Esme, command: int = const.DELIVER_SM) -> Receipt:
        """Wait for the next receipt of a session and read it."""
        return read_receipt(await esme.request(command))

    # ---- what is in the store -------------------------------------------------------------------------------------

    async def row(self, message_id: bytes | int) -> Mapping[str, Any]:
        """Return the row of a message by the id its tenant was given."""
        row = await self.connection.fetchrow("SELECT * FROM message WHERE id = $1", int(message_id))
        assert row is not None, "no such message"
        return dict(row)

    async def rows(self) -> list[Mapping[str, Any]]:
        """Return the rows of all messages, oldest first."""
        return [dict(row) for row in await self.connection.fetch("SELECT * FROM message ORDER BY id")]

    async def in_state(self, message_id: bytes | int, state: State) -> Mapping[str, Any]:
        """Wait until the row of a message says this state; returns it."""

        async def there() -> Any:
            row = await self.row(message_id)
            return row if row["state"] == state else None

        found: Mapping[str, Any] = await self.until(there)
        return found

    async def count(self, what: str, *arguments: Any) -> int:
        """Return the number of rows of `table [WHERE …]`."""
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {what}", *arguments))

    async def emptied(self, what: str) -> None:
        """Wait until `table [WHERE …]` has no row."""

        async def none() -> bool:
            return await self.count(what) == 0

        await self.until(none)

    async def spent(self) -> int:
        """Return how much of the first tenant's opening balance is gone, in Money."""
        opening, amount = await self.connection.fetchrow(
            "SELECT (SELECT sum(amount) FROM ledger WHERE kind = 'opening'), (SELECT sum(amount) FROM balance)"
        )
        return int(opening - amount)


def read_receipt(delivered: Pdu) -> Receipt:
    """Read a receipt that a tenant got."""
    octets = delivered.octets
    sm: Any = read_data_sm(octets) if delivered.command == const.DATA_SM else read_sm(octets)
    found = receipt.parse(octets, sm)
    assert found is not None, "no receipt"
    return found


def id_of(answer: Pdu) -> bytes:
    """Return the message id of an answer to a submit that was accepted."""
    assert answer.status == const.ESME_ROK, const.status_name(answer.status)
    return answer.body[: answer.body.index(0)]


async def _refused() -> Connection:
    raise ConnectionRefusedError


async def _never() -> Connection:
    await asyncio.Event().wait()
    raise AssertionError
