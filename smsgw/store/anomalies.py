"""What is unusual about an account as the store knows it: new addresses, binds from several places at once.

A statement reads what binds have left, not messages. Never here: who is told, and how often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from smsgw.store.database import Connection


@dataclass(frozen=True, slots=True)
class Seen:
    """An account and addresses, or networks, of it."""

    account: int
    system_id: str
    tenant: int
    addresses: tuple[str, ...]


async def note_sources(connection: Connection, came: Mapping[tuple[int, str], float], most: int) -> list[Seen]:
    """Remember where accounts were bound from, `most` addresses each; return what is new for who was bound before.

    `came`: (account id, address) → when, in seconds since 1970. Of several nodes one alone learns that an address is new.
    """
    keys = sorted(came)
    accounts = [account for account, _ in keys]
    rows = await connection.fetch(
        "WITH had AS (SELECT DISTINCT account FROM account_source WHERE account = ANY ($1)),"
        " put AS (INSERT INTO account_source AS s (account, address, first_at, last_at)"
        "  SELECT u.account, u.address, to_timestamp(u.at), to_timestamp(u.at) FROM unnest($1::int4[], $2::text[], $3::float8[])"
        "  AS u(account, address, at) ON CONFLICT (account, address) DO UPDATE SET last_at = greatest(s.last_at, excluded.last_at)"
        "  RETURNING account, address, xmax = 0 AS fresh)"
        " SELECT a.id, a.system_id, a.tenant, array_agg(p.address ORDER BY p.address) AS addresses FROM put p"
        " JOIN had USING (account) JOIN account a ON a.id = p.account WHERE p.fresh GROUP BY a.id ORDER BY a.id",
        accounts, [address for _, address in keys], [came[key] for key in keys],
    )  # fmt: skip
    await connection.execute(
        "DELETE FROM account_source s USING (SELECT account, address,"
        " row_number() OVER (PARTITION BY account ORDER BY last_at DESC, address) AS place FROM account_source"
        " WHERE account = ANY ($1)) o WHERE o.place > $2 AND s.account = o.account AND s.address = o.address",
        accounts,
        most,
    )
    return [_seen(row) for row in rows]


_NETWORK: Final = "network(set_masklen(b.address::inet, CASE family(b.address::inet) WHEN 4 THEN 24 ELSE 48 END))"


async def in_places(connection: Connection, most: int) -> list[Seen]:
    """Return accounts that are bound from more than `most` networks (/24, of IPv6 /48) at this moment, over all nodes."""
    rows = await connection.fetch(
        f"SELECT a.id, a.system_id, a.tenant, array_agg(DISTINCT {_NETWORK}::text) AS addresses"
        " FROM bind b JOIN account a ON a.id = b.account WHERE b.address <> ''"
        f" GROUP BY a.id HAVING count(DISTINCT {_NETWORK}) > $1 ORDER BY a.id LIMIT 1000",
        most,
    )
    return [_seen(row) for row in rows]


async def account(connection: Connection, system_id: str) -> Seen | None:
    """Return an account by its system_id; None when there is none."""
    row = await connection.fetchrow(
        "SELECT id, system_id, tenant, '{}'::text[] AS addresses FROM account WHERE system_id = $1", system_id
    )
    return None if row is None else _seen(row)


def _seen(row: asyncpg.Record) -> Seen:
    return Seen(row["id"], row["system_id"], row["tenant"], tuple(row["addresses"]))
