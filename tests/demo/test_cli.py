from __future__ import annotations

import signal
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


@pytest.mark.parametrize("wrong", [["--port", "99999"], ["--rate", "0"], ["--seconds", "-1"], ["--seconds", "nan"]])
def test_a_number_that_cannot_be_is_refused_by_its_option(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What no run could use is told before anything starts, by the option's name."""
    with pytest.raises(SystemExit) as left:
        main(wrong)
    assert left.value.code == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.slow
def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    """Ctrl-C settles; Ctrl-C again leaves with 130, says that nothing was compared, and leaves no data behind."""
    command = [sys.executable, "-m", "smsgw", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as demo:
        assert demo.stdout is not None
        where = next(line for line in demo.stdout if "--config" in line)
        demo.send_signal(signal.SIGINT)
        assert any("no more messages" in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (130, "left before all was settled; nothing was compared\n")
    assert not Path(where.split()[-1]).exists()
