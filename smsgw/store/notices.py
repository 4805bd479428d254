"""Notices: what tenants are told, kept until somebody has told it (`told_at`). One function a statement.

A notice is written in the transaction of what it tells of. With a `coalesce_key` it is written once, however often its cause
comes again: a threshold, a burst, a reminder. Never a secret, nor what a message says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smsgw.store.database import Connection


async def add(
    connection: Connection,
    tenant: int,
    kind: str,
    params: Mapping[str, Any],
    *,
    account: int | None = None,
    coalesce_key: str | None = None,
) -> bool:
    """Write a notice to a tenant (by id); False when that of this key is there already."""
    done = await connection.fetchval(
        "INSERT INTO notice (tenant, account, kind, params, coalesce_key) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (coalesce_key) WHERE coalesce_key IS NOT NULL DO NOTHING RETURNING id",
        tenant,
        account,
        kind,
        json.dumps(params),
        coalesce_key,
    )
    return done is not None


async def add_seldom(
    connection: Connection, tenant: int, kind: str, params: Mapping[str, Any], *, account: int, coalesce_key: str
) -> bool:
    """Write a notice unless this account had one of this kind within the hour; False then, or when that of this key is there."""
    lately = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM notice WHERE tenant = $1 AND account = $2 AND kind = $3 AND at > now() - interval '1 hour')",
        tenant,
        account,
        kind,
    )
    return not lately and await add(connection, tenant, kind, params, account=account, coalesce_key=coalesce_key)


async def fold(  # noqa: PLR0917 - the columns of its row
    connection: Connection, tenant: int, account: int, kind: str, name: str, addresses: list[str], coalesce_key: str
) -> bool:
    """Write a notice of addresses, or add them to that of this key (ten at most, and how many `times`); True for a new one."""
    return bool(
        await connection.fetchval(
            "INSERT INTO notice (tenant, account, kind, params, coalesce_key)"
            " VALUES ($1, $2, $3, jsonb_build_object('name', $4::text, 'addresses', to_jsonb($5::text[]), 'times', 1), $6)"
            " ON CONFLICT (coalesce_key) WHERE coalesce_key IS NOT NULL DO UPDATE SET params = notice.params"
            " || jsonb_build_object('times', (notice.params ->> 'times')::int + 1, 'addresses',"
            "  CASE WHEN jsonb_array_length(notice.params -> 'addresses') < 10"
            "  THEN (notice.params -> 'addresses') || (excluded.params -> 'addresses') ELSE notice.params -> 'addresses' END)"
            " RETURNING xmax = 0",
            tenant, account, kind, name, addresses[:10], coalesce_key,
        )
    )  # fmt: skip


async def untold(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Return notices that nobody has told yet, oldest first: id, at, tenant, account, kind, params."""
    rows = await connection.fetch(
        "SELECT id, at, tenant, account, kind, params FROM notice WHERE told_at IS NULL ORDER BY id LIMIT $1", limit
    )
    return [{**row, "params": json.loads(row["params"])} for row in rows]


async def told(connection: Connection, ids: list[int]) -> None:
    """Note that these have been told."""
    await connection.execute("UPDATE notice SET told_at = now() WHERE id = ANY ($1) AND told_at IS NULL", ids)


async def of(connection: Connection, tenant: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest notices, of one tenant (by name) or of all, newest first."""
    rows = await connection.fetch(
        "SELECT n.id, n.at, t.name AS tenant, a.system_id AS account, n.kind, n.params, n.told_at FROM notice n"
        " JOIN tenant t ON t.id = n.tenant LEFT JOIN account a ON a.id = n.account"
        " WHERE $1::text IS NULL OR t.name = $1 ORDER BY n.id DESC LIMIT $2",
        tenant,
        limit,
    )
    return [{**row, "params": json.loads(row["params"])} for row in rows]
