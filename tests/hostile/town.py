"""A gateway process with a well-behaved tenant and one that may do what it likes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant
from tests.rig import GatewayProcess, provision, provisioning

ROOT = Path(__file__).resolve().parents[2]
EVIL = """
[[account]]
tenant = "acme"
system_id = "evil"
password = "evil"
max_binds = 1000
window = {window}
"""
MIB = 1 << 20


def memory(pid: int) -> int:
    """The resident set of a process in octets (Linux)."""
    with Path(f"/proc/{pid}/statm").open(encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Town:
    """What is up."""

    gateway: GatewayProcess
    carrier: Carrier

    def good(self, **fields: object) -> Tenant:
        """A well-behaved tenant, not bound yet."""
        settings = {"sessions": 2, "window": 50, "rate": 150.0, "seconds": 1.5, "linger_s": 10.0, **fields}
        return Tenant(TenantSettings(port=self.gateway.port, system_id="acme1", password="secret", **settings))  # type: ignore[arg-type]

    async def p99_ms(self) -> float:
        """The good tenant sends for a moment: its p99; nothing may be refused, lost, or left without its receipt."""
        tenant = self.good()
        report = await tenant.run()
        ledger = tenant.ledger
        assert (ledger.statuses, ledger.wrong, ledger.lost, ledger.expired) == ({}, {}, 0, 0), report
        assert ledger.matched == ledger.ok == ledger.sent > 100, report
        return tenant.latency.percentile(0.99) * 1_000

    @contextlib.asynccontextmanager
    async def attacked(self, name: str) -> AsyncIterator[None]:
        """An attacker is at it within the block."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hostile.attackers", name, str(self.gateway.port), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                assert await process.stdout.readline() == b"ready\n"
            yield
            assert process.returncode is None, "the attacker gave up"
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def failures(self) -> list[str]:
        """What the gateway logged that it should not have to."""
        lines = self.gateway.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "connection_failed" in line or '"level":"error"' in line or "Traceback" in line]


@contextlib.asynccontextmanager
async def town(dsn: str, directory: Path, *, provision_more: str = "", window: int = 10) -> AsyncIterator[Town]:
    """Everything up within the block; at its end the gateway stops by SIGTERM, with nothing to complain about."""
    carrier = Carrier(CarrierSettings(receipt_delay_ms=10))
    async with carrier.listening() as (_, port):
        await provision(dsn, directory, provisioning(port) + EVIL.format(window=window) + provision_more)
        gateway = GatewayProcess(dsn, directory)
        await gateway.start()
        try:
            made = Town(gateway, carrier)
            yield made
            assert await gateway.stop() == 0
            failures = made.failures()
            assert not failures, failures[:5]
        finally:
            await gateway.kill()
