"""Content as it is found, counted, buried and held."""

from __future__ import annotations

import asyncpg
import pytest

from smsgw.model import State
from smsgw.store import contents, legal_holds
from smsgw.store.contents import Filter
from smsgw.store.database import Connection


async def message(
    connection: Connection, number: int, *, state: State = State.DELIVERED, tenant: int = 1, account: int = 1
) -> None:
    """Write a message with its content."""
    await connection.execute(
        "INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, command, debit_day, price, source,"
        " destination, sent_ms) VALUES ($1, $2, $3, $4, 0, 0, 0, 1, 4, 0, 1, 'ACME', '+4915112345678', $1)",
        number, tenant, account, int(state),
    )  # fmt: skip
    await connection.execute("INSERT INTO content (class, id, body) VALUES (0, $1, 'hello')", number)


async def test_what_a_filter_means(connection: Connection):
    """Tenant, account, span, number and ids, all at once; nothing of another tenant."""
    await message(connection, 1)
    await message(connection, 2, account=2)
    await message(connection, 3, tenant=2)
    await message(connection, 4)

    async def ids(meant: Filter) -> list[int]:
        return [row["id"] for row in await contents.purgeable(connection, meant, 0)]

    assert await ids(Filter(1)) == [1, 2, 4]
    assert await ids(Filter(1, 1)) == [1, 4]
    assert await ids(Filter(1, from_id=2, until_id=4)) == [2]
    assert await ids(Filter(1, ids=(3, 4))) == [4]
    assert await ids(Filter(1, destination="4915112345678")) == [1, 2, 4]
    assert await ids(Filter(1, destination="49151")) == []


async def test_what_is_counted(connection: Connection):
    """Content that may go, of open messages, of held ones; and how many were sent."""
    await message(connection, 1)
    await message(connection, 2, state=State.QUEUED)
    await message(connection, 3)
    await legal_holds.hold(connection, Filter(1, from_id=3, until_id=4), "court", "ann")
    assert await contents.counted(connection, Filter(1)) == {
        "content": 1, "open": 1, "held": 1, "sent": 1, "by_law": 0, "law_until": 0,
    }  # fmt: skip


async def test_what_the_law_keeps_is_told_with_its_end(connection: Connection):
    """Content of a cn_port class may not be purged before its time, and may afterwards."""
    from smsgw.store import retentions
    from smsgw.store.ids import least_id_at, seconds_of

    cn = {"profile": "cn_port", "content_h": 3_600, "numbers_days": 0, "encrypted": False}
    await retentions.put(connection, "cn", cn)
    now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    young, old = least_id_at(now - 149 * 86_400), least_id_at(now - 151 * 86_400)
    for number in (young, old):
        await message(connection, number)
    await connection.execute("UPDATE content SET class = 1")
    counts = await contents.counted(connection, Filter(1))
    assert (counts["content"], counts["by_law"], counts["law_until"]) == (1, 1, int(seconds_of(young)) + 150 * 86_400)
    assert [row["id"] for row in await contents.purgeable(connection, Filter(1), 0)] == [old]


async def test_what_is_buried_leaves_a_tombstone_for_good(connection: Connection):
    """The content is gone, its hash is there, and stays."""
    await message(connection, 1)
    await contents.bury(connection, [(1, 0, 5, b"\1" * 32)], "ann", "asked for")
    row = await contents.find(connection, 1)
    assert row is not None
    assert (row["body"], row["octets"], row["sha256"]) == (None, 5, b"\1" * 32)
    with pytest.raises(asyncpg.PostgresError, match="evidence"):
        await connection.execute("DELETE FROM tombstone")
