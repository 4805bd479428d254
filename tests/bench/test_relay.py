from __future__ import annotations

from smsgw.bench.relay import Relay
from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import Tenant
from tests.sim.ends import settled


async def test_messages_and_receipts_pass_the_relay() -> None:
    """Each message reaches the carrier as it was, each receipt the session that sent its message, under the relay's id."""
    carrier = Carrier(CarrierSettings(verify=True, receipt_delay_ms=5))
    async with carrier.listening() as (_, upstream):
        server = await Relay().start(0, upstream)
        tenant = Tenant(settled(server.sockets[0].getsockname()[1], count=500, sessions=3))
        report = await tenant.run()
        server.close()
    assert (report["ok"], report["matched"], report["integrity_errors"], report["unmatched"]) == (500, 500, 0, 0)
    assert (carrier.ledger.seen.good, carrier.ledger.seen.bad, carrier.ledger.seen.missing()) == (500, 0, 0)
    assert all(len(message_id) == 16 for message_id in tenant.ledger.done)


async def test_refusals_pass_the_relay() -> None:
    """An error status of the carrier comes back as it is."""
    carrier = Carrier(CarrierSettings(rate=0.001))
    async with carrier.listening() as (_, upstream):
        server = await Relay().start(0, upstream)
        report = await Tenant(settled(server.sockets[0].getsockname()[1], count=20, linger_s=0.1)).run()
        server.close()
    assert report["statuses"] == {"0x58": 20}
