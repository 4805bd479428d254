"""What leaves the store in bulk: a tenant's own messages, receipts, MO and books, what recipients said to it, and what a link took.
Read in pages, by cursor.

The caller holds one snapshot, so that the files of an export agree with each other. Never here: who may have it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg

from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at

PAGE: Final = 2_000

ACCOUNTS: Final = "(SELECT id FROM account WHERE tenant = $1 UNION SELECT id FROM retired WHERE kind = 'account' AND owner = $1)"
"""Accounts of a tenant, also those that were deleted."""


def _marks(kind: str) -> str:
    """What happened to a tenant's marks of one kind, from the first on; not those of the platform."""
    return f"""
        SELECT e.at, e.number, coalesce(r.masked, '') AS masked, e.active, s.level, s.key, e.source, e.word, e.service, e.reference,
               e.reason, CASE WHEN s.level = 'tenant' THEN '' ELSE coalesce(a.system_id, 'account ' || s.owner) END AS account,
               e.active AND NOT EXISTS (SELECT FROM mark_event l WHERE l.number = e.number AND l.scope = e.scope AND l.id > e.id)
               AS in_force
        FROM mark_scope s JOIN mark_event e ON e.scope = s.id LEFT JOIN account a ON s.level <> 'tenant' AND a.id = s.owner
        LEFT JOIN recipient_mask r ON r.number = e.number
        WHERE s.kind = '{kind}' AND s.level <> 'platform' AND $2::int8 IS NOT NULL AND $3::int8 IS NOT NULL
        AND CASE WHEN s.level = 'tenant' THEN s.owner = $1 ELSE s.owner IN {ACCOUNTS} END ORDER BY e.id"""


TABLES: Final[Mapping[str, str]] = {
    "messages": """
        SELECT m.id, coalesce(a.system_id, 'account ' || m.account) AS account, m.source, m.destination, m.parts, m.price, m.refund,
               m.state, m.error, m.sent_ms, m.done_ms, m.expires_ms, m.short_id, coalesce(x.words, '') AS transform,
               coalesce(r.means, '') AS reply
        FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN transform x ON x.message = m.id
             LEFT JOIN reply r ON r.message = m.id
        WHERE m.tenant = $1 AND m.id >= $2 AND m.id < $3 ORDER BY m.id""",
    "receipts": """
        SELECT m.id AS message, m.state, m.error, m.done_ms,
               EXISTS (SELECT 1 FROM owed o WHERE o.message = m.id AND o.account = m.account AND o.kind = 0) AS waiting
        FROM message m WHERE m.tenant = $1 AND m.id >= $2 AND m.id < $3 AND m.state >= 10 ORDER BY m.id""",
    "mo": f"""
        SELECT o.id, coalesce(a.system_id, 'account ' || o.account) AS account, o.command, o.tries, o.body
        FROM owed o LEFT JOIN account a ON a.id = o.account
        WHERE o.account IN {ACCOUNTS} AND o.id >= $2 AND o.id < $3 AND o.kind = 2 ORDER BY o.id""",
    "ledger": """
        SELECT id, day, kind, amount, messages, actor, reason, reference, at FROM ledger
        WHERE tenant = $1 AND $2::int8 IS NOT NULL AND $3::int8 IS NOT NULL ORDER BY id""",
    "refunds": """
        SELECT message, day, amount, reason, at FROM refund
        WHERE tenant = $1 AND message >= $2 AND message < $3 ORDER BY message""",
    "opt_outs": _marks("opt_out"),
    "blocks": _marks("block"),
    "consents": f"""
        SELECT coalesce(a.system_id, 'account ' || c.account) AS account, c.number, coalesce(r.masked, '') AS masked, c.source,
               c.given, c.proof, c.at, c.withdrawn, c.withdrawn_why
        FROM consent c LEFT JOIN account a ON a.id = c.account LEFT JOIN recipient_mask r ON r.number = c.number
        WHERE c.account IN {ACCOUNTS} AND $2::int8 IS NOT NULL AND $3::int8 IS NOT NULL ORDER BY c.id""",
    "content": """
        SELECT c.id, c.body, m.command, m.registered, m.source, coalesce(x.words, '') AS transform, x.ton, x.npi,
               coalesce(r.means, '') AS reply
        FROM message m JOIN content c ON c.id = m.id
             AND c.class = ANY (ARRAY(SELECT 0::int2 UNION ALL SELECT r.class FROM retention r))
             LEFT JOIN transform x ON x.message = m.id LEFT JOIN reply r ON r.message = m.id
        WHERE m.tenant = $1 AND m.id >= $2 AND m.id < $3 ORDER BY m.id""",
}
"""The tables of an export: (tenant, least id, first id after) → rows. The ledger is whole: it is what the balance is made of; and
so is what recipients said: it is what is in force."""

_OF_LINK: Final = """
    SELECT m.id, coalesce(t.name, 'tenant ' || m.tenant) AS tenant, m.upstream_id, m.parts, m.state, m.sent_ms
    FROM message m LEFT JOIN tenant t ON t.id = m.tenant
    WHERE m.link = $1 AND m.id >= $2 AND m.id < $3 AND m.upstream_id <> '' ORDER BY m.id"""


async def rows(
    connection: Connection, table: str, tenant_id: int, from_s: float, until_s: float
) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield a table of a tenant's export in pages, between two moments (seconds since 1970)."""
    cursor = await connection.cursor(TABLES[table], tenant_id, least_id_at(from_s), least_id_at(until_s))
    while page := await cursor.fetch(PAGE):
        yield page


async def of_link(connection: Connection, link_id: int, from_s: float, until_s: float) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the messages that a link took, by when they were accepted, in pages."""
    cursor = await connection.cursor(_OF_LINK, link_id, least_id_at(from_s), least_id_at(until_s))
    while page := await cursor.fetch(PAGE):
        yield page


async def link(connection: Connection, name: str) -> tuple[int, dict[str, Any]] | None:
    """Return a link's id and its settings; of one that was deleted the id alone. None if there never was one."""
    row = await connection.fetchrow(
        "SELECT id, settings FROM link WHERE name = $1"
        " UNION ALL SELECT id, '{}' FROM retired WHERE kind = 'link' AND name = $1 LIMIT 1",
        name,
    )
    return None if row is None else (row["id"], json.loads(row["settings"]))
