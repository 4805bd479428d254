"""The load of a bench: a tenant and a carrier as processes of their own, ours or external tools, with their reports read alike.

External tools are given by path: a load generator with the options and the JSON report of `smppblast`, a carrier with those of
`smppsink`. They cost less CPU than ours, which matters where gateway, database and both ends share two cores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smsgw.bench.processes import Started, free_port, running
from smsgw.smpp.const import status_name

SYSTEM_ID: Final = "bench"
PASSWORD: Final = "bench"  # noqa: S105 - of a gateway that lives for a minute on loopback


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: `count` messages or for `seconds`, by `sessions` × `window`, at `rate` a second (0: as answers come)."""

    count: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    sessions: int = 10
    window: int = 50
    octets: int = 100
    receipt_delay_ms: float = 0.0
    loadgen: str = ""
    sink: str = ""

    @property
    def bound_s(self) -> float:
        """After how many seconds a run has failed."""
        lasts = self.seconds or (self.count / self.rate if self.rate else self.count / 500)
        return lasts + self.receipt_delay_ms / 1000 + 120


@dataclass(slots=True)
class Outcome:
    """What both ends say of a run. Rates per second, times in milliseconds; `wrong`: anything that must not be, with its count."""

    sent: int = 0
    ok: int = 0
    receipts: int = 0
    rate: float = 0.0
    receipt_rate: float = 0.0
    elapsed_s: float = 0.0
    response_ms: dict[str, float] = field(default_factory=dict)
    receipt_ms: dict[str, float] = field(default_factory=dict)
    due_ms: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)


@contextmanager
def carrier(load: Load, scratch: Path) -> Iterator[tuple[Started, int]]:
    """Run the carrier within the block; yields it and its port."""
    report = scratch / "carrier.json"
    report.unlink(missing_ok=True)
    delay = f"{load.receipt_delay_ms:g}"
    if load.sink:
        port = free_port()
        command = [load.sink, "--port", str(port), "--verify", "--dlr-delay", delay, "--json", str(report)]
        with running(command, log=scratch / "carrier.log") as started:
            yield started, port
    else:
        command = [sys.executable, "-m", "smsgw.sim", "carrier", "--verify", "--receipt-delay-ms", delay, "--json", str(report)]
        with running(command, said="listening", log=scratch / "carrier.log") as started:
            yield started, int(started.words[1])


@contextmanager
def tenant(load: Load, port: int, scratch: Path) -> Iterator[Started]:
    """Run the tenant within the block, against a port."""
    report = scratch / "tenant.json"
    report.unlink(missing_ok=True)
    wait_s = f"{max(5.0, load.receipt_delay_ms / 1000 + 5):g}"
    common = {
        "port": str(port),
        "system-id": SYSTEM_ID,
        "password": PASSWORD,
        "sessions": str(load.sessions),
        "window": str(load.window),
        "json": str(report),
        "max-wait": "60",
        "linger": wait_s,
    }
    if load.loadgen:
        common |= {"size": str(load.octets), "count": str(load.count or 10**9)}
        common |= {"duration": f"{load.seconds or 3600:g}"} | ({"rate": f"{load.rate:g}"} if load.rate else {})
        command = [load.loadgen]
    else:
        common |= {"octets": str(load.octets), "count": str(load.count), "seconds": f"{load.seconds:g}", "rate": f"{load.rate:g}"}
        common["linger-s"], common["max-wait-s"] = common.pop("linger"), common.pop("max-wait")
        command = [sys.executable, "-m", "smsgw.sim", "tenant"]
    for name, value in common.items():
        command += [f"--{name}", value]
    with running(command, log=scratch / "tenant.log") as started:
        yield started


def outcome_of_tenant(load: Load, scratch: Path) -> Outcome:
    """Read the tenant's report."""
    said = _read(scratch / "tenant.json")
    return _of_loadgen(said) if load.loadgen else _of_tenant(said)


def outcome(load: Load, scratch: Path) -> Outcome:
    """Read both reports; the carrier writes its own when it ends."""
    result = outcome_of_tenant(load, scratch)
    seen = _read(scratch / "carrier.json")
    for name in ("verify_bad", "verify_dup", "verify_missing_below_max"):
        _count(result, f"carrier {name}", seen.get(name, 0))
    _count(result, "taken by the carrier, less or more than acknowledged", abs(seen.get("verify_ok", 0) - result.ok))
    return result


def _of_tenant(said: Mapping[str, Any]) -> Outcome:
    result = Outcome(
        sent=said["sent"],
        ok=said["ok"],
        receipts=said["matched"],
        rate=said["throughput"],
        receipt_rate=said["receipt_throughput"],
        elapsed_s=said["elapsed_s"],
        response_ms=said["response_ms"],
        receipt_ms=said["receipt_ms"],
        due_ms=said.get("response_due_ms", {}),
    )
    _count_answers(result, said["statuses"])
    _count(result, "without receipt", said["without_receipt"])
    for name in ("unmatched", "duplicates", "integrity_errors"):
        _count(result, f"receipts: {name}", said[name])
    return result


def _of_loadgen(said: Mapping[str, Any]) -> Outcome:
    def milliseconds(kind: str) -> dict[str, float]:
        names = {name: f"{kind}_{name}_us" for name in ("p50", "p95", "p99", "max")}
        return {name: round(said[key] / 1000, 3) for name, key in names.items() if key in said}

    result = Outcome(
        sent=said["sent"],
        ok=said["ok"],
        receipts=said["dlrs_matched"],
        rate=said["throughput"],
        receipt_rate=said["dlr_throughput"],
        elapsed_s=max(said["elapsed_s"], said["last_dlr_s"]),
        response_ms=milliseconds("resp"),
        receipt_ms=milliseconds("dlr"),
    )
    _count_answers(result, said.get("status", {}))
    _count(result, "without receipt", said["ok_without_dlr"])
    for name in ("dlrs_unmatched", "dlrs_duplicate", "integrity_errors"):
        _count(result, f"receipts: {name}", said[name])
    return result


def _count_answers(result: Outcome, statuses: Mapping[str, int]) -> None:
    """Count what was answered with anything but ESME_ROK, and what was not answered at all."""
    refused = {int(status, 16): count for status, count in statuses.items() if int(status, 16)}
    for status, count in refused.items():
        _count(result, f"answered {status_name(status)}", count)
    _count(result, "not answered", result.sent - result.ok - sum(refused.values()))


def _count(result: Outcome, name: str, count: int) -> None:
    if count:
        result.wrong[name] = count


def _read(path: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RuntimeError(f"no report in {path}: {error}") from None
    return said
