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

from smsgw.bench.processes import calibrate, running
from smsgw.smpp import const
from tests.alone import own_server, send, until_stored
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
    load = {"system_id": "acme1", "window": 100, "rate": rate, "seconds": seconds, "most_s": seconds + 90}
    carrier = [sys.executable, "-m", "smsgw.sim", "carrier"]
    with running(carrier, said="listening", log=directory / "carrier.log") as started:
        await provision(dsn, directory, provisioning(int(started.words[1])) + CROWD + accounts)
        gateway = GatewayProcess(dsn, directory)
        await gateway.start()
        try:
            calm = await send(gateway.port, directory / "tenant.json", **load)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send(gateway.port, directory / "tenant.json", **load))
                await until_stored(dsn, calm["sent"] + rate)
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
        async with own_server("storm") as (server, own):
            return await storm(server.dsn, own, binds=asked.binds, rate=asked.rate, seconds=asked.seconds)

    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(asyncio.run(run()))})}\n")


if __name__ == "__main__":
    main()
