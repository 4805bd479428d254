"""The end of a contract in the store: what there is still of a tenant, what may not go yet and why, and what went, page by page.

    content      what its messages said (`contents` buries it: a tombstone with its hash stays)
    numbers      source and destination of its messages, which stay for the books, and to whom the last answers went
    waiting      receipts and handsets' messages that nobody fetched
    references   what late receipts would be matched by
    consents     and
    marks        what recipients said to it: opt-outs, block lists, consents as they are in force, and what happened to them

What the law keeps: content of `cn_port` for its time, numbers of its messages for 150 days at least, and what recipients said until
five months after the end (Order 31). That is what was sent while its account was of `cn_port`, and all of one that is now or was
deleted. A legal hold keeps all that it means, and any legal hold what recipients said.

Promises: a page and the count of it are one transaction. Must never: delete a message, a booking, or what is held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from smsgw.model import FIRST_FINAL, State
from smsgw.store import contents, marks
from smsgw.store.contents import Filter
from smsgw.store.database import Connection
from smsgw.store.exports import ACCOUNTS
from smsgw.store.ids import MAX_ID
from smsgw.store.mark_chain import digest_of
from smsgw.store.retentions import HASHED

PAGE: Final = 2_000
KINDS: Final = ("content", "numbers", "waiting", "references", "consents", "marks")
PAGE_OF_REFERENCES: Final = 100_000
"""No index leads from a message to what it is referred by: each page reads all references of all tenants."""
PURGED: Final = f"{HASHED}purged"
"""What stands in the place of a number that is gone."""
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('smsgw_purge'), $1)"

_LAW: Final = "by law: cn_port"
_COURT: Final = "under a legal hold"
_OPEN: Final = "not at its end yet"
_CLAIMED: Final = "being delivered"


def _at(number: str) -> str:
    """Return the moment that an id tells, in SQL."""
    return f"to_timestamp((({number} >> 22) + 1735689600000) / 1000.0)"


_MESSAGES: Final = f"""
    SELECT m.id, {_at("m.id")} AS at,
           CASE WHEN m.state < {int(FIRST_FINAL)} AND NOT (m.state = {int(State.SENT)} AND m.done_ms > 0) THEN '{_OPEN}'
                WHEN legally_held(m.tenant, m.account, m.id) THEN '{_COURT}'
                WHEN k.until > clock_timestamp() THEN '{_LAW}' ELSE '' END AS why, k.until
    FROM message m LEFT JOIN account a ON a.id = m.account
    CROSS JOIN LATERAL (SELECT CASE WHEN a.id IS NULL OR bool_or(s.by_law)
        THEN {_at("m.id")} + make_interval(hours => greatest(max(s.content_h) FILTER (WHERE s.by_law), 3600))
        END AS until
        FROM retention_span s WHERE s.account = m.account AND (s.until_id = {MAX_ID} OR m.id >= s.from_id AND m.id < s.until_id)) k
    WHERE m.tenant = $1 AND m.destination <> '{PURGED}'"""
_OWED: Final = f"""
    SELECT o.id, {_at("o.id")} AS at,
           CASE WHEN o.node <> 0 THEN '{_CLAIMED}'
                WHEN legally_held($1, o.account, CASE WHEN o.message > 0 THEN o.message ELSE o.id END) THEN '{_COURT}'
                ELSE '' END AS why, NULL::timestamptz AS until
    FROM owed o WHERE o.account IN {ACCOUNTS}"""
_REFERENCES: Final = f"""
    SELECT u.message AS id, {_at("u.message")} AS at,
           CASE WHEN m.state < {int(FIRST_FINAL)} THEN '{_OPEN}' WHEN legally_held(m.tenant, m.account, m.id) THEN '{_COURT}'
                ELSE '' END AS why, NULL::timestamptz AS until
    FROM upstream_ref u JOIN message m ON m.id = u.message WHERE m.tenant = $1"""
# Of what recipients said: until when the law keeps it, and whether a court does. $2: when the contract ended.
_SAID: Final = f"""
    CASE WHEN EXISTS (SELECT FROM legal_hold h WHERE h.tenant = $1 AND h.released_at IS NULL) THEN '{_COURT}'
         WHEN k.until > clock_timestamp() THEN '{_LAW}' ELSE '' END AS why, k.until"""
_UNTIL: Final = """
    CROSS JOIN (SELECT CASE WHEN
        EXISTS (SELECT FROM account a JOIN retention_span s ON s.account = a.id AND s.by_law WHERE a.tenant = $1)
        OR EXISTS (SELECT FROM retired d WHERE d.kind = 'account' AND d.owner = $1
                   AND NOT EXISTS (SELECT FROM account a WHERE a.id = d.id))
        THEN $2::timestamptz + interval '5 months' END AS until) k"""
_CONSENTS: Final = f"SELECT c.id, c.at, {_SAID} FROM consent c {_UNTIL} WHERE c.account IN {ACCOUNTS}"
_SCOPES: Final = f"""
    (SELECT s.id FROM mark_scope s WHERE s.level <> 'platform'
     AND CASE WHEN s.level = 'tenant' THEN s.owner = $1 ELSE s.owner IN {ACCOUNTS} END)"""
_MARKS: Final = f"SELECT e.id, e.at, {_SAID} FROM mark_event e {_UNTIL} WHERE e.scope IN {_SCOPES}"
_QUERIES: Final[Mapping[str, str]] = {
    "numbers": f"{_MESSAGES} AND $2::timestamptz IS NOT NULL",
    "waiting": f"{_OWED} AND $2::timestamptz IS NOT NULL",
    "references": f"{_REFERENCES} AND $2::timestamptz IS NOT NULL",
    "consents": _CONSENTS,
    "marks": _MARKS,
}
"""kind → (tenant, the contract's end) → id, when it came, why it may not go ("": it may), and until when the law keeps it."""


@dataclass(frozen=True, slots=True)
class Held:
    """What may not go yet: how much of it, why, and until when; None: nobody can say."""

    rows: int
    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one kind: `free` may go."""

    kind: str
    free: int
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """What went of one kind, so far: how much, the oldest and the newest of it."""

    kind: str
    rows: int
    first_at: datetime
    last_at: datetime


async def alone(connection: Connection, tenant: int) -> bool:
    """Whether nobody else purges this tenant; held until the connection ends."""
    return bool(await connection.fetchval(_LOCK, tenant))


async def survey(connection: Connection, tenant: int, ended: datetime) -> list[Found]:
    """Return what there is of a tenant whose contract ended then, by kind."""
    found = [await _content(connection, tenant)]
    for kind, query in _QUERIES.items():
        rows = await connection.fetch(
            f"SELECT q.why, count(*) AS rows, max(q.until) AS until FROM ({query}) q GROUP BY q.why ORDER BY q.why", tenant, ended
        )
        held = tuple(Held(row["rows"], row["why"], row["until"] if row["why"] == _LAW else None) for row in rows if row["why"])
        found.append(Found(kind, sum(row["rows"] for row in rows if not row["why"]), held))
    return found


async def _content(connection: Connection, tenant: int) -> Found:
    counts = await contents.counted(connection, Filter(tenant))
    held = [Held(counts["open"], _OPEN), Held(counts["held"], _COURT)]
    until = datetime.fromtimestamp(counts["law_until"], tz=UTC) if counts["by_law"] else None
    held.append(Held(counts["by_law"], _LAW, until))
    return Found("content", counts["content"], tuple(one for one in held if one.rows))


async def page_of(connection: Connection, kind: str, tenant: int, ended: datetime, after: int) -> list[int]:
    """Return a page of what may go of a kind (not of content), by id, beyond one."""
    most = PAGE_OF_REFERENCES if kind == "references" else PAGE
    rows = await connection.fetch(
        f"SELECT q.id FROM ({_QUERIES[kind]}) q WHERE q.why = '' AND q.id > $3 ORDER BY q.id LIMIT {most}", tenant, ended, after
    )
    return [row["id"] for row in rows]


_TAKE: Final[Mapping[str, str]] = {
    "numbers": f"UPDATE message SET source = '{PURGED}', destination = '{PURGED}' WHERE id = ANY ($1) RETURNING {_at('id')} AS at",
    "waiting": f"DELETE FROM owed WHERE id = ANY ($1) AND node = 0 RETURNING {_at('id')} AS at",
    "references": f"DELETE FROM upstream_ref WHERE message = ANY ($1) RETURNING {_at('message')} AS at",
    "consents": "DELETE FROM consent WHERE id = ANY ($1) RETURNING at, number",
    "marks": "DELETE FROM mark_event WHERE id = ANY ($1) RETURNING at, number",
}

_ANSWERED_OTHERWISE: Final = """
    DELETE FROM reply_last l WHERE l.number = ANY ($2)
    AND NOT EXISTS (SELECT FROM message m WHERE m.id = l.message AND m.tenant <> $1)"""
"""Who refused and was answered by a message that is kept no more: nobody can say whose it was."""


async def take(connection: Connection, kind: str, tenant: int, ids: Sequence[int]) -> int:
    """Delete a page of a kind and count it, within the caller's transaction; returns how many rows that were."""
    rows = await connection.fetch(_TAKE[kind], list(ids))
    if kind == "marks":
        await connection.execute(
            f"DELETE FROM mark m WHERE m.scope IN {_SCOPES} AND m.number = ANY ($2)"
            " AND NOT EXISTS (SELECT FROM mark_event e WHERE e.number = m.number AND e.scope = m.scope)",
            tenant,
            [row["number"] for row in rows],
        )
        await connection.execute(_ANSWERED_OTHERWISE, tenant, [row["number"] for row in rows])
    if kind == "numbers":
        await connection.execute("DELETE FROM reply_last WHERE message = ANY ($1)", list(ids))
    if kind in {"marks", "consents"}:
        await _unmask(connection, [row["number"] for row in rows])
    await count(connection, tenant, kind, [row["at"] for row in rows])
    return len(rows)


async def _unmask(connection: Connection, numbers: Sequence[int]) -> None:
    """Forget how numbers look of which nothing is on record any more."""
    await connection.execute(
        "DELETE FROM recipient_mask r WHERE r.number = ANY ($1) AND NOT EXISTS (SELECT FROM mark_event e WHERE e.number = r.number)"
        " AND NOT EXISTS (SELECT FROM consent c WHERE c.number = r.number)",
        list(numbers),
    )


async def let_go(connection: Connection, ids: Sequence[int]) -> tuple[int, str]:
    """Note which rows of mark_event go, so that they may; returns the page's number and its digest, for the audit."""
    await marks.lock(connection)
    page = int(await connection.fetchval("SELECT nextval('mark_gone_page_number')"))
    rows = await connection.fetch("SELECT event, content FROM mark_link WHERE event = ANY ($1) ORDER BY place", list(ids))
    await connection.execute(
        "INSERT INTO mark_gone (event, page) SELECT u.event, $2 FROM unnest($1::int8[]) AS u(event)",
        [row["event"] for row in rows],
        page,
    )
    return page, digest_of([row["content"] for row in rows])


async def count(connection: Connection, tenant: int, kind: str, moments: Sequence[datetime]) -> None:
    """Add what went of a kind, each by the moment it was of."""
    if moments:
        await connection.execute(
            "INSERT INTO purge_done AS p (tenant, kind, rows, first_at, last_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (tenant, kind) DO UPDATE SET rows = p.rows + excluded.rows,"
            " first_at = least(p.first_at, excluded.first_at), last_at = greatest(p.last_at, excluded.last_at)",
            *(tenant, kind, len(moments), min(moments), max(moments)),
        )


async def gone(connection: Connection, tenant: int) -> list[Gone]:
    """Return what went of a tenant so far."""
    rows = await connection.fetch("SELECT kind, rows, first_at, last_at FROM purge_done WHERE tenant = $1", tenant)
    found = {row["kind"]: Gone(**row) for row in rows}
    return [found[kind] for kind in KINDS if kind in found]


async def details(connection: Connection, name: str) -> int:
    """Return how many detail files of a tenant's closed cycles are kept: numbers stand in them, and they are books."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM statement_file f JOIN statement s ON s.id = f.statement"
            " WHERE s.direction = 'tenant' AND s.party = $1 AND f.name LIKE '%-detail.%'",
            name,
        )
    )


# ---- certificates -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate as it was signed: canonical JSON, its SHA-256, signature and public key (32 octets)."""

    content: str
    sha256: str
    signature: bytes
    public: bytes

    @property
    def said(self) -> dict[str, Any]:
        """What it says."""
        said: dict[str, Any] = json.loads(self.content)
        return said


async def certificate(connection: Connection, name: str) -> Certified | None:
    """Return a tenant's newest certificate; None without any. Also of a tenant that is provisioned no more."""
    row = await connection.fetchrow(
        "SELECT content, sha256, signature, public FROM deletion_certificate WHERE name = $1 ORDER BY id DESC LIMIT 1", name
    )
    return None if row is None else Certified(**row)


async def keep(connection: Connection, tenant: int, name: str, made: Certified) -> None:
    """Keep a certificate for good."""
    await connection.execute(
        "INSERT INTO deletion_certificate (tenant, name, content, sha256, signature, public) VALUES ($1, $2, $3, $4, $5, $6)",
        *(tenant, name, made.content, made.sha256, made.signature, made.public),
    )


async def was_certified(connection: Connection, sha256: str) -> bool:
    """Whether a certificate of this hash was made here, as both the register and the audit say."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM deletion_certificate WHERE sha256 = $1) AND EXISTS (SELECT FROM audit"
            " WHERE kind = 'tenant_purge' AND new ->> 'sha256' = $1)",
            sha256,
        )
    )
