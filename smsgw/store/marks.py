"""Marks of recipients in the store: set, lifted, told to every node, looked at. One function a statement.

A mark is (keyed hash of a number, scope). Its `change` rises in the order of COMMITs, as whoever sets marks holds `lock`
to his COMMIT: a node that has read up to one change has missed none below it. What happened to a mark is kept in `mark_event`.

Must never: hold a phone number; forget a refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final, NamedTuple

from smsgw.store import database
from smsgw.store.database import Connection

CHANNEL: Final = "smsgw_marks"
PAGE: Final = 20_000
ScopeKey = tuple[str, str, int, str]
"""(kind, level, owner, key) of a scope: `smsgw.policy.marks.Scope` is one."""


class Setting(NamedTuple):
    """A mark to be set (`active`) or lifted. `make`: also where there is none yet; what a handset takes back has to be there.

    `masked`: the number with its middle hidden, as people may see it; kept once for each number.
    """

    number: int
    scope: int
    active: bool
    at: datetime
    source: str
    actor: str
    word: str = ""
    service: str = ""
    reference: str = ""
    reason: str = ""
    make: bool = True
    masked: str = ""


async def lock(connection: Connection) -> None:
    """Let one transaction set marks at a time, until its COMMIT."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('smsgw_marks'))")


async def codes_of(connection: Connection, scopes: Iterable[ScopeKey]) -> dict[ScopeKey, int]:
    """Return the store's numbers of scopes; those that are not there are made. The caller holds the lock."""
    wanted = list(dict.fromkeys(tuple(scope) for scope in scopes))
    columns = [list(column) for column in zip(*wanted, strict=True)] or [[], [], [], []]
    await connection.execute(
        "INSERT INTO mark_scope (kind, level, owner, key) SELECT * FROM unnest($1::text[], $2::text[], $3::int4[], $4::text[])"
        " ON CONFLICT DO NOTHING",
        *columns,
    )
    return await known_codes(connection, wanted)  # type: ignore[arg-type]  # tuples of four


async def known_codes(connection: Connection, scopes: Sequence[ScopeKey]) -> dict[ScopeKey, int]:
    """Return the store's numbers of those scopes that are there."""
    columns = [list(column) for column in zip(*scopes, strict=True)] or [[], [], [], []]
    rows = await connection.fetch(
        "SELECT s.id, s.kind, s.level, s.owner, s.key FROM mark_scope s"
        " JOIN unnest($1::text[], $2::text[], $3::int4[], $4::text[]) AS u(kind, level, owner, key)"
        " ON (s.kind, s.level, s.owner, s.key) = (u.kind, u.level, u.owner, u.key)",
        *columns,
    )
    return {(row["kind"], row["level"], row["owner"], row["key"]): row["id"] for row in rows}


async def put(connection: Connection, settings: Sequence[Setting]) -> int:
    """Set marks; returns how many differ from before. A number stands once in a scope. The caller holds the lock."""
    if not settings:
        return 0
    columns = [list(column) for column in zip(*settings, strict=True)]
    number, scope, active, at, source, actor, word, service, reference, reason, make, masked = columns
    changed = await connection.fetchval(
        "SELECT put_marks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(number, scope, active, at, source, word, service, reference, actor, reason, make),
    )
    if changed and any(masked):
        await connection.execute(
            "INSERT INTO recipient_mask (number, masked) SELECT DISTINCT ON (u.number) u.number, u.masked"
            " FROM unnest($1::int8[], $2::text[]) AS u(number, masked) WHERE u.masked <> '' ON CONFLICT DO NOTHING",
            number,
            masked,
        )
    return int(changed)


# ---- as nodes read them ------------------------------------------------------------------------------------------------


async def scopes_above(connection: Connection, above: int) -> dict[int, ScopeKey]:
    """Return scopes by their numbers, those above one."""
    rows = await connection.fetch("SELECT id, kind, level, owner, key FROM mark_scope WHERE id > $1 ORDER BY id", above)
    return {row["id"]: (row["kind"], row["level"], row["owner"], row["key"]) for row in rows}


async def last_change(connection: Connection) -> int:
    """Return the number of the newest change; 0 before the first."""
    return int(await connection.fetchval("SELECT coalesce(max(change), 0) FROM mark"))


async def changes_above(connection: Connection, above: int, most: int) -> list[tuple[int, int, bool, int]]:
    """Return (number, scope, active, change) of marks that changed, oldest first."""
    rows = await connection.fetch(
        "SELECT number, scope, active, change FROM mark WHERE change > $1 ORDER BY change LIMIT $2", above, most
    )
    return [(row["number"], row["scope"], row["active"], row["change"]) for row in rows]


class Snapshot(NamedTuple):
    """All active marks of one moment: the newest change in them, scopes by number, and pages as `Marks.load` takes them."""

    change: int
    scopes: Mapping[int, ScopeKey]
    pages: list[tuple[bytes, bytes]]


async def snapshot(connection: Connection, page: int = PAGE) -> Snapshot:
    """Read all active marks. PostgreSQL packs them: no row of a million becomes an object here."""
    pages: list[tuple[bytes, bytes]] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        change = await last_change(connection)
        scopes = await scopes_above(connection, 0)
        number, scope = -(1 << 63), -1
        while True:
            row = await connection.fetchrow(
                "SELECT string_agg(int8send(p.number), ''::bytea ORDER BY p.number, p.scope) AS numbers,"
                " string_agg(int4send(p.scope), ''::bytea ORDER BY p.number, p.scope) AS scopes"
                " FROM (SELECT number, scope FROM mark WHERE active AND (number, scope) > ($1, $2)"
                " ORDER BY number, scope LIMIT $3) p",
                number,
                scope,
                page,
            )
            if row is None or row["numbers"] is None:
                return Snapshot(change, scopes, pages)
            pages.append((row["numbers"], row["scopes"]))
            number = int.from_bytes(row["numbers"][-8:], "big", signed=True)
            scope = int.from_bytes(row["scopes"][-4:], "big", signed=True)


def listening(dsn: str) -> AbstractAsyncContextManager[tuple[Connection, asyncio.Event]]:
    """Connect and listen for changes; the event is set at each, and when the connection ends."""
    return database.listening(dsn, CHANNEL, name="smsgw marks")


# ---- for people --------------------------------------------------------------------------------------------------------

_NAMED: Final = (
    " JOIN mark_scope s ON s.id = m.scope LEFT JOIN account a ON s.level <> 'tenant' AND a.id = s.owner"
    " LEFT JOIN tenant t ON t.id = CASE s.level WHEN 'tenant' THEN s.owner ELSE a.tenant END"
)
_OF: Final = "s.kind, s.level, t.name AS tenant, a.system_id AS account, s.key"


async def of_number(connection: Connection, kind: str, number: int) -> list[dict[str, Any]]:
    """Return the marks of one kind that a number has, or had, with what happened to each last."""
    rows = await connection.fetch(
        f"SELECT {_OF}, m.active, m.at, e.source, e.word, e.service, e.reference, e.actor, e.reason FROM mark m{_NAMED}"
        " LEFT JOIN LATERAL (SELECT * FROM mark_event e WHERE e.number = m.number AND e.scope = m.scope"
        " ORDER BY e.id DESC LIMIT 1) e ON true WHERE s.kind = $1 AND m.number = $2 ORDER BY m.at DESC, m.scope",
        kind,
        number,
    )
    return [dict(row) for row in rows]


async def newest(connection: Connection, kind: str, account: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest events of marks of one kind, of one account or of all, newest first; `number` is the hash, in hex."""
    rows = await connection.fetch(
        f"SELECT {_OF}, m.active, m.at, m.source, m.word, m.service, m.reference, m.actor, m.reason,"
        f" to_hex(m.number) AS number FROM mark_event m{_NAMED}"
        " WHERE s.kind = $1 AND ($2::text IS NULL OR a.system_id = $2) ORDER BY m.id DESC LIMIT $3",
        kind,
        account,
        limit,
    )
    return [dict(row) for row in rows]


async def owner_name(connection: Connection, kind: str, owner: int) -> str:
    """Return the name of an account or a tenant; its id where it is gone."""
    table, column = {"account": ("account", "system_id"), "tenant": ("tenant", "name")}[kind]
    name = await connection.fetchval(f"SELECT {column} FROM {table} WHERE id = $1", owner)
    return str(name if name is not None else owner)
