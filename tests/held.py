"""Long texts under load: how many are judged and let go in a second, how long after their last part, and what they cost others.

`python -m tests.held --rate 3000 --parts 3` sends so many parts a second, of texts of so many parts, to an account whose set joins
them. `--singles 3000` has another tenant send single messages beside them, after as long a time without. `--waiting 50000` leaves
so many first parts waiting, of a hundred accounts, and says what that costs the gateway in memory, and how soon all are refused
once their time is over. Gateway, database and the sender of singles are processes of their own; who sends and who takes the parts
is this one, so that one clock times them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from smsgw.admin.control import ask
from smsgw.bench.processes import calibrate, cpu_seconds, resident_mib
from smsgw.bench.rules import write_set
from smsgw.sim.carrier import Carrier
from smsgw.sim.latency import Latency
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant
from smsgw.smpp.pdu import sm_body
from smsgw.store import holds, invariants
from smsgw.store.database import Connection, connect
from tests.alone import own_server, send
from tests.rig import GatewayProcess, provision, provisioning

_HEAD: Final = b"\5\0\3"
"""How the UDH of a part begins: its reference, the total and its number follow, and then the number of its text."""
_SAID: Final = "您好，您的快递已到驿站，请凭取件码及时领取，如有疑问请与我们联系，祝您生活愉快。"
SINGLES: Final = """
[[tenant]]
name = "singles"
currency = "CNY"
balance = "1000000.00"
[[account]]
tenant = "singles"
system_id = "singles"
password = "secret"
window = 1000
policy = "made"
[[price]]
tenant = "singles"
prefix = ""
price = "0.038"
[[policy]]
name = "made"
files = ["rules.toml"]
"""


@dataclass(slots=True)
class Report:
    """What came of it. `went_ms`: from when the last part of a text was sent to when all of them had reached the carrier.

    `us`: microseconds of CPU a message, of the gateway and of PostgreSQL. `singles_ms`, `calm_ms`: submit_sm_resp of single
    messages beside texts, and without them; `calm_us`: what those cost.
    """

    texts: int = 0
    parts: int = 0
    ok: int = 0
    went: int = 0
    disordered: int = 0
    texts_a_second: float = 0.0
    parts_a_second: float = 0.0
    went_ms: dict[str, float] = field(default_factory=dict)
    answered_ms: dict[str, float] = field(default_factory=dict)
    receipts: int = 0
    without_receipt: int = 0
    broken_books: list[str] = field(default_factory=list)
    us: dict[str, float] = field(default_factory=dict)
    singles: int = 0
    singles_ms: dict[str, float] = field(default_factory=dict)
    calm_ms: dict[str, float] = field(default_factory=dict)
    calm_us: dict[str, float] = field(default_factory=dict)


class Texts(deque[bytes]):
    """Makes the parts, and sees them arrive: it stands where the simulated carrier keeps what it takes."""

    def __init__(self, parts: int, now: Any) -> None:
        """Texts of so many parts; `now` tells the time."""
        super().__init__()
        self._parts = parts
        self._now = now
        self._sent: dict[int, float] = {}
        self._arrived: dict[int, list[int]] = {}
        self.took = Latency()
        self.ends: list[float] = []
        self.disordered = 0
        self._said = _SAID.encode("utf-16-be")[:114]

    def compose(self, index: int) -> bytes:
        """Return the body of the submit_sm of this index: the parts of a text follow each other."""
        text, part = divmod(index, self._parts)
        if part == self._parts - 1:
            self._sent[text] = self._now()
        head = _HEAD + bytes((text & 0xFF, self._parts, part + 1))
        said = f"{text:010}".encode("utf-16-be") + self._said
        destination = b"%d" % (8_613_800_000_000 + text % 1_000_000)
        return sm_body(
            source=b"10690001",
            dest=destination,
            short_message=head + said,
            esm_class=0x40,
            data_coding=8,
            registered_delivery=1,
        )

    def append(self, octets: bytes) -> None:
        """The carrier has taken a message."""
        at = octets.find(_HEAD, 16)
        if at < 0:
            return
        text, part = int(octets[at + 6 : at + 26].decode("utf-16-be")), octets[at + 5]
        there = self._arrived.setdefault(text, [])
        there.append(part)
        if len(there) == self._parts:
            del self._arrived[text]
            now = self._now()
            self.took.record(now - self._sent.pop(text))
            self.ends.append(now)
            self.disordered += there != sorted(there)

    @property
    def steady(self) -> float:
        """Texts a second that went, between 10 % and 90 % of all."""
        first, last = len(self.ends) // 10, len(self.ends) * 9 // 10
        return (last - first) / (self.ends[last] - self.ends[first]) if last > first else 0.0


async def held(
    dsn: str, directory: Path, *, rate: float, seconds: float, parts: int, terms: int, singles: float = 0.0, postgres: int = 0
) -> Report:
    """Send so many parts a second for so long, and single messages beside them; `postgres`: the pid of the server."""
    report = Report()
    carrier = Carrier(CarrierSettings(keep_bodies=1))
    texts = carrier.ledger.bodies = Texts(parts, carrier.clock.now)
    write_set(directory, terms)
    others = {"system_id": "singles", "window": 250, "rate": singles, "count": int(singles * seconds), "most_s": seconds + 90}
    async with carrier.listening() as (_, port):
        more = f'policy = "made"\nwindow = {max(1000, int(rate))}\n'
        text = provisioning(port, account=more).replace("window = 1000\n", "", 1).replace("window = 500\n", "window = 5000\n")
        await provision(dsn, directory, text + SINGLES, str(directory / "provisioning.toml"))
        gateway = GatewayProcess(dsn, directory, more="[hold]\nper_account = 1000000\ntotal = 1000000\n")
        await gateway.start()
        try:
            if singles:
                before = _cpu(gateway, postgres)
                calm = await send(gateway.port, directory / "singles.json", **others)
                report.calm_ms, report.calm_us = calm["response_due_ms"], _us(before, _cpu(gateway, postgres), calm["sent"])
            tenant = Tenant(_settings(gateway.port, rate, seconds, parts), compose=texts.compose)
            before = _cpu(gateway, postgres)
            async with asyncio.TaskGroup() as group:
                if singles:
                    beside = group.create_task(send(gateway.port, directory / "singles.json", **others))
                said = await tenant.run()
            after = _cpu(gateway, postgres)
            if singles:
                report.singles, report.singles_ms = beside.result()["ok"], beside.result()["response_due_ms"]
        finally:
            await gateway.stop()
    report.us = _us(before, after, said["sent"] + report.singles)
    report.parts, report.ok, report.texts = said["sent"], said["ok"], said["sent"] // parts
    report.receipts, report.without_receipt, report.answered_ms = said["matched"], said["without_receipt"], said["response_due_ms"]
    report.went, report.disordered, report.went_ms = len(texts.ends), texts.disordered, texts.took.milliseconds()
    report.texts_a_second, report.parts_a_second = round(texts.steady, 1), round(texts.steady * parts, 1)
    await _settled(dsn, report)
    return report


def _cpu(gateway: GatewayProcess, postgres: int) -> dict[str, float]:
    return {"gateway": cpu_seconds(gateway.pid), "postgres": cpu_seconds(postgres, tree=True)}


def _us(before: dict[str, float], after: dict[str, float], messages: int) -> dict[str, float]:
    return {name: round((after[name] - before[name]) / messages * 1e6, 1) for name in before}


def _settings(port: int, rate: float, seconds: float, parts: int) -> TenantSettings:
    """Return what the sender of parts does: whole texts, at a fixed rate."""
    whole = {"count": int(rate * seconds) // parts * parts, "rate": rate, "sessions": 4, "window": max(250, int(rate / 4))}
    return TenantSettings(port=port, system_id="acme1", password="secret", linger_s=15.0, max_wait_s=90.0, **whole)


@dataclass(slots=True)
class Waited:
    """What waiting parts cost: resident MiB of the gateway bound and idle, with all of them waiting, at most, and in the end.

    `refused_s`: from when the time of the first was over to when the last was refused. `counting_ms`: of the look each second.
    """

    waiting: int = 0
    accounts: int = 0
    idle_mib: float = 0.0
    waiting_mib: float = 0.0
    most_mib: float = 0.0
    refused_mib: float = 0.0
    counting_ms: float = 0.0
    refused_s: float = 0.0
    left_in_memory: int = 0
    receipts: int = 0


async def wait(dsn: str, directory: Path, *, count: int, rate: float, accounts: int = 100) -> Waited:
    """Leave so many first parts waiting; then their time is over."""
    report = Waited(count // accounts * accounts, accounts)
    write_set(directory, 100)
    sending_s = count / rate
    one = '[[account]]\ntenant = "acme"\nsystem_id = "w{n}"\npassword = "secret"\npolicy = "made"\nwindow = 100\n'
    async with Carrier().listening() as (_, port):
        text = provisioning(port) + SINGLES + "".join(one.format(n=number) for number in range(accounts))
        await provision(dsn, directory, text, str(directory / "provisioning.toml"))
        gateway = GatewayProcess(dsn, directory, more=f"[hold]\nwait_s = {sending_s * 2 + 30.0}\n")
        await gateway.start()
        connection = await connect(dsn)
        try:
            async with AsyncExitStack() as stack:
                tenants = []
                for number in range(accounts):
                    parts = Texts(2, lambda: 0.0)
                    how = {"system_id": f"w{number}", "password": "secret", "rate": rate / accounts, "count": count // accounts}
                    tenant = Tenant(
                        TenantSettings(port=gateway.port, **how),
                        compose=lambda index, parts=parts, number=number: parts.compose(2 * (index * accounts + number)),
                    )
                    tenants.append(await stack.enter_async_context(tenant.bound()))
                await connection.execute("SELECT pg_sleep(3)")
                report.idle_mib = round(resident_mib(gateway.pid), 1)
                for tenant in tenants:
                    tenant.start()
                for tenant in tenants:
                    await tenant.sent()
                await _until(connection, lambda: not any(tenant.unanswered for tenant in tenants))
                await connection.execute("SELECT pg_sleep(5)")
                report.waiting_mib = report.most_mib = round(resident_mib(gateway.pid), 1)
                assert await connection.fetchval("SELECT count(*) FROM held_text WHERE state = 0") == report.waiting
                queues = {row["queue"]: row["entries"] for row in await ask(gateway.config.parent / "admin.sock", "queues")}
                report.left_in_memory = queues["open in memory"] + queues["unit of work"]
                began = time.monotonic()
                await holds.counts(connection)
                report.counting_ms = round((time.monotonic() - began) * 1000, 1)
                first = await connection.fetchval("SELECT min(due_ms) FROM held_text")
                while await connection.fetchval("SELECT count(*) FROM held_text WHERE state < 2 OR NOT done"):
                    report.most_mib = max(report.most_mib, round(resident_mib(gateway.pid), 1))
                    await connection.execute("SELECT pg_sleep(0.5)")
                report.refused_s = round(time.time() - first / 1000, 1)
                await _until(connection, lambda: sum(tenant.ledger.matched for tenant in tenants) >= report.waiting)
                report.receipts = sum(tenant.ledger.matched for tenant in tenants)
                report.refused_mib = round(resident_mib(gateway.pid), 1)
        finally:
            await connection.close()
            await gateway.stop()
    return report


async def _until(connection: Connection, condition: Callable[[], bool], most_s: float = 180.0) -> None:
    """Wait until a condition holds, so long at most."""
    until = time.monotonic() + most_s
    while not condition() and time.monotonic() < until:
        await connection.execute("SELECT pg_sleep(0.1)")


async def _settled(dsn: str, report: Report) -> None:
    """Look into the books, and whether anything is held still."""
    connection = await connect(dsn)
    try:
        report.broken_books = [broken.name for broken in await invariants.check(connection)]
        if left := await connection.fetchval("SELECT count(*) FROM message WHERE state < 6"):
            report.broken_books.append(f"{left} messages are open")
        if wrong := await connection.fetchval("SELECT count(*) FROM held_text WHERE state <> 2 OR parts <> total"):
            report.broken_books.append(f"{wrong} texts were not let go whole")
    finally:
        await connection.close()


def main() -> None:
    """Measure once on a server of its own, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=3_000.0, help="parts a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--parts", type=int, default=3, choices=range(2, 256), metavar="2..255", help="of a text")
    parser.add_argument("--terms", type=int, default=1_000, help="how many terms the set has")
    parser.add_argument("--singles", type=float, default=0.0, help="single messages a second beside them")
    parser.add_argument("--waiting", type=int, default=0, help="leave so many first parts waiting instead")
    asked = parser.parse_args()

    async def run() -> Report | Waited:
        async with own_server("held") as (server, own):
            if asked.waiting:
                return await wait(server.dsn, own, count=asked.waiting, rate=asked.rate)
            how = {"rate": asked.rate, "seconds": min(asked.seconds, 300.0), "singles": asked.singles}
            return await held(server.dsn, own, parts=asked.parts, terms=asked.terms, postgres=server.pid or 0, **how)

    gc.disable()
    report = uvloop.run(run())
    sys.stdout.write(f"{json.dumps({'calibration_ms': round(calibrate(), 1), **asdict(report)})}\n")


if __name__ == "__main__":
    main()
