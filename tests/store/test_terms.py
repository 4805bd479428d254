"""Terms and profiles in the store."""

from __future__ import annotations

from datetime import date

import pytest

from smsgw.store import provisioning
from smsgw.store import terms as store
from smsgw.store.database import Connection
from smsgw.store.terms import Term
from tests.contract import contract

TERM = Term(date(2026, 1, 1), date(2026, 12, 31), 5, (9, 1), "frozen", date(2026, 6, 30), "limited", 3)


@pytest.fixture
async def acme(connection: Connection) -> int:
    """The id of a tenant."""
    await contract(connection)
    return int(await connection.fetchval("SELECT id FROM tenant"))


async def test_a_term_reads_back(connection: Connection, acme: int):
    """Kept twice it is the later one; where none was kept it has no day."""
    assert await store.term_of(connection, acme) == Term()
    await store.keep_term(connection, acme, Term())
    await store.keep_term(connection, acme, TERM)
    assert await store.term_of(connection, acme) == TERM
    ((of, term),) = await store.terms(connection)
    assert (of.kind, of.name, of.id, term) == ("tenant", "acme", acme, TERM)
    assert TERM.told()["ends"] == "2026-12-31"


async def test_the_newest_profile_holds(connection: Connection, acme: int):
    """All versions stay, the last one counts."""
    assert await store.profile_of(connection, acme) == (0, {})
    for version in (1, 2):
        await store.keep_profile(connection, acme, version, {"v": str(version)}, "ops", "x")
    assert await store.profile_of(connection, acme) == (2, {"v": "2"})
    assert [one["fields"] for one in await store.profiles(connection, acme)] == [{"v": "2"}, {"v": "1"}]


async def test_nothing_is_spent_where_nothing_has_a_price(connection: Connection, acme: int):
    """A closing tenant without prices is nobody's to judge; with one that its balance does not pay it is spent."""
    await connection.execute(
        "INSERT INTO standing (kind, subject, state, reason, actor, since) VALUES ('tenant', $1, 'closing', 'x', 'ops', now())",
        acme,
    )
    assert await store.spent(connection) == []
    await provisioning.put(connection, ("price", "acme/"), {"price": 1})
    assert await store.spent(connection) == [("tenant", "acme", 0)]
