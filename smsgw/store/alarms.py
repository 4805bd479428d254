"""Balances that crossed a threshold, or no longer pay anything: found in the store, whoever moved them; and when the last step was
taken about an account's signs of pumping. One function a statement.

A statement reads the balances of tenants with alarms, not messages: looking once a second costs the same at any load. Its rows are
remembered in `balance_alarm`, so that of several nodes one alone tells of a crossing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smsgw.store.database import Connection

PUMPING: Final = "pumping"
"""The reason of steps that smsgw takes about signs of pumping."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """A balance below a threshold of which its tenant was not told yet (Money)."""

    tenant_id: int
    tenant: str
    currency: str
    threshold: int
    amount: int
    credit_limit: int


_THRESHOLDS: Final = (
    "SELECT t.id AS tenant_id, t.name AS tenant, t.currency, (x.threshold::numeric * 1000000)::int8 AS threshold, b.amount,"
    " b.credit_limit FROM tenant t JOIN balance b ON b.tenant = t.id"
    " CROSS JOIN LATERAL jsonb_array_elements_text(t.settings -> 'balance_alarms') AS x(threshold)"
)
# What the cheapest part costs; a tenant without prices can send nothing, so that a unit is enough for it.
_CHEAPEST: Final = "coalesce((SELECT min(p.price) FROM price_in_force p WHERE p.tenant = t.id AND p.price > 0), 1)"


async def forget_risen(connection: Connection) -> int:
    """Forget the thresholds that balances have risen to again, and those that are no setting any more; returns how many."""
    rows = await connection.fetch(
        f"DELETE FROM balance_alarm a WHERE NOT EXISTS (SELECT 1 FROM ({_THRESHOLDS}) f"
        " WHERE f.tenant_id = a.tenant AND f.threshold = a.threshold AND f.amount < f.threshold) RETURNING a.tenant"
    )
    return len(rows)


async def fallen(connection: Connection) -> list[Fallen]:
    """Return balances below a threshold that was not told of yet, the highest first."""
    rows = await connection.fetch(
        f"SELECT f.* FROM ({_THRESHOLDS}) f WHERE f.amount < f.threshold AND NOT EXISTS (SELECT 1 FROM balance_alarm a"
        " WHERE a.tenant = f.tenant_id AND a.threshold = f.threshold) ORDER BY f.tenant_id, f.threshold DESC LIMIT 1000"
    )
    return [Fallen(**row) for row in rows]


async def take(connection: Connection, of: Fallen) -> bool:
    """Make a crossing this node's to tell of; False when another was first."""
    taken = await connection.fetchval(
        "INSERT INTO balance_alarm (tenant, threshold) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING tenant",
        of.tenant_id,
        of.threshold,
    )
    return taken is not None


async def exhausted(connection: Connection) -> list[str]:
    """Return tenants (by name) that are to be suspended: they can pay no part any more, and nothing stricter holds."""
    rows = await connection.fetch(
        "SELECT t.name FROM tenant t JOIN balance b ON b.tenant = t.id WHERE t.settings -> 'suspend_at_limit' = 'true'"
        f" AND b.amount + b.credit_limit < {_CHEAPEST} AND NOT EXISTS (SELECT 1 FROM standing s WHERE s.kind = 'tenant'"
        " AND s.subject = t.id AND s.state <> 'limited') ORDER BY t.name LIMIT 1000"
    )
    return [row["name"] for row in rows]


async def covered(connection: Connection, reason: str) -> list[str]:
    """Return tenants (by name) that were suspended for this reason and can pay again, or are not to be suspended any more."""
    rows = await connection.fetch(
        "SELECT t.name FROM standing s JOIN tenant t ON t.id = s.subject JOIN balance b ON b.tenant = t.id"
        " WHERE s.kind = 'tenant' AND s.state = 'suspended_arrears' AND s.reason = $1"
        f" AND (b.amount + b.credit_limit >= {_CHEAPEST} OR t.settings -> 'suspend_at_limit' IS DISTINCT FROM 'true')"
        " ORDER BY t.name LIMIT 1000",
        reason,
    )
    return [row["name"] for row in rows]


async def last_step_s(connection: Connection, system_id: str) -> float | None:
    """Return how many seconds ago the last step was taken about an account's signs of pumping; None: never."""
    found: float | None = await connection.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM audit"
        f" WHERE name = $1 AND actor = 'smsgw' AND reason = '{PUMPING}' AND kind LIKE 'account%' ORDER BY id DESC LIMIT 1",
        system_id,
    )
    return found
