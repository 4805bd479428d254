"""What accounts have used of their quotas."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsgw.admin.quotas import usage
from smsgw.admin.standing import NotFound
from smsgw.store import provisioning
from smsgw.store.database import Connection

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_each_quota_has_its_row(connection: Connection):
    """Messages and parts that count now, the caps, and from when to when the window is; rolling ones have no end."""
    await provisioning.put(
        connection, ("tenant", "acme"), {"currency": "CNY", "credit_limit": 0, "basis": "submitted", "timezone": "Asia/Shanghai"}
    )
    await provisioning.put(connection, ("account", "a1"), {"tenant": "acme", "quota_day": 5, "quota_parts_month": 90})
    await provisioning.put(connection, ("account", "a2"), {"tenant": "acme", "quota_hour": 7, "quota_window": "rolling"})
    await provisioning.put(connection, ("account", "a3"), {"tenant": "acme"})
    ids = {row["system_id"]: row["id"] for row in await connection.fetch("SELECT id, system_id FROM account")}
    day = int(datetime(2026, 2, 28, 16, tzinfo=UTC).timestamp())
    noon = int(NOON.timestamp())
    await connection.executemany(
        "INSERT INTO quota (account, span, start, till, used, parts) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (ids["a1"], 2, day, day + 86_400, 3, 4),
            (ids["a2"], 11, noon - 60, noon, 2, 2),
            (ids["a2"], 11, noon - 7_200, noon - 7_140, 9, 9),
        ],
    )
    rows = await usage(connection, NOON.timestamp())
    assert [
        (row["account"], row["window"], row["messages"], row["of_messages"], row["parts"], row["of_parts"]) for row in rows
    ] == [
        ("a1", "day", 3, 5, 4, None),
        ("a1", "month", 0, None, 0, 90),
        ("a2", "hour", 2, 7, 2, None),
    ]
    assert (rows[0]["from"].timestamp(), rows[0]["until"].timestamp()) == (day, day + 86_400)
    assert rows[2]["until"] is None
    assert len(await usage(connection, NOON.timestamp(), "a2")) == 1
    with pytest.raises(NotFound):
        await usage(connection, NOON.timestamp(), "nobody")
