"""Consents: that a recipient wanted an account's marketing, where he said so, when, and its proof. One function a statement.

A row is kept when it is withdrawn; the mark by which messages are judged is set and lifted beside it (`store.marks`).

Must never: hold a phone number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from smsgw.store.database import Connection


async def add(  # noqa: PLR0917 - the columns of its rows
    connection: Connection,
    account: int,
    numbers: Sequence[int],
    sources: Sequence[str],
    given: Sequence[datetime],
    proofs: Sequence[str],
    actor: str,
) -> int:
    """Keep consents; the same one again changes nothing. Returns how many are new."""
    rows = await connection.fetch(
        "INSERT INTO consent (account, number, source, given, proof, actor)"
        " SELECT DISTINCT ON (u.number, u.given, u.source) $1, u.number, u.source, u.given, u.proof, $6"
        " FROM unnest($2::int8[], $3::text[], $4::timestamptz[], $5::text[]) AS u(number, source, given, proof)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        account,
        list(numbers),
        list(sources),
        list(given),
        list(proofs),
        actor,
    )
    return len(rows)


async def standing(connection: Connection, account: int, numbers: Sequence[int]) -> set[int]:
    """Return those of these numbers with a consent that is not withdrawn, given after the last time that they withdrew one."""
    rows = await connection.fetch(
        "SELECT DISTINCT c.number FROM consent c WHERE c.account = $1 AND c.number = ANY ($2::int8[]) AND c.withdrawn IS NULL"
        " AND c.given > ALL (SELECT w.withdrawn FROM consent w WHERE w.account = $1 AND w.number = c.number"
        " AND w.withdrawn IS NOT NULL)",
        account,
        list(numbers),
    )
    return {row["number"] for row in rows}


async def withdraw(connection: Connection, account: int, number: int, actor: str, why: str) -> int:
    """Note that a recipient has withdrawn what he consented to; returns how many consents that ends."""
    rows = await connection.fetch(
        "UPDATE consent SET withdrawn = clock_timestamp(), withdrawn_by = $3, withdrawn_why = $4"
        " WHERE account = $1 AND number = $2 AND withdrawn IS NULL RETURNING id",
        account,
        number,
        actor,
        why,
    )
    return len(rows)


async def of_number(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Return what a recipient has consented to, newest first."""
    rows = await connection.fetch(
        "SELECT a.system_id AS account, c.source, c.given, c.proof, c.actor, c.at, c.withdrawn, c.withdrawn_by, c.withdrawn_why"
        " FROM consent c LEFT JOIN account a ON a.id = c.account WHERE c.number = $1 ORDER BY c.given DESC, c.id DESC",
        number,
    )
    return [dict(row) for row in rows]
