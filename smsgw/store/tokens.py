"""Tokens of the HTTP API: rows by name, and by hash for whoever shows one.

Must never: see a token; it comes as its SHA-256. Delete a row: the audit names it for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from smsgw.store.database import Connection, Pool, borrowed

_COLUMNS: Final = (
    "name, hash, may, actor, at, expires, revoked, used,"
    " revoked IS NULL AND (expires IS NULL OR expires > clock_timestamp()) AS live"
)
USED_AGAIN_S: Final = 60
"""How old the note of a token's use is before it is written anew."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token: its SHA-256, what it may, by whom and when it was made, and whether it works."""

    name: str
    hash: bytes
    may: tuple[str, ...]
    actor: str
    at: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None
    live: bool


async def by_hash(pool: Pool, digest: bytes) -> Token | None:
    """Return the token of a hash, whether it works or not, and note its use."""
    async with borrowed(pool) as connection:
        row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM api_token WHERE hash = $1", digest)
        if row is not None and row["live"]:
            await connection.execute(
                "UPDATE api_token SET used = now() WHERE name = $1 AND (used IS NULL OR used < now() - $2 * interval '1 second')",
                row["name"],
                USED_AGAIN_S,
            )
    return None if row is None else Token(**{**row, "may": tuple(row["may"])})


async def every(connection: Connection) -> list[Token]:
    """Return all tokens, those that are over as well, by name."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM api_token ORDER BY name")
    return [Token(**{**row, "may": tuple(row["may"])}) for row in rows]


async def find(connection: Connection, name: str) -> Token | None:
    """Return the token of a name."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM api_token WHERE name = $1", name)
    return None if row is None else Token(**{**row, "may": tuple(row["may"])})


async def add(  # noqa: PLR0917 - the columns of its row
    connection: Connection, name: str, digest: bytes, may: Sequence[str], actor: str, expires: datetime | None
) -> bool:
    """Keep a new token; False where the name was given before."""
    done = await connection.execute(
        "INSERT INTO api_token (name, hash, may, actor, expires) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
        name, digest, list(may), actor, expires,
    )  # fmt: skip
    return bool(done.endswith(" 1"))


async def revoke(connection: Connection, name: str) -> bool:
    """Take a token away; False where there is none, or it was taken away before."""
    done = await connection.execute("UPDATE api_token SET revoked = now() WHERE name = $1 AND revoked IS NULL", name)
    return bool(done.endswith(" 1"))
