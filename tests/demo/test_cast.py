from __future__ import annotations

import asyncio
from dataclasses import replace

from smsgw.demo.cast import PlainEsme, told_by
from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import Tenant
from smsgw.smpp.pdu import read_sm
from tests.sim.ends import settled, until

CARRIER = CarrierSettings(system_id="nova1", password="nova1pw", keep_bodies=4)


async def test_the_library_as_its_users_run_it_sends_and_counts() -> None:
    """An unmodified ESME sends GSM and UCS-2 texts, and counts its answers and receipts."""
    carrier = Carrier(CARRIER)
    async with carrier.listening() as (_, port):
        esme = PlainEsme(port, "nova1", "nova1pw", rate=100.0)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(esme.run())
            group.create_task(esme.send())
            await until(lambda: sum(esme.hook.receipts.values()) >= 4)
            esme.stop()
            await until(lambda: not esme.unanswered)
            told = esme.told()
            writer = esme._esme._writer
            await esme.leave()
            running.cancel()
            writer.close()  # the library leaves its socket to the garbage collector, which warns
    assert told.acknowledged == told.sent >= 4
    assert told.receipts["DELIVRD"] >= 4
    assert {read_sm(octets).data_coding for octets in carrier.ledger.bodies} == {0, 8}


async def test_a_simulated_tenant_tells_the_same() -> None:
    """Sent, acknowledged, unanswered, receipts by stat, latency and what was wrong."""
    async with Carrier(replace(CARRIER, system_id="")).listening() as (_, port):
        tenant = Tenant(settled(port, count=50))
        await tenant.run()
    told = told_by(tenant)
    assert (told.sent, told.acknowledged, told.unanswered, told.receipts, told.wrong) == (50, 50, 0, {"DELIVRD": 50}, 0)
    assert told.p99_ms > 0
