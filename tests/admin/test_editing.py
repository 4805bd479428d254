"""Tenants and accounts by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smsgw.admin.editing import add, change, remove
from smsgw.admin.standing import NotFound
from smsgw.store import balances, provisioned
from smsgw.store import provisioning as store
from smsgw.store.database import Connection

BY: dict[str, Any] = {"actor": "ops", "reason": "asked for"}
ACME, ACME1 = ("tenant", "acme"), ("account", "acme1")


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant and an account, made by hand."""
    await add(connection, ACME, {"currency": "CNY", "balance": "10.00", "credit_limit": "5"}, **BY)
    await add(connection, ACME1, {"tenant": "acme", "rate": "7", "allow_from": "192.0.2.7/24, 10.0.0.0/8"}, **BY)
    return connection


async def test_what_is_made_is_as_a_file_would_make_it(acme: Connection):
    """Values are typed and checked, defaults are left out, the opening balance is booked, and the audit says who and why."""
    entities = await store.read_entities(acme)
    assert entities[ACME] == {"currency": "CNY", "credit_limit": 5_000_000, "basis": "submitted"}
    assert entities[ACME1] == {"tenant": "acme", "rate": 7, "allow_from": ["192.0.2.0/24", "10.0.0.0/8"]}
    assert await balances.balance_of(acme, "acme") == 10_000_000
    rows = await acme.fetch("SELECT actor, kind, name, reason FROM audit ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("ops", *ACME, "asked for"), ("ops", *ACME1, "asked for")]


async def test_only_what_is_given_changes(acme: Connection):
    """A default takes its key out; a change that changes nothing leaves no trace; the credit limit goes to the balance."""
    await change(acme, ACME1, {"rate": "0", "tls_only": "true"}, **BY)
    assert (await store.read_entities(acme))[ACME1] == {
        "tenant": "acme",
        "allow_from": ["192.0.2.0/24", "10.0.0.0/8"],
        "tls_only": True,
    }
    before = await provisioned.version(acme)
    assert (await change(acme, ACME1, {"tls_only": "true"}, **BY)).empty
    assert await provisioned.version(acme) == before
    await change(acme, ACME, {"credit_limit": "8"}, **BY)
    assert await acme.fetchval("SELECT credit_limit FROM balance") == 8_000_000


@pytest.mark.parametrize(
    ("key", "given", "why"),
    [
        (ACME1, {"rate": "fast"}, "rate: Expected `int`"),
        (ACME1, {"rat": "1"}, "rat cannot be set here: did you mean rate?"),
        (ACME1, {"password": "secret"}, "smsgw secret rotate"),
        (ACME1, {"mode": "later"}, "mode: 'later' is none of store, relay"),
        (ACME, {"balance": "5"}, "booked once"),
    ],
)
async def test_what_a_file_may_not_say_may_not_be_said_here(acme: Connection, key: store.Key, given: dict[str, str], why: str):
    """Each mistake is told, nothing is changed."""
    before = await provisioned.version(acme)
    with pytest.raises(ValueError, match=why):
        await change(acme, key, given, **BY)
    assert await provisioned.version(acme) == before


async def test_conflicts_change_nothing(acme: Connection):
    """What is there is not made again, what others need is not deleted, an account does not change its tenant."""
    await add(acme, ("tenant", "other"), {"currency": "CNY"}, **BY)
    before = await provisioned.version(acme)
    for plan in (
        await add(acme, ACME, {"currency": "CNY"}, **BY),
        await remove(acme, ACME, **BY),
        await change(acme, ACME1, {"tenant": "other"}, **BY),
    ):
        assert len(plan.conflicts) == 1
    assert await provisioned.version(acme) == before


async def test_who_is_not_there(acme: Connection):
    """Neither an account nor the tenant or policy of one is invented; what is missing is named."""
    with pytest.raises(NotFound, match="no account 'nobody'"):
        await change(acme, ("account", "nobody"), {"rate": "1"}, **BY)
    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        await add(acme, ("account", "new"), {"tenant": "nobody"}, **BY)
    with pytest.raises(NotFound, match="no policy 'chian'"):
        await change(acme, ACME1, {"policy": "chian"}, **BY)
    with pytest.raises(ValueError, match="tenant is missing"):
        await add(acme, ("account", "new"), {}, **BY)


async def test_what_is_deleted_is_gone_and_a_dry_run_deletes_nothing(acme: Connection):
    """Deleted by hand as by a file: the audit keeps what it was."""
    await remove(acme, ACME1, dry_run=True, **BY)
    assert ACME1 in await store.read_entities(acme)
    await remove(acme, ACME1, **BY)
    assert ACME1 not in await store.read_entities(acme)
    row = await acme.fetchrow("SELECT old, new FROM audit ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (json.loads(row["old"])["rate"], row["new"]) == (7, None)
