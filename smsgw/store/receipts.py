"""Rows of what is owed and of parked receipts, read back. Writing is `store.commit`'s alone.

Never here: a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from smsgw.model import Owed
from smsgw.store.sealed import Opener, Unreadable, plain


class ParkedReceipt(msgspec.Struct, gc=False):
    """A carrier's receipt that matched nothing when it came. `body` is the PDU after its header."""

    id: int
    link: int
    command: int
    upstream_id: str
    body: bytes
    expires_at: float


async def load_owed(connection: Any, ids: Sequence[int], opened: Opener = plain) -> list[Owed]:
    """Read owed rows that this node has just leased, oldest first; one that does not open has no body."""
    rows = await connection.fetch(
        "SELECT o.id, o.account, o.message, o.kind, o.tries, o.command, o.due_ms, o.expires_ms, o.body"
        " FROM unnest($1::int8[]) AS u(id) JOIN owed o ON o.id = u.id ORDER BY o.id",
        list(ids),
    )
    return [_owed(row, _opened(row, opened, "owed_id")) for row in rows]


def _owed(row: Any, body: bytes) -> Owed:
    return Owed(
        id=row["id"],
        account=row["account"],
        message=row["message"],
        kind=row["kind"],
        body=body,
        command=row["command"],
        tries=row["tries"],
        due_at=row["due_ms"] / 1000,
        expires_at=row["expires_ms"] / 1000,
        claimed=True,
    )


async def expire_owed(connection: Any, now_ms: int, limit: int = 1_000) -> list[tuple[int, int]]:
    """Drop free owed rows whose time to live is over; returns (account, message) of each."""
    rows = await connection.fetch(
        # An array is made once; a subquery after IN may be run again for each row, and take more than the limit.
        "DELETE FROM owed WHERE id = ANY (ARRAY(SELECT id FROM owed WHERE node = 0 AND expires_ms <= $1 LIMIT $2"
        " FOR UPDATE SKIP LOCKED)) RETURNING account, message",
        now_ms,
        limit,
    )
    return [(row["account"], row["message"]) for row in rows]


async def free_receipts(connection: Any) -> dict[int, int]:
    """Count the receipts that wait for a receiver to bind, by account."""
    rows = await connection.fetch("SELECT account, count(*) AS n FROM owed WHERE node = 0 AND kind <> 2 GROUP BY account")
    return {row["account"]: row["n"] for row in rows}


async def drop_oldest(connection: Any, account: int, count: int) -> int:
    """Drop so many of an account's free receipts, the oldest first; MO messages stay. Returns how many went."""
    rows = await connection.fetch(
        "DELETE FROM owed WHERE id = ANY (ARRAY(SELECT id FROM owed WHERE account = $1 AND node = 0 AND kind <> 2"
        " ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id",
        account,
        count,
    )
    return len(rows)


async def load_parked(connection: Any, after: int, limit: int, opened: Opener = plain) -> list[ParkedReceipt]:
    """Read a page of parked receipts, in order of id; one that does not open has no body, and waits for its time to be over."""
    rows = await connection.fetch(
        "SELECT id, link, command, upstream_id, body, expires_ms FROM orphan WHERE id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [
        ParkedReceipt(
            id=row["id"],
            link=row["link"],
            command=row["command"],
            upstream_id=row["upstream_id"],
            body=_opened(row, opened, "parked_id"),
            expires_at=row["expires_ms"] / 1000,
        )
        for row in rows
    ]


def _opened(row: Any, opened: Opener, name: str) -> bytes:
    try:
        body: bytes = opened(row["id"], row["body"])
    except Unreadable as error:
        structlog.get_logger().warning("content_unreadable", why=str(error), **{name: row["id"]})
        return b""
    return body


async def counts(connection: Any) -> dict[str, int]:
    """Count what waits, for `show queues`: free and claimed owed rows, parked receipts, waiting messages."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM owed WHERE node = 0) AS owed_free,"
        " (SELECT count(*) FROM owed WHERE node <> 0) AS owed_claimed,"
        " (SELECT count(*) FROM orphan) AS parked, (SELECT count(*) FROM waiting WHERE node = 0) AS waiting_free,"
        " (SELECT count(*) FROM waiting WHERE node <> 0) AS waiting_claimed"
    )
    return dict(row)
