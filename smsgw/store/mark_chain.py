"""The chain of what recipients said: each row of mark_event has a link with the hash of what it says and of the link before it.

    content = SHA-256 of the row with the scope that it names, as schema 0017 writes it
    hash    = SHA-256 of the hash before it (32 zero octets before the first), its place (8 octets) and its content

A row that went with the end of a contract is known by the hash of its content alone; which rows went stands in the audit, page by
page.
The audit also notes, once an hour, where this chain has come to: who makes it anew, whole, has the audit's chain against him.

Promises: whatever row was altered, removed or slipped in is named; nothing that the store computed is trusted.
Must never: change a row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from smsgw.store import marks, provisioning
from smsgw.store.audits import Verified
from smsgw.store.chain import FIRST, Fault, Head, follow
from smsgw.store.database import Connection

PAGE: Final = 2_000
NOTE: Final = "mark_chain"
"""The kind and the name of audit rows that note the head."""
PURGED: Final = "mark_purge"
"""The kind of audit rows that name a page of rows that went."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS: Final = ("kind", "level", "key", "source", "word", "service", "reference", "actor", "reason")
_ROWS: Final = """
    SELECT l.place, l.event, l.content, l.hash, g.page, e.id, e.at, e.number, e.active, s.owner, s.kind, s.level, s.key,
           e.source, e.word, e.service, e.reference, e.actor, e.reason
    FROM mark_link l LEFT JOIN mark_event e ON e.id = l.event LEFT JOIN mark_scope s ON s.id = e.scope
    LEFT JOIN mark_gone g ON g.event = l.event WHERE l.place > $1 ORDER BY l.place LIMIT $2"""


def content_of(row: Mapping[str, Any]) -> bytes:
    """Return the hash of what a row of mark_event says, with its scope."""
    moment = (row["at"] - _EPOCH) // timedelta(microseconds=1)
    fields = [str(row["id"]), str(moment), str(row["number"]), str(int(row["active"])), str(row["owner"])]
    fields += [f"{len(row[word].encode())}:{row[word]}" for word in _WORDS]
    return sha256(",".join(fields).encode()).digest()


async def head(connection: Connection) -> Head:
    """Return where the chain has come to, as the store notes it."""
    row = await connection.fetchrow("SELECT place, hash FROM mark_head")
    assert row is not None
    return Head(row["place"], row["hash"])


async def note(connection: Connection) -> bool:
    """Note in the audit where the chain has come to, if it has gone on since; returns whether it had."""
    async with connection.transaction():
        await marks.lock(connection)
        now = str(await head(connection))
        last = await connection.fetchval("SELECT new ->> 'head' FROM audit WHERE name = $1 ORDER BY id DESC LIMIT 1", NOTE)
        if now == (last or str(FIRST)):
            return False
        await provisioning.audit(connection, "smsgw", (NOTE, NOTE), None, {"head": now}, "")
    return True


async def verify(connection: Connection, *, last: int = 0) -> Verified:
    """Walk the chain, its newest `last` links or all of it, and the rows that it is about."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        end = await head(connection)
        at = await _start(connection, end, last)
        noted = await _noted(connection, at)
        pages: dict[int, Any] = {}
        rows = 0
        async for row in _links(connection, at.number):
            why = _fault(at, row)
            if why:
                return Verified(rows, at, Fault(at.number + 1, row["event"] if row["place"] == at.number + 1 else 0, why))
            at, rows = Head(row["place"], row["hash"]), rows + 1
            if noted.pop(at.number, at.hash) != at.hash:
                return Verified(rows, at, Fault(at.number, row["event"], "has not the hash that the audit has noted for it"))
            if row["page"] is not None and row["id"] is None:
                pages.setdefault(row["page"], sha256()).update(row["content"])
        fault = await _end(connection, at, end, noted) or (None if last else await _gone(connection, pages))
        return Verified(rows, at, fault)


def _fault(at: Head, row: Mapping[str, Any]) -> str:
    """Return what is wrong with a link, or with its row; "" for nothing."""
    if row["place"] != at.number + 1:
        return f"is missing: the next link is number {row['place']}"
    if follow(at, row["content"]).hash != row["hash"]:
        return "does not have the hash of what it says and of the one before it"
    if row["id"] is None:
        return "" if row["page"] is not None else "is missing: the row was deleted"
    return "" if content_of(row) == row["content"] else "does not say what it said: the row was changed"


async def _links(connection: Connection, after: int) -> AsyncIterator[Any]:
    while rows := await connection.fetch(_ROWS, after, PAGE):
        for row in rows:
            yield row
        after = rows[-1]["place"]


async def _start(connection: Connection, end: Head, last: int) -> Head:
    number = end.number - last if last else 0
    digest = await connection.fetchval("SELECT hash FROM mark_link WHERE place = $1", number) if number > 0 else None
    return Head(number, digest) if digest is not None else FIRST


async def _noted(connection: Connection, at: Head) -> dict[int, bytes]:
    """Return the heads that the audit has noted beyond a place."""
    heads = [
        Head.parse(row["head"]) for row in await connection.fetch("SELECT new ->> 'head' AS head FROM audit WHERE name = $1", NOTE)
    ]
    return {one.number: one.hash for one in heads if one.number > at.number}


async def _end(connection: Connection, at: Head, end: Head, noted: Mapping[int, bytes]) -> Fault | None:
    if at.number < end.number:
        return Fault(at.number + 1, 0, f"is missing: the chain has come to {end.number}")
    if at != end:
        return Fault(at.number, 0, "is not the head that the chain has noted")
    if noted:
        return Fault(min(noted), 0, "was noted in the audit, and the chain does not go there")
    slipped = await connection.fetchval(
        "SELECT min(e.id) FROM mark_event e LEFT JOIN mark_link l ON l.event = e.id WHERE l.event IS NULL"
    )
    return Fault(at.number + 1, slipped, "has no place in the chain") if slipped is not None else None


async def _gone(connection: Connection, pages: Mapping[int, Any]) -> Fault | None:
    """Hold what went against what the audit says went. `pages`: the digest of what the links say of each page."""
    told = await connection.fetch(
        "SELECT (new ->> 'page')::int8 AS page, new ->> 'digest' AS digest FROM audit WHERE kind = $1", PURGED
    )
    said = {row["page"]: row["digest"] for row in told}
    for page in sorted({*said, *pages}):
        if page not in pages or said.get(page) != pages[page].hexdigest():
            event = await connection.fetchval("SELECT min(event) FROM mark_gone WHERE page = $1", page)
            place = await connection.fetchval("SELECT min(place) FROM mark_link WHERE event = $1", event)
            return Fault(place or 0, event or 0, f"went with page {page} of a purge, of which the audit says something else")
    return None


def digest_of(contents: list[bytes]) -> str:
    """Return the digest of a page of rows, by the hashes of what they said, in the order of their places."""
    return sha256(b"".join(contents)).hexdigest()
