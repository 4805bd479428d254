"""Who is provisioned, for people: tenants and accounts as rows with their balance, state and binds. Read only; no secret."""

from __future__ import annotations

import json
from typing import Any, Final

from smsgw.store.database import Connection

_TENANTS: Final = (
    "SELECT t.name AS tenant, t.currency, t.basis, b.amount AS balance, t.credit_limit, coalesce(s.state, 'active') AS state,"
    " s.reason, s.until, r.starts, r.ends, r.grace_days, r.then_state, r.verified_till, r.gate,"
    " (SELECT count(*) FROM account a WHERE a.tenant = t.id) AS accounts"
    " FROM tenant t LEFT JOIN balance b ON b.tenant = t.id LEFT JOIN term r ON r.tenant = t.id"
    " LEFT JOIN standing s ON s.kind = 'tenant' AND s.subject = t.id"
)
_ACCOUNTS: Final = (
    "SELECT a.system_id AS account, t.name AS tenant, coalesce(s.state, 'active') AS state,"
    " coalesce(c.state, 'active') AS tenant_state, s.reason, s.until,"
    " (SELECT count(*) FROM bind d WHERE d.account = a.id) AS binds,"
    " (SELECT count(*) FROM secret h WHERE h.account = a.id AND (h.until IS NULL OR h.until > clock_timestamp())) AS secrets,"
    " (SELECT max(h.used_at) FROM secret h WHERE h.account = a.id) AS last_bind, a.settings"
    " FROM account a JOIN tenant t ON t.id = a.tenant LEFT JOIN standing s ON s.kind = 'account' AND s.subject = a.id"
    " LEFT JOIN standing c ON c.kind = 'tenant' AND c.subject = a.tenant"
)


async def tenants(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    """Return all tenants, or the one of a name. Amounts are Money."""
    rows = await connection.fetch(f"{_TENANTS} WHERE $1::text IS NULL OR t.name = $1 ORDER BY t.name", name)
    return [dict(row) for row in rows]


async def accounts(connection: Connection, name: str | None = None, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return all accounts, those of a tenant, or the one of a system_id; `settings` are those that are not the default."""
    rows = await connection.fetch(
        f"{_ACCOUNTS} WHERE ($1::text IS NULL OR a.system_id = $1) AND ($2::text IS NULL OR t.name = $2) ORDER BY a.system_id",
        name,
        tenant,
    )
    return [{**row, "settings": json.loads(row["settings"])} for row in rows]


async def history(connection: Connection, kinds: list[str], name: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest audit rows of these kinds for a name: step (its number), at, actor, kind, old, new, reason."""
    rows = await connection.fetch(
        "SELECT id AS step, at, actor, kind, old, new, reason FROM audit WHERE kind = ANY ($1) AND name = $2"
        " ORDER BY id DESC LIMIT $3",
        kinds,
        name,
        limit,
    )
    return [{**row, "old": json.loads(row["old"] or "null"), "new": json.loads(row["new"] or "null")} for row in rows]
