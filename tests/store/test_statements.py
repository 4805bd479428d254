from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from smsgw.model import Basis
from smsgw.store import statements
from smsgw.store.books import NoSuchTenant
from smsgw.store.database import Connection, connect
from smsgw.store.ids import seconds_of
from smsgw.store.statements import ClosedMeanwhile, Span

NOVEMBER = Span(1_793_491_200_000, 1_796_083_200_000)


async def test_a_contract_is_read_with_its_settings(connection: Connection):
    """Columns and settings make the tenant of the model; lists come as tuples."""
    settings = json.dumps({"timezone": "Asia/Shanghai", "cycle_start_day": 5, "balance_alarms": ["10.00"], "partner": "bob"})
    await connection.execute("INSERT INTO tenant (name, currency, basis, settings) VALUES ('acme', 'CNY', 'sent', $1)", settings)
    acme = await statements.contract(connection, "acme")
    assert (acme.basis, acme.timezone, acme.cycle_start_day, acme.balance_alarms) == (Basis.SENT, "Asia/Shanghai", 5, ("10.00",))
    assert [one.name for one in await statements.of_partner(connection, "bob")] == ["acme"]
    with pytest.raises(NoSuchTenant):
        await statements.contract(connection, "nobody")


def test_a_span_is_the_same_in_ids_and_moments():
    """The least id of a span was given at its first millisecond, the first after it at its end."""
    low, high = NOVEMBER.ids
    assert (seconds_of(low), seconds_of(high)) == (NOVEMBER.from_ms / 1000, NOVEMBER.until_ms / 1000)
    assert NOVEMBER.moments == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


async def test_a_cycle_is_closed_once(connection: Connection):
    """The second of two is told so; what is kept can be found, and is the last."""
    kept = await statements.keep(connection, "tenant", "acme", "2026-11", NOVEMBER, 7, "{}", "hash", "ann")
    with pytest.raises(ClosedMeanwhile):
        await statements.keep(connection, "tenant", "acme", "2026-11", NOVEMBER, 8, "{}", "hash", "bob")
    assert await statements.find(connection, "tenant", "acme", "2026-11") == kept
    assert await statements.last(connection, "tenant", "acme") == kept
    assert await statements.last(connection, "partner", "acme") is None
    assert (kept.closing, kept.content) == (7, "{}")


async def test_the_first_file_of_a_name_is_kept(connection: Connection):
    """Who comes second gets the file of the first."""
    kept = await statements.keep(connection, "tenant", "acme", "2026-11", NOVEMBER, 7, "{}", "hash", "ann")
    assert await statements.kept_file(connection, kept.id, "acme.csv") is None
    assert await statements.keep_file(connection, kept.id, "acme.csv", "h", b"first") == b"first"
    assert await statements.keep_file(connection, kept.id, "acme.csv", "h", b"second") == b"first"


async def test_the_time_is_the_databases(connection: Connection):
    """Whether a cycle is over is asked of the one clock that all share."""
    there = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000")
    assert abs(await statements.now_ms(connection) - there) < 10_000


async def test_the_books_of_all_tenants_say_since_when(connection: Connection):
    """Those without a booking have no moment; one of them, or all by name."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('beta', 'CNY'), ('acme', 'CNY')")
    await connection.execute(
        "INSERT INTO ledger (tenant, kind, day, amount, at) VALUES (1, 'opening', 0, 5, '2026-01-02T03:04:05Z')"
    )
    found = [(one.tenant, one.opened) for one in await statements.books(connection)]
    assert found == [("acme", None), ("beta", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
    assert [one.tenant_id for one in await statements.books(connection, "beta")] == [1]


async def test_the_closing_of_a_tenants_cycles_is_one_sessions(database: str, connection: Connection):
    """While one has it another does not get it, and of another tenant does."""
    other = await connect(database)
    assert await statements.try_lock(connection, 1)
    assert not await statements.try_lock(other, 1)
    assert await statements.try_lock(other, 2)
    await statements.unlock(connection, 1)
    assert await statements.try_lock(other, 1)
    await other.close()
