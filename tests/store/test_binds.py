"""Binds over all nodes."""

from __future__ import annotations

from smsgw.store import binds, provisioned
from smsgw.store.database import Connection


async def test_binds_are_counted_over_all_nodes(acme: Connection):
    """The bind over the limit is refused on any node, until one is given back."""
    account = (await provisioned.read(acme, str)).accounts[0].id
    assert await binds.claim(acme, 1, 1, 10, account, "trx", 2)
    assert await binds.claim(acme, 2, 1, 10, account, "trx", 2)
    assert not await binds.claim(acme, 2, 1, 11, account, "trx", 2)
    await binds.release(acme, 1, 1, [10])
    assert await binds.claim(acme, 2, 1, 11, account, "trx", 2)


async def test_binds_of_a_kind_are_counted_apart(acme: Connection):
    """With one receiver at most a second one is refused on any node, and a transmitter is not."""
    account = (await provisioned.read(acme, str)).accounts[0].id
    assert await binds.claim(acme, 1, 1, 10, account, "rx", 0, 1)
    assert not await binds.claim(acme, 2, 1, 10, account, "rx", 0, 1)
    assert await binds.claim(acme, 2, 1, 10, account, "tx", 0, 1)
