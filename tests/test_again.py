"""The second run of what failed: alone, of one or two tests, and never a pass for what fails twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TESTS = """
import os, pathlib, pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))
def test_fails_so_often(number):
    tries = HERE / f"tries-{number}"
    tried = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (tried + 1))
    assert tried >= int(os.environ["FAILS"])

def test_passes(): assert HERE.exists()
"""


def _again(place: Path, *, tests: int, fails: int) -> tuple[int, str, list[int]]:
    """Run it over so many tests that fail so often; returns its exit code, its output, and how often each test was run."""
    (place / "pytest.ini").write_text("[pytest]\naddopts = -p xdist\n", encoding="utf-8")
    (place / "test_them.py").write_text(TESTS, encoding="utf-8")
    environment = {**os.environ, "TESTS": str(tests), "FAILS": str(fails), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, str(ROOT / "tests" / "again.py"), "-n", "0"]
    run = subprocess.run(command, cwd=place, env=environment, text=True, capture_output=True, check=False, timeout=100)
    return run.returncode, run.stdout, [len(tries.read_text("utf-8")) for tries in sorted(place.glob("tries-*"))]


@pytest.mark.parametrize(
    ("tests", "fails", "code", "runs"),
    [(2, 0, 0, [1, 1]), (2, 1, 0, [2, 2]), (1, 2, 1, [2]), (3, 1, 1, [1, 1, 1])],
    ids=["none failed", "two failed once", "one failed twice", "three failed"],
)
def test_one_or_two_that_failed_are_run_once_more(tmp_path: Path, tests: int, fails: int, code: int, runs: list[int]):
    """What passes alone passes and is named; what fails twice, or more than two, fails."""
    returned, said, ran = _again(tmp_path, tests=tests, fails=fails)
    assert (returned, ran) == (code, runs)
    assert ("passed alone: look" in said) == (runs[0] == 2 and code == 0)
    assert ("FAILED alone too: test_them.py::test_fails_so_often[0]" in said) == (fails == 2)


def test_a_run_that_did_not_end_by_its_tests_is_not_tried_again(tmp_path: Path):
    """Where pytest itself could not go on, its exit code is the answer."""
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n", encoding="utf-8")
    code, _, runs = _again(tmp_path, tests=1, fails=1)
    assert (code, runs) == (pytest.ExitCode.USAGE_ERROR, [])
