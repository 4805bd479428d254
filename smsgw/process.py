"""The daemon as a process: uvloop, signals, the file limit, exit codes.

Exit codes: 0 drained · 1 failed or fenced · 69 no database · 73 an address cannot be had · 77 not permitted · 78 wrong set-up.

Must never: know what a message is; that is the daemon's.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
from collections.abc import Callable
from typing import Final

import structlog
import uvloop

from smsgw import config as settings
from smsgw.admin.control import ControlError
from smsgw.daemon import Daemon
from smsgw.store.commit import Fenced
from smsgw.store.errors import StoreError
from smsgw.store.nodes import ClockAhead, SeatTaken
from smsgw.telemetry import setup_logging

CRASH_POINT: Final = "SMSGW_CRASH_POINT"
_NOT_PERMITTED: Final = frozenset({errno.EACCES, errno.EPERM})


def crash_point() -> Callable[[str], None] | None:
    """For the crash tests: end the process hard at a named point, the n-th time, by SMSGW_CRASH_POINT=name:n. None otherwise."""
    wanted = os.environ.get(CRASH_POINT, "")
    if not wanted:
        return None
    name, _, count = wanted.partition(":")
    left = [int(count or 1)]

    def probe(point: str) -> None:
        if point == name:
            left[0] -= 1
            if left[0] <= 0:
                os._exit(86)

    return probe


def serve(config: settings.Config, *, unsafe: bool = False) -> int:
    """Run in this process until SIGTERM or SIGINT; returns the exit code."""
    setup_logging(config.log.format, config.log.level)
    _raise_file_limit()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Daemon(config, unsafe=unsafe, probe=crash_point()).run(stop=stop)

    log = structlog.get_logger()
    try:
        uvloop.run(main())
    except (StoreError, settings.ConfigError) as error:
        log.critical("cannot_serve", why=str(error))
        return error.exit_code
    except (SeatTaken, ClockAhead, ControlError) as error:
        log.critical("cannot_serve", why=str(error))
        return 78
    except Fenced as error:
        log.critical("fenced", why=str(error))
        return 1
    except OSError as error:
        log.critical("cannot_serve", why=str(error))
        return 77 if error.errno in _NOT_PERMITTED else 73
    return 0


def _raise_file_limit() -> None:
    """A gateway holds many sockets: take what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
