"""jobs: small asynchronous errands of the journeys (a look into the store for query_sm), bounded, each behind its own wall.

Must never: hold up a message; grow without bound; go on once cancelled, whatever an errand made of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from smsgw.store.database import heed_cancellation

CAP: Final = 1_000
WORKERS: Final = 4
Job = Callable[[], Awaitable[None]]


class Jobs:
    """A bounded queue and the few workers that empty it."""

    def __init__(self, *, cap: int = CAP) -> None:
        """Start empty; nothing runs before `run`."""
        self._queue: deque[Job] = deque()
        self._cap = cap
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind()

    def ask(self, job: Job) -> bool:
        """Have a job done soon; False when there are too many already."""
        if len(self._queue) >= self._cap:
            return False
        self._queue.append(job)
        self._wake.set()
        return True

    async def run(self) -> None:
        """Do what is asked, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            heed_cancellation()
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            job = self._queue.popleft()
            try:
                await job()
            except Exception as error:  # noqa: BLE001 - the wall around one errand
                self._log.warning("job_failed", error=type(error).__name__)
