"""Contracts' terms, tenants' profiles, and what the closing of a contract is judged by: rows ↔ values, one function a statement.

Every write happens in the caller's transaction, under the lock of provisioning.

Must never: decide what follows from a term.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import asyncpg

from smsgw.store.database import Connection
from smsgw.store.standing import Subject


@dataclass(frozen=True, slots=True)
class Term:
    """How long a contract lasts, by UTC days; None: without such a day. `ends`, `verified_till`: the last day that counts.

    `then_state`: what follows when the days of grace are over too. `gate`: what follows when the verification is over. `fee_…`:
    what paying a closed cycle late costs (`smsgw.billing.late_fee`); `fee_rate` a day and `fee_cap` are shares, such as "0.0005".
    """

    starts: date | None = None
    ends: date | None = None
    grace_days: int = 0
    remind_days: tuple[int, ...] = (30, 7, 1)
    then_state: str = "suspended_arrears"
    verified_till: date | None = None
    gate: str = "none"
    gate_rate: int = 1
    fee_rate: str = "0"
    fee_due_days: int = 0
    fee_grace_days: int = 0
    fee_cap: str = "0"

    def told(self) -> dict[str, Any]:
        """Return what an audit row, a notice and a table say of it."""
        said = asdict(self)
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in said.items()}


async def term_of(connection: Connection, tenant: int) -> Term:
    """Return a tenant's term; one without any day where none was set."""
    row = await connection.fetchrow("SELECT * FROM term WHERE tenant = $1", tenant)
    return Term() if row is None else _term(row)


async def keep_term(connection: Connection, tenant: int, term: Term) -> None:
    """Let this be a tenant's term."""
    await connection.execute(
        "INSERT INTO term (tenant, starts, ends, grace_days, remind_days, then_state, verified_till, gate, gate_rate, fee_rate,"
        " fee_due_days, fee_grace_days, fee_cap) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT (tenant) DO UPDATE SET starts = excluded.starts,"
        " ends = excluded.ends, grace_days = excluded.grace_days, remind_days = excluded.remind_days,"
        " then_state = excluded.then_state, verified_till = excluded.verified_till, gate = excluded.gate,"
        " gate_rate = excluded.gate_rate, fee_rate = excluded.fee_rate, fee_due_days = excluded.fee_due_days,"
        " fee_grace_days = excluded.fee_grace_days, fee_cap = excluded.fee_cap",
        tenant,
        term.starts,
        term.ends,
        term.grace_days,
        list(term.remind_days),
        term.then_state,
        term.verified_till,
        term.gate,
        term.gate_rate,
        term.fee_rate,
        term.fee_due_days,
        term.fee_grace_days,
        term.fee_cap,
    )


async def terms(connection: Connection) -> list[tuple[Subject, Term]]:
    """Return every tenant that has a term, with it."""
    rows = await connection.fetch("SELECT t.name, r.* FROM term r JOIN tenant t ON t.id = r.tenant ORDER BY r.tenant")
    return [(Subject("tenant", row["name"], row["tenant"], row["tenant"], row["name"]), _term(row)) for row in rows]


async def today(connection: Connection) -> date:
    """Return the UTC day, by the database's clock."""
    day: date = await connection.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    return day


async def spent(connection: Connection) -> list[tuple[str, str, int]]:
    """Return (kind, name, balance) of what is closing and whose balance no longer pays the tenant's cheapest part.

    A tenant without any price is left out: nobody can tell what its money still pays.
    """
    rows = await connection.fetch(
        "SELECT s.kind, coalesce(a.system_id, t.name) AS name, b.amount FROM standing s"
        " LEFT JOIN account a ON s.kind = 'account' AND a.id = s.subject"
        " JOIN tenant t ON t.id = CASE s.kind WHEN 'tenant' THEN s.subject ELSE a.tenant END"
        " JOIN balance b ON b.tenant = t.id"
        " WHERE s.state = 'closing' AND b.amount + b.credit_limit < (SELECT min(price) FROM price_in_force WHERE tenant = t.id)"
        " ORDER BY s.kind, name"
    )
    return [(row["kind"], row["name"], row["amount"]) for row in rows]


# ---- profiles ------------------------------------------------------------------------------------------------------------


async def profile_of(connection: Connection, tenant: int) -> tuple[int, dict[str, str]]:
    """Return the newest version of a tenant's profile; (0, {}) where it has none."""
    row = await connection.fetchrow("SELECT version, fields FROM profile WHERE tenant = $1 ORDER BY version DESC LIMIT 1", tenant)
    return (0, {}) if row is None else (row["version"], json.loads(row["fields"]))


async def keep_profile(  # noqa: PLR0917 - the columns of its row
    connection: Connection, tenant: int, version: int, fields: Mapping[str, str], actor: str, reason: str
) -> None:
    """Add a version of a tenant's profile."""
    await connection.execute(
        "INSERT INTO profile (tenant, version, fields, actor, reason) VALUES ($1, $2, $3, $4, $5)",
        tenant,
        version,
        json.dumps(fields),
        actor,
        reason,
    )


async def profiles(connection: Connection, tenant: int) -> list[dict[str, Any]]:
    """Return all versions of a tenant's profile, newest first: version, at, actor, reason, fields."""
    rows = await connection.fetch(
        "SELECT version, at, actor, reason, fields FROM profile WHERE tenant = $1 ORDER BY version DESC", tenant
    )
    return [{**row, "fields": json.loads(row["fields"])} for row in rows]


def _term(row: asyncpg.Record) -> Term:
    values = {key: row[key] for key in Term.__slots__}
    return Term(**{**values, "remind_days": tuple(values["remind_days"])})
