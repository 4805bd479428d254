"""Cancellations: what somebody has asked to end, the messages that it means, what came of it. SQL ↔ values.

Nothing here ends a message: its row is the unit of work's. What waits in the store is claimed for the node that will end it, as a
link claims what it will send; what is held gets its verdict as from a person. Which messages a cancellation has taken is written
before they are changed, each once, so that it is counted once whatever is killed meanwhile.

Never here: a message's own state; a decision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from smsgw.store.database import Connection
from smsgw.telemetry import mask

if TYPE_CHECKING:
    from smsgw.store.commit import Seat

SHORT: Final = 7
"""Digits of a prefix that is no number yet; a longer one is masked like a number once nobody needs it."""
WINDOW: Final = 4_096
"""How many of those that wait one statement looks at, so that none takes long. No limit: the next one begins where it ended."""
CANCELLED: Final = "cancelled"
"""The reason that a held text's verdict has, and that a receipt's text says: a word of `policy.statuses`."""


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which messages are meant: all that is given has to hold. Ids are rows' ids, 0 and "" mean any.

    `prefix`, `number`: of the recipient, without + and 0 in front; `rule`: what a held one met, as rule or set@version:rule:span.
    Accepted from `since_id` on and before `until_id`, which are ids of moments.
    """

    since_id: int
    until_id: int
    tenant: int = 0
    account: int = 0
    link: int = 0
    prefix: str = ""
    number: str = ""
    source: str = ""
    rule: str = ""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What `_MEANT` takes, $1 to $9."""
        return (
            self.tenant, self.account, self.link, self.prefix, self.number, self.source, self.rule, self.since_id, self.until_id,
        )  # fmt: skip

    def masked(self) -> Filter:
        """Return it as people may see it for good."""
        return msgspec.structs.replace(
            self,
            prefix=mask(self.prefix) if len(self.prefix) > SHORT else self.prefix,
            number=mask(self.number) if self.number else "",
            source=mask(self.source) if self.source else "",
        )


class Cancellation(msgspec.Struct, frozen=True):
    """A cancellation that is being carried out. `age_s`: how long ago it was asked for."""

    id: int
    filter: Filter
    actor: str
    reason: str
    age_s: float


_MEANT: Final = (
    "m.id >= $8::int8 AND m.id < $9::int8 AND ($1::int4 = 0 OR m.tenant = $1) AND ($2::int4 = 0 OR m.account = $2)"
    " AND ($3::int4 = 0 OR m.link = $3) AND ($4::text = '' OR starts_with(ltrim(m.destination, '+0'), $4))"
    " AND ($5::text = '' OR ltrim(m.destination, '+0') = $5) AND ($6::text = '' OR m.source = $6)"
    " AND ($7::text = '' OR EXISTS (SELECT FROM held_part p JOIN held_text h ON h.id = p.text"
    "      CROSS JOIN unnest(string_to_array(h.rule, ' ')) AS r(rule)"
    "      WHERE p.message = m.id AND (r.rule = $7 OR split_part(r.rule, ':', 2) = $7)))"
)
# A doubt: it was sent, or may have been, and nobody knows whether the carrier has it.
_DOUBTED: Final = "(m.state = 5 OR m.state IN (3, 4) AND m.resends > 0)"
_CAN: Final = "m.state IN (1, 2) OR m.state = 3 AND m.resends = 0"
_ENDED: Final = "m.state = 15 AND c.message IS NOT NULL"
_OUT: Final = "(m.sent_ms > 0 OR m.state IN (4, 6, 10, 11, 16))"


async def ask(connection: Connection, meant: Filter, actor: str, reason: str) -> int:
    """Have messages cancelled; the running gateways follow within a second. Returns the cancellation's number."""
    return int(
        await connection.fetchval(
            "INSERT INTO cancellation (filter, actor, reason, at) VALUES ($1::text::jsonb, $2, $3, clock_timestamp()) RETURNING id",
            msgspec.json.encode(meant).decode(),
            actor,
            reason,
        )
    )


async def lock(connection: Connection) -> None:
    """Let one cancellation be asked for at a time, until COMMIT."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('smsgw_cancellations'))")


async def now(connection: Connection) -> float:
    """Return the store's clock, in seconds since 1970."""
    return float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8"))


async def ids_of(connection: Connection, tenant: str, account: str, link: str) -> tuple[int | None, int | None, int | None]:
    """Return the ids of these names: None for one that is not there, 0 for one that is not given."""
    row = await connection.fetchrow(
        "SELECT CASE WHEN $1::text = '' THEN 0 ELSE (SELECT id FROM tenant WHERE name = $1) END AS tenant,"
        " CASE WHEN $2::text = '' THEN 0 ELSE (SELECT id FROM account WHERE system_id = $2) END AS account,"
        " CASE WHEN $3::text = '' THEN 0 ELSE (SELECT id FROM link WHERE name = $3) END AS link",
        tenant,
        account,
        link,
    )
    assert row is not None
    return row["tenant"], row["account"], row["link"]


async def count_open(connection: Connection) -> int:
    """Count cancellations that are being carried out."""
    return int(await connection.fetchval("SELECT count(*) FROM cancellation WHERE done_at IS NULL"))


async def preview(connection: Connection, meant: Filter) -> list[dict[str, Any]]:
    """Count what a filter means as things stand, by account. It reads every message of its time.

    held, scheduled, queued: what can be cancelled; messages, parts, refund (Money): their sums. in_doubt: nobody knows whether they
    are out, they are not sent again. out: sent, or just being sent.
    """
    rows = await connection.fetch(
        "SELECT coalesce(t.name, 'tenant ' || m.tenant) AS tenant, coalesce(a.system_id, 'account ' || m.account) AS account,"
        " count(*) FILTER (WHERE m.state = 1) AS held, count(*) FILTER (WHERE m.state = 2) AS scheduled,"
        " count(*) FILTER (WHERE m.state = 3 AND m.resends = 0) AS queued,"
        f" count(*) FILTER (WHERE {_CAN}) AS messages, coalesce(sum(m.parts) FILTER (WHERE {_CAN}), 0)::int8 AS parts,"
        f" coalesce(sum(m.price - m.refund) FILTER (WHERE {_CAN}), 0)::int8 AS refund, coalesce(t.currency, '') AS currency,"
        f" count(*) FILTER (WHERE {_DOUBTED}) AS in_doubt, count(*) FILTER (WHERE {_OUT} AND NOT {_DOUBTED}) AS out"
        f" FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN tenant t ON t.id = m.tenant WHERE {_MEANT}"
        " GROUP BY m.tenant, m.account, t.name, a.system_id, t.currency ORDER BY 1, 2",
        *meant.arguments,
    )
    return [dict(row) for row in rows]


# ---- as nodes carry it out -------------------------------------------------------------------------------------------


async def under_way(pool: Any) -> list[Cancellation]:
    """Return the cancellations that are not done, the oldest first."""
    rows = await pool.fetch(
        "SELECT id, filter, actor, reason, extract(epoch FROM clock_timestamp() - at)::float8 AS age FROM cancellation"
        " WHERE done_at IS NULL ORDER BY id"
    )
    return [
        Cancellation(row["id"], msgspec.json.decode(row["filter"], type=Filter), row["actor"], row["reason"], row["age"])
        for row in rows
    ]


_NOTE: Final = (
    "INSERT INTO cancelled (message, cancellation) SELECT u.id, {number} FROM {ids} ON CONFLICT (message)"
    " DO UPDATE SET cancellation = excluded.cancellation WHERE cancelled.cancellation <> excluded.cancellation"
)


async def note(pool: Any, number: int, ids: Sequence[int]) -> None:
    """Write down which messages a cancellation takes, before they are changed."""
    await pool.execute(_NOTE.format(number="$1::int8", ids="unnest($2::int8[]) AS u(id)"), number, list(ids))


async def claim(
    pool: Any, one: Cancellation, seat: Seat, after: int, limit: int, *, again: bool = False
) -> tuple[list[int], int | None]:
    """Claim a page of what waits for a link, for its hours or in doubt, and note it: by id, above `after`.

    Returns what was claimed, and above which id the next page begins; None after the last one. What somebody else has stays his.
    `again`: also what this node has claimed for it before, and may not know of.
    """
    row = await pool.fetchrow(
        _CLAIM, *one.filter.arguments, seat.node, seat.epoch, max(after, one.filter.since_id - 1), limit, one.id, again, WINDOW
    )
    last = row["last"] if row["found"] == limit else row["furthest"] if row["looked"] == WINDOW else None
    return sorted(row["claimed"]), last if last is not None and last < one.filter.until_id else None


# By keys, in their order, whatever the planner takes the tables for: the one bound has it begin at the index, and stop.
_CLAIM: Final = (
    "WITH n AS MATERIALIZED (SELECT FROM node WHERE id = $10 AND epoch = $11 FOR SHARE),"
    " s AS MATERIALIZED (SELECT w.id, w.node FROM waiting w WHERE w.id > $12::int8 AND EXISTS (SELECT FROM n)"
    "       ORDER BY w.id LIMIT $16),"
    " c AS MATERIALIZED (SELECT s.id FROM s, LATERAL (SELECT FROM message m WHERE m.id = s.id AND m.state BETWEEN 2 AND 5"
    "       AND (s.node = 0 OR $15 AND s.node = $10 AND m.state <> 4 AND EXISTS ("
    "           SELECT FROM cancelled d WHERE d.message = s.id AND d.cancellation = $14::int8))"
    f"      AND {_MEANT} OFFSET 0) m ORDER BY s.id LIMIT $13),"
    " u AS MATERIALIZED (SELECT w.id FROM waiting w WHERE w.id = ANY (ARRAY(SELECT c.id FROM c))"
    "       AND (w.node = 0 OR $15 AND w.node = $10) FOR UPDATE SKIP LOCKED),"
    f" o AS ({_NOTE.format(number='$14::int8', ids='u')}),"
    " x AS (UPDATE waiting w SET node = $10, epoch = $11 WHERE w.id = ANY (ARRAY(SELECT u.id FROM u)) RETURNING w.id)"
    " SELECT ARRAY(SELECT x.id FROM x) AS claimed, (SELECT count(*) FROM c) AS found, (SELECT max(c.id) FROM c) AS last,"
    " (SELECT count(*) FROM s) AS looked, (SELECT max(s.id) FROM s) AS furthest"
)


async def refuse_held(pool: Any, one: Cancellation, after: int, limit: int) -> dict[int, int]:
    """Let the verdict fall on a page of held texts above `after`: journey/hold carries it out. Returns id → how many parts.

    All parts of a text are meant.

    One that was let go and waits on is meant too; what of it is on its way already has left HELD, and goes on.
    """
    rows = await pool.fetch(
        "WITH t AS (SELECT h.id FROM held_text h WHERE h.id > $10 AND NOT h.done AND h.state < 3"
        "       AND EXISTS (SELECT FROM held_part q JOIN message m ON m.id = q.message"
        f"                  WHERE q.text = h.id AND m.state IN (1, 2) AND {_MEANT})"
        "       ORDER BY h.id LIMIT $11 FOR UPDATE OF h SKIP LOCKED),"
        " u AS (SELECT q.message AS id FROM t JOIN held_part q ON q.text = t.id JOIN message m ON m.id = q.message"
        "       WHERE m.state IN (1, 2)),"
        f" o AS ({_NOTE.format(number='$12::int8', ids='u')}),"
        " clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS now)"
        " UPDATE held_text h SET state = 3, actor = $13, reason = $14, error = 0, due_ms = clock.now,"
        "        forget_ms = greatest(h.forget_ms, clock.now + 600000) FROM t, clock WHERE h.id = t.id RETURNING h.id, h.parts",
        *one.filter.arguments,
        after,
        limit,
        one.id,
        one.actor,
        CANCELLED,
    )
    return {row["id"]: row["parts"] for row in rows}


async def left(pool: Any, meant: Filter) -> bool:
    """Tell whether anything that a filter means is still open here: held, waiting, in some node's memory, or just being sent.

    What is in no table of its own is above the low water of its node.
    """
    return bool(
        await pool.fetchval(
            f"SELECT EXISTS (SELECT FROM waiting w JOIN message m ON m.id = w.id WHERE m.state < 6 AND {_MEANT})"
            f" OR EXISTS (SELECT FROM held_text t JOIN held_part q ON q.text = t.id JOIN message m ON m.id = q.message"
            f"            WHERE NOT t.done AND m.state < 6 AND {_MEANT})"
            " OR EXISTS (SELECT FROM message m WHERE m.id >= (SELECT min(n.low_water) FROM node n WHERE n.low_water > 0)"
            f"           AND m.state < 6 AND {_MEANT})",
            *meant.arguments,
        )
    )


async def finish(connection: Connection, one: Cancellation) -> list[dict[str, Any]] | None:
    """Say what came of it; None when another node has said so. Numbers in its filter are masked from then on.

    By account: messages, parts, refund (Money) of those that it has cancelled; in_doubt: doubts that it has ended; out: what its
    filter means and was sent.
    """
    if not await connection.fetchval("SELECT id FROM cancellation WHERE id = $1 AND done_at IS NULL FOR UPDATE", one.id):
        return None
    rows = [
        dict(row)
        for row in await connection.fetch(
            "WITH e AS (SELECT least($8, min(d.message)) AS least, greatest($9, max(d.message)) AS last"  # parts, too
            "           FROM cancelled d WHERE d.cancellation = $10)"
            " SELECT coalesce(t.name, 'tenant ' || m.tenant) AS tenant, coalesce(a.system_id, 'account ' || m.account) AS account,"
            f" count(*) FILTER (WHERE {_ENDED}) AS messages, coalesce(sum(m.parts) FILTER (WHERE {_ENDED}), 0)::int8 AS parts,"
            f" coalesce(sum(m.refund) FILTER (WHERE {_ENDED}), 0)::int8 AS refund, coalesce(t.currency, '') AS currency,"
            " count(*) FILTER (WHERE m.state = 16 AND c.message IS NOT NULL) AS in_doubt,"
            f" count(*) FILTER (WHERE {_OUT} AND NOT (m.state = 16 AND c.message IS NOT NULL)) AS out"
            " FROM message m LEFT JOIN account a ON a.id = m.account LEFT JOIN tenant t ON t.id = m.tenant"
            f" LEFT JOIN cancelled c ON c.message = m.id AND c.cancellation = $10, e"
            f" WHERE m.id >= e.least AND m.id <= e.last AND (c.message IS NOT NULL OR {_MEANT})"
            " GROUP BY m.tenant, m.account, t.name, a.system_id, t.currency ORDER BY 1, 2",
            *one.filter.arguments,
            one.id,
        )
    ]
    await connection.execute(
        "UPDATE cancellation SET done_at = clock_timestamp(), result = $2::text::jsonb, filter = $3::text::jsonb WHERE id = $1",
        one.id,
        json.dumps(rows),
        msgspec.json.encode(one.filter.masked()).decode(),
    )
    return rows


# ---- for people --------------------------------------------------------------------------------------------------------


async def newest(connection: Connection, limit: int, number: int | None = None) -> list[Mapping[str, Any]]:
    """Return the newest cancellations, or the one of a number; `taken`: how many messages each has taken so far."""
    rows = await connection.fetch(
        "SELECT c.id, c.filter, c.actor, c.reason, c.at, c.done_at, c.result, t.name AS tenant, a.system_id AS account,"
        " l.name AS link,"
        " (SELECT count(*) FROM cancelled d WHERE d.cancellation = c.id) AS taken FROM cancellation c"
        " LEFT JOIN tenant t ON t.id = (c.filter ->> 'tenant')::int4 LEFT JOIN account a ON a.id = (c.filter ->> 'account')::int4"
        " LEFT JOIN link l ON l.id = (c.filter ->> 'link')::int4"
        " WHERE $2::int8 IS NULL OR c.id = $2 ORDER BY c.id DESC LIMIT $1",
        limit,
        number,
    )
    return [
        {**dict(row), "filter": msgspec.json.decode(row["filter"], type=Filter), "result": json.loads(row["result"])}
        for row in rows
    ]


async def forget(connection: Connection) -> None:
    """Drop which messages were cancelled whose days are gone; what came of it stays."""
    await connection.execute("DELETE FROM cancelled WHERE message < (SELECT kept_from FROM partitioned WHERE parent = 'message')")
