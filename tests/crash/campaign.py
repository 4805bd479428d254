"""A crash campaign: load, kills at random instants, restarts, and the oracle at the end.

`python -m tests.crash.campaign --gateway 100 --postgres 30` is what `make crash` runs; a short one is part of the tests. With
SMSGW_KEEP_CRASH=1 the directory of a campaign that found a fault is kept: its database, and the gateways' logs.
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
from collections.abc import AsyncIterator, Callable

from smsgw.sim.carrier import Carrier
from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant
from smsgw.sim.texts import indexed_text
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import sm_body
from smsgw.store.database import EmbeddedServer, connect, migrate, remove_scratch, scratch_directory
from smsgw.store.processes import gone
from tests.crash.oracle import LEFT, WATCH, Verdict, evidence, judge, without_receipt
from tests.rig import GatewayProcess, provision, provisioning

STUCK_S = 60.0
POINTS = ("seated", "before_commit", "after_commit", "between_effects", "after_effects", "held_judged", "held_carried_out")
MORE = "[unit_of_work]\nspill_after_s = 1.0\n[hold]\nwait_s = 5.0\n"
ACCOUNT = 'max_resends = 50\nquota_day = 100_000_000\nquota_month = 100_000_000\npolicy = "joining"\n'
POLICY = '[text]\nunreadable = "pass"\n[[terms]]\nid = "cut"\nwords = ["1 bcd"]\ninside = true\nmust = ["1 bcd"]\n'
"""Reads texts, so that parts are joined; some of them are objectionable. What never gets whole is refused."""
TENANT = 'basis = "delivered"\n'
LINK = "response_timeout_s = 3\n"
FATES = Shares(
    errors={const.ESME_RSUBMITFAIL: 0.01}, stats={"UNDELIV": 0.04, "EXPIRED": 0.01}, mute=0.002, early=0.05,
    duplicate=0.03, stray=0.005,
)  # fmt: skip
"""What a carrier does to messages on a bad day; what it did not deliver is refunded. It never throttles: a link would slow down."""


def composed(octets: int) -> Callable[[int], bytes]:
    """Return how texts are made of their indexes: of each four, two are the parts of a long message."""

    def compose(index: int) -> bytes:
        tlvs = b""
        if index % 4 < 2:
            tlvs = tlv.append(const.TAG_SAR_MSG_REF_NUM, (index // 4 % 65_536).to_bytes(2, "big"))
            tlvs += tlv.append(const.TAG_SAR_TOTAL_SEGMENTS, b"\2")
            tlvs += tlv.append(const.TAG_SAR_SEGMENT_SEQNUM, bytes((index % 4 + 1,)))
        dest = b"%d" % (447_700_000_000 + index // 4)
        return sm_body(source=b"1000", dest=dest, short_message=indexed_text(index, octets), registered_delivery=1, tlvs=tlvs)

    return compose


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
            CarrierSettings(
                seed=seed, receipt_delay_ms=150, receipt_jitter_ms=300, response_delay_ms=5, keep=True, verify=True, shares=FATES
            )
        )
        self._count = gateways
        self._rate = rate
        self.killed_gateways = 0
        self.killed_servers = 0
        self.fenced = 0
        self.faults: list[str] = []

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[Campaign]:
        """Everything up and tenants sending; at the end wait for all receipts."""
        dsn = await self.server.start()
        connection = await connect(dsn)
        await migrate(connection)
        await connection.execute(WATCH)
        await connection.close()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._down)
            _, port = await stack.enter_async_context(self.carrier.listening())
            own = self.directory / "gateways"
            own.mkdir()
            (own / "joining.toml").write_text(POLICY, encoding="utf-8")
            policy = f'[[policy]]\nname = "joining"\nfiles = ["{own}/joining.toml"]\n'
            await provision(dsn, own, provisioning(port, tenant=TENANT, account=ACCOUNT, link=LINK) + policy)
            for number in range(1, self._count + 1):
                gateway = GatewayProcess(dsn, own, node=number, more=MORE)
                await gateway.start()
                self.gateways.append(gateway)
                tenant = Tenant(
                    TenantSettings(
                        port=gateway.port, system_id="acme1", password="secret", sessions=3, window=20,
                        rate=self._rate / self._count, first=number * 10_000_000, reconnect_s=0.05, keep=True,
                        response_timeout_s=20, enquire_link_s=5,
                    ),
                    compose=composed(100),
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
        """kill -9 at a random instant, and up again; one in five times once more while it starts."""
        gateway = self.random.choice(self.gateways)
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        await self.revive()
        await gateway.kill()
        self.killed_gateways += 1
        if self.random.random() < 0.2:
            await gateway.launch()
            await asyncio.sleep(self.random.uniform(0.2, 1.5))
            await gateway.kill()
            self.killed_gateways += 1
        await gateway.start()

    async def kill_server(self) -> None:
        """kill -9 of PostgreSQL's postmaster at a random instant, and up again; one in five times with a gateway."""
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.killed_servers += 1
        if self.random.random() < 0.2:
            gateway = self.random.choice(self.gateways)
            await gateway.kill()
            self.killed_gateways += 1
            await self.server.start()
            await gateway.start()
            return
        await self.server.start()

    async def crash_at(self, point: str) -> None:
        """Start a gateway that ends hard at a named point, wait for it, and start it anew."""
        await self.revive()
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
        async with asyncio.timeout(120):
            while sum(tenant.ledger.ok for tenant in self.tenants) < count:  # noqa: ASYNC110 - a count of another party
                await asyncio.sleep(0.02)

    async def lose_gateway(self) -> None:
        """kill -9 of the first gateway, for good: the other one has to take its work over."""
        gateway, tenant = self.gateways.pop(0), self.tenants[0]
        await gateway.kill()
        tenant.stop()
        tenant.stopping = True
        self.killed_gateways += 1

    async def sleep_through_a_restart(self) -> None:
        """Stop the first gateway, kill PostgreSQL, wait until the other one has taken over, and wake it."""
        gateway = self.gateways[0]
        gateway.pause(on=True)
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await gone(pid)  # one that has not died yet still answers, and would be taken for the new one
        self.killed_servers += 1
        await self.server.start()
        connection = await connect(self.server.dsn)
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT epoch FROM node WHERE id = $1", gateway.node) == 1:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await connection.close()
        gateway.pause(on=False)
        await gateway.ended()

    async def revive(self) -> None:
        """What a supervisor does: start again what has ended by itself. Only who was fenced may have; anything else is a fault."""
        for gateway in self.gateways:
            if gateway.alive:
                continue
            said = await asyncio.to_thread(gateway.log.read_text, "utf-8", "replace")
            if '"fenced"' in said[-3000:]:
                self.fenced += 1
            else:
                self.faults.append(f"gateway {gateway.node} ended by itself: {said[-1000:]}")
            await gateway.start()

    async def _quiet(self, dsn: str) -> None:
        """Wait until every tenant has every receipt and nothing waits in the store; else say what stands in the way.

        A slow machine may take its time, as long as there is ever less to do.
        """
        connection = await connect(dsn)
        try:
            least, since = None, time.monotonic()
            while time.monotonic() - since < STUCK_S:
                await self.revive()
                left = sum((await connection.fetchrow(LEFT)).values())
                left += len(without_receipt([tenant.ledger for tenant in self.tenants]))
                left += sum(tenant.unanswered for tenant in self.tenants if not tenant.stopping)
                if not left:
                    return
                if least is None or left < least:
                    least, since = left, time.monotonic()
                await asyncio.sleep(0.2)
            self.faults.append(f"nothing has moved for {STUCK_S:.0f} s")
            self.faults += await evidence(connection, [self.carrier.ledger])
        finally:
            await connection.close()

    async def verdict(self) -> Verdict:
        """Judge once the load is over."""
        connection = await connect(self.server.dsn)
        try:
            ledgers = [tenant.ledger for tenant in self.tenants]
            verdict = await judge(connection, ledgers, [self.carrier.ledger], self.server.log_directory)
            verdict.fenced = self.fenced
            verdict.killed = (self.killed_gateways, self.killed_servers)
            verdict.faults += self.faults
            return verdict
        finally:
            await connection.close()

    def close(self) -> None:
        """Take the data away."""
        remove_scratch(self.directory)


async def campaign(*, gateway_kills: int, server_kills: int, points: bool, gateways: int, seed: int) -> Verdict:
    """Run one campaign; returns the oracle's verdict."""
    run = Campaign(gateways=gateways, seed=seed)
    faulty = True
    try:
        async with run.load():
            kills = ["gateway"] * gateway_kills + ["server"] * server_kills
            run.random.shuffle(kills)
            for kind in kills:
                await (run.kill_gateway() if kind == "gateway" else run.kill_server())
            for point in POINTS if points else ():
                await run.crash_at(point)
        verdict = await run.verdict()
        faulty = bool(verdict.faults)
        return verdict
    finally:
        with contextlib.suppress(Exception):
            await run.server.stop()
        if not (faulty and os.environ.get("SMSGW_KEEP_CRASH")):
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
