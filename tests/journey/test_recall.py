"""Recall: what the store remembers for memory, and what it does while the store is away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest

from smsgw.journey.recall import SHORT_ID_BLOCK, Recall
from smsgw.store.database import Connection, open_pool
from smsgw.store.sealed import plain


class _Desk:
    """As much of a desk as short ids need."""

    transit: Any = None
    opened = staticmethod(plain)


async def test_short_ids_are_leased_in_blocks(database: str, connection: Connection):
    """8 hex digits that rise, a block at a time; while none is leased the answer is "", and the next process gets other ones."""
    pool = await open_pool(database, most=1)
    given: list[str] = []
    for _ in range(2):
        desk: Any = _Desk()
        recall = Recall(desk, pool)
        task = asyncio.ensure_future(recall.run())
        assert not recall.short_id(7)
        async with asyncio.timeout(10):
            while not (short := recall.short_id(7)):  # noqa: ASYNC110 - a turn of the loop at a time
                await asyncio.sleep(0)
        given.append(short)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert given == ["00000001", f"{SHORT_ID_BLOCK + 1:08x}"]
    assert await connection.fetchval("SELECT next FROM short_id_block WHERE account = 7") == 2 * SHORT_ID_BLOCK + 1
    await pool.close()


@pytest.mark.parametrize("error", [OSError, asyncpg.InternalClientError, asyncpg.ConnectionDoesNotExistError])
async def test_what_was_asked_while_the_store_was_away_is_answered_later(database: str, error: type[Exception]):
    """A failing read is tried again: whoever asked gets its rows when the store is back."""
    pool = await open_pool(database, most=1)

    class _Away:
        """A pool whose first reads fail."""

        def __init__(self) -> None:
            self.failures = 2

        def __getattr__(self, name: str) -> Any:
            if self.failures:
                self.failures -= 1
                raise error("away")
            return getattr(pool, name)

    desk: Any = _Desk()
    recall = Recall(desk, _Away())
    answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    recall.load_owed([1, 2], answered.set_result)
    task = asyncio.ensure_future(recall.run())
    async with asyncio.timeout(10):
        assert await answered == []
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await pool.close()
