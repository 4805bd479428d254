"""Rule sets in the store: which version each has, and what versions are made of. Content is kept by its hash and never changed.

Must never: hold a phone number (lists of numbers come as keyed hashes), know what a rule is.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Collection
from datetime import datetime
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
        UNION SELECT was.version FROM policy p, LATERAL (
            SELECT a.old ->> 'version' AS version, a.at, row_number() OVER (ORDER BY a.id DESC) AS age
            FROM audit a WHERE a.name = p.name AND a.kind = 'policy') was
        WHERE was.age < $1 OR was.at > now() - $2 * interval '1 day'
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
    """Keep what a version is made of, unless it is there. It is packed in a thread: a large one takes 20 ms."""
    packed = await asyncio.to_thread(zlib.compress, content)
    await connection.execute(
        "INSERT INTO policy_content (version, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", version, packed
    )


async def content_of(connection: Connection, version: str) -> bytes:
    """Return what a version is made of; b"" when it is not there."""
    content = await connection.fetchval("SELECT content FROM policy_content WHERE version = $1", version)
    return await asyncio.to_thread(zlib.decompress, content) if content is not None else b""


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

    Nor among the last `keep` that a set had in turn, the present one included, however it was changed, or had within so many days.

    The newest `keep` stay whatever they are. Returns how many went.
    """
    return int((await connection.execute(PURGE, keep, days, MOST_PURGED)).split()[-1])


# ---- for whoever looks at sets, or edits one -------------------------------------------------------------------------------


async def in_force(connection: Connection) -> list[dict[str, Any]]:
    """Return each set as it is: name, version, files, how many accounts it judges; when, by whom and why it became so."""
    rows = await connection.fetch(
        "SELECT p.name, p.version, p.files, (SELECT count(*) FROM account a WHERE a.settings ->> 'policy' = p.name) AS accounts,"
        " c.at, c.actor, c.reason FROM policy p LEFT JOIN LATERAL (SELECT a.at, a.actor, a.reason FROM audit a"
        " WHERE a.name = p.name AND a.kind = 'policy' ORDER BY a.id DESC LIMIT 1) c ON true ORDER BY p.name"
    )
    return [dict(row) for row in rows]


async def entity(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return one set in the shape of a provisioning file; None where there is none."""
    row = await connection.fetchrow("SELECT version, files FROM policy WHERE name = $1", name)
    return None if row is None else {"files": list(row["files"]), "version": row["version"]}


async def history(connection: Connection, name: str, limit: int) -> list[dict[str, Any]]:
    """Return the changes of a set, the newest first: when, by whom, why, its entity before and after, whether that is kept."""
    rows = await connection.fetch(
        "SELECT a.at, a.actor, a.reason, a.old::text AS old, a.new::text AS new,"
        " EXISTS (SELECT 1 FROM policy_content c WHERE c.version = a.new ->> 'version') AS kept"
        " FROM audit a WHERE a.name = $1 AND a.kind = 'policy' ORDER BY a.id DESC LIMIT $2",
        name,
        limit,
    )
    return [{**row, "old": json.loads(row["old"] or "null"), "new": json.loads(row["new"] or "null")} for row in rows]


async def last_changes(connection: Connection, names: Collection[str]) -> dict[str, tuple[str, datetime]]:
    """Return by whom and when these sets were changed last."""
    rows = await connection.fetch(
        "SELECT n.name, c.actor, c.at FROM unnest($1::text[]) AS n (name), LATERAL (SELECT a.actor, a.at FROM audit a"
        " WHERE a.name = n.name AND a.kind = 'policy' ORDER BY a.id DESC LIMIT 1) c",
        list(names),
    )
    return {row["name"]: (row["actor"], row["at"]) for row in rows}


async def accounts_of(connection: Connection, name: str) -> list[str]:
    """Return the system_ids of the accounts that a set judges."""
    rows = await connection.fetch("SELECT system_id FROM account WHERE settings ->> 'policy' = $1 ORDER BY system_id", name)
    return [row["system_id"] for row in rows]


async def relay_accounts(connection: Connection, name: str) -> list[str]:
    """Return the system_ids of relay accounts that a set judges: their messages can wait for nothing."""
    rows = await connection.fetch(
        "SELECT system_id FROM account WHERE settings ->> 'policy' = $1 AND settings ->> 'mode' = 'relay' ORDER BY system_id", name
    )
    return [row["system_id"] for row in rows]
