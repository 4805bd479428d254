"""The keeper: one errand at a time, and states that end while a gateway runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from smsgw.admin.anomalies import Watch
from smsgw.admin.keeping import Keeper
from smsgw.config import Anomalies
from smsgw.model import Account, Tenant
from smsgw.store import credentials, notices
from smsgw.store.database import Connection, open_pool
from smsgw.telemetry.meters import Meters
from smsgw.tenants.bind import Authenticator, Burst
from smsgw.wire import Clock
from tests.contract import contract


def door(**options: Any) -> Authenticator:
    """A door at which nobody stands."""
    return Authenticator(lambda _system_id: None, Clock(), **options)


def watch() -> Watch:
    """One that has seen nothing yet."""
    return Watch(Anomalies(), Meters(), Clock())


async def test_one_errand_is_under_way_at_a_time(database: str):
    """A tick asks for nothing while the errand of the last one is not done, and again once it is."""
    asked: list[Callable[[], Awaitable[None]]] = []

    def ask(job: Callable[[], Awaitable[None]]) -> bool:
        asked.append(job)
        return True

    async with await open_pool(database) as pool:
        keeper = Keeper(pool, ask, door(), watch())
        keeper.tick()
        keeper.tick()
        assert len(asked) == 1
        await asked[0]()
        keeper.tick()
        assert len(asked) == 2


async def test_states_end_by_themselves(database: str, connection: Connection):
    """A state whose end has come is gone after a tick."""
    await contract(connection)
    await connection.execute(
        "INSERT INTO standing (kind, subject, state, reason, actor, since, until)"
        " SELECT 'tenant', id, 'frozen', 'x', 'ops', now(), now() FROM tenant"
    )
    jobs: list[Callable[[], Awaitable[None]]] = []
    async with await open_pool(database) as pool:
        Keeper(pool, lambda job: not jobs.append(job), door(), watch()).tick()
        await jobs[0]()
    assert await connection.fetchval("SELECT count(*) FROM standing") == 0


async def test_what_the_door_has_noted_is_written_down(database: str, connection: Connection):
    """When and from where a secret was used, and one notice for two bursts of failures within an hour."""
    await contract(connection, "acme1")
    await credentials.set_secret(connection, "acme1", "hash")
    account, tenant = await connection.fetchrow("SELECT a.id, a.tenant FROM account a")
    at_the_door = door()
    at_the_door.used["hash"] = (1_800_000_000.0, "192.0.2.1")
    at_the_door.bursts += [Burst(Account(account, "acme1", Tenant(tenant, "acme", "CNY")), 20, "192.0.2.9")] * 2
    jobs: list[Callable[[], Awaitable[None]]] = []
    async with await open_pool(database) as pool:
        Keeper(pool, lambda job: not jobs.append(job), at_the_door, watch()).tick()
        await jobs[0]()
    (row,) = await credentials.rows(connection, account)
    assert (row["used_at"].timestamp(), row["used_from"]) == (1_800_000_000.0, "192.0.2.1")
    (notice,) = await notices.of(connection, "acme")
    assert (notice["kind"], notice["params"]["failures"], notice["account"]) == ("bind_failures", 20, "acme1")
    assert (at_the_door.used, at_the_door.bursts) == ({}, [])
