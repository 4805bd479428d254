from __future__ import annotations

import subprocess
import sys

import pytest

from smsgw import __main__
from smsgw.config import ConfigError


def ended(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int | str | None:
    """The exit code of a command that raises."""

    def build(_: str) -> object:
        def app(**_: object) -> None:
            raise error

        return app

    monkeypatch.setattr("smsgw.cli.build", build)
    with pytest.raises(SystemExit) as caught:
        __main__.main(arguments)
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "arguments", "code"),
    [
        (SystemExit(0), ["show", "links"], 0),
        (SystemExit(2), ["show"], 2),
        (SystemExit(2), ["serve"], 64),
        (SystemExit(73), ["serve"], 73),
        (KeyboardInterrupt(), ["show"], 130),
        (ConfigError(["smsgw.toml: nood"]), ["check"], 78),
    ],
)
def test_the_end_is_told_to_the_system(monkeypatch: pytest.MonkeyPatch, error: BaseException, arguments: list[str], code: int):
    """Each way to end has its exit code; a wrong command line of `serve` is EX_USAGE, so that nothing starts it again."""
    assert ended(monkeypatch, error, *arguments) == code


def test_what_is_wrong_is_said_line_by_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """An expected failure is its reasons on standard error, without a traceback."""
    ended(monkeypatch, ConfigError(["first", "second"]), "check")
    assert capsys.readouterr().err == "smsgw: first\nsmsgw: second\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch):
    """What nobody expected is not hidden."""
    monkeypatch.setattr("smsgw.cli.build", lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        __main__.main(["show"])


def test_it_runs_as_a_module():
    """`python -m smsgw` is the command line too."""
    done = subprocess.run([sys.executable, "-m", "smsgw", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("smsgw ")


def test_a_reader_that_has_seen_enough_is_no_error():
    """`smsgw version | head -0` ends quietly."""
    command = f"{sys.executable} -m smsgw version | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
