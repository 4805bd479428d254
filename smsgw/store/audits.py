"""The audit read back: who did what and why, in pages; and its chain walked, row by row, without trusting what the store computed.

Rows are written by `provisioning.audit`; the store gives each its place and hash at COMMIT (schema 0013).

Never here: changing a row.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from smsgw.store.chain import FIRST, AuditRow, Fault, Head, walk
from smsgw.store.database import Connection

PAGE: Final = 2_000
_COLUMNS: Final = "number, id, at, actor, kind, name, old::text AS old, new::text AS new, reason, previous, hash"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk found: rows looked at, the last head that fits, and the first fault."""

    rows: int
    head: Head
    fault: Fault | None = None


async def head(connection: Connection) -> Head:
    """Return where the chain has come to, as the store notes it."""
    row = await connection.fetchrow("SELECT number, hash FROM audit_head")
    assert row is not None
    return Head(row["number"], row["hash"])


async def pages(connection: Connection, after: int = 0) -> AsyncIterator[list[AuditRow]]:
    """Yield the rows behind a place, in the order of the chain."""
    while True:
        rows = await connection.fetch(f"SELECT {_COLUMNS} FROM audit WHERE number > $1 ORDER BY number LIMIT $2", after, PAGE)
        if not rows:
            return
        yield [AuditRow(**row) for row in rows]
        after = rows[-1]["number"]


async def verify(connection: Connection, *, last: int = 0, anchors: Sequence[Head] = ()) -> Verified:
    """Walk the chain, the newest `last` rows or all of it; `anchors`: heads noted elsewhere that it must have gone through."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        end = await head(connection)
        at = await _start(connection, end, last)
        wanted = {anchor.number: anchor.hash for anchor in anchors}
        rows = 0
        async for page in pages(connection, at.number):
            for step in walk(at, page):
                if isinstance(step, Fault):
                    return Verified(rows, at, step)
                if wanted.pop(step.number, step.hash) != step.hash:
                    return Verified(rows, at, Fault(step.number, 0, "has not the hash that was noted for it"))
                at, rows = step, rows + 1
        return Verified(rows, at, await _end(connection, at, end) or _unmet(wanted, at, whole=not last))


async def _start(connection: Connection, end: Head, last: int) -> Head:
    """Return the head before the rows to look at."""
    number = end.number - last if last else 0
    digest = await connection.fetchval("SELECT hash FROM audit WHERE number = $1", number) if number > 0 else None
    return Head(number, digest) if digest is not None else FIRST


async def _end(connection: Connection, at: Head, end: Head) -> Fault | None:
    """What the end of the chain lacks: rows that were cut off, rows that were slipped in."""
    if at.number < end.number:
        return Fault(at.number + 1, 0, f"is missing: the chain has come to {end.number}")
    if at != end:
        return Fault(at.number, 0, "is not the head that the chain has noted")
    slipped = await connection.fetchval("SELECT min(id) FROM audit WHERE number IS NULL")
    return Fault(at.number + 1, slipped, "has no place in the chain") if slipped is not None else None


def _unmet(wanted: dict[int, bytes], at: Head, *, whole: bool) -> Fault | None:
    beyond = [number for number in wanted if whole or number > at.number]
    return Fault(min(beyond), 0, "was noted elsewhere, and the chain does not go there") if beyond else None


async def find(  # noqa: PLR0917 - what a reader may ask for
    connection: Connection,
    kind: str | None,
    name: str | None,
    actor: str | None,
    since: datetime | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest rows that are asked for, the newest first; None asks for any."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM audit WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR name = $2)"
        " AND ($3::text IS NULL OR actor = $3) AND ($4::timestamptz IS NULL OR at >= $4) ORDER BY id DESC LIMIT $5",
        kind, name, actor, since, limit,
    )  # fmt: skip
    return [
        {
            "number": row["number"],
            "at": row["at"],
            "actor": row["actor"],
            "kind": row["kind"],
            "name": row["name"],
            "old": json.loads(row["old"] or "null"),
            "new": json.loads(row["new"] or "null"),
            "reason": row["reason"],
            "hash": row["hash"].hex() if row["hash"] else "",
        }
        for row in rows
    ]


async def currencies(connection: Connection) -> dict[str, str]:
    """Return the currency of each tenant, by name."""
    return {row["name"]: row["currency"] for row in await connection.fetch("SELECT name, currency FROM tenant")}
