"""Versions of provisioning as applied from files: what the three-way difference starts from, and what a rollback returns to.

Must never: hold a secret (entities hold none).
"""

from __future__ import annotations

import json
from collections.abc import Collection

from smsgw.store.database import Connection
from smsgw.store.provisioning import Entities, Key


async def last_applied(connection: Connection, *, before: int | None = None) -> tuple[int, Entities] | None:
    """Read the newest version applied from a file (older than `before` if given); None when there is none."""
    row = await connection.fetchrow(
        "SELECT version, content FROM provisioning_version WHERE $1::int8 IS NULL OR version < $1 ORDER BY version DESC LIMIT 1",
        before,
    )
    if row is None:
        return None
    return row["version"], {(kind, name): values for kind, name, values, *_ in json.loads(row["content"])}


async def made_by_files(connection: Connection, number: int) -> frozenset[Key]:
    """Return the entities of a version that a file created, as opposed to those that were there already."""
    content = await connection.fetchval("SELECT content FROM provisioning_version WHERE version = $1", number)
    return frozenset((kind, name) for kind, name, _, *found in json.loads(content or "[]") if "found" not in found)


async def keep_version(connection: Connection, entities: Entities, actor: str, found: Collection[Key] = ()) -> int:
    """Keep what has been applied, for the next difference and for rollback. `found`: what no file created, but was there."""
    content = [[*key, values, *(["found"] if key in found else [])] for key, values in sorted(entities.items())]
    return int(
        await connection.fetchval(
            "INSERT INTO provisioning_version (content, actor) VALUES ($1, $2) RETURNING version", json.dumps(content), actor
        )
    )


async def drop_version(connection: Connection, number: int) -> None:
    """Forget a version that was rolled back."""
    await connection.execute("DELETE FROM provisioning_version WHERE version = $1", number)
