from __future__ import annotations

import json

import pytest

from smsgw.store import alarms
from smsgw.store.database import Connection
from tests.store.work import fund


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with 5 units of 10⁻⁶ and thresholds at 6 and 4 of them."""
    settings = json.dumps({"balance_alarms": ["0.000006", "0.000004"], "suspend_at_limit": True})
    await connection.execute(
        "INSERT INTO tenant (name, currency, settings) VALUES ('acme', 'CNY', $1), ('borg', 'EUR', '{}')", settings
    )
    await fund(connection, 5)
    await fund(connection, 0, tenant=2)
    return connection


async def test_a_crossing_is_found_taken_and_forgotten(acme: Connection):
    """Found until it is taken, by one alone; forgotten once the balance has risen, or the threshold is no setting any more."""
    (found,) = await alarms.fallen(acme)
    assert found == alarms.Fallen(1, "acme", "CNY", 6, 5, 0)
    assert [await alarms.take(acme, found), await alarms.take(acme, found)] == [True, False]
    assert await alarms.fallen(acme) == []
    assert await alarms.forget_risen(acme) == 0
    await acme.execute("UPDATE balance SET amount = 6 WHERE tenant = 1")
    assert await alarms.forget_risen(acme) == 1


async def test_who_pays_nothing_more_is_found(acme: Connection):
    """Below the cheapest part, by balance and credit; only who is to be suspended, and is not."""
    assert await alarms.exhausted(acme) == []
    await acme.execute("INSERT INTO price (tenant, prefix, price) VALUES (1, '', 6), (1, '86', 7)")
    assert await alarms.exhausted(acme) == ["acme"]
    columns = "kind, subject, state, reason, actor, since"
    suspended = f"INSERT INTO standing ({columns}) VALUES ('tenant', 1, 'suspended_arrears', $1, 'x', now())"
    await acme.execute(suspended, "balance")
    assert await alarms.exhausted(acme) == []
    assert await alarms.covered(acme, "balance") == []
    await acme.execute("UPDATE balance SET credit_limit = 1 WHERE tenant = 1")
    assert await alarms.covered(acme, "balance") == ["acme"]
    assert await alarms.covered(acme, "term_over") == []
