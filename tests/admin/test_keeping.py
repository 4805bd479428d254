"""The keeper: one errand at a time, and states that end while a gateway runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from smsgw.admin.keeping import Keeper
from smsgw.store import provisioning
from smsgw.store.database import Connection, open_pool


async def test_one_errand_is_under_way_at_a_time(database: str):
    """A tick asks for nothing while the errand of the last one is not done, and again once it is."""
    asked: list[Callable[[], Awaitable[None]]] = []

    def ask(job: Callable[[], Awaitable[None]]) -> bool:
        asked.append(job)
        return True

    async with await open_pool(database) as pool:
        keeper = Keeper(pool, ask)
        keeper.tick()
        keeper.tick()
        assert len(asked) == 1
        await asked[0]()
        keeper.tick()
        assert len(asked) == 2


async def test_states_end_by_themselves(database: str, connection: Connection):
    """A state whose end has come is gone after a tick."""
    await provisioning.put(connection, ("tenant", "acme"), {"currency": "CNY", "credit_limit": 0, "basis": "submitted"})
    await connection.execute(
        "INSERT INTO standing (kind, subject, state, reason, actor, since, until)"
        " SELECT 'tenant', id, 'frozen', 'x', 'ops', now(), now() FROM tenant"
    )
    jobs: list[Callable[[], Awaitable[None]]] = []
    async with await open_pool(database) as pool:
        Keeper(pool, lambda job: not jobs.append(job)).tick()
        await jobs[0]()
    assert await connection.fetchval("SELECT count(*) FROM standing") == 0
