from __future__ import annotations

import sys
from types import ModuleType

import pytest
from typer.testing import CliRunner

from smsgw.cli import build


@pytest.mark.parametrize("command", ["demo", "bench"])
def test_arguments_are_passed_on(command: str, monkeypatch: pytest.MonkeyPatch):
    """Both commands read their own arguments, --help too; their result is the exit code."""
    given: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        given.append(arguments)
        return 5

    package, module = ModuleType(f"smsgw.{command}"), ModuleType(f"smsgw.{command}.cli")
    module.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"smsgw.{command}", package)
    monkeypatch.setitem(sys.modules, f"smsgw.{command}.cli", module)
    result = CliRunner().invoke(build(), [command, "--seconds", "3", "--check", "--help"])
    assert result.exit_code == 5
    assert given == [["--seconds", "3", "--check", "--help"]]
