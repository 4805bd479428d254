"""What tenants answered to steps of the ladder, and what became of it: rows ↔ values, one function a statement.

The database refuses to change what was said, and an outcome that is there. Every write happens in the caller's transaction.

Must never: change how anybody stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from smsgw.store.database import Connection
from smsgw.store.standing import Subject


@dataclass(frozen=True, slots=True)
class Appeal:
    """An answer to a step (the number of its audit row), by `said_by` of the tenant, noted by `actor`. `outcome` "": none yet."""

    id: int
    at: datetime
    kind: str
    name: str
    step: int
    said_by: str
    text: str
    actor: str
    outcome: str = ""
    outcome_by: str = ""
    outcome_at: datetime | None = None


async def steps(connection: Connection, of: Subject) -> list[int]:
    """Return the numbers of the steps that were taken with a tenant or an account, newest first."""
    rows = await connection.fetch(
        "SELECT id FROM audit WHERE kind = ANY ($1) AND name = $2 ORDER BY id DESC LIMIT 1000",
        [f"{of.kind}_state", f"{of.kind}_warning"],
        of.name,
    )
    return [row["id"] for row in rows]


async def open_of(connection: Connection, of: Subject) -> int:
    """Count the appeals of a tenant or an account that have no outcome yet."""
    return int(
        await connection.fetchval("SELECT count(*) FROM appeal WHERE kind = $1 AND subject = $2 AND outcome = ''", of.kind, of.id)
    )


async def add(connection: Connection, of: Subject, step: int, said_by: str, text: str, actor: str) -> int:  # noqa: PLR0917
    """Write an appeal down; returns its number."""
    return int(
        await connection.fetchval(
            "INSERT INTO appeal (kind, subject, step, said_by, text, actor) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            of.kind, of.id, step, said_by, text, actor,
        )
    )  # fmt: skip


_NAMED: Final = (
    "SELECT p.*, coalesce(t.name, a.system_id, p.kind || ' ' || p.subject) AS name FROM appeal p"
    " LEFT JOIN tenant t ON p.kind = 'tenant' AND t.id = p.subject LEFT JOIN account a ON p.kind = 'account' AND a.id = p.subject"
)


async def hold(connection: Connection, number: int) -> Appeal | None:
    """Lock an appeal until the transaction ends, and return it; None when there is none."""
    row = await connection.fetchrow(f"{_NAMED} WHERE p.id = $1 FOR UPDATE OF p", number)
    return None if row is None else _appeal(row)


async def answer(connection: Connection, number: int, outcome: str, actor: str) -> None:
    """Write down what became of an appeal."""
    await connection.execute(
        "UPDATE appeal SET outcome = $2, outcome_by = $3, outcome_at = now() WHERE id = $1", number, outcome, actor
    )


async def of(connection: Connection, *, answered: bool = True, limit: int = 1_000) -> list[Appeal]:
    """Return the newest appeals, newest first: all, or those without an outcome."""
    rows = await connection.fetch(f"{_NAMED} WHERE $1 OR p.outcome = '' ORDER BY p.id DESC LIMIT $2", answered, limit)
    return [_appeal(row) for row in rows]


def _appeal(row: asyncpg.Record) -> Appeal:
    return Appeal(**{key: row[key] for key in Appeal.__slots__})
