"""The cases: direct (tenant → carrier), relay (tenant → bare relay → carrier), gateway (tenant → smsgw → carrier), and judged: the
gateway again, with a rule set that judges each message.

Promises: each case has ends of its own, so that nothing is left over from one to the next; a case that cannot be run says why and
counts as failed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from smsgw.bench import ends
from smsgw.bench.ends import Load, Outcome
from smsgw.bench.gateway import Gateway, LinkShape, gateway
from smsgw.bench.processes import calibrate, cpu_seconds, machine_seconds, resident_mib, running
from smsgw.store.database import remove_scratch, scratch_directory

DIRECT: Final = "direct"
RELAY: Final = "relay"
GATEWAY: Final = "gateway"
JUDGED: Final = "judged"


@dataclass(slots=True, eq=False)
class Case:
    """One case and its figures. CPU in µs a message; `cal`: ms of the fixed loop before and after.

    `others`: the share of all cores that went to processes which are none of the case's: over a few percent, measure again.
    """

    name: str
    load: Load
    outcome: Outcome = field(default_factory=Outcome)
    cpu_us: dict[str, float] = field(default_factory=dict)
    cal: tuple[float, float] = (0.0, 0.0)
    resident_mib: float = 0.0
    others: float = 0.0
    failed: str = ""

    @property
    def clean(self) -> bool:
        """True when it ran and nothing was lost, doubled or wrong."""
        return not self.failed and not self.outcome.wrong and self.outcome.sent > 0

    def as_json(self) -> dict[str, Any]:
        """Return everything for the JSON file."""
        load, outcome = self.load, self.outcome
        return {
            "case": self.name,
            "rate": load.rate,
            "sessions": load.sessions,
            "window": load.window,
            "octets": load.octets,
            "receipt_delay_ms": load.receipt_delay_ms,
            "sent": outcome.sent,
            "ok": outcome.ok,
            "receipts": outcome.receipts,
            "msg_per_s": outcome.rate,
            "receipts_per_s": outcome.receipt_rate,
            "elapsed_s": outcome.elapsed_s,
            "response_ms": outcome.response_ms,
            "response_due_ms": outcome.due_ms,
            "receipt_ms": outcome.receipt_ms,
            "cpu_us_per_msg": self.cpu_us,
            "resident_mib": round(self.resident_mib, 1),
            "others": round(self.others, 3),
            "cal_ms": [round(value, 1) for value in self.cal],
            "wrong": outcome.wrong,
            "failed": self.failed,
            "clean": self.clean,
        }


def run(name: str, load: Load, shape: LinkShape) -> Case:
    """Run one case."""
    case = Case(name, load)
    before = calibrate()
    scratch = scratch_directory("smsgw-bench-ends-")
    try:
        _RUNS[name](case, scratch, shape)
    except (RuntimeError, OSError, TimeoutError) as error:
        case.failed = str(error) or type(error).__name__
    finally:
        remove_scratch(scratch)
    case.cal = (before, calibrate())
    return case


@contextmanager
def _measured(case: Case, pids: Mapping[str, Callable[[], tuple[int, bool]]]) -> Iterator[None]:
    """Take the CPU time of these processes around the block; `pids`: name → (pid, whole tree)."""
    before = {name: cpu_seconds(pid, tree=tree) for name, (pid, tree) in ((name, of()) for name, of in pids.items())}
    began, machine, own = time.monotonic(), machine_seconds(), time.process_time()
    yield
    for name, of in pids.items():
        pid, tree = of()
        case.cpu_us[name] = cpu_seconds(pid, tree=tree) - before[name]
    elapsed = time.monotonic() - began
    ours = sum(case.cpu_us.values()) + time.process_time() - own
    case.others = max(0.0, machine_seconds() - machine - ours) / (elapsed * (os.cpu_count() or 1))


def _load(case: Case, port: int, carrier_pid: int, scratch: Path, measured: Mapping[str, Callable[[], tuple[int, bool]]]) -> None:
    """Send the load against a port and wait for its end."""
    with ExitStack() as stack:
        stack.enter_context(_measured(case, {"carrier": lambda: (carrier_pid, False), **measured}))
        tenant = stack.enter_context(ends.tenant(case.load, port, scratch))
        until = time.monotonic() + case.load.bound_s
        while tenant.process.poll() is None:
            if time.monotonic() > until:
                raise RuntimeError(f"the tenant did not end within {case.load.bound_s:.0f} s")
            case.cpu_us["tenant"] = cpu_seconds(tenant.pid)  # gone with the process: the last look counts
            time.sleep(0.05)


def _finish(case: Case, scratch: Path) -> None:
    """Read the reports, and turn CPU seconds into µs a message."""
    case.outcome = ends.outcome(case.load, scratch)
    case.cpu_us = {name: round(seconds / max(1, case.outcome.ok) * 1e6, 1) for name, seconds in case.cpu_us.items()}


def _direct(case: Case, scratch: Path, _: LinkShape) -> None:
    with ends.carrier(case.load, scratch) as (carrier, port):
        _load(case, port, carrier.pid, scratch, {})
        carrier.end()
    _finish(case, scratch)


def _relay(case: Case, scratch: Path, _: LinkShape) -> None:
    with ends.carrier(case.load, scratch) as (carrier, port):
        command = [sys.executable, "-m", "smsgw.bench.relay", "0", str(port)]
        with running(command, said="listening", log=scratch / "relay.log") as relay:
            measured = {RELAY: lambda: (relay.pid, False)}
            _load(case, int(relay.words[0]), carrier.pid, scratch, measured)
            case.resident_mib = resident_mib(relay.pid)
        carrier.end()
    _finish(case, scratch)


def _gateway(case: Case, scratch: Path, shape: LinkShape) -> None:
    _judged(case, scratch, replace(shape, policy=""))


def _judged(case: Case, scratch: Path, shape: LinkShape) -> None:
    """Run the gateway; each message is judged by the rule set of the shape, if there is one."""
    with ends.carrier(case.load, scratch) as (carrier, port):
        with gateway(case.load, port, shape) as under_test:
            _load(case, under_test.port, carrier.pid, scratch, _pids(under_test))
            case.resident_mib = resident_mib(under_test.started.pid)
            said = ends.outcome_of_tenant(case.load, scratch)
            wrong = under_test.books(said.ok)
        carrier.end()
    _finish(case, scratch)
    case.outcome.wrong.update(wrong)


def _pids(under_test: Gateway) -> dict[str, Callable[[], tuple[int, bool]]]:
    return {
        GATEWAY: lambda: (under_test.started.pid, False),
        "postgres": lambda: (under_test.postgres_pid, True),
    }


_RUNS: Final[Mapping[str, Callable[[Case, Path, LinkShape], None]]] = {
    DIRECT: _direct,
    RELAY: _relay,
    GATEWAY: _gateway,
    JUDGED: _judged,
}
NAMES: Final = tuple(_RUNS)
