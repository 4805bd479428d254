"""Keeper: what has to be looked after once a second or more seldom, whoever is bound: states that end by themselves, contracts
that are closing, terms.

The daemon's ticker calls `tick`; the work is done as an errand, on every node, each step safe to be done by several at once.

Must never: hold up the loop; be behind what a submit is judged by: that is in the Directory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from smsgw.admin import standing, terms
from smsgw.store.database import Connection, Pool

TERMS_EVERY: Final = 10
"""Terms are looked at once in so many errands."""


class Keeper:
    """Looks after contracts; `ask(job)` has an errand done soon and says whether it will be."""

    def __init__(self, pool: Pool, ask: Callable[[Callable[[], Awaitable[None]]], bool]) -> None:
        """Take where to look; nothing happens before the first tick."""
        self._pool = pool
        self._ask = ask
        self._busy = False
        self._turn = 0
        self._log = structlog.get_logger().bind()

    def tick(self) -> None:
        """A second has passed: have the errand done, unless the last one is still under way."""
        if not self._busy:
            self._busy = self._ask(self._keep)

    async def _keep(self) -> None:
        try:
            async with self._pool.acquire() as borrowed:
                connection: Connection = borrowed  # type: ignore[assignment]  # the pool's proxy is one to all purposes
                done = {"ended": await standing.expire(connection), "closed": await terms.close_spent(connection)}
                if not self._turn:
                    done["terms"] = await terms.keep_terms(connection)
            self._turn = (self._turn + 1) % TERMS_EVERY
            if any(done.values()):
                self._log.info("contracts_kept", **done)
        finally:
            self._busy = False
