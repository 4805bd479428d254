"""Processes of a bench: CPU time from /proc, free ports, a sure end of each process, and a loop that tells the machine's speed.

Linux only, like the figures.

Must never: leave a process running, or end one that it did not start.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STEPS: Final = 600_000


def calibrate() -> float:
    """Return the milliseconds that a fixed loop takes: about 50 on the machine the targets were set on, more on a slower one."""
    began = time.perf_counter()
    value = 1
    for _ in range(_STEPS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    return (time.perf_counter() - began) * 1000


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int, *, tree: bool = False) -> float:
    """Return user and system time of a process so far, with `tree` of its descendants too, ended ones included; 0.0: it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own = int(fields[11]) + int(fields[12])
    if not tree:
        return own / _TICKS
    ended = int(fields[13]) + int(fields[14])
    return (own + ended) / _TICKS + sum(cpu_seconds(child, tree=True) for child in children(pid))


def machine_seconds() -> float:
    """Return the CPU time that this machine has spent on anything but idling, over all its cores."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return (user + nice + system + interrupts + soft + stolen) / _TICKS


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    try:
        listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in listed for child in text.split()]


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB, 0.0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 1_048_576


@contextmanager
def running(command: Sequence[str], *, said: str = "", timeout_s: float = 30.0, log: Path | None = None) -> Iterator[Started]:
    """Run a process within the block and end it surely; with `said`, wait first for that word at the head of a line of its output.

    Standard error goes to `log`, and standard output too where nothing is waited for.
    """
    errors = log.open("ab") if log is not None else None
    try:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, stdout=subprocess.PIPE if said else errors, stderr=errors, text=True
        )
        try:
            started = Started(process)
            if said:
                started.wait_for(said, timeout_s)
            yield started
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
    finally:
        if errors is not None:
            errors.close()


class Started:
    """A running process of the bench."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take over a process."""
        self.process = process
        self.words: list[str] = []

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def wait_for(self, word: str, timeout_s: float) -> None:
        """Wait for a line that begins with `word`; its other words are kept. Raises RuntimeError when the process ends first."""
        assert self.process.stdout is not None
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"{self.process.args!r} ended before it was ready")
            if line.startswith(word):
                self.words = line.split()[1:]
                return
        raise RuntimeError(f"{self.process.args!r} was not ready within {timeout_s:.0f} s")

    def finish(self, timeout_s: float) -> int:
        """Wait for its end; returns the exit status. Raises subprocess.TimeoutExpired."""
        return self.process.wait(timeout_s)

    def end(self, timeout_s: float = 20.0) -> int:
        """Ask it to end (SIGTERM) and wait; returns the exit status."""
        self.process.terminate()
        return self.finish(timeout_s)
