from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from smsgw.store.database import Connection, DatabaseRefused, connect
from smsgw.store.migrations import migrate, read_migrations


def _write(directory: Path, **files: str) -> Path:
    for name, sql in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(sql)
    return directory


@pytest.fixture
async def empty(connection: Connection) -> Connection:
    """A database that no migration has touched."""
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return connection


async def test_applies_in_order_and_only_once(empty: Connection, tmp_path: Path):
    """Files are applied in the order of their numbers, and a second run finds nothing to do."""
    _write(tmp_path, m0002_second="ALTER TABLE a ADD y int", m0001_first="CREATE TABLE a (x int)")
    assert await migrate(empty, tmp_path) == ("0001_first.sql", "0002_second.sql")
    assert await migrate(empty, tmp_path) == ()
    await empty.execute("INSERT INTO a (x, y) VALUES (1, 2)")


async def test_a_failing_file_leaves_nothing_behind(empty: Connection, tmp_path: Path):
    """A migration is applied whole or not at all, and those before it stay applied."""
    _write(tmp_path, m0001_good="CREATE TABLE a ()", m0002_bad="CREATE TABLE b (); SELECT 1/0")
    with pytest.raises(Exception, match="division by zero"):
        await migrate(empty, tmp_path)
    assert await empty.fetchval("SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL")
    _write(tmp_path, m0002_bad="CREATE TABLE b ()")
    assert await migrate(empty, tmp_path) == ("0002_bad.sql",)


async def test_a_changed_file_is_refused(empty: Connection, tmp_path: Path):
    """An applied file whose text has changed refuses the start and names the file."""
    _write(tmp_path, m0001_first="CREATE TABLE a ()")
    await migrate(empty, tmp_path)
    _write(tmp_path, m0001_first="CREATE TABLE a (x int)")
    with pytest.raises(DatabaseRefused, match="0001_first"):
        await migrate(empty, tmp_path)


async def test_a_newer_database_is_refused(empty: Connection, tmp_path: Path):
    """A database with a migration that this program does not know is not touched."""
    _write(tmp_path, m0001_first="CREATE TABLE a ()", m0002_later="CREATE TABLE b ()")
    await migrate(empty, tmp_path)
    (tmp_path / "0002_later.sql").unlink()
    with pytest.raises(DatabaseRefused, match="0002_later") as refused:
        await migrate(empty, tmp_path)
    assert refused.value.exit_code == 78


async def test_a_number_below_the_newest_comes_too_late(empty: Connection, tmp_path: Path):
    """A file that slips in before an applied one is refused: its author could not have meant this database."""
    _write(tmp_path, m0002_second="CREATE TABLE b ()")
    await migrate(empty, tmp_path)
    _write(tmp_path, m0001_first="CREATE TABLE a ()")
    with pytest.raises(DatabaseRefused, match="0001_first"):
        await migrate(empty, tmp_path)


async def test_two_starts_at_once_apply_each_file_once(empty: Connection, database: str, tmp_path: Path):
    """Gateways that start together wait for each other: one of them applies, the other finds it done."""
    _write(tmp_path, m0001_first="CREATE TABLE a (); SELECT pg_sleep(0.05)", m0002_second="CREATE TABLE b ()")
    other = await connect(database)
    applied = await asyncio.gather(migrate(empty, tmp_path), migrate(other, tmp_path))
    await other.close()
    assert sorted(map(len, applied)) == [0, 2]


def test_badly_named_or_doubled_files_are_told(tmp_path: Path):
    """A set of files that is not numbered clearly is a mistake of ours, found before any database is asked."""
    _write(tmp_path, m1_first="SELECT 1")
    with pytest.raises(ValueError, match="NNNN"):
        read_migrations(tmp_path)
    (tmp_path / "1_first.sql").unlink()
    _write(tmp_path, m0001_first="SELECT 1", m0001_second="SELECT 1")
    with pytest.raises(ValueError, match="one number"):
        read_migrations(tmp_path)


def test_our_own_files_travel_with_the_package():
    """The schema's files are found beside the code, as in an installed wheel."""
    assert read_migrations()[0].number == 1
