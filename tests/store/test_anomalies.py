from __future__ import annotations

import pytest

from smsgw.store import anomalies, binds
from smsgw.store.database import Connection
from tests.contract import contract


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with two accounts, 1 and 2."""
    return await contract(connection, "acme1", "acme2")


async def test_an_address_is_new_once_and_the_first_is_known(acme: Connection):
    """An account's first binds are no news; another address is, once; each account has its own."""
    assert await anomalies.note_sources(acme, {(1, "192.0.2.1"): 1e9, (1, "192.0.2.2"): 1e9}, 10) == []
    assert await anomalies.note_sources(acme, {(2, "192.0.2.1"): 1e9}, 10) == []
    (seen,) = await anomalies.note_sources(acme, {(1, "192.0.2.3"): 2e9, (1, "192.0.2.1"): 2e9, (2, "192.0.2.1"): 2e9}, 10)
    assert (seen.system_id, seen.addresses) == ("acme1", ("192.0.2.3",))
    assert await anomalies.note_sources(acme, {(1, "192.0.2.3"): 3e9}, 10) == []


async def test_what_is_remembered_is_bounded(acme: Connection):
    """Of more addresses than that the one that was not seen for longest is forgotten, and is new when it comes again."""
    for number in range(1, 5):
        await anomalies.note_sources(acme, {(1, f"192.0.2.{number}"): number * 1e8}, 3)
    assert await acme.fetchval("SELECT count(*) FROM account_source") == 3
    assert [seen.addresses for seen in await anomalies.note_sources(acme, {(1, "192.0.2.1"): 9e8}, 3)] == [("192.0.2.1",)]


async def test_places_are_networks_over_all_nodes(acme: Connection):
    """Two addresses of one /24 are one place, those of two networks are two, on whichever node; IPv6 counts by /48."""
    await binds.claim(acme, 1, 1, 10, 1, "trx", 0, 0, "192.0.2.1")
    await binds.claim(acme, 2, 1, 10, 1, "trx", 0, 0, "192.0.2.200")
    await binds.claim(acme, 2, 1, 11, 2, "trx", 0, 0, "2001:db8:1:1::1")
    await binds.claim(acme, 2, 1, 12, 2, "trx", 0, 0, "2001:db8:1:2::1")
    assert await anomalies.in_places(acme, 1) == []
    await binds.claim(acme, 2, 1, 13, 1, "rx", 0, 0, "198.51.100.7")
    (seen,) = await anomalies.in_places(acme, 1)
    assert (seen.system_id, seen.addresses) == ("acme1", ("192.0.2.0/24", "198.51.100.0/24"))
    assert await anomalies.in_places(acme, 2) == []
    await binds.release(acme, 2, 1, [13])
    assert await anomalies.in_places(acme, 1) == []


async def test_an_account_is_found_by_its_name(acme: Connection):
    """With its tenant; nobody is None."""
    found = await anomalies.account(acme, "acme2")
    assert found is not None
    assert (found.account, found.tenant) == (2, 1)
    assert await anomalies.account(acme, "nobody") is None
