"""Processes that are not our asyncio subprocesses: seen by number, waited for by descriptor.

The embedded server is to outlive the gateway, and the next gateway is not its parent: so it is known by its number
alone, as /proc shows it. Promises never to take a number that was given to somebody else for the server's: `works_in`
tells. Must never signal anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path


def lives(pid: int | None) -> bool:
    """Whether there is such a process and it has not ended."""
    return _state_of(pid) not in {None, "Z", "X"}


def is_zombie(pid: int | None) -> bool:
    """Whether it has ended and its parent has not asked how."""
    return _state_of(pid) == "Z"


def works_in(pid: int, directory: Path) -> bool:
    """Whether the process's working directory is this one; False also if we may not know."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory
    except OSError:
        return False


def processes() -> list[int]:
    """The numbers of all processes."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def locked_by(lock: Path) -> int | None:
    """The process that a lock file of PostgreSQL names in its first line."""
    try:
        return int(lock.read_text(encoding="ascii", errors="replace").partition("\n")[0])
    except (OSError, ValueError):
        return None


def reaped(pid: int | None) -> int | None:
    """The same number, taken off the process table if it was a child of ours that has ended."""
    if pid is not None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return pid


async def gone(pid: int) -> None:
    """Wait until the process has ended, be it our child (then it leaves the process table) or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    reaped(pid)


def _state_of(pid: int | None) -> str | None:
    """The letter of /proc/PID/stat; None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None
