"""Accounts' secrets: argon2id hashes, one function a statement.

Must never: see a password in clear, or let a hash into an audit row, an error or a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from smsgw.store.database import Connection


async def secret_set_since(connection: Connection, system_id: str, version: int) -> bool:
    """Whether an account's secret was set after a version was applied."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM secret s JOIN account a ON a.id = s.account"
            " JOIN provisioning_version v ON v.version = $2 WHERE a.system_id = $1 AND s.at > v.at)",
            system_id,
            version,
        )
    )


async def secrets_of(connection: Connection, system_id: str) -> list[str]:
    """Return an account's hashes."""
    rows = await connection.fetch(
        "SELECT s.hash FROM secret s JOIN account a ON a.id = s.account WHERE a.system_id = $1", system_id
    )
    return [row["hash"] for row in rows]


async def all_secrets(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the hashes of every account that has any, by system_id."""
    rows = await connection.fetch(
        "SELECT a.system_id, array_agg(s.hash ORDER BY s.at DESC,"
        " s.hash) AS hashes FROM secret s JOIN account a ON a.id = s.account"
        " GROUP BY a.system_id"
    )
    return {row["system_id"]: tuple(row["hashes"]) for row in rows}


async def set_secret(connection: Connection, system_id: str, new_hash: str) -> None:
    """Make this the account's only secret."""
    account = await connection.fetchval("SELECT id FROM account WHERE system_id = $1", system_id)
    await connection.execute("DELETE FROM secret WHERE account = $1", account)
    await connection.execute("INSERT INTO secret (account, hash) VALUES ($1, $2)", account, new_hash)


# ---- secrets in turn ---------------------------------------------------------------------------------------------------------


async def rows(connection: Connection, account: int) -> list[dict[str, Any]]:
    """Return an account's secrets, the newest first, without their hashes: id, at, actor, until, used_at, used_from, live."""
    found = await connection.fetch(
        "SELECT id, at, actor, until, used_at, used_from, until IS NULL OR until > clock_timestamp() AS live FROM secret"
        " WHERE account = $1 ORDER BY at DESC, id DESC",
        account,
    )
    return [dict(row) for row in found]


async def add(connection: Connection, account: int, new_hash: str, actor: str) -> int:
    """Give an account one more secret; returns its number."""
    return int(
        await connection.fetchval(
            "INSERT INTO secret (account, hash, actor) VALUES ($1, $2, $3) RETURNING id", account, new_hash, actor
        )
    )


async def end(connection: Connection, numbers: Sequence[int], until: datetime) -> None:
    """Let secrets work until then, and no longer."""
    await connection.execute("UPDATE secret SET until = $2 WHERE id = ANY ($1)", list(numbers), until)


async def drop(connection: Connection, numbers: Sequence[int]) -> None:
    """Take secrets away at once."""
    await connection.execute("DELETE FROM secret WHERE id = ANY ($1)", list(numbers))


async def note_used(connection: Connection, used: Mapping[str, tuple[float, str]]) -> None:
    """Note when secrets (by hash) were last used (seconds since 1970), and from which address."""
    await connection.execute(
        "UPDATE secret s SET used_at = to_timestamp(u.at), used_from = u.address"
        " FROM unnest($1::text[], $2::float8[], $3::text[]) AS u(hash, at, address)"
        " WHERE s.hash = u.hash AND (s.used_at IS NULL OR s.used_at < to_timestamp(u.at))",
        list(used),
        [at for at, _ in used.values()],
        [address for _, address in used.values()],
    )
