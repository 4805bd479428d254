"""The command line of the demo: a live table on a terminal, lines elsewhere; exit status 0 when the books agree.

smsgw demo                      until Ctrl-C
smsgw demo --seconds 30 --check exits 1 unless submitted = sum over final states + open, and the ledger agrees
"""

from __future__ import annotations

import argparse
import asyncio
import math
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.live import Live

from smsgw.demo.check import Verdict
from smsgw.demo.screen import View, draw
from smsgw.demo.stage import Demo, Plan
from smsgw.store.database import StoreError, remove_scratch, scratch_directory
from smsgw.telemetry import setup_logging

INTERRUPTED: Final = 130
_LINE_EVERY: Final = 8
_PORTS: Final = {"port": 2775, "admin": 8080}


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(prog="smsgw demo", description="A whole gateway on this terminal.")
    options.add_argument("--seconds", type=_positive, default=0.0, help="end after so long; without it Ctrl-C ends it")
    options.add_argument("--check", action="store_true", help="exit 1 unless what was submitted and the books agree")
    options.add_argument("--rate", type=_positive, default=40.0, help="messages a second of the busiest tenant")
    options.add_argument("--port", type=_port_number, default=0, help="where tenants bind (2775, or a free one when that is taken)")
    options.add_argument("--data-dir", type=Path, default=None, help="keep the data there (default: a directory that is removed)")
    return options


def _positive(word: str) -> float:
    number = float(word)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{word} is not more than 0")
    return number


def _port_number(word: str) -> int:
    number = int(word)
    if not 0 < number < 65_536:
        raise argparse.ArgumentTypeError(f"{word} is no port: 1 to 65535")
    return number


def main(args: Sequence[str]) -> int:
    """Run the demo; returns the exit status: 0, 1 when the books do not agree, 69 or 78 when there is no database."""
    chosen = parser().parse_args(args)
    try:
        with _directory(chosen.data_dir) as data_dir, (data_dir / "smsgw.log").open("a") as log:
            setup_logging("json", "info", stream=log)
            plan = Plan(
                data_dir,
                chosen.port or _port(_PORTS["port"]),
                _port(_PORTS["admin"]),
                seconds=chosen.seconds,
                rate=chosen.rate,
                command=_command(),
            )
            verdict = uvloop.run(_play(plan))
    except BaseExceptionGroup as errors:
        return _say_why(_first(errors))
    except (StoreError, OSError) as error:
        return _say_why(error)
    except asyncio.CancelledError:
        print("left before all was settled; nothing was compared", file=sys.stderr)
        return INTERRUPTED
    for line in verdict.lines():
        print(line)
    return 1 if chosen.check and (verdict.wrong or not verdict.submitted) else 0


def _command() -> str:
    """Return how smsgw was called, for who is to call it again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m smsgw"
    return "smsgw" if shutil.which("smsgw") == str(called) else str(called)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first thing that went wrong in a group of groups."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _say_why(error: BaseException) -> int:
    """Tell what the demo could not do; our own faults keep their trace."""
    if isinstance(error, StoreError | OSError):
        print(f"smsgw demo: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, StoreError) else 1
    raise error


async def _play(plan: Plan) -> Verdict:
    with _shown() as show:
        demo = Demo(plan, show)
        run = asyncio.current_task()
        assert run is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, _interrupted, demo.stop, run)
        return await demo.play()


def _interrupted(stop: asyncio.Event, run: asyncio.Task[Any]) -> None:
    """Settle at the first Ctrl-C, leave at the second, and heed no third: what is left must end PostgreSQL."""
    if not stop.is_set():
        stop.set()
    elif not run.cancelling():
        run.cancel()


@contextmanager
def _shown() -> Iterator[Callable[[View], None]]:
    """Yield what shows a view: a live table on a terminal, else a line now and then and each event once."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda view: live.update(draw(view, console.width, console.height), refresh=True)
        return
    told = {"frames": 0, "events": 0, "where": 0}

    def lines(view: View) -> None:
        if view.where and not told["where"]:
            told["where"] = 1
            print(view.where, flush=True)
        for event in view.events[told["events"] :]:
            print(event, flush=True)
        told["events"] = len(view.events)
        if view.told and told["frames"] % _LINE_EVERY == 0:
            print(view.line(), flush=True)
        told["frames"] += bool(view.told)

    yield lines
    console.print()


@contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    scratch = scratch_directory("smsgw-demo-")
    try:
        yield scratch
    finally:
        remove_scratch(scratch)


def _port(wanted: int) -> int:
    """Return this port when it is free, else one that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")
