"""Accounts' secrets: argon2id hashes, one function a statement.

Must never: see a password in clear, or let a hash into an audit row, an error or a log.
"""

from __future__ import annotations

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
