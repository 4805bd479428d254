"""Rule sets in the store: which version each has, and what versions are made of. Content is kept by its hash and never changed.

Must never: hold a phone number (lists of numbers come as keyed hashes), know what a rule is.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any, Final

from smsgw.store.database import Connection

PUT: Final = (
    "INSERT INTO policy (name, version, files) VALUES ($1, $2, $3)"
    " ON CONFLICT (name) DO UPDATE SET version = excluded.version, files = excluded.files"
)
PURGE: Final = """
    WITH applied AS (
        SELECT content, lead(at) OVER (ORDER BY version) AS until, row_number() OVER (ORDER BY version DESC) AS age
        FROM provisioning_version),
    needed AS (
        SELECT entity -> 2 ->> 'version' AS version FROM applied, jsonb_array_elements(applied.content) AS entity
        WHERE entity ->> 0 = 'policy' AND (age <= $1 OR until IS NULL OR until > now() - $2 * interval '1 day')
        UNION SELECT version FROM policy
        UNION (SELECT version FROM policy_content ORDER BY at DESC LIMIT $1))
    DELETE FROM policy_content WHERE version IN (
        SELECT version FROM policy_content
        WHERE at < now() - $2 * interval '1 day' AND version NOT IN (SELECT version FROM needed WHERE version IS NOT NULL)
        ORDER BY at LIMIT $3)"""
MOST_PURGED: Final = 100
"""Versions that one purge forgets at most: the rest waits for the next one."""
DELETE: Final = "DELETE FROM policy WHERE name = $1"


async def read_entities(connection: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the sets in the shape of a provisioning file."""
    rows = await connection.fetch("SELECT name, version, files FROM policy")
    return {("policy", row["name"]): {"files": list(row["files"]), "version": row["version"]} for row in rows}


async def keep_content(connection: Connection, version: str, content: bytes) -> None:
    """Keep what a version is made of, unless it is there."""
    await connection.execute(
        "INSERT INTO policy_content (version, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", version, zlib.compress(content)
    )


async def content_of(connection: Connection, version: str) -> bytes:
    """Return what a version is made of; b"" when it is not there."""
    content = await connection.fetchval("SELECT content FROM policy_content WHERE version = $1", version)
    return zlib.decompress(content) if content is not None else b""


async def version_for(connection: Connection, account: str) -> str:
    """Return the version of the set that judges an account, by its system_id; "" for none."""
    version = await connection.fetchval(
        "SELECT p.version FROM account a JOIN policy p ON p.name = a.settings ->> 'policy' WHERE a.system_id = $1", account
    )
    return version or ""


async def strict(connection: Connection, account: str) -> bool:
    """Tell whether an account has the strict 3.4 profile of statuses."""
    said = await connection.fetchval("SELECT a.settings ->> 'strict_34' FROM account a WHERE a.system_id = $1", account)
    return bool(said == "true")


async def lacking(connection: Connection, versions: Collection[str]) -> set[str]:
    """Return those of these versions whose content is not kept."""
    rows = await connection.fetch("SELECT version FROM policy_content WHERE version = ANY ($1)", list(versions))
    return set(versions) - {row["version"] for row in rows}


async def purge(connection: Connection, *, keep: int, days: int) -> int:
    """Forget versions that nobody needs: not in force, in none of the last `keep` applied files, nor in one within so many days.

    The newest `keep` stay whatever they are. Returns how many went.
    """
    return int((await connection.execute(PURGE, keep, days, MOST_PURGED)).split()[-1])
