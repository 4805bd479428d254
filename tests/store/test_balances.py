from __future__ import annotations

import pytest

from smsgw.store import balances
from smsgw.store.database import Connection


async def test_an_opening_balance_is_booked_once(filled: Connection):
    """The ledger and the balance get it together, and a second time changes neither."""
    for amount in (100, 200):
        await balances.open_balance(filled, "acme", amount, 20_000, "ops")
    assert await balances.balance_of(filled, "acme") == 100
    assert await balances.opening_of(filled, "acme") == 100
    assert await filled.fetchval("SELECT sum(amount) FROM ledger") == 100


async def test_credit_limits_are_held_against_the_balance(filled: Connection):
    """A limit goes to the balance that the unit of work debits; one that is overdrawn already is refused by name."""
    await balances.set_credit_limits(filled, {"acme": 7})
    assert await filled.fetchval("SELECT credit_limit FROM balance") == 7
    await filled.execute("UPDATE balance SET amount = -6")
    with pytest.raises(balances.Overdrawn, match="acme"):
        await balances.set_credit_limits(filled, {"acme": 5})
    assert await balances.has_ledger(filled, "acme") is False
