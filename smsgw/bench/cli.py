"""The command line of the bench: options → cases → a table on standard output, JSON and SVG beside it.

Exit status: 0 when every case ran and nothing was lost, doubled or altered; 1 when not.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
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
from smsgw.bench.rules import write_set
from smsgw.store.database import remove_scratch, scratch_directory
from smsgw.telemetry.build import BUILD

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
    shape.add_argument("--policy", default="", help="the case `judged`: a rule set's file, or how many terms a made one has")
    how = options.add_argument_group("how")
    how.add_argument("--only", default="", help="cases, in order: direct,relay,gateway, and judged where --policy is given")
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
    usual = [name for name in all_cases.NAMES if name != all_cases.JUDGED or chosen.policy]
    names = [name for name in chosen.only.split(",") if name] or usual
    unknown = set(names) - set(usual)
    if unknown:
        parser().error(f"no such case: {', '.join(sorted(unknown))} (judged needs --policy)")
    scratch = scratch_directory("smsgw-bench-rules-")
    try:
        policy = str(write_set(scratch, int(chosen.policy))) if chosen.policy.isdecimal() else chosen.policy
        shape = LinkShape(chosen.link_binds, chosen.link_window, chosen.mode, policy)
        done = _run(chosen, names, load, shape)
    finally:
        remove_scratch(scratch)
    _write(chosen, done)
    return 0 if all(case.clean for case in done) else 1


def _run(chosen: argparse.Namespace, names: Sequence[str], load: Load, shape: LinkShape) -> list[Case]:
    """Run all cases, and show their table."""
    rates = [float(rate) for rate in chosen.rate.split(",") if rate] or [0.0]
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
    costs = costs_of_judging(done)
    if costs:
        middle = statistics.median(costs)
        console.print(
            f"judging: {middle:+.1f} µs of the gateway's CPU a message, the median of {len(costs)} pairs", highlight=False
        )
    return done


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
    gateways = {all_cases.GATEWAY, all_cases.JUDGED}
    return case.outcome.rate / min(relays)[1] if relays and case.name in gateways else 0.0


def costs_of_judging(cases: Sequence[Case]) -> list[float]:
    """Return what judging adds to the gateway's CPU time, in µs a message, for each pair of runs with and without it."""
    without, judged = (
        [case for case in cases if case.name == name and case.clean] for name in (all_cases.GATEWAY, all_cases.JUDGED)
    )
    return [
        round(one.cpu_us[all_cases.GATEWAY] - other.cpu_us[all_cases.GATEWAY], 1)
        for one, other in zip(judged, without, strict=False)
        if one.load == other.load
    ]


def _write(chosen: argparse.Namespace, cases: Sequence[Case]) -> None:
    """Write JSON and picture."""
    facts: dict[str, Any] = {
        "smsgw": __version__,
        "build": BUILD,
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "loadgen": "external" if chosen.loadgen else "smsgw.sim",
        "sink": "external" if chosen.sink else "smsgw.sim",
        "mode": chosen.mode,
        "judging_us": costs_of_judging(cases),
        "cases": [{**case.as_json(), "of_relay": round(ratio_to_relay(case, cases), 4)} for case in cases],
    }
    chosen.json.write_text(json.dumps(facts, indent=1) + "\n")
    chosen.plot.write_text(svg(cases, f"smsgw {__version__}, {BUILD}, Python {platform.python_version()}, {facts['at']}"))
    print(f"{chosen.json} and {chosen.plot} written")
