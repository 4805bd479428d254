from __future__ import annotations

from datetime import date

import pytest

from smsgw.store import late_fees
from smsgw.store.books import By, NoSuchTenant
from smsgw.store.database import Connection

DUE, DAY = date(2025, 11, 16), date(2025, 11, 22)


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant whose contract has a late fee, and one whose has none."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY'), ('beta', 'CNY')")
    await connection.execute("INSERT INTO term (tenant, fee_rate) VALUES (1, '0.0005'), (2, '0')")
    return connection


async def test_only_contracts_with_a_rate_have_fees(acme: Connection):
    """The other one is left out."""
    assert [one.tenant for one in await late_fees.payers(acme)] == ["acme"]


async def test_a_proposal_is_one_row_until_it_is_decided(acme: Connection):
    """The same again changes nothing, more does; an open one may go, a decided one may not."""
    assert await late_fees.propose(acme, 1, "2025-10", 100, 5, DUE, 1, DAY)
    assert not await late_fees.propose(acme, 1, "2025-10", 100, 5, DUE, 1, DAY)
    assert await late_fees.propose(acme, 1, "2025-10", 100, 6, DUE, 2, DAY)
    held = await late_fees.hold(acme, 1, "2025-10")
    assert held is not None
    await late_fees.decide(acme, held, "withdrawn", None, By("ann", "goodwill"))
    assert not await late_fees.propose(acme, 1, "2025-10", 100, 7, DUE, 3, DAY)
    assert not await late_fees.forget(acme, 1, "2025-10")
    await late_fees.propose(acme, 1, "2025-11", 100, 7, DUE, 3, DAY)
    assert await late_fees.forget(acme, 1, "2025-11")
    assert [(one.amount, one.state, one.reason) for one in await late_fees.proposals(acme, "acme", decided=True)] == [
        (6, "withdrawn", "goodwill")
    ]
    with pytest.raises(NoSuchTenant):
        await late_fees.proposals(acme, "nobody")
