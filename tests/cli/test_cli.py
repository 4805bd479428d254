from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from smsgw.admin.tokens import PERMISSIONS
from smsgw.cli import build

COMMANDS = "serve check apply rollback show doctor health version demo bench tenant account secret state notice".split()


def parameters(command: Any) -> Iterator[Any]:
    """All options and arguments of a command, and of those within it."""
    yield from command.params
    for inner in getattr(command, "commands", {}).values():
        yield from parameters(inner)


def test_help_says_what_may_be_typed():
    """A flag shows no value that it would take, no argument stands in two pairs of brackets, no help loses words to markup."""
    every = list(parameters(get_command(build())))
    assert len(every) > 300
    flags = [one for one in every if getattr(one, "is_flag", False) and "completion" not in one.name]
    assert [one.name for one in flags if one.metavar != ""] == []
    assert [one.metavar for one in every if one.metavar and set("[]{}.") & set(one.metavar)] == []
    assert [one.name for one in every if one.help and "[" in one.help] == []
    (may,) = [one for one in every if one.name == "may"]
    assert [word for word in PERMISSIONS if word not in may.help] == []


def test_every_command_is_there():
    """The names that scripts rely on are commands, each with a line of help."""
    told = CliRunner().invoke(build(), ["--help"]).stdout
    listed = [line.strip("│ ").split()[0] for line in told.splitlines() if line.startswith("│ ") and not line.startswith("│  ")]
    assert [name for name in listed if name in COMMANDS] == COMMANDS


def test_a_question_loads_nothing_heavy():
    """What a container engine runs every few seconds loads no database driver, no loop, no metrics."""
    program = "import sys; from smsgw.cli import build; build(); print(sorted({n.partition('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for heavy in ("asyncpg", "aiohttp", "uvloop", "aiosmpplib", "prometheus_client", "argon2"):
        assert f"'{heavy}'" not in loaded


def test_every_command_stands_under_a_heading():
    """`smsgw --help` sorts its commands by what they are for: none is left over."""
    told = CliRunner().invoke(build(), ["--help"]).stdout
    for heading in ("Run a gateway", "Look at one", "Tenants and their accounts", "Money", "Evidence", "Try it"):
        assert f"─ {heading} ─" in told
    assert "─ Commands ─" not in told
