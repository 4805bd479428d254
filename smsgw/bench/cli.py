"""The command line of the bench: options → cases → a table on standard output, JSON and SVG beside it.

Exit status: 0 when every case ran and nothing was lost, doubled or altered; 1 when not.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from smsgw import __version__
from smsgw.bench import cases as all_cases
from smsgw.bench.cases import Case, run
from smsgw.bench.ends import Load
from smsgw.bench.gateway import LinkShape
from smsgw.bench.plot import svg

_COUNT: Final = 100_000


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(prog="smsgw bench", description="Measure the whole life of a message.")
    size = options.add_argument_group("load")
    size.add_argument("--count", type=int, default=0, help=f"messages of each case ({_COUNT:,} without --seconds)")
    size.add_argument("--seconds", type=float, default=0.0, help="send for so long instead")
    size.add_argument("--rate", default="", help="open loop: messages a second; several with commas: 2000,5000,10000")
    size.add_argument("--sessions", type=int, default=10)
    size.add_argument("--window", type=int, default=50, help="unanswered submit_sm of a session")
    size.add_argument("--octets", type=int, default=100, help="of each text")
    size.add_argument("--receipt-delay-ms", type=float, default=0.0, help="how long the carrier takes for a receipt")
    shape = options.add_argument_group("gateway")
    shape.add_argument("--mode", choices=("store", "relay"), default="store", help="of the account")
    shape.add_argument("--link-binds", type=int, default=1)
    shape.add_argument("--link-window", type=int, default=2_000)
    shape.add_argument("--policy", default="", help="a rule set that judges what is sent (see config/policy)")
    how = options.add_argument_group("how")
    how.add_argument("--only", default=",".join(all_cases.NAMES), help="cases, in order: direct,relay,gateway")
    how.add_argument("--runs", type=int, default=1, help="each case so often, in turn")
    how.add_argument("--loadgen", default="", help="path of an external load generator (smppblast's options and report)")
    how.add_argument("--sink", default="", help="path of an external carrier (smppsink's options and report)")
    how.add_argument("--json", type=Path, default=Path("bench.json"))
    how.add_argument("--plot", type=Path, default=Path("bench.svg"))
    return options


def main(args: Sequence[str]) -> int:
    """Measure; returns the exit status."""
    chosen = parser().parse_args(args)
    load = Load(
        count=chosen.count or (0 if chosen.seconds else _COUNT),
        seconds=chosen.seconds,
        sessions=chosen.sessions,
        window=chosen.window,
        octets=chosen.octets,
        receipt_delay_ms=chosen.receipt_delay_ms,
        loadgen=chosen.loadgen,
        sink=chosen.sink,
    )
    shape = LinkShape(chosen.link_binds, chosen.link_window, chosen.mode, chosen.policy)
    rates = [float(rate) for rate in chosen.rate.split(",") if rate] or [0.0]
    names = [name for name in chosen.only.split(",") if name]
    unknown = set(names) - set(all_cases.NAMES)
    if unknown:
        parser().error(f"no such case: {', '.join(sorted(unknown))}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    done: list[Case] = []
    for rate in rates * chosen.runs:
        for name in names:
            with console.status(f"{name}{f' at {rate:g}/s' if rate else ''} …"):
                done.append(run(name, replace(load, rate=rate), shape))
            _tell(console, done[-1])
    console.print(table(done))
    _write(chosen, done)
    return 0 if all(case.clean for case in done) else 1


def _tell(console: Console, case: Case) -> None:
    """Say at once what went wrong."""
    if case.failed:
        console.print(f"[red]{case.name} failed:[/] {case.failed}", highlight=False)
    for what, count in case.outcome.wrong.items():
        console.print(f"[red]{case.name}:[/] {what}: {count:,}", highlight=False)


def table(cases: Sequence[Case]) -> Table:
    """Return the table of these cases."""
    drawn = Table(title="the life of a message: submit_sm → carrier → receipt → tenant", title_justify="left", box=box.SIMPLE)
    drawn.add_column("case", no_wrap=True)
    for heading in (
        "msg/s", "receipts/s", "of relay", "p50 ms", "p99 ms", "receipt p99",
        "gateway µs", "postgres µs", "ends µs", "MiB", "others", "cal ms",
    ):  # fmt: skip
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("")
    for case in cases:
        drawn.add_row(*_row(case, cases))
    return drawn


def _row(case: Case, cases: Sequence[Case]) -> list[str]:
    outcome, cpu = case.outcome, case.cpu_us
    between = cpu.get("gateway", cpu.get("relay"))
    ratio = ratio_to_relay(case, cases)
    return [
        f"{case.name} {case.load.rate:g}/s" if case.load.rate else case.name,
        f"{outcome.rate:,.0f}",
        f"{outcome.receipt_rate:,.0f}",
        f"{ratio:.3f}" if ratio else "",
        f"{outcome.response_ms.get('p50', 0):.2f}",
        f"{outcome.response_ms.get('p99', 0):.2f}",
        f"{outcome.receipt_ms.get('p99', 0):.1f}",
        f"{between:.1f}" if between is not None else "",
        f"{cpu['postgres']:.1f}" if "postgres" in cpu else "",
        f"{cpu.get('tenant', 0) + cpu.get('carrier', 0):.1f}",
        f"{case.resident_mib:.0f}" if case.resident_mib else "",
        f"{case.others:.0%}",
        f"{case.cal[0]:.0f}/{case.cal[1]:.0f}",
        "ok" if case.clean else "FAILED",
    ]


def ratio_to_relay(case: Case, cases: Sequence[Case]) -> float:
    """Return its throughput as a share of the bare relay's at the same load; the nearest run counts. 0.0 without one."""
    here = cases.index(case)
    relays = [
        (abs(at - here), other.outcome.rate)
        for at, other in enumerate(cases)
        if other.name == all_cases.RELAY and other.load == case.load and other.outcome.rate
    ]
    return case.outcome.rate / min(relays)[1] if relays and case.name == all_cases.GATEWAY else 0.0


def _write(chosen: argparse.Namespace, cases: Sequence[Case]) -> None:
    """Write JSON and picture."""
    facts: dict[str, Any] = {
        "smsgw": __version__,
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "loadgen": "external" if chosen.loadgen else "smsgw.sim",
        "sink": "external" if chosen.sink else "smsgw.sim",
        "mode": chosen.mode,
        "cases": [{**case.as_json(), "of_relay": round(ratio_to_relay(case, cases), 4)} for case in cases],
    }
    chosen.json.write_text(json.dumps(facts, indent=1) + "\n")
    chosen.plot.write_text(svg(cases, f"smsgw {__version__}, Python {platform.python_version()}, {facts['at']}"))
    print(f"{chosen.json} and {chosen.plot} written")
