"""A freeze under load: how long after the command the last submit is accepted, and whether all receipts still arrive.

`python -m tests.freeze --rate 2000` measures it for an account, `--kind tenant` for its contract. Gateway, database, carrier and
sender are processes of their own; the command is that of `smsgw state freeze`, beside the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from smsgw.admin.standing import change_state
from smsgw.bench.processes import calibrate, running
from smsgw.store.database import connect
from smsgw.store.ids import seconds_of
from tests.alone import own_server, send, until_stored
from tests.rig import GatewayProcess, provision, provisioning


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. `last_s`: from when the command had ended to when the last accepted submit was read; may be below nought."""

    accepted: int
    refused: int
    command_s: float
    last_s: float
    receipts: int
    without_receipt: int


async def freeze(dsn: str, directory: Path, *, kind: str, rate: float, seconds: float = 8.0) -> Report:
    """Send for so long; freeze after two seconds' worth of messages."""
    load = {"system_id": "acme1", "window": 100, "rate": rate, "seconds": seconds, "most_s": seconds + 90}
    carrier = [sys.executable, "-m", "smsgw.sim", "carrier"]
    with running(carrier, said="listening", log=directory / "carrier.log") as started:
        await provision(dsn, directory, provisioning(int(started.words[1])))
        gateway = GatewayProcess(dsn, directory)
        await gateway.start()
        connection = await connect(dsn)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send(gateway.port, directory / "tenant.json", **load))
                await until_stored(dsn, 2 * rate)
                began = time.time()
                await change_state(connection, kind, {"account": "acme1", "tenant": "acme"}[kind], "frozen", actor="x", reason="x")
                ended = time.time()
            said = sending.result()
            last = await connection.fetchval("SELECT max(id) FROM message")
        finally:
            await connection.close()
            await gateway.stop()
    return Report(
        accepted=said["ok"],
        refused=said["sent"] - said["ok"],
        command_s=round(ended - began, 3),
        last_s=round(seconds_of(last) - ended, 3),
        receipts=said["receipts"],
        without_receipt=said["without_receipt"],
    )


def main() -> None:
    """Measure one freeze on a server of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("account", "tenant"), default="account")
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    asked = parser.parse_args()

    async def run() -> Report:
        async with own_server("freeze") as (server, own):
            return await freeze(server.dsn, own, kind=asked.kind, rate=asked.rate, seconds=asked.seconds)

    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(asyncio.run(run()))})}\n")


if __name__ == "__main__":
    main()
