"""Held texts: what is due, their parts, the verdict that falls on them once, what a person decides. SQL ↔ values.

Parts are put to their texts by the unit of work (schema 0010). A verdict is one UPDATE that names what was judged: when another
part has come meanwhile, or somebody else was first, it does not fall. Rows that somebody else has locked are left alone, so that
nobody waits for anybody.

Never here: what a message's own row says (that is the unit of work's), a judgement.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from smsgw.store.batch import caps_rows, matrix
from smsgw.store.database import Connection

_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::int8"


class Fate(enum.IntEnum):
    """How a held text stands."""

    OPEN = 0
    REVIEW = 1
    RELEASED = 2
    REFUSED = 3
    EXPIRED = 4


class Text(msgspec.Struct):
    """A held text: its row, and (number, message id) of its parts in order.

    `counted`: its recipient's caps have been asked. `waits`: for its hours, when it was read: judged as it is, and open still.
    """

    id: int
    account: int
    total: int
    seen: int
    judged: int
    complete: bool
    conflict: bool
    fate: Fate
    error: int
    reason: str
    rule: str
    actor: str
    counted: bool
    parts: list[tuple[int, int]]
    waits: bool = False


class Held(msgspec.Struct, frozen=True):
    """How much of an account is held, of one kind: `parts` of texts that are not whole, in `review`, or `deferred` to its hours."""

    account: int
    kind: str
    texts: int
    messages: int
    age_s: float


class Decision(msgspec.Struct, frozen=True):
    """What is decided of a text as it was read. `due_ms`: when somebody has to look at it again; `deferred`: only that.

    `unable`: because its set cannot be asked now.
    """

    text: Text
    fate: Fate
    due_ms: int
    forget_ms: int = 0
    error: int = 0
    reason: str = ""
    rule: str = ""
    deferred: bool = False
    unable: bool = False

    @property
    def counts(self) -> bool:
        """Tell whether the text goes by it, and was not counted for its recipient yet: once a text, whoever lets it go."""
        return self.fate is Fate.RELEASED and not self.deferred and not self.text.counted


class Capped(msgspec.Struct, frozen=True):
    """What a text that may go is counted by, and what is told of it when it is over one: the status, and a rule for each cap."""

    caps: tuple[Any, ...]
    error: int
    rules: tuple[str, ...]


async def due(pool: Any, lease_s: float, limit: int) -> list[int]:
    """Take texts whose time has come; others leave them alone for `lease_s`."""
    rows = await pool.fetch(
        f"UPDATE held_text h SET due_ms = {_NOW} + $1 FROM (SELECT t.id FROM held_text t WHERE t.due_ms > 0 AND t.due_ms <= {_NOW}"
        " ORDER BY t.due_ms LIMIT $2 FOR UPDATE SKIP LOCKED) AS l WHERE h.id = l.id RETURNING h.id",
        int(lease_s * 1000),
        limit,
    )
    return [row["id"] for row in rows]


async def of_messages(pool: Any, ids: Sequence[int]) -> list[int]:
    """Return the texts that messages belong to."""
    rows = await pool.fetch("SELECT DISTINCT text FROM held_part WHERE message = ANY ($1::int8[])", list(ids))
    return [row["text"] for row in rows]


async def put(pool: Any, messages: Sequence[tuple[int, int]], lease_s: float) -> None:
    """Hold messages that are in the store already, (id, account), each by itself; those that are held stay so.

    They were counted for their recipients when they were accepted.
    """
    await pool.execute(
        "WITH t AS (INSERT INTO held_text (id, account, total, parts, joins, complete, due_ms, since_ms, counted)"
        f" SELECT u.id, u.account, 1, 1, false, true, {_NOW} + $3, {_NOW}, true"
        " FROM unnest($1::int8[], $2::int4[]) AS u(id, account)"
        " ON CONFLICT DO NOTHING RETURNING id) INSERT INTO held_part (message, text, part) SELECT id, id, 1 FROM t",
        [number for number, _ in messages],
        [account for _, account in messages],
        int(lease_s * 1000),
    )


async def load(pool: Any, ids: Sequence[int]) -> list[Text]:
    """Read texts with the numbers of their parts."""
    rows = await pool.fetch(
        "SELECT h.*, p.part, p.message FROM held_text h JOIN held_part p ON p.text = h.id WHERE h.id = ANY ($1::int8[])"
        " ORDER BY h.id, p.part, p.message",
        list(ids),
    )
    texts: dict[int, Text] = {}
    for row in rows:
        text = texts.get(row["id"])
        if text is None:
            text = texts[row["id"]] = Text(
                row["id"], row["account"], row["total"], row["parts"], row["judged"], row["complete"], row["conflict"],
                Fate(row["state"]), row["error"], row["reason"], row["rule"], row["actor"], row["counted"], [],
                row["state"] == Fate.OPEN and 0 < row["judged"] == row["parts"],
            )  # fmt: skip
        text.parts.append((row["part"], row["message"]))
    return list(texts.values())


async def decide(pool: Any, decisions: Sequence[Decision]) -> set[int]:
    """Let verdicts fall, all in one transaction; returns the texts on which they did."""
    rows = await pool.fetch(
        "WITH u AS (SELECT * FROM unnest($1::int8[], $2::int4[], $3::int2[], $4::int2[], $5::int8[], $6::int8[], $7::int8[],"
        "           $8::text[], $9::text[], $10::bool[]) AS u(id, parts, was, state, due, forget, error, reason, rule, counts)),"
        " l AS (SELECT h.id FROM held_text h JOIN u ON u.id = h.id AND h.parts = u.parts AND h.state = u.was"
        "       AND NOT (u.counts AND h.counted) ORDER BY h.id FOR UPDATE OF h SKIP LOCKED)"
        " UPDATE held_text h SET state = u.state, judged = h.parts, due_ms = u.due, forget_ms = u.forget, error = u.error,"
        "        reason = u.reason, rule = u.rule, counted = h.counted OR u.counts"
        " FROM u JOIN l USING (id) WHERE h.id = u.id RETURNING h.id",
        *_columns(decisions),
    )
    return {row["id"] for row in rows}


async def decide_capped(
    pool: Any, decisions: Sequence[Decision], capped: Mapping[int, Capped]
) -> tuple[set[int], dict[int, int], dict[int, list[int]]]:
    """Let verdicts fall of which some are counted by caps: a text over one is refused, and not counted.

    Returns the texts on which they fell, those that are over a cap with its number, and those over caps that refuse nothing.
    """
    rows = [row for number, one in capped.items() for row in caps_rows(number, one.caps)]
    errors = [one.error for one in capped.values() for _ in one.caps]
    rules = [rule for one in capped.values() for rule in one.rules]
    answer = json.loads(await pool.fetchval(_DECIDE_CAPPED, *_columns(decisions), matrix(rows), errors, rules))
    over: dict[int, list[int]] = {}
    for number, cap in answer.get("over", ()):
        over.setdefault(number, []).append(cap)
    return set(answer["fell"]), {number: cap for number, _, cap in answer["refused"]}, over


_DECIDE_CAPPED: Final = (
    "SELECT decide_capped($1::int8[], $2::int4[], $3::int2[], $4::int2[], $5::int8[], $6::int8[], $7::int8[], $8::text[],"
    " $9::text[], $10::bool[], $11::text::int8[], $12::int8[], $13::text[])"
)


def _columns(decisions: Sequence[Decision]) -> tuple[list[Any], ...]:
    """Return decisions as the columns that both statements take."""
    return (
        [one.text.id for one in decisions],
        [one.text.seen for one in decisions],
        [int(one.text.fate) for one in decisions],
        [int(one.fate) for one in decisions],
        [one.due_ms for one in decisions],
        [one.forget_ms for one in decisions],
        [one.error for one in decisions],
        [one.reason for one in decisions],
        [one.rule for one in decisions],
        [one.counts for one in decisions],
    )


async def done(pool: Any, texts: Sequence[tuple[int, int]]) -> None:
    """The messages of these texts, (id, how many), have gone the way of their verdict: nobody has to look at them again."""
    await pool.execute(
        "UPDATE held_text h SET done = true, due_ms = 0 FROM (SELECT t.id FROM held_text t"
        " JOIN unnest($1::int8[], $2::int4[]) AS u(id, parts) ON t.id = u.id AND t.parts = u.parts AND t.state > 1"
        " ORDER BY t.id FOR UPDATE OF t SKIP LOCKED) AS l WHERE h.id = l.id",
        [number for number, _ in texts],
        [parts for _, parts in texts],
    )


async def forget(pool: Any, limit: int) -> int:
    """Drop texts that are done and whose late parts are waited for no longer; returns how many."""
    return int(await pool.fetchval(f"SELECT forget_held({_NOW}, $1)", limit))


async def counts(pool: Any) -> list[Held]:
    """Count what is undecided, by account and kind. What was judged and is open still waits for its hours."""
    rows = await pool.fetch(
        "SELECT account,"
        " CASE WHEN state = 1 THEN 'review' WHEN judged > 0 AND judged = parts THEN 'deferred' ELSE 'parts' END AS kind,"
        f" count(*) AS texts, sum(parts)::int8 AS messages, ({_NOW} - min(since_ms)) / 1000.0 AS age_s"
        " FROM held_text WHERE state < 2 GROUP BY 1, 2"
    )
    return [Held(row["account"], row["kind"], row["texts"], row["messages"], float(row["age_s"])) for row in rows]


# ---- reviews ----------------------------------------------------------------------------------------------------------

_REVIEWS: Final = (
    "SELECT h.id, a.system_id AS account, t.name AS tenant, m.source, m.destination, h.parts, h.total, h.reason, h.rule,"
    " to_timestamp(h.since_ms / 1000.0) AS since, to_timestamp(h.due_ms / 1000.0) AS until"
    " FROM held_text h JOIN message m ON m.id = h.id LEFT JOIN account a ON a.id = h.account LEFT JOIN tenant t ON t.id = a.tenant"
)


async def reviews(connection: Connection, account: str | None = None, limit: int = 1_000) -> list[dict[str, Any]]:
    """Return what waits for a person, the most urgent first. Numbers are whole: who shows them masks them."""
    rows = await connection.fetch(
        f"{_REVIEWS} WHERE h.state = 1 AND ($1::text IS NULL OR a.system_id = $1) ORDER BY h.due_ms, h.id LIMIT $2", account, limit
    )
    return [dict(row) for row in rows]


async def review(connection: Connection, number: int) -> dict[str, Any] | None:
    """Return one text that waits for a person, None when none of this id does."""
    row = await connection.fetchrow(f"{_REVIEWS} WHERE h.state = 1 AND h.id = $1", number)
    return dict(row) if row is not None else None


async def settle(connection: Connection, number: int, fate: Fate, *, actor: str, error: int = 0, reason: str = "") -> bool:
    """Decide a review; False when it is decided already, or over. A running gateway finds it within a second.

    What was judged stays what it was: a part that came while it waited is late, and the rules are asked about the whole.
    """
    found = await connection.fetchval(
        f"UPDATE held_text SET state = $2, actor = $3, error = $4, reason = $5, due_ms = {_NOW},"
        f" forget_ms = {_NOW} + 600000 WHERE id = $1 AND state = 1 RETURNING id",
        number,
        int(fate),
        actor,
        error,
        reason,
    )
    return found is not None
