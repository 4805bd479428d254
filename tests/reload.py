"""A rule set that is replaced under load: nothing lost, nothing unjudged, and how late the loop comes meanwhile.

`python -m tests.reload --rate 5000 --versions 10` measures the whole one with 10,000 terms; a small one is part of the tests. Each
version flags every message by a rule of its own name, so that each message's record line says which version judged it. Gateway,
database, carrier and sender are processes of their own (`--loadgen`, `--sink`: external ones, as of `smsgw bench`); the files are
applied from this one. The same load without a change runs before: what the machine does to the loop by itself is seen there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from smsgw.admin.control import ask
from smsgw.bench.ends import PASSWORD, SYSTEM_ID, Load, Outcome, carrier, outcome_of_tenant, tenant
from smsgw.bench.processes import calibrate
from smsgw.bench.rules import write_set
from smsgw.store.database import connect
from tests.alone import own_server, until_stored
from tests.rig import GatewayProcess, provision, provisioning

LATE_MS = 50.0
LOOK_S = 0.3
FLAG = '[[pattern]]\nid = "v{version}"\nexpression = "#[0-9]{{10}}"\naction = "flag"\nmust = ["#0000000001"]\n'
POLICY = '[[policy]]\nname = "made"\nfiles = ["rules.toml", "flag.toml"]\n'


@dataclass(slots=True)
class Stalls:
    """How often the loop came over 10 ms late, by cause, and over 50 ms; the longest, in ms.

    `own`: the same without the time in which its thread was ready and got no processor, which is the machine's.
    """

    causes: dict[str, int] = field(default_factory=dict)
    over_50: int = 0
    longest: float = 0.0
    own_over_50: int = 0
    own_longest: float = 0.0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one."""
        lag, own = row["lag_ms"], max(0.0, row["lag_ms"] - row["ready_ms"])
        self.causes[row["cause"]] = self.causes.get(row["cause"], 0) + 1
        self.over_50 += lag > LATE_MS
        self.own_over_50 += own > LATE_MS
        self.longest, self.own_longest = max(self.longest, lag), max(self.own_longest, own)


@dataclass(slots=True)
class Report:
    """What came of it. `judged`: messages by the version that judged them. `calm`: as long a time before, without a change."""

    sent: int = 0
    ok: int = 0
    matched: int = 0
    unjudged: int = 0
    rate: float = 0.0
    judged: dict[str, int] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    stalls: Stalls = field(default_factory=Stalls)
    calm_stalls: Stalls = field(default_factory=Stalls)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    calm_p99_ms: float = 0.0


class Versions:
    """The files of a rule set in a directory, and the version of each state of them."""

    def __init__(self, dsn: str, directory: Path, text: str, terms: int) -> None:
        """Write a set of so many terms; nothing is applied."""
        self._dsn, self._directory, self._text = dsn, directory, text
        self.applied: list[str] = []
        write_set(directory, terms)

    async def apply(self) -> None:
        """Make the next version live: another flag, and one more word."""
        number = len(self.applied)
        (self._directory / "flag.toml").write_text(FLAG.format(version=number), encoding="utf-8")
        with (self._directory / "n1.txt").open("a", encoding="utf-8") as words:
            words.write(f"\nanother{number}word")
        await asyncio.to_thread(self._provision)
        connection = await connect(self._dsn)
        try:
            self.applied.append((await connection.fetchval("SELECT version FROM policy"))[:8])
        finally:
            await connection.close()

    def _provision(self) -> None:
        """Apply in a thread that leaves the processors to whoever else wants them: two of them carry all of this."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        asyncio.run(provision(self._dsn, self._directory, self._text + POLICY, str(self._directory / "provisioning.toml")))


async def reload(dsn: str, directory: Path, load: Load, *, versions: int, terms: int) -> Report:
    """Send the load, send it again, and replace the rule set so often meanwhile."""
    records = directory / "records.jsonl"
    report = Report()
    with carrier(load, directory) as (_, port):
        text = provisioning(port, account='policy = "made"').replace("acme1", SYSTEM_ID).replace('"secret"', f'"{PASSWORD}"')
        files = Versions(dsn, directory, text, terms)
        await files.apply()
        gateway = GatewayProcess(dsn, directory, messages="all", more=f'records = "{records}"')
        await gateway.start()
        socket = gateway.config.parent / "admin.sock"
        try:
            calm = await _sending(load, gateway.port, directory, socket, report.calm_stalls)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_sending(load, gateway.port, directory, socket, report.stalls))
                for number in range(versions):
                    await _due(dsn, calm.sent * (1.03 + 0.85 * number / versions), sending)
                    await files.apply()
                said = await sending
        finally:
            await gateway.stop()
    report.sent, report.ok, report.matched = calm.sent + said.sent, calm.ok + said.ok, calm.receipts + said.receipts
    report.rate = round(said.sent / max(said.elapsed_s, load.seconds))
    late = (said.due_ms or said.response_ms), (calm.due_ms or calm.response_ms)
    report.p50_ms, report.p99_ms, report.calm_p99_ms = late[0]["p50"], late[0]["p99"], late[1]["p99"]
    report.applied = files.applied
    _judged(records, report)
    return report


async def _sending(load: Load, port: int, directory: Path, socket: Path, stalls: Stalls) -> Outcome:
    """Send, and count the stalls meanwhile: the gateway remembers few of them."""
    began = seen = time.time()
    with tenant(load, port, directory) as started:
        ended = asyncio.ensure_future(asyncio.to_thread(started.finish, load.bound_s))
        while not ended.done():
            await asyncio.wait({ended}, timeout=LOOK_S)
            rows = [(datetime.fromisoformat(row["at"]).timestamp(), row) for row in await ask(socket, "stalls")]
            rows = [(at, row) for at, row in rows if at > seen]
            for at, row in rows:
                if at < began + load.seconds:
                    stalls.add(row)
            seen = max([seen, *(at for at, _ in rows)])
        await ended
    return outcome_of_tenant(load, directory)


async def _due(dsn: str, count: float, sending: asyncio.Task[Outcome]) -> None:
    """Wait until so many messages are stored, or no more are sent."""
    stored = asyncio.ensure_future(until_stored(dsn, count))
    await asyncio.wait({stored, sending}, return_when=asyncio.FIRST_COMPLETED)
    stored.cancel()


def _judged(records: Path, report: Report) -> None:
    """Count the record lines by the version that judged: each has flagged every message by a rule of its own."""
    judged: Counter[str] = Counter()
    for line in records.read_text(encoding="utf-8").splitlines():
        rule = json.loads(line).get("rule", "")
        name, _, flag = rule.partition(":")
        number = flag.removeprefix("pattern.v").partition(":")[0]
        if number.isdecimal() and name == f"made@{report.applied[int(number)]}":
            judged[number] += 1
        else:
            report.unjudged += 1
    report.judged = dict(judged)


def main() -> None:
    """Measure one on a server of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=5_000.0)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--terms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--loadgen", default="", help="path of an external load generator (smppblast's options and report)")
    parser.add_argument("--sink", default="", help="path of an external carrier (smppsink's options and report)")
    asked = parser.parse_args()

    async def run() -> Report:
        async with own_server("reload") as (server, own):
            load = Load(seconds=asked.seconds, rate=asked.rate, sessions=4, window=100, loadgen=asked.loadgen, sink=asked.sink)
            return await reload(server.dsn, own, load, versions=asked.versions, terms=asked.terms)

    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(asyncio.run(run()))})}\n")


if __name__ == "__main__":
    main()
