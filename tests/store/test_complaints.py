from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from smsgw.store import complaints
from smsgw.store.complaints import Meant
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at

TODAY = datetime.now(UTC).date()
DAY = date(2026, 11, 20)


async def registered(connection: Connection, due: date, reference: str = "") -> int | None:
    """Register a complaint that is due on a day."""
    return await complaints.add(connection, "12321", 5, "8613****8000", DAY, due, "account", reference, "", "ops")


async def test_what_is_due_and_what_is_late(connection: Connection):
    """Due yesterday is late, due today is not; a closed one is neither, and is closed once."""
    late = await registered(connection, TODAY - timedelta(days=1))
    await registered(connection, TODAY)
    assert await complaints.counts(connection) == (2, 1)
    assert [row["state"] for row in await complaints.listed(connection, which="open", limit=9)] == ["overdue", "open"]
    assert [row["complaint"] for row in await complaints.listed(connection, which="overdue", limit=9)] == [late]
    assert late is not None
    assert await complaints.close(connection, late, "apologised", "ops")
    assert not await complaints.close(connection, late, "again", "ops")
    assert await complaints.counts(connection) == (1, 0)
    found = await complaints.one(connection, late)
    assert found is not None
    assert (found["state"], found["outcome"], found["closed_by"]) == ("closed", "apologised", "ops")
    assert len(await complaints.listed(connection, which="all", limit=9)) == 2
    assert await complaints.one(connection, 99) is None


async def test_a_reference_is_registered_once(connection: Connection):
    """The number that the regulator gave it is taken once; complaints without one are all their own."""
    assert await registered(connection, TODAY, "R-1") is not None
    assert await registered(connection, TODAY, "R-1") is None
    assert await registered(connection, TODAY) is not None
    assert await registered(connection, TODAY) is not None


async def test_rates_count_complaints_and_not_messages(connection: Connection):
    """A complaint about two messages is one, of the account and of each signature that it names."""
    await connection.execute("INSERT INTO tenant (name, currency) VALUES ('acme', 'CNY')")
    await connection.execute("INSERT INTO account (tenant, system_id) SELECT id, 'acme1' FROM tenant")
    tenant, account = await connection.fetchval("SELECT id FROM tenant"), await connection.fetchval("SELECT id FROM account")
    made = await registered(connection, TODAY)
    assert made is not None
    now = datetime.now(UTC).timestamp()
    meant = [
        (Meant(least_id_at(now) + at, tenant, account, "acme1", "UTC", sender, 4, 5, None), signature)
        for at, (sender, signature) in enumerate([("1", "某某"), ("2", "某某"), ("3", "")])
    ]
    await complaints.match(connection, made, meant)
    rows = await complaints.by_account(connection, now - 9, now + 9)
    assert [(row["account"], row["signature"], row["complaints"], sorted(row["senders"])) for row in rows] == [
        ("acme1", "", 1, ["1", "2", "3"]),
        ("acme1", "某某", 1, ["1", "2"]),
    ]
    assert await complaints.by_account(connection, now + 9, now + 99) == []
    assert await complaints.volumes(connection, [account], now - 9, now + 9) == {}
