"""A crash campaign: load, kills at random instants, restarts, and the oracle at the end.

`python -m tests.crash.campaign --gateway 100 --postgres 30` is what `make crash` runs; a short one is part of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant
from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory
from tests.crash.oracle import Verdict, judge, without_receipt
from tests.rig import GatewayProcess, provision, provisioning

POINTS = ("seated", "before_commit", "after_commit", "between_effects", "after_effects")
MORE = "[unit_of_work]\nspill_after_s = 1.0\n"
ACCOUNT = "max_resends = 50\n"


class Campaign:
    """One database, one carrier, one or two gateways, one tenant at each."""

    def __init__(self, *, gateways: int, seed: int, rate: float = 600.0) -> None:
        """Prepare; `seed` decides when what is killed."""
        self.random = random.Random(seed)
        self.directory = scratch_directory("smsgw-crash-")
        self.server = EmbeddedServer(self.directory)
        self.gateways: list[GatewayProcess] = []
        self.tenants: list[Tenant] = []
        self.carrier = Carrier(
            CarrierSettings(seed=seed, receipt_delay_ms=150, receipt_jitter_ms=300, response_delay_ms=5, keep=True, verify=True)
        )
        self._count = gateways
        self._rate = rate
        self.killed_gateways = 0
        self.killed_servers = 0

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[Campaign]:
        """Everything up and tenants sending; at the end wait for all receipts."""
        dsn = await self.server.start()
        connection = await connect(dsn)
        await migrate(connection)
        await connection.close()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._down)
            _, port = await stack.enter_async_context(self.carrier.listening())
            own = self.directory / "gateways"
            own.mkdir()
            await provision(dsn, own, provisioning(port, account=ACCOUNT))
            for number in range(1, self._count + 1):
                gateway = GatewayProcess(dsn, own, node=number, more=MORE)
                await gateway.start()
                self.gateways.append(gateway)
                tenant = Tenant(
                    TenantSettings(
                        port=gateway.port, system_id="acme1", password="secret", sessions=3, window=20,
                        rate=self._rate / self._count, first=number * 10_000_000, reconnect_s=0.05, keep=True,
                        response_timeout_s=20, enquire_link_s=5,
                    )
                )  # fmt: skip
                await stack.enter_async_context(tenant.bound())
                self.tenants.append(tenant)
                tenant.start()
            yield self
            for tenant in self.tenants:
                tenant.stop()
            await self._quiet(dsn)
            for gateway in self.gateways:
                await gateway.stop()

    async def _down(self) -> None:
        for gateway in self.gateways:
            await gateway.kill()

    async def kill_gateway(self) -> None:
        """kill -9 at a random instant, and up again."""
        gateway = self.random.choice(self.gateways)
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        await gateway.kill()
        self.killed_gateways += 1
        await gateway.start()

    async def kill_server(self) -> None:
        """kill -9 of PostgreSQL's postmaster at a random instant, and up again."""
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.killed_servers += 1
        await self.server.start()

    async def crash_at(self, point: str) -> None:
        """Start a gateway that ends hard at a named point, wait for it, and start it anew."""
        gateway = self.gateways[0]
        await gateway.kill()
        if point == "seated":  # before it listens: it never gets ready
            with contextlib.suppress(RuntimeError):
                await gateway.start(crash_point=point)
        else:
            await gateway.start(crash_point=f"{point}:{self.random.randint(20, 60)}")
            await gateway.ended()
        self.killed_gateways += 1
        await gateway.start()

    async def tenant_progress(self, count: int) -> None:
        """Wait until the tenants have this many messages acknowledged in all."""
        while sum(tenant.ledger.ok for tenant in self.tenants) < count:  # noqa: ASYNC110 - a count of another party
            await asyncio.sleep(0.02)

    async def lose_gateway(self) -> None:
        """kill -9 of the first gateway, for good: the other one has to take its work over."""
        gateway, tenant = self.gateways.pop(0), self.tenants[0]
        await gateway.kill()
        tenant.stop()
        tenant.stopping = True
        self.killed_gateways += 1

    async def _quiet(self, dsn: str, timeout_s: float = 90.0) -> None:
        """Wait until every tenant has every receipt and nothing waits in the store."""
        connection = await connect(dsn)
        try:
            until = time.monotonic() + timeout_s
            while time.monotonic() < until:
                left = await connection.fetchval(
                    "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM owed)"
                    " + (SELECT count(*) FROM message WHERE state < 10 AND state <> 6)"
                )
                ledgers = [tenant.ledger for tenant in self.tenants]
                if not left and not without_receipt(ledgers) and not any(t.unanswered for t in self.tenants if not t.stopping):
                    return
                await asyncio.sleep(0.2)
            await self._dump(connection)
        finally:
            await connection.close()

    async def _dump(self, connection):
        import json
        w = sys.stderr.write
        w(f"--- not quiet, {self.directory}\n")
        for q in ("SELECT id, epoch, low_water, last_ms, heartbeat, now() FROM node", "SELECT node, epoch, kind, count(*), min(due_ms), max(due_ms), max(tries), min(id), max(id) FROM owed GROUP BY 1,2,3",
                  "SELECT * FROM waiting LIMIT 10", "SELECT id,node,epoch,due_ms,tries,message FROM owed ORDER BY id LIMIT 10", "SELECT * FROM bind", "SELECT id, state, rev, attempt, resends, link, upstream_id, error, sent_ms, done_ms FROM message WHERE state < 10 AND state <> 6 LIMIT 10",
                  "SELECT id, state, rev, attempt, resends, link, upstream_id, error, sent_ms, done_ms FROM message WHERE state = 6 LIMIT 20",
                  "SELECT r.* FROM upstream_ref r JOIN message m ON m.id = r.message WHERE m.state=6 LIMIT 20", "SELECT count(*) FROM orphan"):
            w(q + "\n")
            for row in await connection.fetch(q):
                w("   " + repr(dict(row)) + "\n")
        for row in await connection.fetch("SELECT upstream_id FROM message WHERE state = 6 LIMIT 20"):
            n = row["upstream_id"]
            if n:
                n = int(n)
                w(f"carrier: {n} taken {self.carrier.ledger.taken.get(n)} acknowledged {self.carrier.ledger.acknowledged.get(n)}"
                  f" scheduled {[1 for d in self.carrier.receipts._heap if d[-1][1].number == n] if hasattr(self.carrier.receipts,'_heap') else '?'}"
                  f" outstanding {[(b.system_id, b.receives) for b in self.carrier.binds if any(getattr(c,'number',None)==n for c in list(b.pending))]}\n")
        w(json.dumps(self.carrier.ledger.figures()) + f" owing {self.carrier.owing}\n")
        for t in self.tenants:
            w(json.dumps(t.ledger.figures()) + f" unanswered {t.unanswered} stopping {t.stopping} bound {[b.bound.is_set() for b in t.binds]}\n")
        w(f"alive {[g.alive for g in self.gateways]} without receipt {[(i) for i in without_receipt([t.ledger for t in self.tenants])][:10]}\n")
        for gateway in self.gateways:
            proc = await asyncio.create_subprocess_exec(sys.executable, "-c", "import asyncio", )
            await proc.wait()
            for what in ("queues", "links", "binds"):
                p = await asyncio.create_subprocess_exec(sys.executable, "-m", "smsgw", "show", what, "--config", str(gateway.config), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
                out, _ = await p.communicate()
                w(out.decode()[-3000:] + "\n")
        sys.stderr.flush()

    async def verdict(self) -> Verdict:
        """Judge once the load is over."""
        connection = await connect(self.server.dsn)
        try:
            return await judge(connection, [tenant.ledger for tenant in self.tenants], [self.carrier.ledger])
        finally:
            await connection.close()

    def close(self) -> None:
        """Take the data away."""
        remove_scratch(self.directory)


async def campaign(*, gateway_kills: int, server_kills: int, points: bool, gateways: int, seed: int) -> Verdict:
    """Run one campaign; returns the oracle's verdict."""
    run = Campaign(gateways=gateways, seed=seed)
    keep = bool(os.environ.get("SMSGW_KEEP_CRASH"))
    try:
        async with run.load():
            kills = ["gateway"] * gateway_kills + ["server"] * server_kills
            run.random.shuffle(kills)
            for kind in kills:
                await (run.kill_gateway() if kind == "gateway" else run.kill_server())
            for point in POINTS if points else ():
                await run.crash_at(point)
        verdict = await run.verdict()
        keep = keep and bool(verdict.faults)
        return verdict
    finally:
        with contextlib.suppress(Exception):
            await run.server.stop()
        if not keep:
            run.close()


def rounds(gateway_kills: int, server_kills: int) -> list[tuple[int, int, int, bool]]:
    """Share kills out: (gateways, kills of a gateway, of PostgreSQL, each crash point too); a third with two gateways."""
    third = (gateway_kills // 3, server_kills // 3)
    return [(1, gateway_kills - third[0], server_kills - third[1], True), (2, *third, False)]


def main() -> int:
    """Run the campaigns that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", type=int, default=100)
    parser.add_argument("--postgres", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    failed = False
    for gateways, gateway_kills, server_kills, points in rounds(asked.gateway, asked.postgres):
        began = time.monotonic()
        verdict = asyncio.run(
            campaign(gateway_kills=gateway_kills, server_kills=server_kills, points=points, gateways=gateways, seed=asked.seed)
        )
        failed = failed or bool(verdict.faults)
        sys.stdout.write(
            f"{gateways} gateway(s), {gateway_kills} kills of a gateway, {server_kills} of PostgreSQL"
            f"{', each crash point' if points else ''}, seed {asked.seed}: {verdict} ({time.monotonic() - began:.0f} s)\n"
        )
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
