"""Keeper: what has to be looked after once a second or more seldom, whoever is bound: states that end by themselves, contracts
that are closing, balances that fell, terms, late fees, signs of pumping; and what the door has noted: when secrets were used,
what is unusual.

The daemon's ticker calls `tick`; the work is done as an errand, on every node, each step safe to be done by several at once.

Must never: hold up the loop; be behind what a submit is judged by: that is in the Directory.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Final

import structlog

from smsgw.admin import arrears, late_fees, standing, terms
from smsgw.admin.anomalies import Watch
from smsgw.admin.ladder import Ladder
from smsgw.policy.pumping import Pumping
from smsgw.store import credentials, mark_chain
from smsgw.store.database import Connection, Pool
from smsgw.tenants.bind import Authenticator

TERMS_EVERY: Final = 10
"""Terms are looked at once in so many errands."""


class Keeper:
    """Looks after contracts; `ask(job)` has an errand done soon and says whether it will be."""

    def __init__(
        self,
        pool: Pool,
        ask: Callable[[Callable[[], Awaitable[None]]], bool],
        door: Authenticator,
        watch: Watch,
        pumping: Pumping | None = None,
    ) -> None:
        """Take where to look; nothing happens before the first tick."""
        self._pool = pool
        self._door = door
        self._watch = watch
        self.ladder = Ladder(Pumping() if pumping is None else pumping)
        self._ask = ask
        self._busy = False
        self._turn = 0
        self._hour = 0
        self._fees: dict[int, date] = {}
        self._log = structlog.get_logger().bind()

    def tick(self) -> None:
        """A second has passed: have the errand done, unless the last one is still under way."""
        if not self._busy:
            self._busy = self._ask(self._keep)

    async def _keep(self) -> None:
        try:
            async with self._pool.acquire() as borrowed:
                connection: Connection = borrowed  # type: ignore[assignment]  # the pool's proxy is one to all purposes
                await self._note(connection)
                done = {"ended": await standing.expire(connection), "closed": await terms.close_spent(connection)}
                done["steps"] = await self.ladder.climb(connection)
                done["balances"] = await arrears.keep_balances(connection)
                if not self._turn:
                    done["terms"] = await terms.keep_terms(connection)
                hour = int(time.time() // 3_600)
                if hour != self._hour:
                    self._hour = hour
                    done["late_fees"] = await late_fees.keep_fees(connection, done=self._fees)
                    done["marks_noted"] = await mark_chain.note(connection)
            self._turn = (self._turn + 1) % TERMS_EVERY
            if any(done.values()):
                self._log.info("contracts_kept", **done)
        finally:
            self._busy = False

    async def _note(self, connection: Connection) -> None:
        """Write down what the door has noted. What the store does not take now is lost: it is told, not relied on."""
        if self._door.used:
            used, self._door.used = self._door.used, {}
            await credentials.note_used(connection, used)
        await self._watch.look(connection, self._door)
