from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Command


@pytest.fixture
def command(tmp_path: Path, database: str) -> Command:
    """The command line on a fresh database."""
    return Command(tmp_path, database)


@pytest.fixture
def acme(command: Command) -> Command:
    """The command line on a database with the example applied."""
    assert command.apply().exit_code == 0
    return command
