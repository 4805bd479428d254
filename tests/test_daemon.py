"""The daemon as a whole: a life from start to drain, and what it refuses to start with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smsgw import config as settings
from smsgw import ground
from smsgw.admin import control
from smsgw.daemon import Daemon
from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant
from smsgw.store import nodes
from smsgw.store.commit import Commit
from smsgw.store.database import Connection
from tests.rig import process_settings, provision, provisioning, running


async def test_a_message_makes_its_whole_way(database: str):
    """Tenants' messages reach the carrier octet for octet, and every receipt comes back under our id, none lost or doubled."""
    async with Carrier(CarrierSettings(verify=True, keep=True)).listening() as (_, port):
        async with running(database, provisioning(port)) as daemon:
            tenant = Tenant(
                TenantSettings(port=daemon.ports[0], system_id="acme1", password="secret", sessions=2, window=20, count=300)
            )
            report = await tenant.run()
            answered = await asyncio.to_thread(_get, daemon.admin_port, "/readyz")
        assert report["ok"] == report["matched"] == 300
        assert report["integrity_errors"] == 0
        assert answered == 200


def _get(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
        return int(response.status)


async def test_what_is_shown_comes_from_the_running_parts(database: str):
    """`show` answers for binds, links, queues, tenants and stats over the control socket."""
    async with Carrier(CarrierSettings()).listening() as (_, port), running(database, provisioning(port)) as daemon:
        path = Path(daemon.config.node.data_dir) / "admin.sock"
        tenant = Tenant(TenantSettings(port=daemon.ports[0], system_id="acme1", password="secret", count=5))
        async with tenant.bound():
            tenant.start()
            await tenant.sent()
            await tenant.settled()
            shown = {what: await control.ask(path, what) for what in ("binds", "links", "queues", "tenants", "stats", "stalls")}
        assert [row["account"] for row in shown["binds"]] == ["acme1"]
        assert shown["links"][0]["link"] == "alpha-1"
        assert shown["tenants"][0]["accepted"] == 5
        assert "secret" not in json.dumps(shown)


async def test_a_drained_gateway_leaves_nothing_behind(database: str, connection: Connection):
    """SIGTERM under load: what was acknowledged is stored, both sides are unbound, the process ends with 0."""
    async with Carrier(CarrierSettings(receipt_delay_ms=20)).listening() as (_, port):
        async with running(database, provisioning(port)) as daemon:
            tenant = Tenant(
                TenantSettings(
                    port=daemon.ports[0], system_id="acme1", password="secret", window=10, seconds=0.3, rate=500, keep=True
                )
            )
            await tenant.run()
        acknowledged = {int(text_id) for text_id in tenant.ledger.acknowledged()}
    stored = {row["id"] for row in await connection.fetch("SELECT id FROM message")}
    assert acknowledged
    assert acknowledged == stored
    assert await connection.fetchval("SELECT count(*) FROM bind") == 0


async def test_two_processes_cannot_be_one_node(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A second process with the same node id says that it waits for the first one's lock, then refuses to start."""
    monkeypatch.setattr(nodes, "LOCK_WAIT_S", 1)
    monkeypatch.setattr(ground, "SEAT_TOLD_S", 0.1)
    await provision(database, tmp_path, provisioning(1))
    async with running(database, provisioning(1)):
        daemon = Daemon(settings.parse(process_settings(database, tmp_path)))
        with capture_logs() as logs, pytest.raises(nodes.SeatTaken, match="node 1 is running elsewhere: stop that process"):
            await daemon.run(stop=asyncio.Event())
    assert "waiting_for_seat" in {line["event"] for line in logs}


@pytest.mark.parametrize("ends", ["drained", "cancelled"])
async def test_a_swallowed_cancellation_keeps_nobody(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str):
    """A task that goes on after its first cancellation, as one does whose connection is lost at that moment, is cancelled again."""

    async def deaf(_daemon: Daemon) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(Daemon, "_tick", deaf)
    await provision(database, tmp_path, provisioning(1))
    daemon = Daemon(settings.parse(process_settings(database, tmp_path)))
    ready, stop = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(60):
        life = asyncio.create_task(daemon.run(ready=ready, stop=stop))
        await ready.wait()
        if ends == "drained":
            stop.set()
        else:
            life.cancel()
        await asyncio.wait([life])
    assert all(task.done() for task in daemon._background)


async def test_a_unit_of_work_that_swallows_its_cancellation_keeps_nobody(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One whose connection is lost as it is cancelled connects again and goes on: it is cancelled again, and the gateway ends."""
    whole = Commit.run

    async def deaf(commit: Commit) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await whole(commit)
        await asyncio.Event().wait()

    monkeypatch.setattr(Commit, "run", deaf)
    await provision(database, tmp_path, provisioning(1))
    daemon = Daemon(settings.parse(process_settings(database, tmp_path)))
    ready = asyncio.Event()
    async with asyncio.timeout(60):
        life = asyncio.create_task(daemon.run(ready=ready, stop=asyncio.Event()))
        await ready.wait()
        life.cancel()
        await asyncio.wait([life])
    assert daemon._commit_task.done()
