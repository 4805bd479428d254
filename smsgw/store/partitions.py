"""Day partitions: made ahead of time, dropped whole when their time is over.

The table `partitioned` names the parents (`parent, retention_days, storage`). Each is partitioned by RANGE on a
MessageId, whose upper bits are milliseconds since 2025-01-01T00:00:00Z, so that a day is one range of ids. A DEFAULT
partition catches what no day was made for: a row in it is an alert, and `empty_default` moves it.

Promises that a day with open messages is never dropped, nor one that a legal hold means; that no statement waits for a lock longer
than `LOCK_TIMEOUT_MS`, so that the data path is never held up behind it: who does not get the lock tries again later. Must
never run twice at once: one advisory lock has one holder.
"""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg

from smsgw.model import EPOCH_MS, FIRST_FINAL, State
from smsgw.store.legal_holds import wait_with_new

if TYPE_CHECKING:
    from smsgw.store.database import Connection

AHEAD_DAYS: Final = 7
LOCK_TIMEOUT_MS: Final = 200
TRIES: Final = 10

_LOCK: Final = 0x736D_7367_7702
_EPOCH: Final = datetime.date(1970, 1, 1) + datetime.timedelta(milliseconds=EPOCH_MS)
_DAY: Final = 86_400_000 << 22
_PAUSE_S: Final = 0.05

# Whose open rows hold a day: a message's own, its content's, and those of what was changed in it. Anything else (references) only
# has its time.
_HELD_BY_MESSAGE: Final = re.compile(r"message|transform|reply|content(_\w+)?")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one round did. `crowded`: days that could not be made because the DEFAULT partition has rows of them.

    `held`: days past their time that still have open messages. `kept`: those that a legal hold keeps. `busy`: what no lock was to
    be had for this time.
    """

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Parent:
    name: str
    retention_days: int
    storage: str

    @property
    def default(self) -> str:
        return f"{self.name}_default"

    @property
    def content_class(self) -> int | None:
        """Which class's content it has; None: it has no content."""
        number = self.name.removeprefix("content_")
        return int(number) if number.isdigit() else None

    def partition(self, day: datetime.date) -> str:
        return f"{self.name}_{day:%Y%m%d}"


def day_range(day: datetime.date) -> tuple[int, int]:
    """The MessageIds of a UTC day: from the first (included) to the first of the next (excluded)."""
    first = (day - _EPOCH).days * _DAY
    return first, first + _DAY


async def ensure_days(connection: Connection, now: datetime.datetime, *, ahead: int = AHEAD_DAYS) -> Upkeep:
    """Make the partitions of today and of the `ahead` days that follow, where they are missing."""
    made: list[str] = []
    crowded: list[str] = []
    busy: list[str] = []
    today = now.astimezone(datetime.UTC).date()
    async with _alone(connection) as alone:
        for parent in await _parents(connection) if alone else ():
            there = await _partitions(connection, parent)
            for day in (today + datetime.timedelta(days=n) for n in range(ahead + 1)):
                name = parent.partition(day)
                if name in there:
                    continue
                try:
                    await _patiently(connection, _make(parent, day))
                    made.append(name)
                except asyncpg.CheckViolationError:
                    crowded.append(name)
                except asyncpg.LockNotAvailableError:
                    busy.append(name)
    return Upkeep(made=tuple(made), crowded=tuple(crowded), busy=tuple(busy))


async def drop_old(connection: Connection, now: datetime.datetime) -> Upkeep:
    """Drop the days that are over for longer than their parent's `retention_days`, and that nobody needs or holds."""
    dropped: list[str] = []
    held: list[str] = []
    kept: list[str] = []
    busy: list[str] = []
    today = now.astimezone(datetime.UTC).date()
    async with _alone(connection) as alone:
        for parent in await _parents(connection) if alone else ():
            for name, day in sorted((await _partitions(connection, parent)).items()):
                if day is None or (today - day).days <= parent.retention_days:
                    continue
                legally_held = partial(_is_legally_held, connection, parent, name, day)
                if await legally_held():
                    kept.append(name)
                    continue
                if await _has_open(connection, parent, name, day):
                    held.append(name)
                    continue
                try:
                    _, after = day_range(day)
                    since = f"UPDATE partitioned SET kept_from = greatest(kept_from, {after}) WHERE parent = '{parent.name}'"
                    done = await _patiently(connection, [f"DROP TABLE {name}", since], unless=legally_held)
                    (kept if done is None else dropped).append(name)
                except asyncpg.LockNotAvailableError:
                    busy.append(name)
    return Upkeep(dropped=tuple(dropped), held=tuple(held), kept=tuple(kept), busy=tuple(busy))


async def empty_default(connection: Connection, parent: str) -> int:
    """Move the rows of a DEFAULT partition into days of their own, made for them; how many. For `doctor`.

    Holds the DEFAULT partition while it moves, which is why it is an operator's step and not the upkeep's.
    """
    moved = 0
    async with _alone(connection) as alone:
        for entry in await _parents(connection) if alone else ():
            if entry.name != parent:
                continue
            key = await _key(connection, entry)
            rows = await connection.fetch(f"SELECT DISTINCT {key} / {_DAY} AS day FROM {entry.default}")
            for row in rows:
                day = _EPOCH + datetime.timedelta(days=row["day"])
                first, after = day_range(day)
                create, attach = _make(entry, day)
                move = (
                    f"WITH gone AS (DELETE FROM {entry.default} WHERE {key} >= {first} AND {key} < {after} "
                    f"RETURNING *) INSERT INTO {entry.partition(day)} SELECT * FROM gone"
                )
                moved += await _patiently(connection, [create, move, attach], counted=move) or 0
    return moved


async def default_rows(connection: Connection) -> dict[str, int]:
    """How many rows wait in each parent's DEFAULT partition: anything but 0 is an alert."""
    found = {}
    for parent in await _parents(connection):
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", parent.default):
            found[parent.name] = await connection.fetchval(f"SELECT count(*) FROM {parent.default}")
    return found


# --- one at a time, and never in the way ---------------------------------------------------------------------------


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[bool]:
    """Whether we hold the upkeep's lock; another gateway that does is doing the same work."""
    alone = bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK))
    try:
        yield alone
    finally:
        if alone and not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _patiently(
    connection: Connection, statements: Sequence[str], *, counted: str = "", unless: Callable[[], Awaitable[bool]] | None = None
) -> int | None:
    """Run the statements in one transaction, again if a lock is not free at once; the rows that `counted` touched.

    `unless`: asked in it first, and no legal hold is set until it ends; None where it says yes, and nothing was done.
    """
    touched = 0
    for left in reversed(range(TRIES)):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                if unless is not None:
                    await wait_with_new(connection)
                    if await unless():
                        return None
                for statement in statements:
                    said = await connection.execute(statement)
                    if statement == counted:
                        touched = int(said.rpartition(" ")[2])
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if not left:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            break
    return touched


# --- the catalogue -------------------------------------------------------------------------------------------------


async def _parents(connection: Connection) -> list[_Parent]:
    rows = await connection.fetch("SELECT parent, retention_days, storage FROM partitioned ORDER BY parent")
    return [_Parent(row["parent"], row["retention_days"], row["storage"]) for row in rows]


async def _partitions(connection: Connection, parent: _Parent) -> dict[str, datetime.date | None]:
    """The parent's partitions, and the day of each that is a day's."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass",
        parent.name,
    )
    found: dict[str, datetime.date | None] = {}
    for row in rows:
        name = row["relname"]
        day = re.fullmatch(rf"{parent.name}_(\d{{8}})", name)
        found[name] = datetime.datetime.strptime(day[1], "%Y%m%d").replace(tzinfo=datetime.UTC).date() if day else None
    return found


async def _key(connection: Connection, parent: _Parent) -> str:
    """The column that the parent is partitioned by."""
    return str(
        await connection.fetchval(
            "SELECT a.attname FROM pg_partitioned_table p JOIN pg_attribute a "
            "ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = $1::regclass",
            parent.name,
        )
    )


async def _has_open(connection: Connection, parent: _Parent, name: str, day: datetime.date) -> bool:
    """Whether a message of the day is open; of a class's own content, whether one that it says something of needs it still."""
    first, after = day_range(day)
    if not _HELD_BY_MESSAGE.fullmatch(parent.name):
        return False
    if parent.content_class:
        return bool(
            await connection.fetchval(
                f"SELECT EXISTS (SELECT FROM message m JOIN {name} c ON c.class = {parent.content_class} AND c.id = m.id"
                " WHERE m.id >= $1 AND m.id < $2 AND m.state < $3)",
                first,
                after,
                int(State.SENT),
            )
        )
    return bool(
        await connection.fetchval(
            # SENT with a time of its end waits for nothing any more
            "SELECT EXISTS (SELECT FROM message WHERE id >= $1 AND id < $2 AND state < $3 AND NOT (state = $4 AND done_ms > 0))",
            first,
            after,
            int(FIRST_FINAL),
            int(State.SENT),
        )
    )


async def _is_legally_held(connection: Connection, parent: _Parent, name: str, day: datetime.date) -> bool:
    """Whether a legal hold means a message of the day, of which this partition says something."""
    if not _HELD_BY_MESSAGE.fullmatch(parent.name):
        return False
    said = "" if parent.content_class is None else f" JOIN {name} c ON c.class = {parent.content_class} AND c.id = m.id"
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM legal_hold h JOIN message m ON m.tenant = h.tenant"
            " AND m.id >= h.from_id AND m.id < h.until_id"
            f" AND (h.account IS NULL OR h.account = m.account){said}"
            " WHERE h.released_at IS NULL AND h.from_id < $2 AND h.until_id > $1 AND m.id >= $1 AND m.id < $2)",
            *day_range(day),
        )
    )


def _make(parent: _Parent, day: datetime.date) -> list[str]:
    """CREATE, then ATTACH: a partition made in place would lock the parent against everybody."""
    first, after = day_range(day)
    name = parent.partition(day)
    storage = f" WITH ({parent.storage})" if parent.storage else ""
    return [
        f"CREATE TABLE {name} (LIKE {parent.name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE){storage}",
        f"ALTER TABLE {parent.name} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({after})",
    ]
