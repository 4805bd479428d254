from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from smsgw.admin import books
from smsgw.admin.arrears import keep_balances
from smsgw.admin.books import Signature
from smsgw.admin.standing import change_state, present_of
from smsgw.smpp import const
from smsgw.store.database import Connection, connect
from tests.journey.scene import Scene, id_of
from tests.rig import provisioning
from tests.store.work import fund

BY = Signature("ann", "test")
UNIT = 1_000_000


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with 150.00, thresholds at 100 and 10, a price of 2, to be suspended at its limit."""
    settings = json.dumps({"balance_alarms": ["100.00", "10.00"], "suspend_at_limit": True})
    await connection.execute("INSERT INTO tenant (name, currency, settings) VALUES ('acme', 'CNY', $1)", settings)
    await connection.execute("INSERT INTO price (tenant, prefix, price) VALUES (1, '', 2000000)")
    await fund(connection, 150 * UNIT)
    return connection


async def told(connection: Connection) -> list[str]:
    """The thresholds that the tenant was told of, in order."""
    rows = await connection.fetch("SELECT params FROM notice WHERE kind = 'balance_low' ORDER BY id")
    return [json.loads(row["params"])["threshold"] for row in rows]


async def state(connection: Connection) -> str:
    """The tenant's state."""
    return (await present_of(connection, "tenant", "acme"))[1].standing.name.lower()


async def move(connection: Connection, amount: int) -> None:
    """Money comes or goes, and the keeper looks twice."""
    await books.adjust(connection, "acme", amount * UNIT, BY)
    await keep_balances(connection)
    await keep_balances(connection)


async def test_each_threshold_is_told_once_until_the_balance_has_risen(acme: Connection):
    """Below 100 one notice, below 10 another; risen above 100 and fallen again: one more of each crossed."""
    await keep_balances(acme)
    assert await told(acme) == []
    await move(acme, -60)
    await move(acme, -5)
    assert await told(acme) == ["100.00"]
    await move(acme, -80)
    assert await told(acme) == ["100.00", "10.00"]
    await move(acme, 50)
    await move(acme, -50)
    assert await told(acme) == ["100.00", "10.00", "10.00"]
    await move(acme, 500)
    await move(acme, -450)
    assert await told(acme) == ["100.00", "10.00", "10.00", "100.00"]


async def test_a_fall_through_both_tells_of_both(acme: Connection):
    """The highest first, with what is left."""
    await move(acme, -145)
    assert await told(acme) == ["100.00", "10.00"]
    (params,) = await acme.fetch("SELECT params FROM notice ORDER BY id LIMIT 1")
    assert json.loads(params["params"])["balance"] == "5.00"


async def test_several_nodes_tell_once(database: str, acme: Connection):
    """Eight that look at the same moment leave one notice a threshold."""
    await books.adjust(acme, "acme", -145 * UNIT, BY)
    nodes = [await connect(database) for _ in range(8)]
    await asyncio.gather(*map(keep_balances, nodes))
    for node in nodes:
        await node.close()
    assert sorted(await told(acme)) == ["10.00", "100.00"]


async def test_at_its_limit_a_tenant_is_suspended_and_a_top_up_resumes_it(acme: Connection):
    """It cannot pay its cheapest part: suspended, with a notice and an audit row; it can again: as before."""
    await move(acme, -148)
    assert await state(acme) == "active"
    await move(acme, -1)
    assert await state(acme) == "suspended_arrears"
    await books.top_up(acme, "acme", 1 * UNIT, BY)
    await keep_balances(acme)
    assert await state(acme) == "active"
    states = await acme.fetch("SELECT params FROM notice WHERE kind = 'state' ORDER BY id")
    assert [json.loads(row["params"])["state"] for row in states] == ["suspended_arrears", "active"]
    assert await acme.fetchval("SELECT count(*) FROM audit WHERE kind = 'tenant_state'") == 2


async def test_credit_counts_as_money(acme: Connection):
    """A postpaid tenant is suspended at its credit limit, not at nought."""
    await books.set_credit_limit(acme, "acme", 50 * UNIT, BY)
    await move(acme, -151)
    assert await state(acme) == "active"
    await move(acme, -49)
    assert await state(acme) == "suspended_arrears"


async def test_what_a_person_decided_holds(acme: Connection):
    """A frozen tenant is neither suspended nor resumed by its balance; without the setting nobody is suspended."""
    await change_state(acme, "tenant", "acme", "frozen", actor="ann", reason="abuse")
    await move(acme, -150)
    await move(acme, 150)
    assert await state(acme) == "frozen"
    await change_state(acme, "tenant", "acme", "active", actor="ann", reason="heard")
    await acme.execute("UPDATE tenant SET settings = settings - 'suspend_at_limit'")
    await move(acme, -150)
    assert await state(acme) == "active"


async def test_a_top_up_resumes_live_binds_within_five_seconds(database: str):
    """Suspended while bound: refused with its own status; after the top-up the same session is served again, in time (C26)."""
    tenant = 'suspend_at_limit = true\nbalance_alarms = ["0.05"]'

    def text(*ports: int) -> str:

        return provisioning(*ports, tenant=tenant).replace('"1000000.00"', '"0.10"')

    async with Scene(database, text=text).playing() as scene:
        esme = await scene.tenant()
        for _ in range(2):
            id_of(await esme.submit())

        async def standing() -> Any:
            return await scene.count("standing WHERE state = 'suspended_arrears'")

        await scene.until(standing)
        await scene.until(lambda: getattr(scene.daemon.directory.account("acme1"), "restriction", None) is not None)
        refused = (await esme.submit()).status
        assert refused not in {const.ESME_ROK, const.ESME_RTHROTTLED}
        assert await told(scene.connection) == ["0.05"]
        loop = asyncio.get_running_loop()
        since = loop.time()
        await books.top_up(scene.connection, "acme", 1 * UNIT, BY)

        async def served() -> bool:
            return (await esme.submit()).status == const.ESME_ROK

        await scene.until(served)
        assert loop.time() - since < 5
        assert len(list(scene.daemon.registry.sessions())) == 1
