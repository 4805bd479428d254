"""Two gateways on one database: when one dies for good, the other takes its work over."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from smsgw.store.database import connect
from tests.crash.campaign import Campaign

pytestmark = pytest.mark.alone(reason="a load at its full rate, of up to seven processes, meets a death")


async def test_the_work_of_a_dead_node_is_taken_over():
    """Messages in doubt, receipts owed and late receipts of a node that never comes back are all seen to by the other one."""
    run = Campaign(gateways=2, seed=7)
    try:
        async with run.load():
            await run.tenant_progress(200)
            await run.lose_gateway()
            await run.tenant_progress(400)
        verdict = await run.verdict()
        connection = await connect(run.server.dsn)
        epoch = await connection.fetchval("SELECT epoch FROM node WHERE id = 1")
        await connection.close()
    finally:
        with contextlib.suppress(Exception):
            await asyncio.shield(run.server.stop())
        run.close()
    assert verdict.acknowledged >= 400
    assert not verdict.faults
    assert epoch == 2


async def test_a_node_that_slept_through_its_end_is_fenced():
    """A process that sleeps while PostgreSQL restarts loses its lock and its work; awake again it answers nothing and ends."""
    run = Campaign(gateways=2, seed=8)
    try:
        async with run.load():
            await run.tenant_progress(200)
            await run.sleep_through_a_restart()
            await run.tenant_progress(400)
        verdict = await run.verdict()
    finally:
        with contextlib.suppress(Exception):
            await asyncio.shield(run.server.stop())
        run.close()
    assert verdict.fenced == 1
    assert not verdict.faults
