"""The ground: what must stand before anything is accepted.

The server, its schema and partitions, the key of the data directory, what is provisioned, and this node's seat.

Promises: what cannot stand is told, with what to do, and nothing is left open; the seat is this process's until `lay`'s stack ends.
Must never: accept anything; change what is provisioned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from smsgw.admin.sealing import load_key
from smsgw.config import Config
from smsgw.directory import load_directory
from smsgw.model import EPOCH_MS
from smsgw.store import nodes, partitions
from smsgw.store.database import Connection, EmbeddedServer, Pool, check_durability, connect, migrate, open_pool
from smsgw.store.write_ahead import make_ahead
from smsgw.wire import Clock

CLOCK_AHEAD_S: Final = 300.0
SEAT_TOLD_S: Final = 1.0


class Ground:
    """What one node stands on."""

    pool: Pool

    def __init__(self, config: Config, clock: Clock, *, unsafe: bool = False, probe: Callable[[str], None] | None = None) -> None:
        """Take the settings; `unsafe`: a server may lose what it has committed. `probe` is told when the seat is taken."""
        self._config = config
        self._clock = clock
        self._unsafe = unsafe or config.database.unsafe
        self._probe = probe
        self._first: Connection | None = None
        self._log = structlog.get_logger().bind(node=config.node.id)
        self.server: EmbeddedServer | None = None
        self.dsn = config.database.dsn

    async def lay(self, stack: AsyncExitStack) -> None:
        """Have everything stand until `stack` ends. Raises StoreError, ConfigError, SeatTaken, ClockAhead."""
        config = self._config
        data_dir = Path(config.node.data_dir)
        if self.dsn == "embedded":
            self.server = EmbeddedServer(data_dir)
            self.dsn = await self.server.start()
            stack.push_async_callback(self.server.stop)
        admin = await connect(self.dsn, name="smsgw start")
        try:
            off = await check_durability(admin, unsafe=self._unsafe)
            if off:
                self._log.error("unsafe", off=list(off), meaning="a crash loses acknowledged messages")
            await migrate(admin)
            await partitions.ensure_days(admin, datetime.now(UTC))
            if self.server is not None and config.database.wal_ahead_mib:
                await make_ahead(admin, config.database.wal_ahead_mib, data_dir)
            self.key = load_key(data_dir)
            self.directory = await load_directory(admin, self.key.unseal, number_key=self.key.derived("numbers"))
        finally:
            await admin.close()
        await self._take_seat()
        self.pool = await open_pool(self.dsn, name="smsgw read", most=config.database.pool, batches=True)
        stack.callback(self.pool.terminate)
        self._log.info("seated", epoch=self.seating.seat.epoch, **self.seating.adopted)

    async def _take_seat(self) -> None:
        node = self._config.node
        first = await self._seat_connection()
        told = asyncio.get_running_loop().call_later(SEAT_TOLD_S, self._tell_of_the_seat)
        try:
            self.seating = await nodes.take_seat(first, node.id, int(self._clock.time() * 1000))
            ahead = (self.seating.last_ms + EPOCH_MS) / 1000 - self._clock.time()
            if ahead > CLOCK_AHEAD_S and not node.accept_clock:
                raise nodes.ClockAhead(f"ids were given {ahead:.0f} s ahead of this clock: check it, or start with --accept-clock")
        except BaseException:
            await first.close()
            raise
        finally:
            told.cancel()
        if self._probe is not None:
            self._probe("seated")
        self._first = first

    def _tell_of_the_seat(self) -> None:
        """Who starts a gateway is told why nothing happens."""
        why = f"another process runs as this node, or ended a moment ago: waiting {nodes.LOCK_WAIT_S} s for it at most"
        self._log.warning("waiting_for_seat", why=why)

    async def _seat_connection(self) -> Connection:
        connection = await connect(self.dsn, name="smsgw unit of work", batches=True)
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        return connection

    async def connect_again(self) -> Connection:
        """Give the unit of work its connection: the one that took the seat first, later ones that take the lock again."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        connection = await self._seat_connection()
        try:
            await nodes.hold_lock(connection, self._config.node.id)
        except BaseException:
            connection.terminate()
            raise
        return connection
