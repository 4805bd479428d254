from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from smsgw.store.processes import gone, is_zombie, lives, locked_by, processes, reaped, works_in


def _sleeper(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, cwd=directory)


async def test_follows_a_process_from_life_to_zombie_to_nothing(tmp_path: Path):
    """A living process, one that has ended unasked, and one that was asked are told apart."""
    with _sleeper(tmp_path) as child:
        pid = child.pid
        assert (lives(pid), is_zombie(pid), pid in processes()) == (True, False, True)
        child.kill()
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended
        assert (lives(pid), is_zombie(pid)) == (False, True)
        assert reaped(pid) == pid
        assert (lives(pid), is_zombie(pid)) == (False, False)


async def test_waits_for_a_process_by_its_number(tmp_path: Path):
    """The end of a process wakes whoever waits for it, and a child of ours leaves the process table."""
    with _sleeper(tmp_path) as child:
        waiting = asyncio.ensure_future(gone(child.pid))
        child.kill()
        async with asyncio.timeout(10):
            await waiting
        assert not is_zombie(child.pid)
        await gone(child.pid)  # one that is not there is gone already


async def test_knows_where_a_process_works(tmp_path: Path):
    """A process is known by its working directory, so that a number given again is not taken for the old one."""
    with _sleeper(tmp_path) as child:
        assert works_in(child.pid, tmp_path.resolve())
        assert not works_in(child.pid, Path("/"))
        child.kill()


def test_reads_whose_lock_it_is(tmp_path: Path):
    """The first line of a lock names a process; a lock that is missing, empty or garbled names nobody."""
    lock = tmp_path / "lock"
    assert locked_by(lock) is None
    for text, pid in (("17\n/data\n", 17), ("", None), ("x\n", None)):
        lock.write_text(text)
        assert locked_by(lock) == pid
    assert reaped(None) is None
    assert not lives(None)
