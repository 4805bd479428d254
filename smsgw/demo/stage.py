"""The run: database, carriers, gateway, tenants; one carrier is cut part way and comes back; then all settles and is counted.

Promises: when `play` returns or raises, nothing of the demo runs any more. The death of the gateway ends the demo.

Must never: leave a process, a port or a directory behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from smsgw import config as settings
from smsgw.admin import provisioning
from smsgw.admin.sealing import load_key
from smsgw.daemon import Daemon
from smsgw.demo import check, scene
from smsgw.demo.cast import PlainEsme, told_by
from smsgw.demo.check import Verdict
from smsgw.demo.screen import View
from smsgw.model import State
from smsgw.sim.carrier import Carrier
from smsgw.sim.tenant import Tenant
from smsgw.store import invariants
from smsgw.store.balances import balance_of
from smsgw.store.database import EmbeddedServer, connect, migrate

_START_S: Final = 120.0
_FRAME_S: Final = 0.25
_BOOKS_EVERY: Final = 4
_SETTLE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How the demo runs. `seconds` of 0: until it is stopped; then alpha is cut every minute. `command`: how smsgw is called."""

    data_dir: Path
    port: int
    admin: int
    seconds: float = 0.0
    rate: float = 40.0
    command: str = "smsgw"

    def cut(self, elapsed_s: float) -> bool:
        """Tell whether carrier alpha is to be away at this time: the third fifth of the run, or 15 s of each minute."""
        if self.seconds:
            return 0.4 <= elapsed_s / self.seconds < 0.6
        return 30 <= elapsed_s % 60 < 45


class Demo:
    """One run of the demo; `show(view)` is called four times a second."""

    def __init__(self, plan: Plan, show: Callable[[View], None]) -> None:
        """Take the plan; nothing happens before `play`."""
        self.plan = plan
        self.view = View()
        self.alpha = Carrier(scene.ALPHA)
        self.beta = Carrier(scene.BETA)
        self.stop = asyncio.Event()
        self._show = show
        self._cut = False
        self._counted = (0.0, 0)

    async def play(self) -> Verdict:
        """Run it; returns what the books say. Raises StoreError, OSError and whatever ends the gateway."""
        plan = self.plan
        async with AsyncExitStack() as stack:
            _, alpha_port = await stack.enter_async_context(self.alpha.listening())
            _, beta_port = await stack.enter_async_context(self.beta.listening())
            provisioned = scene.provisioning_text(alpha_port, beta_port)
            (plan.data_dir / "smsgw.toml").write_text(scene.config_text(plan.data_dir, plan.port, plan.admin))
            (plan.data_dir / "provisioning.toml").write_text(provisioned)
            await self._say("starting a PostgreSQL of our own …")
            stack.push_async_callback(EmbeddedServer(plan.data_dir).stop)
            await _provision(plan.data_dir, provisioned)
            await self._say("starting the gateway …")
            async with self._gateway() as daemon:
                connection = await connect(daemon.ground.dsn, name="smsgw demo")
                try:
                    return await self._traffic(daemon, connection)
                finally:
                    await connection.close()

    @asynccontextmanager
    async def _gateway(self) -> AsyncIterator[Daemon]:
        """Run the gateway within the block; it drains at the end."""
        daemon = Daemon(settings.load(self.plan.data_dir / "smsgw.toml"))
        ready, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(daemon.run(ready=ready, stop=stop), name="gateway")
            async with asyncio.timeout(_START_S):
                await ready.wait()
            try:
                yield daemon
            finally:
                stop.set()

    async def _traffic(self, daemon: Daemon, connection: Any) -> Verdict:
        plan = self.plan
        bulk = [
            Tenant(scene.bulk_settings(plan.port, "acme1", plan.rate)),
            Tenant(scene.bulk_settings(plan.port, "bolt1", plan.rate / 2)),
        ]
        plain = PlainEsme(plan.port, "nova1", "nova1pw", rate=4.0)
        self.view.where = _where(plan)
        self.view.before = sum((await invariants.totals(connection)).values())
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for tenant in bulk:
                await stack.enter_async_context(tenant.bound())
                tenant.start()
            group.create_task(plain.run(), name="aiosmpplib ESME")
            group.create_task(plain.send(), name="its messages")
            await self._watch(daemon, connection, bulk, plain)
            for tenant in bulk:
                tenant.stop()
            plain.stop()
            await self._say("no more messages; waiting for the last receipts (Ctrl-C leaves) …")
            verdict = await self._settle(daemon, connection, bulk, plain)
            await plain.leave()
        return verdict

    # ---- while it runs --------------------------------------------------------------------------------------------

    async def _watch(self, daemon: Daemon, connection: Any, bulk: list[Tenant], plain: PlainEsme) -> None:
        """Draw, and cut and restore alpha, until time is up or the demo is stopped."""
        began = time.monotonic()
        frames = 0
        while not self.stop.is_set():
            self.view.elapsed_s = elapsed = time.monotonic() - began
            if self.plan.seconds and elapsed >= self.plan.seconds:
                break
            await self._cut_or_restore(elapsed)
            if frames % _BOOKS_EVERY == 0:
                await self._read_books(daemon, connection)
            frames += 1
            self._look(daemon, bulk, plain)
            self._show(self.view)
            try:
                async with asyncio.timeout(_FRAME_S):
                    await self.stop.wait()
            except TimeoutError:
                pass
        if self._cut:
            await self._cut_or_restore(-1.0)

    async def _cut_or_restore(self, elapsed: float) -> None:
        wanted = elapsed >= 0 and self.plan.cut(elapsed)
        if wanted and not self._cut:
            await self.alpha.cut()
            await self._say("carrier alpha is cut: its messages go by beta")
        elif self._cut and not wanted:
            await self.alpha.restore()
            await self._say("carrier alpha is back")
        self._cut = wanted

    async def _read_books(self, daemon: Daemon, connection: Any) -> None:
        totals = await invariants.totals(connection)
        self.view.states = {State(state): count for state, count in totals.items()}
        now, count = time.monotonic(), sum(totals.values())
        if self._counted[0]:
            self.view.rate = (count - self._counted[1]) / max(0.001, now - self._counted[0])
        self._counted = (now, count)
        self.view.balances = {
            tenant.name: (tenant.currency, await balance_of(connection, tenant.name)) for tenant in daemon.directory.tenants()
        }

    def _look(self, daemon: Daemon, bulk: list[Tenant], plain: PlainEsme) -> None:
        self.view.told = [*(told_by(tenant) for tenant in bulk), plain.told()]
        self.view.guest = daemon.meters.account(scene.GUEST[0]).accepted
        self.view.links = daemon.carriers.rows()

    async def _settle(self, daemon: Daemon, connection: Any, bulk: list[Tenant], plain: PlainEsme) -> Verdict:
        """Wait for answers and receipts, then compare with the books."""

        def submitted() -> int:
            self._look(daemon, bulk, plain)
            return self.view.submitted

        until = time.monotonic() + _SETTLE_S
        submitted()
        while time.monotonic() < until and any(told.unanswered for told in self.view.told):
            await asyncio.sleep(_FRAME_S)
            submitted()
        await check.settle(connection, submitted, max(1.0, until - time.monotonic()))
        for _ in range(_BOOKS_EVERY):
            await asyncio.sleep(_FRAME_S)  # the last receipts are on their way to the tenants
        await self._read_books(daemon, connection)
        self._look(daemon, bulk, plain)
        self._show(self.view)
        return await check.verdict(connection, self.view.submitted, sum(told.wrong for told in self.view.told))

    async def _say(self, words: str) -> None:
        self.view.events.append(f"{time.strftime('%H:%M:%S')}  {words}")
        self._show(self.view)
        await asyncio.sleep(0)


async def _provision(data_dir: Path, text: str) -> None:
    """Start the server, bring its schema up to date, and apply the provisioning; the gateway adopts the running server."""
    connection = await connect(await EmbeddedServer(data_dir).start(), name="smsgw demo")
    try:
        await migrate(connection)
        file = provisioning.parse_provisioning(text)
        await provisioning.apply(connection, file, actor="demo", seal=load_key(data_dir), overwrite=True)
    finally:
        await connection.close()


def _where(plan: Plan) -> str:
    system_id, password = scene.GUEST
    return (
        f"client  host 127.0.0.1  port {plan.port}  system_id {system_id}  password {password}   (yours)\n"
        f"see     curl http://127.0.0.1:{plan.admin}/metrics\n"
        f"inside  {plan.command} show links --config {plan.data_dir / 'smsgw.toml'}"
    )
