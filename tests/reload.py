"""A rule set that is replaced under load: nothing lost, nothing unjudged, and how late the loop comes meanwhile.

`python -m tests.reload --rate 5000 --versions 10` measures the whole one with 10,000 terms; a small one is part of the tests. Each
version flags every message by a rule of its own name, so that each message's record line says which version judged it. Gateway,
database, carrier and sender are processes of their own; files are applied from this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from smsgw.admin.control import ask
from smsgw.bench.processes import calibrate, running
from smsgw.bench.rules import write_set
from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory
from tests.rig import GatewayProcess, provision, provisioning
from tests.storm import _load, _sent

FLAG = '[[pattern]]\nid = "v{version}"\nexpression = "#[0-9]{{10}}"\naction = "flag"\nmust = ["#0000000001"]\n'
POLICY = '[[policy]]\nname = "made"\nfiles = ["rules.toml", "flag.toml"]\n'


@dataclass(slots=True)
class Report:
    """What came of it. `judged`: messages by the version that judged them.

    Stalls: how often the loop came over 10 ms late, and the longest, by cause; `calm`: as long a time before, without a change.
    """

    sent: int = 0
    ok: int = 0
    matched: int = 0
    unjudged: int = 0
    judged: dict[str, int] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    stalls: dict[str, list[float]] = field(default_factory=dict)
    calm_stalls: dict[str, list[float]] = field(default_factory=dict)
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
        await provision(self._dsn, self._directory, self._text + POLICY, str(self._directory / "provisioning.toml"))
        connection = await connect(self._dsn)
        try:
            self.applied.append((await connection.fetchval("SELECT version FROM policy"))[:8])
        finally:
            await connection.close()


async def reload(dsn: str, directory: Path, *, rate: float, versions: int, terms: int, seconds: float) -> Report:
    """Send for so long, and replace the rule set so often meanwhile."""
    carrier = [sys.executable, "-m", "smsgw.sim", "carrier"]
    records = directory / "records.jsonl"
    with running(carrier, said="listening", log=directory / "carrier.log") as started:
        text = provisioning(int(started.words[1]), account='policy = "made"')
        files = Versions(dsn, directory, text, terms)
        await files.apply()
        gateway = GatewayProcess(dsn, directory, messages="all", more=f'records = "{records}"')
        await gateway.start()
        report = Report()
        socket = gateway.config.parent / "admin.sock"
        try:
            calm = await _load(gateway.port, directory, rate, seconds)
            report.calm_stalls = await _stalls(socket, 0.0)
            async with asyncio.TaskGroup() as group:
                began = time.time()
                sending = group.create_task(_load(gateway.port, directory, rate, seconds))
                for number in range(versions):
                    await _due(dsn, calm["sent"] + rate * (0.5 + (seconds - 2) * number / versions), sending)
                    await files.apply()
                said: dict[str, Any] = await sending
            report.stalls = await _stalls(socket, began)
        finally:
            await gateway.stop()
    report.sent, report.ok, report.matched = (calm[name] + said[name] for name in ("sent", "ok", "matched"))
    report.p50_ms, report.p99_ms = said["response_due_ms"]["p50"], said["response_due_ms"]["p99"]
    report.calm_p99_ms = calm["response_due_ms"]["p99"]
    report.applied = files.applied
    _judged(records, report)
    return report


async def _due(dsn: str, count: float, sending: asyncio.Task[Any]) -> None:
    """Wait until so many messages are stored, or no more are sent."""
    stored = asyncio.ensure_future(_sent(dsn, count))
    await asyncio.wait({stored, sending}, return_when=asyncio.FIRST_COMPLETED)
    stored.cancel()


async def _stalls(socket: Path, since: float) -> dict[str, list[float]]:
    """Return how many of the stalls that the gateway remembers came since then, and the longest in ms, by cause."""
    found: dict[str, list[float]] = {}
    for row in await ask(socket, "stalls"):
        if row["at"] >= since:
            count, longest = found.get(row["cause"], (0, 0.0))
            found[row["cause"]] = [count + 1, max(longest, row["lag_ms"])]
    return found


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
    asked = parser.parse_args()

    async def run() -> Report:
        directory = scratch_directory("smsgw-reload-")
        server = EmbeddedServer(directory)
        try:
            dsn = await server.start()
            connection = await connect(dsn)
            await migrate(connection)
            await connection.close()
            own = directory / "gateways"
            own.mkdir()
            size = {"rate": asked.rate, "versions": asked.versions, "terms": asked.terms, "seconds": asked.seconds}
            return await reload(dsn, own, **size)
        finally:
            await server.stop()
            remove_scratch(directory)

    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(asyncio.run(run()))})}\n")


if __name__ == "__main__":
    main()
