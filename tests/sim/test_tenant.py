from __future__ import annotations

from dataclasses import replace

import pytest

from smsgw.sim.carrier import Carrier
from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import Tenant
from tests.sim.ends import exchange, settled, until

VERIFY = CarrierSettings(verify=True, keep=True)


async def test_a_closed_loop_keeps_its_windows_full_and_no_fuller() -> None:
    """With slow answers, as many messages wait at the carrier as the window allows, on each session."""
    carrier, _, report = await exchange(replace(VERIFY, response_delay_ms=5), sessions=3, window=7, count=100)
    assert report["ok"] == 100
    assert carrier.ledger.most_unanswered == 7


async def test_an_open_loop_keeps_its_rate() -> None:
    """At a fixed rate messages go at even distances, whatever the answers do."""
    _, _, report = await exchange(VERIFY, rate=1_000, count=300, window=100)
    assert report["ok"] == 300
    assert report["throughput"] == pytest.approx(1_000, rel=0.2)


async def test_an_open_loop_counts_latency_from_when_a_message_was_due() -> None:
    """When the peer stalls, the messages that could not be sent count their waiting too."""
    carrier = Carrier(replace(VERIFY, response_delay_ms=50))
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1, window=1, rate=1_000, count=10))
        await tenant.run()
    assert tenant.latency.percentile(0.5) < 0.1
    assert tenant.latency_due.percentile(0.9) > 0.3


async def test_it_stops_after_its_time() -> None:
    """With `seconds` and no count, sending ends by itself and everything sent is accounted for."""
    _, _, report = await exchange(VERIFY, count=0, seconds=0.1)
    assert 0 < report["sent"] == report["ok"] == report["matched"]


async def test_answers_that_never_come_expire() -> None:
    """A message without an answer within the time-out is counted as expired and its index is unsure."""
    settings = replace(VERIFY, shares=Shares(mute=1.0), receipts=False)
    _, tenant, report = await exchange(settings, sessions=1, window=3, count=3, response_timeout_s=0.05)
    assert report["expired"] == 3
    assert sorted(tenant.ledger.unsure) == [0, 1, 2]


async def test_an_id_given_twice_is_wrong() -> None:
    """A peer that gives two messages one id is found out."""
    carrier = Carrier(VERIFY)
    carrier.id_of = lambda _: b"same"
    async with carrier.listening() as (_, port):
        report = await Tenant(settled(port, count=5, linger_s=0.05)).run()
    assert report["wrong"]["message_id empty or given twice"] > 0
    assert report["integrity_errors"] > 0


async def test_a_receipt_of_another_destination_is_wrong() -> None:
    """A receipt whose source is not the destination of its message is found out."""
    carrier = Carrier(replace(VERIFY, receipt_delay_ms=50))
    carrier.receipt_id_of = lambda number: b"%d" % (number % 4 + 1)
    async with carrier.listening() as (_, port):
        report = await Tenant(settled(port, count=4)).run()
    assert report["wrong"] == {"receipt of another destination": 4}


async def test_lost_sessions_are_dialled_again() -> None:
    """With `reconnect_s` a lost session comes back and sending goes on; what was not answered is unsure."""
    carrier = Carrier(VERIFY)
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=2, rate=500, count=100, reconnect_s=0.01))
        async with tenant.bound():
            tenant.start()
            await until(lambda: tenant.ledger.ok >= 20)
            carrier.drop_connections()
            await tenant.sent()
            await tenant.settled()
    assert tenant.ledger.binds == 4
    assert tenant.ledger.ok + len(tenant.ledger.unsure) == tenant.ledger.sent == 100


async def test_nobody_there_is_an_error() -> None:
    """Without reconnecting, a connection that is refused raises."""
    with pytest.raises(ConnectionRefusedError):
        await Tenant(settled(1, sessions=1)).run()


async def test_memory_is_given_back_without_keep() -> None:
    """Unless told to keep, the ledger forgets an id with its receipt."""
    _, tenant, report = await exchange(VERIFY, keep=False)
    assert (report["matched"], tenant.ledger.waiting, tenant.ledger.done) == (200, {}, {})
