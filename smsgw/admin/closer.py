"""Closer: cycles are closed by the calendar, a setting's delay after their end, whoever asks for them or nobody.

The daemon's ticker calls `tick`; every ten minutes an errand looks which cycles are due and closes them, oldest first: after a
downtime all that were missed, some at a time. Every node does so; a lock of the tenant leaves a cycle to one of them, and a closed
one is closed already. A tenant's first cycle is that in which its books were opened, or the first whose messages are all kept.

What does not reconcile is logged, counted and tried again an hour later; a person finds the differences with `smsgw statement`.
Must never: hold up the loop, or the keeper; close a cycle otherwise than a person would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from smsgw.admin import closing
from smsgw.contracts.standing import AUTOMATIC
from smsgw.reports.cycle import Cycle, cycle_at, cycle_of, following
from smsgw.store import statements
from smsgw.store.database import Connection, Pool
from smsgw.store.statements import Books
from smsgw.telemetry.meters import Meters
from smsgw.wire import TimeSource

EVERY_S: Final = 600
AT_ONCE: Final = 20
"""So many cycles an errand closes at most; the next one goes on."""
AGAIN_S: Final = 3_600.0
KEPT_DAYS: Final = 170
"""Messages are kept for 180 days: an older cycle cannot be closed any more, and is not begun with."""


class Closer:
    """Closes what is due; `ask(job)` has an errand done soon and says whether it will be. `after_s` 0: nothing is ever due."""

    def __init__(
        self,
        pool: Pool,
        ask: Callable[[Callable[[], Awaitable[None]]], bool],
        clock: TimeSource,
        meters: Meters,
        *,
        after_s: float,
    ) -> None:
        """Nothing happens before the first tick."""
        self._pool = pool
        self._ask = ask
        self._clock = clock
        self._after_s = after_s
        self._next = 0.0
        self._again: dict[str, float] = {}
        self._busy = False
        self._log = structlog.get_logger().bind()
        self.counts: Counter[str] = Counter({"closed": 0, "failed": 0})
        meters.counter("smsgw_statements", "Cycles closed by the calendar, or not.", self.counted, ("result",))

    def counted(self) -> Mapping[tuple[str, ...], float]:
        """Return how many cycles came to what, for the collector."""
        return {(result,): count for result, count in self.counts.items()}

    def tick(self) -> None:
        """A second has passed: every ten minutes have the errand done, unless the last one is still under way."""
        now = self._clock.now()
        if self._after_s and not self._busy and now >= self._next:
            self._next = now + EVERY_S
            self._busy = self._ask(self._errand)

    async def _errand(self) -> None:
        try:
            async with self._pool.acquire() as borrowed:
                connection: Connection = borrowed  # type: ignore[assignment]  # the pool's proxy is one to all purposes
                await self.close_due(connection)
        finally:
            self._busy = False

    async def close_due(self, connection: Connection) -> int:
        """Close what is due, at most `AT_ONCE` cycles; returns how many were closed by this node."""
        until = datetime.fromtimestamp(await statements.now_ms(connection) / 1000, UTC) - timedelta(
            seconds=max(self._after_s, closing.SETTLING_MS / 1000)
        )
        made = 0
        for books in await statements.books(connection):
            if self._again.get(books.tenant, 0.0) > self._clock.now():
                continue
            while made < AT_ONCE and await self._close_next(connection, books, until):
                made += 1
                if not await statements.books(connection, books.tenant):
                    break
        return made

    async def _close_next(self, connection: Connection, books: Books, until: datetime) -> bool:
        cycle = await next_cycle(connection, books, until)
        return cycle is not None and cycle.end <= until and await self._close(connection, books, cycle)

    async def _close(self, connection: Connection, books: Books, cycle: Cycle) -> bool:
        """Close a cycle unless another node is about to; False where there is nothing to go on with now."""
        if not await statements.try_lock(connection, books.tenant_id):
            return False
        try:
            made = await closing.close(connection, books.tenant, cycle.name, actor=AUTOMATIC)
        except (closing.NotReconciled, closing.Refused, closing.NoSuchTenant, ValueError) as error:
            self.counts["failed"] += 1
            self._again[books.tenant] = self._clock.now() + AGAIN_S
            self._log.error("cycle_not_closed", tenant=books.tenant, cycle=cycle.name, why=str(error)[:500])
            return False
        finally:
            await statements.unlock(connection, books.tenant_id)
        self.counts["closed"] += 1
        self._again.pop(books.tenant, None)
        self._log.info("cycle_closed", tenant=books.tenant, cycle=made.cycle)
        return True


async def next_cycle(connection: Connection, books: Books, until: datetime) -> Cycle | None:
    """Return the cycle that is to be closed next; None where nothing was ever booked."""
    tenant = await statements.contract(connection, books.tenant)
    calendar = tenant.timezone, tenant.cycle_start_day, tenant.cycle
    before = await statements.last(connection, closing.TENANT, books.tenant)
    if before is not None:
        return cycle_of(await closing.next_name(connection, tenant, before), *calendar)
    if books.opened is None:
        return None
    kept = until - timedelta(days=KEPT_DAYS)
    if books.opened >= kept:
        return cycle_at(books.opened, *calendar)
    return cycle_of(following(cycle_at(kept, *calendar).name), *calendar)
