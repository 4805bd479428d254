from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from smsgw.cli import build
from smsgw.store.database import EmbeddedServer


def settings(directory: Path, dsn: str) -> Path:
    """A file for a gateway that does not run."""
    path = directory / "smsgw.toml"
    path.write_text(f'[node]\ndata_dir = "{directory}"\n[database]\ndsn = "{dsn}"\n[admin]\nlisten = "127.0.0.1:1"\n')
    return path


def test_findings_are_told_with_their_levels(tmp_path: Path, database: str):
    """Each finding is a row; the exit code is the worst level: here a warning, because no gateway runs."""
    result = CliRunner().invoke(build("doctor"), ["doctor", "--json", "--config", str(settings(tmp_path, database))])
    found = {row["what"]: row for row in json.loads(result.stdout)}
    assert found["gateway"]["level"] == "warning"
    assert found["gateway"]["hint"]
    assert found["books"]["level"] == "ok"
    assert not found["books"]["hint"]
    worst = max(["ok", "warning", "critical"].index(row["level"]) for row in found.values())
    assert result.exit_code == worst >= 1


def test_the_books_can_be_left_out(tmp_path: Path, database: str):
    """--no-books does not read every kept message."""
    result = CliRunner().invoke(build("doctor"), ["doctor", "--no-books", "--config", str(settings(tmp_path, database))])
    assert "invariants" not in result.stdout
    assert result.stdout.splitlines()[0].split() == ["level", "what", "found", "hint"]


def test_no_database_is_critical(tmp_path: Path):
    """Where there is nothing, nothing is made: the doctor only looks."""
    result = CliRunner().invoke(build("doctor"), ["doctor", "--config", str(settings(tmp_path, "embedded"))])
    assert result.exit_code == 2
    assert "critical" in result.stdout
    assert not (tmp_path / "postgres").exists()


def test_a_data_dir_that_cannot_be_looked_into_is_critical(tmp_path: Path):
    """What the system does not let us see is a finding with what to do, not a traceback."""
    closed = tmp_path / ("x" * 300)
    path = tmp_path / "smsgw.toml"
    path.write_text(f'[node]\ndata_dir = "{closed}"\n')
    result = CliRunner().invoke(build("doctor"), ["doctor", "--json", "--config", str(path)])
    (found,) = json.loads(result.stdout)
    assert result.exit_code == 2
    assert found["found"] == f"{closed} cannot be read: File name too long"
    assert "gateway's user" in found["hint"]


def test_a_database_that_does_not_answer_is_critical(tmp_path: Path):
    """A server that is down is a finding, not a traceback."""
    result = CliRunner().invoke(
        build("doctor"), ["doctor", "--config", str(settings(tmp_path, "postgresql://nobody@127.0.0.1:1/x"))]
    )
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_the_embedded_server_is_woken_for_the_visit(scratch: Path):
    """With no gateway running the server is started for the doctor and stopped again."""
    path = settings(scratch, "embedded")

    async def make() -> None:
        server = EmbeddedServer(scratch)
        await server.start()
        await server.stop()

    asyncio.run(make())
    result = CliRunner().invoke(build("doctor"), ["doctor", "--config", str(path)])
    assert "schema" in result.stdout
    assert result.exit_code == 2
    assert EmbeddedServer(scratch).pid is None
