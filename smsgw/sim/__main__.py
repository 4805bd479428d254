"""The simulated ends as processes of their own: `python -m smsgw.sim carrier|tenant`, one option for each setting.

    python -m smsgw.sim carrier --port 2776 --receipt-delay-ms 2000 --verify --error 0x45=0.01 --stat UNDELIV=0.05
    python -m smsgw.sim tenant --port 2775 --system-id acme1 --password secret --sessions 10 --window 50 --count 100000

The carrier says `listening HOST PORT` on standard output, and gives its figures as JSON at SIGTERM or SIGINT. The tenant gives its
own at the end, and exits 0 only when every message was answered ESME_ROK, every receipt came once and nothing was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from smsgw.sim.carrier import Carrier
from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant

_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float}


def parser() -> argparse.ArgumentParser:
    """Make the command line from the settings."""
    top = argparse.ArgumentParser(prog="python -m smsgw.sim", description="Simulated ends of SMPP links.")
    ends = top.add_subparsers(dest="end", required=True)
    carrier = ends.add_parser("carrier", help="an SMSC")
    carrier.add_argument("--host", default="127.0.0.1")
    carrier.add_argument("--port", type=int, default=0)
    _options(carrier, CarrierSettings)
    for name, example in (("share", "early=0.1"), ("error", "0x45=0.01"), ("stat", "UNDELIV=0.05")):
        carrier.add_argument(f"--{name}", action="append", default=[], metavar=example, help="a share of the messages")
    tenant = ends.add_parser("tenant", help="an ESME")
    _options(tenant, TenantSettings)
    for end in (carrier, tenant):
        end.add_argument("--json", type=Path, help="write the figures there, not on standard output")
    return top


def _options(end: argparse.ArgumentParser, settings: type[CarrierSettings | TenantSettings]) -> None:
    for field in dataclasses.fields(settings):
        option = "--" + field.name.replace("_", "-")
        kind = str(field.type)
        if kind == "bool":
            end.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default)
        elif kind in _TYPES:
            end.add_argument(option, type=_TYPES[kind], default=field.default)


def _chosen(settings: type[Any], arguments: argparse.Namespace) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(settings)}
    return {name: value for name, value in vars(arguments).items() if name in names}


def _shares(arguments: argparse.Namespace) -> Shares:
    pairs = {kind: dict(text.split("=", 1) for text in getattr(arguments, kind)) for kind in ("share", "error", "stat")}
    return Shares(
        errors={int(status, 0): float(share) for status, share in pairs["error"].items()},
        stats={word: float(share) for word, share in pairs["stat"].items()},
        **{name: float(share) for name, share in pairs["share"].items()},
    )


async def run_carrier(arguments: argparse.Namespace) -> dict[str, Any]:
    """Be a carrier until SIGTERM or SIGINT; returns what it saw."""
    carrier = Carrier(CarrierSettings(**_chosen(CarrierSettings, arguments), shares=_shares(arguments)))
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with carrier.listening(arguments.host, arguments.port) as (host, port):
        print(f"listening {host} {port}", flush=True)
        await ended.wait()
        return {**carrier.ledger.figures(), "owing": carrier.owing}


async def run_tenant(arguments: argparse.Namespace) -> dict[str, Any]:
    """Be a tenant until everything is sent and answered, or SIGTERM comes; returns the report."""
    tenant = Tenant(TenantSettings(**_chosen(TenantSettings, arguments)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tenant.stop)
    return await tenant.run()


def clean(report: Mapping[str, Any]) -> bool:
    """Tell whether a tenant's report shows every message answered ESME_ROK with one receipt, and nothing wrong."""
    return (
        report["ok"] == report["sent"]
        and not report["without_receipt"]
        and not report["unmatched"]
        and not report["duplicates"]
        and not report["integrity_errors"]
    )


def main() -> int:
    """Run one end; returns the exit status."""
    arguments = parser().parse_args()
    gc.disable()  # what is kept has no cycles, and a collection in the middle would show as latency
    figures = uvloop.run(run_carrier(arguments) if arguments.end == "carrier" else run_tenant(arguments))
    text = json.dumps(figures)
    if arguments.json is None:
        print(text, flush=True)
    else:
        arguments.json.write_text(text + "\n")
    return 0 if arguments.end == "carrier" or clean(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
