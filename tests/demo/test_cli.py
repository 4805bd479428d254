from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smsgw.demo.cli import main, parser


@pytest.mark.slow
def test_a_whole_gateway_runs_and_its_books_agree(tmp_path: Path) -> None:
    """`smsgw demo --seconds 3 --check`: traffic, a carrier cut and back, exit 0, and nothing is left behind."""
    command = [sys.executable, "-m", "smsgw", "demo", "--seconds", "3", "--check"]
    done = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "carrier alpha is cut" in done.stdout
    assert "carrier alpha is back" in done.stdout
    assert "the ledger agrees" in done.stdout
    where = next(line for line in done.stdout.splitlines() if "--config" in line)
    assert not Path(where.rpartition(" ")[2]).exists()


def test_the_options_are_those_of_the_readme() -> None:
    """`--seconds N --check` are understood; without them the demo runs until it is stopped."""
    assert (parser().parse_args([]).seconds, parser().parse_args(["--seconds", "5", "--check"]).check) == (0.0, True)


def test_an_unknown_option_is_an_error() -> None:
    """The parser says so and exits 2."""
    with pytest.raises(SystemExit) as left:
        main(["--nonsense"])
    assert left.value.code == 2
