"""What messages said, for people who may read it or have it gone: one message's content, purges with their tombstones.

Every write happens in the caller's transaction, which leaves an audit row. A purge removes no content that an open message needs,
none that a legal hold means, and none that the law keeps (cn_port). Content comes and goes as it is stored: sealed or plain.

Never here: opening a seal; who may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from smsgw.model import State
from smsgw.store.database import Connection
from smsgw.store.messages import ANY_CLASS

PAGE: Final = 1_000

_FIND: Final = f"""
    SELECT m.id, m.account, m.command, m.state, m.source, m.destination, m.short_id, coalesce(a.system_id, 'account ' || m.account)
           AS system_id, coalesce(t.name, 'tenant ' || m.tenant) AS tenant, c.class, c.body, b.sha256, b.octets,
           m.registered, m.expires_ms, m.sent_ms, m.done_ms, coalesce(x.words, '') AS transform, x.ton, x.npi,
           coalesce(y.means, '') AS reply
    FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN tenant t ON t.id = m.tenant
    LEFT JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id LEFT JOIN tombstone b ON b.message = m.id
    LEFT JOIN transform x ON x.message = m.id LEFT JOIN reply y ON y.message = m.id
    WHERE m.id = $1"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages are meant: of a tenant, one account of it, between two ids (the last excluded), to a number; all of it holds.

    `ids`: these alone; () for all.
    """

    tenant: int
    account: int | None = None
    from_id: int = 0
    until_id: int = 2**63 - 1
    destination: str = ""
    ids: tuple[int, ...] = ()


_MEANT: Final = (
    " m.tenant = $1 AND ($2::int4 IS NULL OR m.account = $2) AND m.id >= $3 AND m.id < $4"
    " AND ($5 = '' OR ltrim(m.destination, '+') = ltrim($5, '+')) AND (cardinality($6::int8[]) = 0 OR m.id = ANY ($6))"
)


_CONTENT: Final = f"message m JOIN content c ON c.class = {ANY_CLASS} AND c.id = m.id LEFT JOIN retention r ON r.class = c.class"
_BY_LAW: Final = (
    "coalesce(r.profile = 'cn_port' AND ((m.id >> 22) + 1735689600000) / 1000 + r.content_h * 3600"
    " > extract(epoch FROM clock_timestamp()), false)"
)
"""Whether it is content of a port that has to be kept for a time yet."""


def _arguments(meant: Filter) -> tuple[Any, ...]:
    return (meant.tenant, meant.account, meant.from_id, meant.until_id, meant.destination, list(meant.ids))


async def find(connection: Connection, number: int) -> asyncpg.Record | None:
    """Return a message with its content and tombstone; None if there is no such message."""
    return await connection.fetchrow(_FIND, number)


async def counted(connection: Connection, meant: Filter) -> dict[str, int]:
    """Count what a purge would meet: content that may go, and how much of it was sent; of open messages; held by a court, by law.

    `law_until`: until when the law keeps the last of those (seconds since 1970), 0 where it keeps none.
    """
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE NOT (k.open OR k.held OR k.by_law)) AS content, count(*) FILTER (WHERE k.open) AS open,"
        " count(*) FILTER (WHERE NOT k.open AND k.held) AS held, count(*) FILTER (WHERE NOT k.open AND NOT k.held AND k.by_law)"
        " AS by_law, count(*) FILTER (WHERE NOT (k.open OR k.held OR k.by_law) AND k.sent_ms > 0) AS sent,"
        " coalesce(max(k.law_until) FILTER (WHERE k.by_law), 0)::int8 AS law_until"
        " FROM (SELECT m.sent_ms, m.state < $7 AS open, legally_held(m.tenant, m.account, m.id) AS held,"
        f" {_BY_LAW} AS by_law, ((m.id >> 22) + 1735689600000) / 1000 + r.content_h * 3600 AS law_until"
        f" FROM {_CONTENT} WHERE {_MEANT}) k",
        *_arguments(meant),
        int(State.SENT),
    )
    assert row is not None
    return dict(row)


async def purgeable(connection: Connection, meant: Filter, after: int) -> list[asyncpg.Record]:
    """Return a page of content that a purge may take, locked: id, class, body; in order of id."""
    rows: list[asyncpg.Record] = await connection.fetch(
        f"SELECT m.id, c.class, c.body FROM {_CONTENT} WHERE {_MEANT} AND m.id > $7 AND m.state >= $8"
        f" AND NOT legally_held(m.tenant, m.account, m.id) AND NOT {_BY_LAW} ORDER BY m.id LIMIT $9 FOR UPDATE OF c",
        *_arguments(meant),
        after,
        int(State.SENT),
        PAGE,
    )
    return rows


async def bury(connection: Connection, rows: Sequence[tuple[int, int, int, bytes]], actor: str, reason: str) -> None:
    """Remove content and leave tombstones: (id, class, octets, SHA-256 of the body) of each."""
    ids, classes = [row[0] for row in rows], [row[1] for row in rows]
    await connection.execute(
        "INSERT INTO tombstone (message, octets, sha256, actor, reason)"
        " SELECT u.id, u.octets, u.sha256, $4, $5 FROM unnest($1::int8[], $2::int4[], $3::bytea[]) AS u(id, octets, sha256)",
        ids, [row[2] for row in rows], [row[3] for row in rows], actor, reason,
    )  # fmt: skip
    await connection.execute(
        "DELETE FROM content c USING unnest($1::int2[], $2::int8[]) AS u(class, id) WHERE c.class = u.class AND c.id = u.id",
        classes, ids,
    )  # fmt: skip
