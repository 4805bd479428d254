from __future__ import annotations

from smsgw.store import exports
from smsgw.store.database import Connection
from tests.store.cycles import Cycles, change
from tests.store.work import fund


async def test_only_the_tenants_own_is_read(connection: Connection):
    """Each table of an export has the tenant's rows and nobody else's, within the span."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY'), ('borg', 'EUR')")
    await connection.execute("INSERT INTO account (tenant, system_id) VALUES (1, 'a1'), (2, 'b1')")
    for tenant in (1, 2):
        await fund(connection, 100, tenant=tenant)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(number, tenant=1 + number % 2, account=1 + number % 2, price=3) for number in range(1, 9)])
    await cycle(
        changed=[change(2, state=10, upstream="up-2"), change(4, state=11, refund=3)], owed=[cycle.owed(50, account=1, kind=2)]
    )
    found = {}
    async with connection.transaction():
        for table in exports.TABLES:
            found[table] = [row async for page in exports.rows(connection, table, 1, 0, 4e9) for row in page]
    assert [row["id"] for row in found["messages"]] == [2, 4, 6, 8]
    assert [row["message"] for row in found["receipts"]] == [2, 4]
    assert [row["message"] for row in found["refunds"]] == [4]
    assert [row["id"] for row in found["mo"]] == [50]
    assert sum(row["amount"] for row in found["ledger"]) == 100 - 12 + 3
    assert len(found["content"]) == 4


async def test_what_a_link_took_is_read_by_its_id(connection: Connection):
    """Messages with a carrier's id alone; a link that was deleted is still known by its name."""
    assert await exports.link(connection, "alpha-1") is None
    await connection.execute("INSERT INTO retired (kind, name, id) VALUES ('link', 'alpha-1', 8)")
    assert await exports.link(connection, "alpha-1") == (8, {})
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY')")
    await fund(connection, 100)
    await connection.execute("INSERT INTO node (id, epoch) VALUES (1, 1)")
    cycle = Cycles(connection)
    await cycle(new=[cycle.new(1), cycle.new(2)])
    await cycle(changed=[change(1, upstream="up-1")])
    async with connection.transaction():
        rows = [row async for page in exports.of_link(connection, 8, 0, 4e9) for row in page]
    assert [(row["id"], row["upstream_id"], row["tenant"]) for row in rows] == [(1, "up-1", "acme")]
