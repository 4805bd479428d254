"""The schema's history: numbered files, applied once each, forwards only.

A file that was applied is closed for good: its checksum is kept and a change refuses the start. A database newer than
the program refuses it too. Promises that two gateways starting at once apply each file once, and that a file is applied
whole or not at all. Must never alter what is not in a file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from smsgw.store.errors import DatabaseRefused

if TYPE_CHECKING:
    import asyncpg

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 0x736D_7367_7701
"""The advisory lock of whoever migrates: "smsgw", 1."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number     int PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. Numbers only rise; one may be missing (a change that was withdrawn before it was released)."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(directory: Traversable | None = None) -> tuple[Migration, ...]:
    """The files of `directory` (default: those that travel with smsgw), in order. Raises `ValueError` for a bad set."""
    directory = directory or resources.files("smsgw.store").joinpath("schema")
    found = []
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        named = _NAME.fullmatch(file.name)
        if named is None:
            raise ValueError(f"{file.name}: a migration is named NNNN_what_it_does.sql")
        found.append(Migration(int(named[1]), file.name, file.read_text(encoding="utf-8")))
    for before, after in pairwise(found):
        if before.number == after.number:
            raise ValueError(f"{before.name} and {after.name} have one number")
    return tuple(found)


async def migrate(connection: asyncpg.Connection[asyncpg.Record], directory: Traversable | None = None) -> tuple[str, ...]:
    """Bring the database to this program's schema; the names of the files applied now, often none.

    Raises `DatabaseRefused` if the database knows a file that we do not, or another text under the same number.
    """
    migrations = read_migrations(directory)
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_TABLE)
        pending = await _pending(connection, migrations)
        for migration in pending:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return tuple(migration.name for migration in pending)


async def _pending(connection: asyncpg.Connection[asyncpg.Record], migrations: tuple[Migration, ...]) -> tuple[Migration, ...]:
    """Which of `migrations` the database lacks; what it has is compared with what was applied."""
    rows = await connection.fetch("SELECT number, name, checksum FROM schema_migration ORDER BY number")
    ours = {migration.number: migration for migration in migrations}
    for row in rows:
        migration = ours.pop(row["number"], None)
        if migration is None:
            raise DatabaseRefused(
                f"the database is newer than this smsgw: it has {row['name']}; start the version that made it, or a later one"
            )
        if row["checksum"] != migration.checksum:
            raise DatabaseRefused(
                f"{migration.name} is not the file that was applied to this database: an applied migration never "
                "changes, a new one is added"
            )
    newest = rows[-1]["number"] if rows else 0
    late = next((migration for migration in ours.values() if migration.number < newest), None)
    if late is not None:
        raise DatabaseRefused(f"{late.name} comes too late: {rows[-1]['name']} is applied already; give it a new number")
    return tuple(ours.values())
