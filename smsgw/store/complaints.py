"""The register of complaints: what was complained of, which messages were meant, what came of it. One function a statement.

A number is kept as its keyed hash and with its middle hidden; whose message it was is found among the stored ones by the number
that whoever complains gives, once.

Must never: hold a full phone number, or what a message says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.messages import ANY_CLASS

_TODAY: Final = "(clock_timestamp() AT TIME ZONE 'UTC')::date"


@dataclass(frozen=True, slots=True)
class Meant:
    """A stored message that a complaint may mean.

    `body`: its PDU after the header as it is stored, sealed or plain; None: it is kept no more.
    """

    message: int
    tenant: int
    account: int
    system_id: str
    timezone: str
    sender: str
    command: int
    state: int
    body: bytes | None


async def counts(connection: Connection) -> tuple[int, int]:
    """Return how many complaints are open, and how many of these are past their due date."""
    row = await connection.fetchrow(
        f"SELECT count(*) AS open, count(*) FILTER (WHERE due < {_TODAY}) AS overdue FROM complaint WHERE closed IS NULL"
    )
    assert row is not None
    return row["open"], row["overdue"]


async def messages_to(connection: Connection, spellings: Sequence[str], from_s: float, until_s: float) -> list[Meant]:
    """Return the messages to a number, in any of its spellings, accepted between two moments (seconds since 1970), oldest first.

    It reads the days that it is asked for: there is no index by destination, so that accepting stays cheap.
    """
    rows = await connection.fetch(
        "SELECT m.id, m.tenant, m.account, coalesce(a.system_id, '') AS system_id,"
        " coalesce(t.settings ->> 'timezone', 'UTC') AS timezone, m.source, m.command, m.state, c.body"
        " FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN tenant t ON t.id = m.tenant"
        f" LEFT JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id"
        " WHERE m.id >= $1 AND m.id < $2 AND m.destination = ANY ($3) ORDER BY m.id LIMIT 1000",
        least_id_at(from_s),
        least_id_at(until_s),
        list(spellings),
    )
    return [Meant(*row.values()) for row in rows]


async def add(  # noqa: PLR0917 - the columns of its row
    connection: Connection,
    source: str,
    number: int,
    masked: str,
    day: date,
    due: date,
    blocked: str,
    reference: str,
    note: str,
    actor: str,
) -> int | None:
    """Register a complaint; returns its number, or None if one of this source and reference is there already."""
    found = await connection.fetchval(
        "INSERT INTO complaint (source, number, masked, day, due, blocked, reference, note, actor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (source, reference) WHERE reference <> '' DO NOTHING RETURNING id",
        *(source, number, masked, day, due, blocked, reference, note, actor),
    )
    return None if found is None else int(found)


async def match(connection: Connection, complaint: int, meant: Sequence[tuple[Meant, str]]) -> None:
    """Note which messages a complaint means, each with the signature of its text."""
    await connection.executemany(
        "INSERT INTO complaint_message (complaint, message, account, tenant, sender, signature) VALUES ($1, $2, $3, $4, $5, $6)",
        [(complaint, one.message, one.account, one.tenant, one.sender, signature) for one, signature in meant],
    )


_ROWS: Final = (
    "SELECT c.id AS complaint, c.source, c.reference, c.masked AS number, c.day, c.received, c.due,"
    f" CASE WHEN c.closed IS NOT NULL THEN 'closed' WHEN c.due < {_TODAY} THEN 'overdue' ELSE 'open' END AS state,"
    " array(SELECT DISTINCT a.system_id FROM complaint_message m JOIN account a ON a.id = m.account WHERE m.complaint = c.id"
    " ORDER BY 1) AS accounts, array(SELECT m.message FROM complaint_message m WHERE m.complaint = c.id ORDER BY 1) AS messages,"
    " array(SELECT DISTINCT m.signature FROM complaint_message m WHERE m.complaint = c.id AND m.signature <> '' ORDER BY 1)"
    " AS signatures, c.blocked, c.note, c.actor, c.outcome, c.closed, c.closed_by FROM complaint c"
)


async def listed(connection: Connection, *, which: str, limit: int) -> list[dict[str, Any]]:
    """Return complaints, those that are due soonest first: `which` is open, overdue or all."""
    where = {"open": "c.closed IS NULL", "overdue": f"c.closed IS NULL AND c.due < {_TODAY}", "all": "true"}[which]
    rows = await connection.fetch(f"{_ROWS} WHERE {where} ORDER BY c.closed IS NOT NULL, c.due, c.id LIMIT $1", limit)
    return [dict(row) for row in rows]


async def one(connection: Connection, complaint: int) -> dict[str, Any] | None:
    """Return one complaint; None if there is none of this number."""
    row = await connection.fetchrow(f"{_ROWS} WHERE c.id = $1", complaint)
    return None if row is None else dict(row)


async def close(connection: Connection, complaint: int, outcome: str, actor: str) -> bool:
    """Close a complaint with its outcome; False if it is closed already."""
    done = await connection.fetchval(
        "UPDATE complaint SET outcome = $2, closed = clock_timestamp(), closed_by = $3 WHERE id = $1 AND closed IS NULL"
        " RETURNING id",
        complaint,
        outcome,
        actor,
    )
    return done is not None


# ---- rates -------------------------------------------------------------------------------------------------------------


async def by_account(connection: Connection, from_s: float, until_s: float) -> list[dict[str, Any]]:
    """Return, for messages accepted between two moments: account, tenant, signature, senders, complaints.

    A signature's row counts what was complained of under it; the row with signature "" is the account's, whatever the signature.
    """
    rows = await connection.fetch(
        "SELECT m.account AS account_id, m.tenant AS tenant_id, a.system_id AS account, t.name AS tenant,"
        " coalesce(m.signature, '') AS signature, array_agg(DISTINCT m.sender) AS senders,"
        " count(DISTINCT m.complaint) AS complaints, grouping(m.signature) AS whole FROM complaint_message m"
        " JOIN account a ON a.id = m.account JOIN tenant t ON t.id = m.tenant WHERE m.message >= $1 AND m.message < $2"
        " GROUP BY GROUPING SETS ((m.account, m.tenant, a.system_id, t.name),"
        " (m.account, m.tenant, a.system_id, t.name, m.signature))"
        " HAVING grouping(m.signature) = 1 OR m.signature <> '' ORDER BY a.system_id, whole DESC, signature",
        least_id_at(from_s),
        least_id_at(until_s),
    )
    return [dict(row) for row in rows]


async def volumes(connection: Connection, accounts: Sequence[int], from_s: float, until_s: float) -> dict[tuple[int, str], int]:
    """Return how many messages accounts sent between two moments, by (account, sender). It reads all messages of that time."""
    rows = await connection.fetch(
        "SELECT account, source, count(*) AS messages FROM message WHERE id >= $1 AND id < $2 AND account = ANY ($3)"
        " GROUP BY account, source",
        least_id_at(from_s),
        least_id_at(until_s),
        list(accounts),
    )
    return {(row["account"], row["source"]): row["messages"] for row in rows}
