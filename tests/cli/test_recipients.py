"""What the commands on recipients share: numbers from standard input, lists that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from smsgw.cli import recipients
from tests.cli.commands import CliRunner, Command, build


def test_a_number_may_come_by_standard_input(acme: Command):
    """With - it stands in no list of processes."""
    arguments = ["block", "add", "-", "--reason", "x", "--actor", "ops", "--config", str(acme.config)]
    assert CliRunner().invoke(build(arguments[0]), arguments, input="8613800138000\n").stderr == "done\n"
    assert '"active": true' in acme("block", "show", "8613800138000", "--json").stdout


def test_a_list_that_cannot_be_read_ends_the_command(tmp_path: Path):
    """Missing, or not UTF-8: exit 2."""
    (tmp_path / "latin").write_bytes(b"\xe9")
    for name in ("none", "latin"):
        with pytest.raises(typer.Exit) as ended:
            recipients.text_of(tmp_path / name)
        assert ended.value.exit_code == 2
    (tmp_path / "list").write_text("1", encoding="utf-8")
    assert recipients.text_of(tmp_path / "list") == ("1", str(tmp_path / "list"))


def test_columns_that_are_empty_everywhere_are_left_out():
    """A terminal has room for what says something."""
    assert recipients.filled([{"a": "", "b": None, "c": 0}, {"a": "", "b": "x", "c": 1}]) == [
        {"b": None, "c": 0},
        {"b": "x", "c": 1},
    ]
