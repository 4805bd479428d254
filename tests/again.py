"""Tests in company, and then once more, alone, the one or two that failed: what continuous integration runs.

Its machines are shared, and tests run beside each other there: a rare failure may be the company's. It is named in the output
either way, so that it is looked for. What fails alone too is a failure, as is anything that more than two tests show. `make test`
by itself tries nothing again.

    python tests/again.py [what pytest takes …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

MOST = 2
"""So many failures may be chance."""

_KEPT = Path("v", "cache", "lastfailed")  # where pytest's cache has the names of tests that failed


def _run(cache: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    return subprocess.run(command, check=False, env=os.environ).returncode


def failed(cache: Path) -> list[str]:
    """Return the names of the tests that failed in the run that had this cache."""
    kept = cache / _KEPT
    return sorted(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else []


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments, then what failed; returns pytest's exit code, of the second run where there was one."""
    with tempfile.TemporaryDirectory(prefix="smsgw-again-") as cache:
        code = _run(Path(cache), *arguments)
        names = failed(Path(cache))
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(names) <= MOST:
        return code
    options = [argument for argument in arguments if not argument.startswith("tests")]
    with tempfile.TemporaryDirectory(prefix="smsgw-again-") as cache:
        code = _run(Path(cache), *options, "-n", "0", *names)
    verdict = "alone too" if code else "in company, passed alone: look for the reason all the same"
    sys.stdout.write("".join(f"FAILED {verdict}: {name}\n" for name in names))
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
