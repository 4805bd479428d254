from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from smsgw.bench.processes import calibrate, children, cpu_seconds, free_port, machine_seconds, resident_mib, running

BURN = "import sys\nfor _ in range(3_000_000): pass\nprint('burnt', flush=True)\nsys.stdin.read()"


def test_cpu_time_of_a_process_and_its_children_is_taken() -> None:
    """A child that burns CPU shows in its own figure and in that of our tree."""
    before = cpu_seconds(os.getpid(), tree=True)
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in children(os.getpid())
        assert cpu_seconds(child.pid) > 0.01
        assert resident_mib(child.pid) > 1
        assert cpu_seconds(os.getpid(), tree=True) - before > 0.01
        child.communicate(b"")


def test_a_process_that_is_gone_costs_nothing() -> None:
    """Neither CPU time nor memory nor children of a process that does not exist."""
    assert (cpu_seconds(2**22 + 1), resident_mib(2**22 + 1), children(2**22 + 1)) == (0.0, 0.0, [])


def test_what_the_machine_spends_includes_us() -> None:
    """CPU that we burn shows in the figure of the machine."""
    before = machine_seconds()
    calibrate()
    calibrate()
    assert machine_seconds() > before


def test_the_port_is_free() -> None:
    """One can listen on what is given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
        assert probe.getsockname()[1] > 0


def test_the_loop_takes_some_time() -> None:
    """The calibration takes milliseconds, not none."""
    assert calibrate() > 1


def test_a_process_is_waited_for_and_ended(tmp_path: Path) -> None:
    """The block begins when the word was said and nothing of the process is left after it."""
    code = "import sys, time\nprint('noise')\nprint('listening here 5', flush=True)\ntime.sleep(60)"
    with running([sys.executable, "-c", code], said="listening", log=tmp_path / "log") as started:
        assert started.words == ["here", "5"]
        pid = started.pid
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_ends_too_early_is_told(tmp_path: Path) -> None:
    """When the word is never said, that is an error with the command in it."""
    with (
        pytest.raises(RuntimeError, match="ended before it was ready"),
        running([sys.executable, "-c", "print('no')"], said="listening", log=tmp_path / "log"),
    ):
        pytest.fail("it was ready")
