from __future__ import annotations

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings
from smsgw.sim.tenant import Tenant
from smsgw.smpp import const
from tests.sim.ends import settled, until


async def test_a_receiver_has_no_room_for_messages() -> None:
    """A session bound as receiver sends nothing."""
    carrier = Carrier(CarrierSettings())
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1, receivers=1, window=4))
        async with tenant.bound():
            assert [bind.room for bind in tenant.binds] == [4, 0]


async def test_sessions_end_with_unbind() -> None:
    """Leaving the block unbinds every session politely."""
    carrier = Carrier(CarrierSettings())
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=3))
        async with tenant.bound():
            pass
    assert tenant.ledger.disconnects == {"unbound": 3}


async def test_a_request_that_it_does_not_know_is_refused() -> None:
    """A data_sm from the peer is answered with ESME_RINVCMDID and counted."""
    carrier = Carrier(CarrierSettings())
    async with carrier.listening() as (_, port):
        tenant = Tenant(settled(port, sessions=1))
        async with tenant.bound():
            carrier.binds[0].wire.request(const.DATA_SM, b"\0" * 10, (0, b"", False))
            await until(lambda: tenant.ledger.other)
    assert tenant.ledger.other == 1
