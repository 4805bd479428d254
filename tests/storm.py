"""A storm of binds: many accounts bind at once while another tenant sends at a steady rate.

`python -m tests.storm --binds 500 --rate 2000` measures the whole one, and the same load without a storm beside it; a small one is
part of the tests. Gateway, database, carrier and sender are processes of their own; those who bind are in this one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smsgw.bench.processes import calibrate, running
from smsgw.smpp import const
from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory
from tests.peers import Esme, bind_body
from tests.rig import GatewayProcess, provision, provisioning

CROWD = '[[tenant]]\nname = "crowd"\ncurrency = "CNY"\n'
ONE = '[[account]]\ntenant = "crowd"\nsystem_id = "crowd{n}"\npassword = "pw{n:06}"\n'


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a storm. Times of binds in seconds from when they were sent, of submit_sm_resp in milliseconds from when due."""

    bound: int
    refused: int
    first_s: float
    last_s: float
    sent: int
    ok: int
    p50_ms: float
    p99_ms: float
    calm_p99_ms: float


async def storm(dsn: str, directory: Path, *, binds: int, rate: float, seconds: float = 6.0) -> Report:
    """Send for so long without a storm, then as long with one that breaks after a second."""
    accounts = "".join(ONE.format(n=number) for number in range(binds))
    carrier = [sys.executable, "-m", "smsgw.sim", "carrier"]
    with running(carrier, said="listening", log=directory / "carrier.log") as started:
        await provision(dsn, directory, provisioning(int(started.words[1])) + CROWD + accounts)
        gateway = GatewayProcess(dsn, directory)
        await gateway.start()
        try:
            calm = await _load(gateway.port, directory, rate, seconds)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_load(gateway.port, directory, rate, seconds))
                await _sent(dsn, calm["sent"] + rate)
                answers = await _bind_all(gateway.port, binds)
            under = sending.result()
        finally:
            await gateway.stop()
    times = sorted(at for at, status in answers if status == const.ESME_ROK)
    due = under["response_due_ms"]
    return Report(
        bound=len(times),
        refused=binds - len(times),
        first_s=round(times[0], 3),
        last_s=round(times[-1], 3),
        sent=under["sent"],
        ok=under["ok"],
        p50_ms=due["p50"],
        p99_ms=due["p99"],
        calm_p99_ms=calm["response_due_ms"]["p99"],
    )


async def _load(port: int, directory: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Send at a rate and return the sender's report."""
    report = directory / "tenant.json"
    report.unlink(missing_ok=True)
    options = {"port": port, "system-id": "acme1", "password": "secret", "sessions": 4, "window": 100, "rate": rate}
    options |= {"seconds": seconds, "octets": 100, "json": report}
    command = [sys.executable, "-m", "smsgw.sim", "tenant", *(f"--{key}={value}" for key, value in options.items())]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(seconds + 90):
        await process.wait()
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


async def _sent(dsn: str, count: float) -> None:
    """Wait until so many messages are stored."""
    connection = await connect(dsn)
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT count(*) FROM message") < count:
                await connection.execute("SELECT pg_sleep(0.05)")
    finally:
        await connection.close()


async def _bind_all(port: int, count: int) -> list[tuple[float, int]]:
    """Connect all, then bind all at once: when each was answered, and with what. A connection that ended counts as refused."""
    async with contextlib.AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(await Esme.connect(port)) for _ in range(count)]
        began = time.monotonic()

        async def bind(number: int, esme: Esme) -> tuple[float, int]:
            esme.send(const.BIND_RECEIVER, bind_body(b"crowd%d" % number, b"pw%06d" % number))
            while not esme.responses:  # longer than a test would wait: how long it takes is what is asked
                if esme.ended.is_set():
                    return time.monotonic() - began, const.ESME_RBINDFAIL
                esme._changed.clear()
                await esme._changed.wait()
            return time.monotonic() - began, esme.responses[0].status

        async with asyncio.timeout(120):
            return await asyncio.gather(*(bind(number, esme) for number, esme in enumerate(crowd)))


def main() -> None:
    """Measure one storm on a server of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binds", type=int, default=500)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    asked = parser.parse_args()

    async def run() -> Report:
        directory = scratch_directory("smsgw-storm-")
        server = EmbeddedServer(directory)
        try:
            dsn = await server.start()
            connection = await connect(dsn)
            await migrate(connection)
            await connection.close()
            own = directory / "gateways"
            own.mkdir()
            return await storm(dsn, own, binds=asked.binds, rate=asked.rate, seconds=asked.seconds)
        finally:
            await server.stop()
            remove_scratch(directory)

    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(asyncio.run(run()))})}\n")


if __name__ == "__main__":
    main()
