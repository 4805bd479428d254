"""Leasing from a long backlog: one account that answers nothing must not stop the unit of work of all."""

from __future__ import annotations

import asyncio
import time

import pytest

from smsgw.store.database import Connection
from smsgw.store.queues import LEASES
from tests.store.work import Effects, Node, seat, working

ACCOUNTS = 100
BACKLOG = 10_000
LEASED = 500
LIMIT_S = 3.0


@pytest.mark.alone(reason="it measures how long a statement takes")
async def test_a_lease_does_not_grow_with_the_backlog(connection: Connection, database: str):
    """Of 10,000 rows that came since the plan was made, 500 are leased in moments, the oldest, and no more than 500."""
    commit = Node(database, await seat(connection)).commit
    effects = Effects()
    async with working(commit):
        await connection.execute("ANALYZE owed")
        commit.lease(1, LEASED, effects)  # the plan is made for a table that is empty, and known to be
        await effects.count(1)
        await connection.execute(
            "INSERT INTO owed (id, account, message, kind, command, node, epoch, expires_ms, body)"
            " SELECT n, 1, 0, 2, 5, 0, 0, 4000000000000, 'owed' FROM generate_series(1, $1) AS n",
            BACKLOG,
        )
        began = time.monotonic()
        async with asyncio.timeout(10 * LIMIT_S):
            commit.lease(1, LEASED, effects)
            (_, _), (leased, verdict) = await effects.count(2)
        assert time.monotonic() - began < LIMIT_S
    assert verdict is None
    assert sorted(leased) == list(range(1, LEASED + 1))


async def test_a_crowd_of_leases_is_spread_over_cycles(connection: Connection, database: str):
    """A hundred accounts that are to be looked into at once share several cycles, and each is answered."""
    commit = Node(database, await seat(connection)).commit
    effects = Effects()
    async with working(commit):
        before = commit.cycles
        for account in range(ACCOUNTS):
            commit.lease(account, LEASED, effects)
        await effects.count(ACCOUNTS)
        assert commit.cycles - before >= ACCOUNTS // LEASES
