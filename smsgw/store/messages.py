"""Message rows read back: claimed ones, the target of a late receipt, the answer to query_sm. SQL ↔ model.

Writing is `store.commit`'s alone. A row of an account that no longer exists still loads: its account is passed in as a stand-in
by whoever knows the Directory.

Never here: a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import structlog

from smsgw.model import Account, Ends, Message, State
from smsgw.smpp.const import DATA_SM
from smsgw.smpp.pdu import BadPdu, encode, read_data_sm, read_sm
from smsgw.store.sealed import Opener, Unreadable, plain

AccountById = Callable[[int, int], Account]
"""(account id, tenant id) → Account; a stand-in for one that was deleted."""

ANY_CLASS = "ANY (ARRAY(SELECT 0::int2 UNION ALL SELECT r.class FROM retention r))"
"""Content is found by its class and the id: a message's row does not say which class it is of."""

NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::int8"

_COLUMNS = (
    "m.id, m.tenant, m.account, m.state, m.mode, m.basis, m.registered, m.parts, m.attempt, m.resends, m.command, m.rev, m.link,"
    " m.price, m.refund, m.error, m.expires_ms, m.sent_ms, m.done_ms, m.source, m.destination, m.short_id,"
    " m.upstream_id"
)

# What few messages have, each by its key: no plan may read all of it for the sake of a page, as one with a join does.
_BESIDE = (
    "(SELECT concat_ws(' ', coalesce(i.ton, -1), coalesce(i.npi, 0), i.words) FROM transform i WHERE i.message = m.id) AS changed,"
    " (SELECT i.means FROM reply i WHERE i.message = m.id) AS reply"
)


def _message(row: asyncpg.Record, body: bytes, account_of: AccountById) -> Message:
    message = Message(
        id=row["id"],
        account=account_of(row["account"], row["tenant"]),
        source=row["source"],
        destination=row["destination"],
        body=body,
        command=row["command"],
        state=State(row["state"]),
        rev=row["rev"],
        link=row["link"],
        attempt=row["attempt"],
        resends=row["resends"],
        parts=row["parts"],
        price=row["price"],
        basis=row["basis"],
        registered=row["registered"],
        mode=row["mode"],
        short_id=row["short_id"],
        upstream_id=row["upstream_id"],
        error=row["error"],
        refund=row["refund"],
        expires_at=row["expires_ms"] / 1000,
        sent_at=row["sent_ms"] / 1000,
        done_at=row["done_ms"] / 1000,
        reply=row["reply"] or "",
    )
    if row["changed"]:
        ton, npi, *words = row["changed"].split()
        message.transform = tuple(words)
        message.ends = _ends(message, int(ton), int(npi)) if ton != "-1" and body else None
    return message


def _ends(message: Message, ton: int, npi: int) -> Ends:
    """Return a message's addresses as its tenant wrote them, where its body may have another source."""
    octets = encode(message.command, 0, 0, message.body)
    sm = read_data_sm(octets) if message.command == DATA_SM else read_sm(octets)
    return (ton, npi, message.source.encode("latin-1")), (sm.dest_ton, sm.dest_npi, sm.dest)


async def load(connection: Any, ids: Sequence[int], account_of: AccountById, opened: Opener = plain) -> list[Message]:
    """Read messages with their content, in order of id; ids without a row are left out, and those that do not open."""
    loaded, _ = await by_id(connection, ids, account_of, opened)
    return list(loaded.values())


async def by_id(
    connection: Any, ids: Sequence[int], account_of: AccountById, opened: Opener = plain
) -> tuple[dict[int, Message], dict[int, Message]]:
    """Read messages with their content, by id; and, without it, those whose content does not open: their time has not come."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, c.body, {_BESIDE} FROM unnest($1::int8[]) AS u(id) JOIN message m ON m.id = u.id"
        f" LEFT JOIN content c ON c.class = {ANY_CLASS} AND c.id = u.id"
        " ORDER BY m.id",
        list(ids),
    )
    read: dict[int, Message] = {}
    closed: dict[int, Message] = {}
    why = ""
    for row in rows:
        try:
            read[row["id"]] = _message(row, opened(row["id"], row["body"] or b""), account_of)
        except (Unreadable, BadPdu) as error:  # to send what it is not would be worse than to wait for the key
            why = str(error)
            closed[row["id"]] = _message(row, b"", account_of)
    if closed:
        structlog.get_logger().warning("content_unreadable", messages=len(closed), message_id=next(reversed(closed)), why=why)
    return read, closed


async def due(connection: Any, ids: Sequence[int], node: int) -> set[int]:
    """Return those of these waiting messages that a node has claimed, and that are not on their way since.

    What is on its way has a place as SUBMITTING, until a time to come. Every other one was due when it was claimed, and is taken up
    by that, whatever the clock says now: it may have been put back.
    """
    rows = await connection.fetch(
        f"SELECT w.id FROM waiting w WHERE w.id = ANY ($1::int8[]) AND w.node = $2 AND (w.state <> 4 OR w.due_ms <= {NOW_MS})",
        list(ids),
        node,
    )
    return {row["id"] for row in rows}


async def waited_for(connection: Any) -> list[int]:
    """Return the links for which something waits that nobody has claimed; it steps through the index, however much waits."""
    rows = await connection.fetch(
        "WITH RECURSIVE step AS ("
        " (SELECT link FROM waiting WHERE node = 0 AND state = 3 ORDER BY link LIMIT 1) UNION ALL"
        " SELECT (SELECT w.link FROM waiting w WHERE w.node = 0 AND w.state = 3 AND w.link > s.link ORDER BY w.link LIMIT 1)"
        " FROM step s WHERE s.link IS NOT NULL) SELECT link FROM step WHERE link IS NOT NULL"
    )
    return [row["link"] for row in rows]


async def referred(connection: Any, keys: Sequence[tuple[int, str]]) -> list[tuple[int, str, int, str]]:
    """Find (link, upstream id) among the references: rows of (link, upstream id, message id, destination), newest first."""
    rows = await connection.fetch(
        "SELECT r.link, r.upstream_id, r.message, r.destination FROM unnest($1::int4[], $2::text[]) AS u(link, key)"
        " JOIN upstream_ref r ON r.upstream_id = u.key AND r.link = u.link ORDER BY r.message DESC",
        [link for link, _ in keys],
        [key for _, key in keys],
    )
    return [(row["link"], row["upstream_id"], row["message"], row["destination"]) for row in rows]


async def query(connection: Any, account: int, text_id: str) -> asyncpg.Record | None:
    """Read what query_sm answers: source, state, error, done_ms of an account's own message, by the id it was given."""
    if not (text_id.isascii() and text_id.isalnum()):
        return None
    by_short = await connection.fetchval("SELECT message FROM short_id WHERE account = $1 AND short = $2", account, text_id)
    if by_short is None and not (text_id.isdigit() and len(text_id) <= 19):
        return None
    row: asyncpg.Record | None = await connection.fetchrow(
        "SELECT id, source, state, error, done_ms FROM message WHERE id = $1 AND account = $2",
        by_short if by_short is not None else min(int(text_id), 2**63 - 1),
        account,
    )
    return row


async def stale_sent(connection: Any, before_id: int, limit: int, *, after_id: int = 0) -> list[int]:
    """Return messages still SENT whose reference was written between ids of those moments: no receipt is to be expected.

    SENT with a time of its end is final: nobody waits for a receipt of it.
    """
    rows = await connection.fetch(
        "SELECT DISTINCT r.message FROM upstream_ref r JOIN message m ON m.id = r.message"
        " WHERE r.at < $1 AND r.at >= $3 AND m.id < $1 AND m.state = 6 AND m.done_ms = 0 LIMIT $2",
        before_id,
        limit,
        after_id,
    )
    return [row["message"] for row in rows]


async def forget_short_ids(connection: Any) -> int:
    """Drop the short ids of messages whose days are gone; returns how many. Refunds stay, they are part of the books."""
    done: str = await connection.execute(
        "DELETE FROM short_id WHERE message < (SELECT kept_from FROM partitioned WHERE parent = 'message')"
    )
    return int(done.rpartition(" ")[2])


async def lease_short_ids(connection: Any, account: int, count: int) -> int:
    """Reserve `count` short ids of an account for this process; returns the first."""
    first = await connection.fetchval(
        "INSERT INTO short_id_block AS b (account, next) VALUES ($1, 1 + $2::int8)"
        " ON CONFLICT (account) DO UPDATE SET next = b.next + $2 RETURNING next - $2",
        account,
        count,
    )
    return int(first)
