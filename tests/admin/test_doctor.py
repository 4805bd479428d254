from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from smsgw.admin import doctor
from smsgw.admin.doctor import Finding, Level, examine, exit_code
from smsgw.admin.http import AdminServer
from smsgw.config import Admin, Config, Node
from smsgw.store import partitions
from smsgw.store.database import Connection
from smsgw.telemetry.meters import Meters

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Settings with a data_dir, and an admin address where nobody listens."""
    return Config(node=Node(data_dir=str(tmp_path)), admin=Admin(listen="127.0.0.1:1"))


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    """The findings by what was looked at."""
    return {finding.what: finding for finding in findings}


async def test_a_healthy_store_has_no_fault(config: Config, database: str, connection: Connection):
    """On a fresh store with its days made, everything that concerns the store is well."""
    await partitions.ensure_days(connection, NOW)
    found = by_name(await examine(config, database))
    store = ["database", "schema", "clock", "days ahead", "default partitions", "nodes", "audit", "retention", "books"]
    assert [(what, found[what].level) for what in store] == [(what, Level.OK) for what in store]


async def test_a_database_that_is_away_is_one_finding(config: Config):
    """Without a database the doctor says so, shows no password and still tells of the machine."""
    found = by_name(await examine(config, "postgresql://smsgw:hush@127.0.0.1:1/smsgw"))
    assert found["database"].level is Level.CRITICAL
    assert "hush" not in repr(found)
    assert {"open files", "disk", "gateway"} <= set(found)


async def test_books_that_do_not_agree_are_critical(config: Config, database: str, connection: Connection):
    """A balance without its ledger is found, with the tenant and the two sums."""
    await connection.execute("INSERT INTO balance (tenant, amount, credit_limit) VALUES (7, 5000, 0)")
    found = [finding for finding in await examine(config, database) if finding.what == "books"]
    assert [finding.level for finding in found] == [Level.CRITICAL]
    assert "tenant 7, balance 5000, ledger 0" in found[0].text
    assert exit_code(found) == 2
    assert "books" not in by_name(await examine(config, database, books=False))


async def test_an_audit_that_was_forged_is_critical(config: Config, database: str, connection: Connection):
    """The first row that does not fit is named; of a sound chain how far it has come."""
    await connection.execute(
        "INSERT INTO audit (actor, kind, name) VALUES ('ann', 'account', 'acme1'), ('ann', 'account', 'acme2')"
    )
    found = by_name(await examine(config, database, books=False))["audit"]
    assert (found.level, found.text) == (Level.OK, "2 rows fit, up to number 2; 0 of marks")
    await connection.execute("SET session_replication_role = replica; UPDATE audit SET actor = 'bob' WHERE number = 1")
    found = by_name(await examine(config, database, books=False))["audit"]
    assert found.level is Level.CRITICAL
    assert "number 1 " in found.text


async def test_days_that_are_not_made_are_told(config: Config, database: str, connection: Connection):
    """No partition for today is critical, fewer than five days ahead a warning."""
    later = NOW + datetime.timedelta(days=20)
    await partitions.ensure_days(connection, later, ahead=2)
    assert (await doctor.days(connection, later)).level is Level.WARNING
    later += datetime.timedelta(days=20)
    assert by_name(await examine(config, database, now=later))["days ahead"].level is Level.CRITICAL


async def test_rows_in_a_default_partition_are_told(connection: Connection):
    """A row that fell into a DEFAULT partition is a warning that names the table."""
    await connection.execute("INSERT INTO content (class, id, body) VALUES (0, 1, '')")
    found = await doctor.defaults(connection)
    assert (found.level, found.text) == (Level.WARNING, "1 rows in content_0_default")


async def test_an_old_schema_ends_the_examination(config: Config, database: str, connection: Connection):
    """Where migrations are missing, that is the finding, and no query meets tables that are not there."""
    await connection.execute("DELETE FROM schema_migration")
    found = by_name(await examine(config, database))
    assert found["schema"].level is Level.CRITICAL
    assert "books" not in found


async def test_settings_that_lose_data_are_critical(connection: Connection):
    """synchronous_commit off is critical, or a warning for who asked for it."""
    await connection.execute("SET synchronous_commit = off")
    assert (await doctor.durability(connection, False)).level is Level.CRITICAL
    assert (await doctor.durability(connection, True)).level is Level.WARNING


async def test_a_node_whose_ids_run_ahead_is_critical(connection: Connection):
    """Ids far in the future mean that a clock was wrong."""
    ahead_ms = int(NOW.timestamp() * 1000) - 1_735_689_600_000 + 3_600_000
    await connection.execute("INSERT INTO node (id, epoch, last_ms) VALUES (2, 1, $1)", ahead_ms)
    found = await doctor.seats(connection)
    assert found.level is Level.CRITICAL
    assert "node 2" in found.text
    await connection.execute("UPDATE node SET last_ms = 0, heartbeat = now() - interval '2 days'")
    assert (await doctor.seats(connection)).level is Level.WARNING


async def test_the_gateway_is_asked_whether_it_is_ready(config: Config):
    """A gateway that does not run is a warning, one that lacks something is critical and says what, a ready one is well."""
    assert (await doctor.gateway(config)).level is Level.WARNING
    missing = ["database"]
    server = AdminServer(Meters(), lambda: missing)
    port = await server.start("127.0.0.1", 0)
    asked = Config(admin=Admin(listen=f"127.0.0.1:{port}"))
    try:
        found = await doctor.gateway(asked)
        assert (found.level, found.text) == (Level.CRITICAL, "runs, but is not ready: database")
        missing.clear()
        assert (await doctor.gateway(asked)).level is Level.OK
    finally:
        await server.stop()


@pytest.mark.parametrize(("limit", "level"), [(1_024, Level.CRITICAL), (20_000, Level.WARNING), (65_536, Level.OK)])
def test_too_few_descriptors_are_told(limit: int, level: Level):
    """A limit on open files is judged by the binds it would allow."""
    assert doctor.file_limit(limit).level is level


def test_a_data_dir_that_is_not_there_is_told(tmp_path: Path):
    """Room is judged where the data lies; a place that cannot be looked at is a warning."""
    assert doctor.disk(tmp_path / "gone").level is Level.WARNING
    assert "GiB free" in doctor.disk(tmp_path).text


def test_keys_that_others_may_read_are_told(tmp_path: Path):
    """A key in data_dir is for its owner alone: another mode is a warning that names the file; one that is not there is none."""
    assert doctor.keys(tmp_path).level is Level.OK
    key = tmp_path / "seal.key"
    key.touch(0o600)
    key.chmod(0o600)
    assert doctor.keys(tmp_path).level is Level.OK
    key.chmod(0o644)
    found = doctor.keys(tmp_path)
    assert (found.level, found.text) == (Level.WARNING, f"{key} has mode 0644")
    assert "chmod 600" in found.hint


def test_the_exit_code_is_the_worst_level():
    """0 without faults, 1 with warnings, 2 with anything critical."""
    well, look, broken = (Finding("x", level, "") for level in Level)
    assert exit_code([]) == 0
    assert exit_code([well, look]) == 1
    assert exit_code([broken, well]) == 2
