from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.company import MOST, workers

ROOT = Path(__file__).resolve().parents[1]

SETTINGS = """
[pytest]
markers =
    alone(reason): see company.py
addopts = --strict-markers -p tests.company -p no:cacheprovider
"""

# One test is on, with another beside it, until it sees that the one that must be alone waits, or that it did not.
TOGETHER = """
import os, pathlib, pytest

HERE = pathlib.Path(__file__).parent

def log(word=""):
    with open(HERE / "log", "a+") as file:
        file.write(word)
        file.seek(0)
        return file.read()

@pytest.mark.alone(reason="to be seen")
def test_alone():
    log("alone-begins ")
    log("alone-ends ")

def test_one():
    with open(HERE / "meeting", "w"):
        log("one ")

def test_other():
    with open(HERE / "meeting"):
        log("other-begins ")
    while "alone" not in log() and "-> FLOCK" not in pathlib.Path("/proc/locks").read_text():
        pass
    log("other-ends ")
"""

ONE_OF_TWO = """
def test_run(): assert True
def test_forgotten(): assert True
"""
FORGETS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True if "forgotten" in item.name else None
"""


def run(directory: Path, count: int, **files: str) -> subprocess.CompletedProcess[str]:
    """Run these modules with so many workers."""
    (directory / "pytest.ini").write_text(SETTINGS)
    for name, text in files.items():
        (directory / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-n", str(count), str(directory)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_who_must_be_alone_waits_for_the_others(tmp_path: Path):
    """Two tests meet, and the one that must be alone begins when both are over, though it is written first."""
    os.mkfifo(tmp_path / "meeting")
    done = run(tmp_path, 2, test_together=TOGETHER)
    assert "3 passed" in done.stdout, done.stdout
    words = (tmp_path / "log").read_text().split()
    assert words[-3:] == ["other-ends", "alone-begins", "alone-ends"]
    assert sorted(words[:-3]) == ["one", "other-begins"]


@pytest.mark.parametrize("count", [0, 2])
def test_a_run_that_leaves_a_test_out_fails(tmp_path: Path, count: int):
    """What is collected is run, or the run is no success and says how many tests it owes."""
    done = run(tmp_path, count, conftest=FORGETS, test_two=ONE_OF_TWO)
    assert done.returncode != 0
    assert "1 passed" in done.stdout
    assert "1 of 2 tests were collected and not run" in done.stdout


def test_a_failure_of_either_kind_fails_the_run(tmp_path: Path):
    """There is one verdict: a failing test that is alone counts as any other."""
    failing = 'import pytest\n\n@pytest.mark.alone(reason="to fail")\ndef test_alone(): assert 0\n\ndef test_any(): assert 1\n'
    done = run(tmp_path, 2, test_failing=failing)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 passed" in done.stdout


def test_who_is_alone_says_why(tmp_path: Path):
    """A marker without a reason is refused before anything runs."""
    done = run(tmp_path, 0, test_mute="import pytest\n\n@pytest.mark.alone\ndef test_mute(): assert 1\n")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "say why the others have to wait" in done.stderr


@pytest.mark.parametrize(
    ("cores", "quota", "expected"),
    [(2, "", 3), (2, "max 100000\n", 3), (16, "200000 100000\n", 3), (4, "50000 100000\n", 1), (1, "", 1), (64, "", MOST)],
)
def test_a_worker_for_each_processor_that_we_may_use_and_one_more(cores: int, quota: str, expected: int):
    """The quota of a container counts, not the processors of its host; a single one has one worker."""
    assert workers(cores, quota) == expected
