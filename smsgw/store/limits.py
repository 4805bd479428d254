"""Limits in the store: token buckets as all nodes know them, and what of buckets, quotas and duplicates is over.

A bucket's row says when it will be full again, by the database's clock: nodes need not agree on the time. Quotas and duplicates
are counted by the unit of work (cycle() in the schema); here they are read and pruned.

Must never: hold an address in clear (keys are keyed hashes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from smsgw.store.database import Connection

_SHARE: Final = "SELECT kind, key, full_in FROM share_buckets($1::int2[], $2::int8[], $3::float8[], $4::float8[], $5::float8[])"


async def share_buckets(connection: Any, shares: Sequence[tuple[int, int, float, float, float]]) -> dict[tuple[int, int], float]:
    """Tell what was taken: (kind, key, seconds of refill, first taken so many seconds ago, full again in so many seconds).

    Returns (kind, key) → in how many seconds the bucket is full, all nodes' takings counted.
    """
    rows = await connection.fetch(_SHARE, *map(list, zip(*shares, strict=True)))
    return {(row["kind"], row["key"]): row["full_in"] for row in rows}


async def load_buckets(connection: Any, most: int) -> list[tuple[int, int, float]]:
    """Return (kind, key, full in so many seconds) of the buckets that are not full, the emptiest first."""
    rows = await connection.fetch(
        "SELECT kind, key, full_at - extract(epoch FROM clock_timestamp())::float8 AS full_in FROM bucket"
        " WHERE full_at > extract(epoch FROM clock_timestamp())::float8 ORDER BY full_at DESC LIMIT $1",
        most,
    )
    return [(row["kind"], row["key"], row["full_in"]) for row in rows]


async def used(connection: Any, account: int, span: int, since: int, start: int) -> tuple[int, int]:
    """Return the messages and parts that are counted in a window (`store.quotas`)."""
    row = await connection.fetchrow("SELECT used, parts FROM quota_used($1, $2::int2, $3, $4)", account, span, since, start)
    return row["used"], row["parts"]


async def prune(connection: Connection) -> None:
    """Forget full buckets, windows of quotas that nobody asks for any more, and duplicates that may be sent again."""
    await connection.execute("DELETE FROM bucket WHERE full_at < extract(epoch FROM clock_timestamp())::float8 - 60")
    await connection.execute(
        "DELETE FROM quota WHERE till < extract(epoch FROM clock_timestamp())::int8 - CASE span % 10"
        " WHEN 0 THEN 3600 WHEN 1 THEN 86400 WHEN 2 THEN 40 * 86400 ELSE 400 * 86400 END"
    )
    await connection.execute("DELETE FROM duplicate WHERE expires_ms < (extract(epoch FROM clock_timestamp()) * 1000)::int8")
