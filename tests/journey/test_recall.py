"""Recall: what the store remembers for memory, and what it does while the store is away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest

from smsgw.journey.recall import SHORT_ID_BLOCK, Recall
from smsgw.model import State
from smsgw.smpp import const
from smsgw.store.database import Connection, open_pool
from smsgw.store.sealed import plain
from smsgw.telemetry.meters import ProcessMeter
from tests.journey.scene import Scene, id_of


class _Desk:
    """As much of a desk as short ids need."""

    transit: Any = None
    process = ProcessMeter()
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


LONGEST = b"x" * 255
"""As much as a short_message holds: SMPP 5.0 allows it, 3.4 does not."""
SPILLING = "[unit_of_work]\nspill_after_s = 0.2\n"


async def _away(scene: Scene) -> None:
    await scene.smsc.close()
    scene.smsc.cut()
    await scene.until(lambda: not scene.daemon.carriers.any_bound)


async def test_the_longest_short_message_waits_like_any_other(database: str):
    """255 octets of a 5.0 session, with a validity that counts on: read back from the store they are what was accepted."""
    async with Scene(database).playing() as scene:
        await _away(scene)
        tenant = await scene.tenant(version=const.V50)
        ours = id_of(await tenant.submit(text=LONGEST, validity=b"000000010000000R", registered_delivery=1))
        await scene.settled()
        await scene.later(5)
        await scene.smsc.open()
        submit = await scene.smsc.submit()
        assert submit.content == LONGEST
        await scene.in_state(ours, State.SENT)
        scene.smsc.receipt(submit)
        assert (await scene.receipt(tenant)).message_id == ours


async def test_the_longest_short_message_expires_like_any_other(database: str):
    """255 octets of a 5.0 session that could not be sent in time: the receipt that says so is built from the store."""
    async with Scene(database).playing() as scene:
        await _away(scene)
        tenant = await scene.tenant(version=const.V50)
        await tenant.submit(text=LONGEST, validity=b"000000000100000R", registered_delivery=1)
        await scene.settled()
        await scene.later(61)
        assert (await scene.receipt(tenant)).stat == b"EXPIRED"


async def test_the_longest_short_message_has_its_late_receipt(database: str):
    """255 octets of a 5.0 session, long out of memory: the receipt is written anew from what the store has."""
    async with Scene(database, more=SPILLING).playing() as scene:
        tenant = await scene.tenant(version=const.V50)
        ours = id_of(await tenant.submit(text=LONGEST, registered_delivery=1))
        submit = await scene.smsc.submit()
        await scene.until(lambda: not len(scene.daemon.transit))
        await scene.settled()
        assert (await scene.smsc.delivered(scene.smsc.receipt(submit))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == ours


async def test_a_row_that_cannot_be_read_holds_up_nobody(database: str):
    """The content of one waiting message is broken: it is set aside for an hour with its slot given back; the others go."""
    async with Scene(database).playing() as scene:
        await _away(scene)
        tenant = await scene.tenant()
        broken, whole = [id_of(await tenant.submit(validity=b"000000010000000R")) for _ in range(2)]
        await scene.settled()
        await scene.connection.execute("UPDATE content SET body = '\\x00' WHERE id = $1", int(broken))
        await scene.later(5)
        await scene.smsc.open()
        await scene.in_state(whole, State.SENT)
        await scene.until(lambda: scene.count("waiting WHERE node = 0 AND due_ms > 0"))
        [link] = scene.daemon.directory.links()
        assert scene.daemon.carriers.room(link.id) == link.window
        assert (await scene.row(broken))["state"] == State.QUEUED
        assert len(scene.smsc.submits) == 1


async def test_a_receipt_that_cannot_be_written_holds_up_nobody(database: str):
    """The content of one sent message is broken: its carrier is to try again, nothing has changed; the next receipt goes."""
    async with Scene(database, more=SPILLING).playing() as scene:
        tenant = await scene.tenant()
        broken, whole = [id_of(await tenant.submit(registered_delivery=1)) for _ in range(2)]
        first, second = await scene.smsc.submitted(2)
        await scene.until(lambda: not len(scene.daemon.transit))
        await scene.settled()
        await scene.connection.execute("UPDATE content SET body = '\\x00' WHERE id = $1", int(broken))
        assert (await scene.smsc.delivered(scene.smsc.receipt(first))).status == const.ESME_RX_T_APPN
        assert (await scene.smsc.delivered(scene.smsc.receipt(second))).status == const.ESME_ROK
        assert (await scene.receipt(tenant)).message_id == whole
        assert (await scene.row(broken))["state"] == State.SENT
        assert scene.daemon.receipt.unanswered == 0
