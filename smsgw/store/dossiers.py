"""What there is of a tenant or an account, for an authority: messages, verdicts, complaints, profiles, audit rows; and that it
was written.

Everything is read in the caller's snapshot, in pages by cursor. A row of the audit belongs to a tenant if it says so, or is of its
name while the name was its own: nothing of anybody else comes with it. A complaint that means messages of others as well is told
without what people wrote about it, and without its audit rows: they may name those.

Never here: opening a seal; what a file looks like.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import asyncpg

from smsgw.store.audits import _COLUMNS
from smsgw.store.chain import AuditRow
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.messages import ANY_CLASS
from smsgw.store.standing import Subject

PAGE: Final = 1_000

_MESSAGES: Final = f"""
    SELECT m.id, m.short_id, coalesce(a.system_id, 'account ' || m.account) AS account, m.command, m.source, m.destination, m.parts,
           m.state, m.error, m.sent_ms, m.done_ms, m.upstream_id, coalesce(l.name, '') AS link, c.body, b.sha256, b.octets,
           m.registered, m.expires_ms, coalesce(x.words, '') AS transform, x.ton, x.npi, coalesce(r.means, '') AS reply
    FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN link l ON l.id = m.link
    LEFT JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id LEFT JOIN tombstone b ON b.message = m.id
    LEFT JOIN transform x ON x.message = m.id LEFT JOIN reply r ON r.message = m.id
    WHERE m.tenant = $1 AND ($2::int4 IS NULL OR m.account = $2) AND m.id >= $3 AND m.id < $4 ORDER BY m.id"""
_VERDICTS: Final = """
    SELECT m.id AS message, t.id AS text, p.part, t.total, t.state, t.rule, t.reason, t.error, t.actor
    FROM message m JOIN held_part p ON p.message = m.id JOIN held_text t ON t.id = p.text
    WHERE m.tenant = $1 AND ($2::int4 IS NULL OR m.account = $2) AND m.id >= $3 AND m.id < $4 ORDER BY m.id"""

# What was meant, message by message. `shared`: it means messages of somebody else, too.
_COMPLAINTS: Final = """
    SELECT c.id AS complaint, c.source, c.reference, c.number, c.masked, c.day, c.received, c.due, c.closed, k.shared,
           CASE WHEN c.closed IS NOT NULL THEN 'closed' WHEN c.due < (now() AT TIME ZONE 'UTC')::date THEN 'overdue' ELSE 'open' END
           AS state, m.message, coalesce(a.system_id, 'account ' || m.account) AS account, m.sender, m.signature, c.blocked,
           (SELECT min(e.at) FROM mark_event e JOIN mark_scope s ON s.id = e.scope WHERE e.number = c.number AND e.active
            AND e.source = 'complaint' AND e.reference = 'complaint ' || c.id AND s.owner IN (0, m.account)) AS blocked_at,
           (SELECT max(e.at) FROM mark_event e JOIN mark_scope s ON s.id = e.scope WHERE e.number = c.number AND e.active
            AND s.kind = 'opt_out' AND s.level <> 'tenant' AND s.owner = m.account) AS refused_at,
           (SELECT max(g.given) FROM consent g WHERE g.number = c.number AND g.account = m.account) AS consented_at,
           (SELECT min(n.at) FROM notice n WHERE n.tenant = m.tenant AND n.account = m.account AND n.kind = 'complaint'
            AND n.params ->> 'complaint' = c.id::text) AS told,
           CASE WHEN k.shared THEN '' ELSE c.note END AS note, CASE WHEN k.shared THEN '' ELSE c.outcome END AS outcome,
           c.actor, c.closed_by
    FROM complaint_message m JOIN complaint c ON c.id = m.complaint LEFT JOIN account a ON a.id = m.account
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM complaint_message o WHERE o.complaint = c.id
        AND (o.tenant <> $1 OR o.account <> coalesce($2, o.account))) AS shared) k
    WHERE m.tenant = $1 AND ($2::int4 IS NULL OR m.account = $2) AND m.message >= $3 AND m.message < $4
    ORDER BY c.id, m.message"""

# Of the names of accounts that were another tenant's before: only what came after that.
_AUDIT: Final = f"""
    SELECT {_COLUMNS} FROM audit a WHERE number IS NOT NULL AND (
        (kind IN ('tenant', 'tenant_state', 'tenant_warning', 'tenant_appeal', 'tenant_term', 'tenant_profile', 'balance',
                  'price_notice', 'export', 'tenant_purge', 'mark_purge') AND name = $1)
        OR (kind = 'price' AND starts_with(name, $1 || '/'))
        OR (CASE kind WHEN 'review' THEN coalesce(new ->> 'account', new ->> 'looked_at')
                 WHEN 'account' THEN name WHEN 'account_state' THEN name WHEN 'account_warning' THEN name
                 WHEN 'account_appeal' THEN name WHEN 'secret' THEN name END = ANY ($2)
            AND number > coalesce((
                SELECT max(b.number) FROM audit b WHERE b.kind = 'account' AND coalesce(b.new, b.old) ->> 'tenant' <> $1
                AND b.name = CASE a.kind WHEN 'review' THEN coalesce(a.new ->> 'account', a.new ->> 'looked_at')
                                         ELSE a.name END), 0))
        OR (kind IN ('content', 'legal_hold', 'report', 'refund') AND coalesce(new, old) ->> 'tenant' = $1
            AND (cardinality($3::text[]) = 0 OR coalesce(new, old) ->> 'account' = ANY ($3)))
        OR (kind = 'complaint' AND name = ANY ($4)))
    ORDER BY number"""


async def messages(connection: Connection, meant: Filter) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the messages of a tenant or an account with what they said, as it is stored."""
    cursor = await connection.cursor(_MESSAGES, meant.tenant, meant.account, meant.from_id, meant.until_id)
    while page := await cursor.fetch(PAGE):
        yield page


async def verdicts(connection: Connection, meant: Filter) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield what rules and people decided of its held messages."""
    cursor = await connection.cursor(_VERDICTS, meant.tenant, meant.account, meant.from_id, meant.until_id)
    while page := await cursor.fetch(PAGE):
        yield page


async def complaints(connection: Connection, meant: Filter) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the complaints about its messages, a row for each message that one was found to mean."""
    cursor = await connection.cursor(_COMPLAINTS, meant.tenant, meant.account, meant.from_id, meant.until_id)
    while page := await cursor.fetch(PAGE):
        yield page


async def accounts(connection: Connection, of: Subject) -> list[str]:
    """Return the system_ids that are meant: the account's own, or all of the tenant."""
    if of.kind == "account":
        return [of.name]
    rows = await connection.fetch("SELECT system_id FROM account WHERE tenant = $1 ORDER BY system_id", of.tenant)
    return [row["system_id"] for row in rows]


async def audit(
    connection: Connection, of: Subject, names: list[str], complaints: Iterable[int] = ()
) -> AsyncIterator[list[AuditRow]]:
    """Yield the audit rows of a tenant, or those of its contract and of one account, in the order of the chain.

    `complaints`: those whose rows belong to it.
    """
    only = names if of.kind == "account" else []
    cursor = await connection.cursor(_AUDIT, of.tenant_name, names, only, [str(number) for number in sorted(complaints)])
    while page := await cursor.fetch(PAGE):
        yield [AuditRow(**row) for row in page]


async def keep(  # noqa: PLR0917 - the columns of its row
    connection: Connection,
    of: Subject,
    meant: Filter,
    authority: str,
    reference: str,
    sha256: str,
    actor: str,
    *,
    frozen: bool,
) -> int:
    """Note that a bundle was written for an authority; returns its number."""
    return int(
        await connection.fetchval(
            "INSERT INTO authority_report (kind, name, tenant, from_id, until_id, authority, reference, frozen, sha256, actor)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
            of.kind, of.name, of.tenant, meant.from_id, meant.until_id, authority, reference, frozen, sha256, actor,
        )
    )  # fmt: skip


async def reports(connection: Connection) -> list[dict[str, Any]]:
    """Return all that was reported, the newest first."""
    rows = await connection.fetch(
        "SELECT id AS report, kind, name, authority AS reported_to, reference, reported_at, actor, frozen, sha256"
        " FROM authority_report ORDER BY id DESC"
    )
    return [dict(row) for row in rows]


async def was_reported(connection: Connection, sha256: str) -> bool:
    """Whether a manifest of this hash was written, as both the register and the audit say."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM authority_report WHERE sha256 = $1) AND EXISTS (SELECT FROM audit"
            " WHERE kind = 'report' AND new ->> 'sha256' = $1)",
            sha256,
        )
    )
