"""Which tests bear company: a pytest plugin for runs with several workers (pytest-xdist).

Tests share the machine with others, but for those marked `alone(reason=…)`: what they measure, or the seconds that they allow, mean
nothing on a machine that is busy with something else. They come last, and each of them has the machine for itself. One run, one
collection, one verdict; a run that collects a test and does not run it fails.

A lock on a file tells who may run: everybody shares it, who is alone does not. It goes with the worker that held it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MOST = 8
"""Workers: each has a database server's connections, and a few hundred mebibytes."""

_LOCK = "company_lock"  # among what a worker is told
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "max 100000", or microseconds of each so many


class Conductor:
    """Of the process that starts the workers: gives them their lock, and counts what was run."""

    def __init__(self) -> None:
        self._lock = tempfile.NamedTemporaryFile(prefix="smsgw-company-")  # noqa: SIM115 - closed by pytest_unconfigure
        self._ran: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the lock is."""
        node.workerinput[_LOCK] = self._lock.name

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over, whatever came of it."""
        self._ran.add(nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a run that would pass without some of its tests."""
        missing = session.testscollected - len(self._ran)
        if exitstatus == pytest.ExitCode.OK and missing:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            terminal = session.config.pluginmanager.getplugin("terminalreporter")
            terminal.write_line(f"\n{missing} of {session.testscollected} tests were collected and not run", red=True)

    def pytest_unconfigure(self) -> None:
        """Take the lock's file away."""
        self._lock.close()


class Turns:
    """Of a worker: lets a test run when its turn has come."""

    def __init__(self, lock: str) -> None:
        self._lock = Path(lock)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Hold the lock while the test, with its fixtures, is set up, run and torn down."""
        with self._lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
            return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Only a worker has to wait for its turns; that all was run is looked after in any case."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        config.pluginmanager.register(Turns(given[_LOCK]), "company-turns")
    elif not config.option.collectonly:
        config.pluginmanager.register(Conductor(), "company-conductor")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers where none is asked for (`-n auto`)."""
    return workers(len(os.sched_getaffinity(0)), _QUOTA.read_text(encoding="ascii") if _QUOTA.exists() else "")


def workers(cores: int, quota: str) -> int:
    """Return how many: one for each processor that a quota leaves us of `cores`, and one more; at most `MOST`.

    One more: measured over the whole suite, a worker computes for 38 % of its time; else it waits for PostgreSQL and for timers.
    """
    allowed, _, period = quota.partition(" ")
    if allowed.isdigit():
        cores = min(cores, int(allowed) // int(period))
    return max(1, min(cores + 1, MOST)) if cores > 1 else 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those who must be alone come last: nobody waits for them then but each other."""
    alone = {item: mark for item in items if (mark := item.get_closest_marker("alone"))}
    unexplained = [item.nodeid for item, mark in alone.items() if not mark.kwargs.get("reason")]
    if unexplained:
        raise pytest.UsageError(f"alone(reason=…): say why the others have to wait: {', '.join(unexplained)}")
    items.sort(key=lambda item: item in alone)
