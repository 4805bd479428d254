"""Decisions in the store: kept, read, found when they are over, and what they mean for accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsgw.model import Restriction, Standing
from smsgw.store import provisioned, provisioning
from smsgw.store import standing as store
from smsgw.store.database import Connection
from smsgw.store.standing import Decision, Subject
from tests.contract import contract

SINCE = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
async def acme(connection: Connection) -> Connection:
    """A tenant with two accounts."""
    return await contract(connection, "acme1", "acme2")


async def named(connection: Connection, kind: str, name: str) -> Subject:
    """A tenant or an account that is there."""
    found = await store.subject(connection, kind, name)
    assert found is not None
    return found


async def test_a_decision_reads_back_as_it_was_kept(acme: Connection):
    """Reason, evidence, actor, times, rate and what lies under it come back; an active one leaves no row."""
    of = await named(acme, "account", "acme1")
    limited = Decision(Standing.LIMITED, "spam", "ops", SINCE, SINCE + timedelta(days=1), 5, ("17", "18"))
    frozen = Decision(Standing.FROZEN, "spam again", "boss", SINCE, None, 0, ("19",), (limited,))
    await store.keep(acme, of, frozen)
    assert await store.present(acme, of) == frozen
    assert await store.in_state(acme) == [(of, frozen)]
    assert await store.in_state(acme, Standing.LIMITED) == []
    await store.keep(acme, of, Decision(Standing.ACTIVE, "", "ops", SINCE))
    assert await store.present(acme, of) is None


async def test_who_is_meant(acme: Connection):
    """A subject knows its contract; a name that nobody has is nobody."""
    account, tenant = await named(acme, "account", "acme1"), await named(acme, "tenant", "acme")
    assert (account.tenant, account.tenant_name, account.account) == (tenant.id, "acme", account.id)
    assert (tenant.tenant, tenant.account) == (tenant.id, None)
    assert await store.subject(acme, "tenant", "acme1") is None


async def test_only_what_is_over_is_found(acme: Connection):
    """A state whose end has come is listed, one that lasts or ends later is not."""
    now = await store.now(acme)
    of = {name: await named(acme, "account", name) for name in ("acme1", "acme2")}
    await store.keep(acme, of["acme1"], Decision(Standing.FROZEN, "x", "ops", SINCE, now))
    await store.keep(acme, of["acme2"], Decision(Standing.FROZEN, "x", "ops", SINCE, now + timedelta(hours=1)))
    await store.keep(acme, await named(acme, "tenant", "acme"), Decision(Standing.FROZEN, "x", "ops", SINCE))
    assert [one.name for one, _ in await store.over(acme)] == ["acme1"]


async def test_an_account_bears_its_own_state_and_its_tenants(acme: Connection):
    """The stricter state refuses, rates of both hold; without any the account has no restriction at all."""
    await store.keep(acme, await named(acme, "account", "acme1"), Decision(Standing.LIMITED, "x", "ops", SINCE, rate=5))
    one, two = (await provisioned.read(acme, str)).accounts
    assert (one.restriction, two.restriction) == (Restriction(Standing.LIMITED, account_rate=5), None)
    await store.keep(acme, await named(acme, "tenant", "acme"), Decision(Standing.CLOSING, "x", "ops", SINCE))
    one, two = (await provisioned.read(acme, str)).accounts
    assert one.restriction == Restriction(Standing.CLOSING, closing=True, account_rate=5)
    assert two.restriction == Restriction(Standing.CLOSING, closing=True)
    await store.keep(acme, await named(acme, "tenant", "acme"), Decision(Standing.SUSPENDED_ARREARS, "term_over", "ops", SINCE))
    one, two = (await provisioned.read(acme, str)).accounts
    assert one.restriction == Restriction(Standing.SUSPENDED_ARREARS, "term_over", account_rate=5)
    assert two.restriction is not None
    assert two.restriction.refusal == "term_over"


async def test_a_state_outlives_what_files_do(acme: Connection):
    """An account that is deleted and comes back stands as it stood."""
    await store.keep(acme, await named(acme, "account", "acme1"), Decision(Standing.FROZEN, "x", "ops", SINCE))
    await provisioning.delete(acme, ("account", "acme1"))
    await provisioning.put(acme, ("account", "acme1"), {"tenant": "acme", "window": 7})
    account = (await provisioned.read(acme, str)).accounts[0]
    assert (account.window, account.restriction) == (7, Restriction(Standing.FROZEN, "frozen"))
