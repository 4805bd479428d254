"""What became of one message, read from all that is kept beside its row: held text, refund, what is owed, tombstone, complaints.

Never here: what it said; masking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from smsgw.store.database import Connection
from smsgw.store.messages import ANY_CLASS

_TRACE: Final = f"""
    SELECT m.id, m.account, m.short_id, m.mode, m.state, m.source, m.destination, m.parts, m.price, m.attempt, m.resends, m.error,
           m.sent_ms, m.done_ms, m.expires_ms, m.upstream_id, coalesce(l.name, '') AS link,
           coalesce(a.system_id, 'account ' || m.account) AS system_id, coalesce(t.name, 'tenant ' || m.tenant) AS tenant,
           coalesce(t.currency, '') AS currency, coalesce(x.words, '') AS transform, coalesce(y.means, '') AS reply,
           h.id AS held, p.part, h.total, h.since_ms, h.state AS verdict, h.rule, h.reason, h.actor AS decided_by,
           r.amount AS refund, r.at AS refunded_at, r.actor AS refunded_by, w.id IS NOT NULL AS waits, w.due_ms, w.node AS waits_at,
           b.at AS purged_at, b.actor AS purged_by, e.id AS cancellation, e.actor AS cancelled_by, e.reason AS cancelled_for,
           EXISTS (SELECT 1 FROM content c WHERE c.class = {ANY_CLASS} AND c.id = m.id) AS kept
    FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN tenant t ON t.id = m.tenant
    LEFT JOIN link l ON l.id = m.link LEFT JOIN transform x ON x.message = m.id LEFT JOIN reply y ON y.message = m.id
    LEFT JOIN held_part p ON p.message = m.id LEFT JOIN held_text h ON h.id = p.text
    LEFT JOIN refund r ON r.message = m.id LEFT JOIN waiting w ON w.id = m.id LEFT JOIN tombstone b ON b.message = m.id
    LEFT JOIN cancelled k ON k.message = m.id LEFT JOIN cancellation e ON e.id = k.cancellation
    WHERE m.id = $1"""


async def find(connection: Connection, number: int) -> asyncpg.Record | None:
    """Return a message with what stands beside it; None if there is no such message."""
    return await connection.fetchrow(_TRACE, number)


async def content(connection: Connection, number: int) -> bytes | None:
    """Return what is stored of what a message said, sealed or plain; None for nothing."""
    found: bytes | None = await connection.fetchval(f"SELECT body FROM content c WHERE c.class = {ANY_CLASS} AND c.id = $1", number)
    return found


async def owed(connection: Connection, account: int, number: int) -> list[asyncpg.Record]:
    """Return what its account is still owed for a message: kind, tries, due_ms, expires_ms."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT id, kind, tries, due_ms, expires_ms FROM owed WHERE account = $1 AND message = $2 ORDER BY id", account, number
    )
    return rows


async def complaints(connection: Connection, number: int) -> list[asyncpg.Record]:
    """Return the complaints that were found to mean a message: id, source, received."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT c.id, c.source, c.received FROM complaint_message m JOIN complaint c ON c.id = m.complaint WHERE m.message = $1"
        " ORDER BY c.id",
        number,
    )
    return rows


async def by_text_id(connection: Connection, text: str) -> list[int]:
    """Return the messages whose tenant was given this id: its own, and those of 3.3 sessions that had it."""
    rows = await connection.fetch("SELECT message FROM short_id WHERE short = $1 ORDER BY message DESC", text.lower())
    own = int(text) if text.isascii() and text.isdigit() and int(text) < 2**63 else 0
    there = own and await connection.fetchval("SELECT EXISTS (SELECT 1 FROM message WHERE id = $1)", own)
    return [*([own] if there else []), *(row["message"] for row in rows)]


async def by_carrier_id(connection: Connection, link_id: int, keys: Sequence[str], since_id: int) -> list[int]:
    """Return the messages that a link took under one of these ids, newest first, from an id of ours on. It reads all these days."""
    rows = await connection.fetch(
        "SELECT id FROM message WHERE link = $1 AND upstream_id = ANY ($2::text[]) AND id >= $3 ORDER BY id DESC LIMIT 20",
        link_id,
        list(keys),
        since_id,
    )
    return [row["id"] for row in rows]
