"""How notices get to their tenants: planned once, claimed by one node at a time, tried until done or given up.

A tenant with neither webhook nor mail has nothing planned: its notices stand in the list alone.

Must never: send anything; forget a notice that was planned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from smsgw.store.database import Connection

PLAN_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Due:
    """A notice to one address that is this node's to try now, for the `tries`th time."""

    notice: int
    channel: str
    target: str
    tries: int
    tenant: str
    kind: str
    at: datetime
    params: Mapping[str, Any]


async def plan(connection: Connection, cap: int) -> int:
    """Plan the deliveries of new notices, at most `cap` notices a tenant and day (UTC); returns how many the cap held back."""
    capped = 0
    async with connection.transaction():
        new = await connection.fetch(
            "SELECT n.id, n.tenant, t.settings FROM notice n LEFT JOIN tenant t ON t.id = n.tenant WHERE n.planned_at IS NULL"
            " ORDER BY n.id LIMIT $1 FOR UPDATE OF n SKIP LOCKED",
            PLAN_AT_ONCE,
        )
        if not new:
            return 0
        for tenant in sorted({row["tenant"] for row in new}):
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('smsgw_notices'), $1)", tenant)
        for row in new:
            settings = json.loads(row["settings"] or "{}")
            targets = [("webhook", url) for url in (settings.get("notice_webhook"),) if url]
            targets += [("mail", address) for address in settings.get("notice_mail", ())]
            state = "open"
            if targets and await _today(connection, row["tenant"]) >= cap:
                state, capped = "capped", capped + 1
            await connection.executemany(
                "INSERT INTO notice_delivery (notice, channel, target, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                [(row["id"], *target, state) for target in targets],
            )
            await connection.execute("UPDATE notice SET planned_at = now() WHERE id = $1", row["id"])
    return capped


async def _today(connection: Connection, tenant: int) -> int:
    """Count the notices of a tenant that were planned today."""
    return int(
        await connection.fetchval(
            "SELECT count(DISTINCT d.notice) FROM notice_delivery d JOIN notice n ON n.id = d.notice"
            " WHERE n.tenant = $1 AND d.state <> 'capped' AND n.planned_at >= date_trunc('day', now())",
            tenant,
        )
    )


async def claim(connection: Connection, limit: int, *, lease_s: float) -> list[Due]:
    """Take deliveries that are due, oldest first; another node may take them again once the lease is over."""
    rows = await connection.fetch(
        "WITH due AS (SELECT notice, channel, target FROM notice_delivery WHERE state = 'open' AND due <= now() ORDER BY due"
        " LIMIT $1 FOR UPDATE SKIP LOCKED), taken AS (UPDATE notice_delivery d SET tries = d.tries + 1, due = now() + $2 FROM due u"
        " WHERE d.notice = u.notice AND d.channel = u.channel AND d.target = u.target RETURNING d.*)"
        " SELECT k.notice, k.channel, k.target, k.tries, coalesce(t.name, 'tenant ' || n.tenant) AS tenant, n.kind, n.at, n.params"
        " FROM taken k JOIN notice n ON n.id = k.notice LEFT JOIN tenant t ON t.id = n.tenant ORDER BY k.notice",
        limit,
        timedelta(seconds=lease_s),
    )
    return [Due(**{**row, "params": json.loads(row["params"])}) for row in rows]


async def settle(connection: Connection, of: Due, state: str, error: str, wait_s: float) -> None:
    """Write down what came of a try; a notice that has reached one address has been told."""
    await connection.execute(
        "UPDATE notice_delivery SET state = $4, error = $5, due = now() + $6, at = now()"
        " WHERE notice = $1 AND channel = $2 AND target = $3 AND state = 'open'",
        of.notice, of.channel, of.target, state, error[:200], timedelta(seconds=wait_s),
    )  # fmt: skip
    if state == "done":
        await connection.execute("UPDATE notice SET told_at = now() WHERE id = $1 AND told_at IS NULL", of.notice)
