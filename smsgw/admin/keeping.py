"""Keeper: what has to be looked after once a second or more seldom, whoever is bound: states that end by themselves.

The daemon's ticker calls `tick`; the work is done as an errand, on every node, each step safe to be done by several at once.

Must never: hold up the loop; be behind what a submit is judged by: that is in the Directory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from smsgw.admin import standing
from smsgw.store.database import Pool


class Keeper:
    """Looks after contracts; `ask(job)` has an errand done soon and says whether it will be."""

    def __init__(self, pool: Pool, ask: Callable[[Callable[[], Awaitable[None]]], bool]) -> None:
        """Take where to look; nothing happens before the first tick."""
        self._pool = pool
        self._ask = ask
        self._busy = False
        self._log = structlog.get_logger().bind()

    def tick(self) -> None:
        """A second has passed: have the errand done, unless the last one is still under way."""
        if not self._busy:
            self._busy = self._ask(self._keep)

    async def _keep(self) -> None:
        try:
            async with self._pool.acquire() as connection:
                ended = await standing.expire(connection)  # type: ignore[arg-type]
            if ended:
                self._log.info("states_ended", count=ended)
        finally:
            self._busy = False
