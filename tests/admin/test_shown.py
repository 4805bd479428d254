"""What a running gateway shows of itself between simulated ends: rows, readiness, metrics, records; nothing private in any."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from smsgw import config
from smsgw.admin.control import ask
from smsgw.daemon import Daemon
from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import BindRefused, Tenant
from smsgw.sim.texts import indexed_text
from smsgw.smpp.pdu import sm_body
from smsgw.telemetry import setup_logging
from tests.rig import process_settings, provision, provisioning

PASSWORD = "hunter2x"
NUMBER = "8613800138"  # and three digits that count
HANDSET = b"8613912345678"
MO_TEXT = b"please stop 493021"
COUNT = 40


@dataclass
class Scene:
    """A gateway that is ready, its carrier, and everything it has written."""

    daemon: Daemon
    carrier: Carrier
    port: int
    logs: io.TextIOWrapper
    records: Path

    @property
    def socket(self) -> Path:
        """Where it can be asked."""
        return Path(self.daemon.config.node.data_dir) / "admin.sock"

    async def scrape(self, path: str = "/metrics") -> tuple[int, str]:
        """GET from the admin address."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.daemon.admin_port}{path}") as response,
        ):
            return response.status, await response.text()

    def tenant(self, password: str = PASSWORD, **changed: Any) -> Tenant:
        """A tenant of acme1 that sends COUNT messages."""
        given = {"sessions": 2, "count": COUNT, "destination": f"{NUMBER}000", "destinations": 100, "source": "10690001"}
        settings = TenantSettings(port=self.daemon.ports[0], system_id="acme1", password=password, **(given | changed))
        return Tenant(settings)


async def ready(daemon: Daemon, *, lacks: int = 0) -> None:
    """Wait until the daemon lacks so many things."""
    async with asyncio.timeout(20):
        while len(daemon.shown.missing()) != lacks:  # noqa: ASYNC110 - other tasks of this loop do it
            await asyncio.sleep(0)


@asynccontextmanager
async def gateway(dsn: str, directory: Path, logs: io.TextIOWrapper) -> AsyncIterator[Scene]:
    """Run one, with a carrier that answers some submits with an error."""
    carrier = Carrier(CarrierSettings(keep_bodies=COUNT))
    records = directory / "records.jsonl"
    async with carrier.listening() as (_, port):
        text = provisioning(port).replace('password = "secret"', f'password = "{PASSWORD}"').replace('"gw"', f'"{PASSWORD}"')
        await provision(dsn, directory, text)
        toml = process_settings(dsn, directory, messages="all", records=records)
        daemon = Daemon(config.parse(toml))
        up, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(daemon.run(ready=up, stop=stop))
            await up.wait()
            try:
                await ready(daemon)
                yield Scene(daemon, carrier, port, logs, records)
            finally:
                stop.set()


@pytest.fixture
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A ready gateway that logs everything, down to debug."""
    logs = io.TextIOWrapper(io.BytesIO())
    handlers = list(logging.getLogger().handlers)
    structlog.reset_defaults()
    setup_logging("json", "debug", stream=logs)
    try:
        async with gateway(database, tmp_path, logs) as scene:
            yield scene
    finally:
        logging.getLogger().handlers[:] = handlers
        structlog.reset_defaults()


async def test_rows_say_what_is(scene: Scene):
    """While a tenant is bound, `show` has its binds, its link, its tenant and the figures of the store."""
    tenant = scene.tenant()
    async with tenant.bound():
        tenant.start()
        await tenant.sent()
        assert await tenant.settled()
        rows = {what: await ask(scene.socket, what) for what in ("binds", "links", "queues", "tenants", "stats", "stalls")}
    assert [(row["account"], row["tenant"], row["kind"], row["version"]) for row in rows["binds"]] == [
        ("acme1", "acme", "trx", "3.4")
    ] * 2
    (link,) = rows["links"]
    assert (link["link"], link["state"], link["sent"]) == ("alpha-1", "bound", COUNT)
    assert [(row["account"], row["binds"], row["accepted"]) for row in rows["tenants"]] == [("acme1", 2, COUNT)]
    figures = {row["what"]: row["count"] for row in rows["stats"]}
    assert figures["cycles"] > 0
    assert figures["in doubt"] == figures["poisoned"] == figures["effect failures"] == 0
    assert {row["queue"] for row in rows["queues"]} >= {"open in memory", "unit of work"}
    assert [row["queue"] for row in rows["queues"] if row["what"] == "messages in memory that wait for this link"] == []


async def test_a_scrape_counts_what_passed(scene: Scene):
    """After a run, the metrics have each message once, at every station of its way, and the answers' times."""
    report = await scene.tenant().run()
    assert report["matched"] == COUNT
    status, text = await scene.scrape()
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert status == 200
    expected = [
        'smsgw_submits_total{account="acme1",result="accepted"}',
        'smsgw_link_submits_total{link="alpha-1",status="ESME_ROK"}',
        'smsgw_receipts_received_total{link="alpha-1",state="DELIVERED"}',
        'smsgw_messages_final_total{state="DELIVERED"}',
        'smsgw_receipt_relay_total{account="acme1",result="delivered"}',
        "smsgw_submit_response_seconds_count",
        "smsgw_receipt_delay_seconds_count",
    ]
    assert {name: float(found[name]) for name in expected} == dict.fromkeys(expected, float(COUNT))
    assert float(found['smsgw_link_binds{link="alpha-1",state="bound"}']) == 1
    assert float(found["smsgw_database_available"]) == 1


async def test_readiness_follows_the_links(scene: Scene):
    """A gateway whose last link is lost lives, but is not ready, and says what it lacks; when the link is back it is ready."""
    assert (await scene.scrape("/readyz"))[0] == 200
    await scene.carrier.cut()
    await ready(scene.daemon, lacks=1)
    status, text = await scene.scrape("/readyz?verbose")
    assert (status, json.loads(text)["missing"]) == (503, ["no link is bound"])
    assert (await scene.scrape("/livez"))[0] == 200
    await scene.carrier.restore()
    await ready(scene.daemon)
    assert (await scene.scrape("/healthz"))[0] == 200


async def test_nothing_private_is_told(scene: Scene):
    """In a whole run's logs, record lines, metrics and rows there is no password, no text and no full number."""
    with pytest.raises((BindRefused, ExceptionGroup)):
        await scene.tenant(password="wrong2x").run()
    await scene.tenant().run()
    scene.carrier.send_mo(sm_body(source=HANDSET, dest=b"10690001", short_message=MO_TEXT))
    scene.carrier.send_mo(sm_body(source=HANDSET, dest=b"99990001", short_message=MO_TEXT))
    scene.carrier.settings = CarrierSettings(response_delay_ms=60_000)
    hurried = scene.tenant(count=5, max_wait_s=0.1, linger_s=0.1, first=COUNT)
    await hurried.run()
    await scene.carrier.cut()
    await ready(scene.daemon, lacks=1)
    shown = [await ask(scene.socket, what) for what in scene.daemon.shown.providers()]
    scrape = (await scene.scrape())[1]
    assert scene.daemon.records is not None
    scene.daemon.records.close()
    told = {
        "logs": scene.logs.buffer.getvalue().decode(),
        "records": scene.records.read_text(),
        "metrics": scrape,
        "rows": json.dumps(shown),
    }
    records = [json.loads(line) for line in told["records"].splitlines()]
    assert len(records) >= COUNT
    assert {line["destination"][:4] for line in records} == {"8613"}
    texts = [indexed_text(index, 100).decode() for index in range(COUNT + 5)]
    private = [PASSWORD, "wrong2x", HANDSET.decode(), MO_TEXT.decode(), "493021", NUMBER, *texts, *(text[12:40] for text in texts)]
    for where, text in told.items():
        assert text, where
        for secret in private:
            assert secret not in text, where
