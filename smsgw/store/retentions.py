"""How long content and numbers are kept: the classes as ops provision them, and the passes that bring it about, in pages.

Whole days of content are dropped by `partitions`; here go, row by row, what a class keeps for hours only, and what lies on in a day
that is kept for somebody else's sake (an open message, a legal hold). Numbers of old messages give way to keyed hashes.

Content stays with the class that it was written to. Numbers are hashed as the class asks under which their message was sent (who
leaves a class leaves its promise to recipients behind), and as that of the account now asks, if that is sooner; but of messages
that were sent under cn_port not before the law lets them go, whatever class their account has come to since.

Promises that no content goes which an open message needs, nothing that a legal hold means, and that each statement touches a page.
Must never: see a number leave the store in clear; take from the law what was sent under it.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from smsgw.model import FIRST_FINAL, State
from smsgw.store.database import Connection
from smsgw.store.ids import least_id_at
from smsgw.store.legal_holds import HeldMeanwhile, heeding
from smsgw.store.partitions import day_range

PAGE: Final = 2_000
LEFT_OPEN: Final = 10_000
"""Open messages of which a class remembers that their numbers are to be hashed later; beyond that it waits for them."""
SHORT_H: Final = 72
"""Up to so many hours content goes by the row, and not only with its day."""
GRACE_S: Final = 3_600
"""A round that is so late is behind."""
LAW_DAYS: Final = 150
"""So long numbers of messages that were sent under cn_port are kept (Order 31)."""
HASHED: Final = "h:"
"""What a hash begins with, in the place of a number."""
_LOCK: Final = 0x736D_7367_7703

# Each message by its key: no plan may read all messages for the sake of a page.
_MESSAGE: Final = "LEFT JOIN LATERAL (SELECT i.* FROM message i WHERE i.id = c.id OFFSET 0) m ON true"

_ANEW: Final = "hashed_till = 0, left_open = '{}', law_till = 0, law_open = '{}'"
_LOOK: Final = "SELECT id, account, state, done_ms, source, destination, legally_held(tenant, account, id) AS held FROM message"

PUT: Final = "SELECT set_retention($1, $2, $3, $4, $5)"
DELETE: Final = "UPDATE retention SET live = false WHERE name = $1"
KEYS: Final = ("profile", "content_h", "numbers_days", "encrypted")


async def read_entities(connection: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the classes in the shape of a provisioning file."""
    rows = await connection.fetch("SELECT name, profile, content_h, numbers_days, encrypted FROM retention WHERE live")
    return {("retention", row["name"]): {key: row[key] for key in KEYS} for row in rows}


async def put(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    """Make a class, with the days of its content, or change one; of another profile it is a new class under the name."""
    await connection.execute(PUT, name, *(values[key] for key in KEYS))


@dataclass(frozen=True, slots=True)
class Passed:
    """What a round did: rows of content that went, messages whose numbers were hashed, and whether there is more to do."""

    content: int = 0
    numbers: int = 0
    more: bool = False


async def keep(connection: Connection, now: float, hash_number: Callable[[str], str], limit: int = PAGE) -> Passed:
    """Let go what has had its time, a page of each class; on one node at a time. `now`: seconds since 1970.

    A legal hold that is set meanwhile ends the round, and there is more to do.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        return Passed()
    content = numbers = 0
    more = False
    try:
        classes = await connection.fetch("SELECT class, content_h, numbers_days FROM retention ORDER BY class")
        days = await connection.fetchval("SELECT retention_days FROM partitioned WHERE parent = 'content_0'")
        for number, hours in [(0, (days or 0) * 24), *((row["class"], row["content_h"]) for row in classes)]:
            gone = await _expire(connection, number, _content_till(hours, now), limit)
            content += gone
            more = more or gone == limit
        for row in classes:
            for walk in _WALKS if row["numbers_days"] else ():
                before = now - walk.days(row["numbers_days"]) * 86_400
                looked, hashed = await _hash(connection, (row["class"], walk), before, hash_number, limit)
                numbers += hashed
                more = more or looked == limit
        return Passed(content, numbers, more)
    except HeldMeanwhile:
        return Passed(content, numbers, more=True)
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


def number_hash(key: bytes) -> Callable[[str], str]:
    """Return what makes of a number what takes its place: the same of the same number, of no use without the key."""
    return lambda number: HASHED + blake2b(number.encode(), digest_size=12, key=key).hexdigest()


def _content_till(hours: int, now: float) -> int:
    """Return the id before which content of a class has had its time; of one that is kept for days, only whole days."""
    if hours <= SHORT_H:
        return least_id_at(now - hours * 3_600)
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    return max(0, day_range(today - datetime.timedelta(days=-(-hours // 24)))[0])


async def _expire(connection: Connection, number: int, till: int, limit: int) -> int:
    """Delete a page of a class's content whose message needs it no more."""
    async with heeding(connection):
        return await _delete(connection, number, till, limit)


async def _delete(connection: Connection, number: int, till: int, limit: int) -> int:
    done: str = await connection.execute(
        f"DELETE FROM content WHERE class = $1 AND id = ANY (ARRAY(SELECT c.id FROM content c {_MESSAGE}"
        " WHERE c.class = $1 AND c.id < $2 AND coalesce(m.state, $3) >= $3 AND NOT legally_held(m.tenant, m.account, m.id)"
        " ORDER BY c.id LIMIT $4))",
        number,
        till,
        int(State.SENT),
        limit,
    )
    return int(done.rpartition(" ")[2])


@dataclass(frozen=True, slots=True)
class _Walk:
    """One of the two walks of a class through all messages: of what it may hash in its own time, and of what the law keeps longer.

    `till`, `left`: the columns that say how far it is, and what it left open.
    """

    by_law: bool
    till: str
    left: str

    def days(self, numbers_days: int) -> int:
        """Return how old messages are when it comes to them."""
        return max(numbers_days, LAW_DAYS) if self.by_law else numbers_days


_WALKS: Final = (_Walk(by_law=False, till="hashed_till", left="left_open"), _Walk(by_law=True, till="law_till", left="law_open"))


@dataclass(frozen=True, slots=True)
class _Meant:
    """Whose messages a class may hash: of the accounts that are of it now all, of those that were what they sent then."""

    now: frozenset[int]
    spans: Mapping[int, Sequence[tuple[int, int, bool, bool]]]

    def __call__(self, account: int, number: int) -> bool:
        return account in self.now or any(ours for ours, _ in self._at(account, number))

    def by_law(self, account: int, number: int) -> bool:
        """Whether it was sent under cn_port."""
        return any(lawful for _, lawful in self._at(account, number))

    def walked(self, walk: _Walk) -> list[int]:
        """Return the accounts for whose sake a walk is made."""
        return [one for one, spans in self.spans.items() if not walk.by_law or any(lawful for *_, lawful in spans)]

    def _at(self, account: int, number: int) -> Iterable[tuple[bool, bool]]:
        spans = self.spans.get(account, ())
        return ((ours, lawful) for first, after, ours, lawful in spans if first <= number < after)


async def _meant(connection: Connection, number: int) -> _Meant:
    rows = await connection.fetch(
        "SELECT s.account, s.from_id, s.until_id, s.class = $1 AS ours, s.by_law, lead(s.account) OVER w IS NULL AS now"
        " FROM retention_span s WHERE s.account IN (SELECT h.account FROM account_retention h WHERE h.class = $1)"
        " WINDOW w AS (PARTITION BY s.account ORDER BY s.from_id)",
        number,
    )
    spans: dict[int, list[tuple[int, int, bool, bool]]] = {}
    for row in rows:
        spans.setdefault(row["account"], []).append((row["from_id"], row["until_id"], row["ours"], row["by_law"]))
    return _Meant(frozenset(row["account"] for row in rows if row["now"] and row["ours"]), spans)


async def _hash(
    connection: Connection, of: tuple[int, _Walk], before: float, hash_number: Callable[[str], str], limit: int
) -> tuple[int, int]:
    """Hash the numbers of a page of a class's messages; returns how many were looked at, and how many hashed."""
    number, walk = of
    async with heeding(connection):
        row = await connection.fetchrow(
            f"SELECT {walk.till} AS till, {walk.left} AS left, hashed_of FROM retention WHERE class = $1 FOR UPDATE", number
        )
        assert row is not None
        meant = await _meant(connection, number)
        till, left, known = row["till"], list(row["left"]), set(row["hashed_of"])
        if meant.now != known:
            await connection.execute("UPDATE retention SET hashed_of = $2 WHERE class = $1", number, sorted(meant.now))
        if meant.now - known:  # of one that has come to the class, everything is old
            await connection.execute(f"UPDATE retention SET {_ANEW} WHERE class = $1", number)
            till, left = 0, []
        if not meant.walked(walk) or len(left) >= LEFT_OPEN:
            return 0, 0
        page = await connection.fetch(f"{_LOOK} WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3", till, least_id_at(before), limit)
        again = await connection.fetch(f"{_LOOK} WHERE id = ANY ($1)", left)
        looked = [
            one
            for one in [*again, *page]
            if not one["held"] and meant(one["account"], one["id"]) and meant.by_law(one["account"], one["id"]) == walk.by_law
        ]
        ended = [one for one in looked if _ended(one)]
        await _put_hashes(connection, [one for one in ended if not one["destination"].startswith(HASHED)], hash_number)
        await connection.execute(
            f"UPDATE retention SET {walk.till} = $2, {walk.left} = $3 WHERE class = $1",
            number,
            page[-1]["id"] + 1 if page else till,
            [one["id"] for one in looked if not _ended(one)],
        )
        return len(page), len(ended)


def _ended(row: Any) -> bool:
    return bool(row["state"] >= FIRST_FINAL or (row["state"] == State.SENT and row["done_ms"]))


async def _put_hashes(connection: Connection, rows: list[Any], hash_number: Callable[[str], str]) -> None:
    if rows:
        await connection.execute(
            "UPDATE message m SET source = u.source, destination = u.destination"
            " FROM unnest($1::int8[], $2::text[], $3::text[]) AS u(id, source, destination) WHERE m.id = u.id",
            [row["id"] for row in rows],
            [hash_number(row["source"]) if row["source"] else "" for row in rows],
            [hash_number(row["destination"]) for row in rows],
        )


async def behind(connection: Connection, now: float) -> list[str]:
    """Say which classes' content or numbers are kept longer than they ask, by an hour or a day; [] when none are."""
    found = []
    for row in await connection.fetch("SELECT * FROM retention ORDER BY name"):
        late = await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM content c {_MESSAGE} WHERE c.class = $1 AND c.id < $2"
            " AND coalesce(m.state, $3) >= $3 AND NOT legally_held(m.tenant, m.account, m.id))",
            row["class"],
            _content_till(row["content_h"], now - GRACE_S),
            int(State.SENT),
        )
        if late:
            found.append(f"content of {row['name']} lies longer than its {row['content_h']} hours")
        if row["numbers_days"]:
            found += [text for walk in _WALKS async for text in _behind(connection, row, walk, now)]
    return found


async def _behind(connection: Connection, row: Any, walk: _Walk, now: float) -> AsyncIterator[str]:
    days = walk.days(row["numbers_days"])
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM message WHERE id >= $1 AND id < $2 AND account = ANY ($3))",
        row[walk.till],
        least_id_at(now - (days + 1) * 86_400),
        (await _meant(connection, row["class"])).walked(walk),
    ):
        yield f"numbers of {row['name']} are not hashed after {days} days"
    if len(row[walk.left]) >= LEFT_OPEN:
        yield f"{len(row[walk.left])} messages of {row['name']} are open for so long that no number is hashed any more"


async def look_again(connection: Connection) -> None:
    """Have all messages looked at again: something that was passed over may go now."""
    await connection.execute(f"UPDATE retention SET {_ANEW}")
