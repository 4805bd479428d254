"""The lag probe: how late the loop comes, and why, for every stall over 10 ms.

A timer asks to be called every 10 ms and looks how late it is; a stall is seen for as much of it as lies after the timer's due
time, so the timer is no longer than what it looks for. The cause is told from three clocks: what the garbage collector took (gc),
how long the loop's thread could have run and got no processor (no_cpu: other processes had them, as Linux counts it), and its CPU
time (code: our Python ran; off_cpu: it waited for another thread of ours, or in a call that blocks). The last stalls are kept to be
shown.

Must never: keep the loop from anything (4 µs a call), or hold more than `KEPT` stalls.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from smsgw.telemetry.meters import STALL_S, Meters

EVERY_S: Final = 0.01
KEPT: Final = 64
SCHEDSTAT: Final = "/proc/thread-self/schedstat"
CAUSES: Final = (
    "Stalls of over 10 ms, by cause: gc, no_cpu (no processor was free), off_cpu (behind another thread, or in a call), code."
)
_SHARE: Final = 0.5  # of a stall that a cause must cover to be named


@dataclass(frozen=True, slots=True)
class Stall:
    """One stall: when (Unix seconds), how late, and how much of the time since the call before was what.

    `cpu_s`: CPU time of this thread; `ready_s`: for so long it could have run, and no processor was free.
    """

    at: float
    lag_s: float
    cause: str
    gc_s: float
    cpu_s: float
    ready_s: float
    passed_s: float


class _Ready:
    """How long the calling thread has waited for a processor so far, in seconds; 0.0 where the system does not tell."""

    def __init__(self, schedstat: str) -> None:
        self._path = schedstat
        self._file: int | None = None

    def open(self) -> None:
        with suppress(OSError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def seconds(self) -> float:
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9 if self._file is not None else 0.0


class LagProbe:
    """Measures the loop it is started in; `late` may also be fed by whoever keeps time."""

    def __init__(self, meters: Meters, *, every_s: float = EVERY_S, schedstat: str = SCHEDSTAT) -> None:
        """Feed these meters, and export the causes beside them. `schedstat`: where Linux tells of the calling thread."""
        self._meters = meters
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0
        self._seen = time.monotonic()
        self._cpu = time.thread_time()
        self._ready = _Ready(schedstat)
        self._ready_s = 0.0
        self._gc_began = 0.0
        self._gc_s = 0.0
        self.stalls: deque[Stall] = deque(maxlen=KEPT)
        self.causes: Counter[str] = Counter()
        meters.counter("smsgw_event_loop_stall_causes", CAUSES, self._by_cause, ("cause",))

    def start(self) -> None:
        """Begin, in the running loop."""
        self._loop = asyncio.get_running_loop()
        gc.callbacks.append(self._collecting)
        self._ready.open()
        self._seen, self._cpu, self._ready_s, self._gc_s = time.monotonic(), time.thread_time(), self._ready.seconds(), 0.0
        self._again()

    def stop(self) -> None:
        """End. Does nothing when it was not started."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._collecting)
            self._ready.close()

    def late(self, lag_s: float) -> None:
        """Count one lag in seconds; call it in the loop's thread. A negative one is the timer's rounding."""
        now, cpu, ready_s = time.monotonic(), time.thread_time(), self._ready.seconds()
        lag_s = max(0.0, lag_s)
        self._meters.lagged(lag_s)
        if lag_s > STALL_S:
            self._explain(lag_s, now - self._seen, cpu - self._cpu, ready_s - self._ready_s)
        self._seen, self._cpu, self._ready_s, self._gc_s = now, cpu, ready_s, 0.0

    def rows(self) -> list[dict[str, Any]]:
        """Return the last stalls, newest first, for `smsgw show stalls`."""
        return [
            {
                "at": f"{datetime.fromtimestamp(stall.at, UTC):%Y-%m-%dT%H:%M:%S}.{int(stall.at % 1 * 1000):03d}Z",
                "lag_ms": round(stall.lag_s * 1e3, 1),
                "cause": stall.cause,
                "gc_ms": round(stall.gc_s * 1e3, 1),
                "cpu_ms": round(stall.cpu_s * 1e3, 1),
                "ready_ms": round(stall.ready_s * 1e3, 1),
                "passed_ms": round(stall.passed_s * 1e3, 1),
            }
            for stall in reversed(self.stalls)
        ]

    def _explain(self, lag_s: float, passed_s: float, cpu_s: float, ready_s: float) -> None:
        if self._gc_s > lag_s * _SHARE:
            cause = "gc"
        elif ready_s > lag_s * _SHARE:
            cause = "no_cpu"
        elif cpu_s < lag_s * _SHARE:
            cause = "off_cpu"
        else:
            cause = "code"
        self.causes[cause] += 1
        self.stalls.append(Stall(time.time(), lag_s, cause, self._gc_s, cpu_s, ready_s, passed_s))

    def _ring(self) -> None:
        self.late(time.monotonic() - self._due)
        self._again()

    def _again(self) -> None:
        assert self._loop is not None
        self._due = time.monotonic() + self._every_s
        self._timer = self._loop.call_later(self._every_s, self._ring)

    def _collecting(self, phase: str, _info: dict[str, int]) -> None:
        """Sum up the collector's time; it stops the loop's thread whichever thread it runs in."""
        now = time.monotonic()
        if phase == "start":
            self._gc_began = now
        elif self._gc_began:
            self._gc_s += now - self._gc_began
            self._gc_began = 0.0

    def _by_cause(self) -> dict[tuple[str, ...], float]:
        return {(cause,): count for cause, count in self.causes.items()}
