"""A simulated tenant on a simulated carrier, for the tests of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from smsgw.sim.carrier import Carrier
from smsgw.sim.settings import CarrierSettings, TenantSettings
from smsgw.sim.tenant import Tenant


def settled(port: int, **changed: Any) -> TenantSettings:
    """Return settings of a tenant that waits for its receipts without dawdling."""
    return replace(TenantSettings(port=port, sessions=2, count=200, linger_s=0.4, max_wait_s=5.0, keep=True), **changed)


async def exchange(carrier_settings: CarrierSettings, **tenant: Any) -> tuple[Carrier, Tenant, dict[str, Any]]:
    """Run a tenant against a carrier; returns both and the tenant's report."""
    carrier = Carrier(carrier_settings)
    async with carrier.listening() as (_, port):
        end = Tenant(settled(port, **tenant))
        report = await end.run()
    return carrier, end, report


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has come over the loopback; TimeoutError when it does not."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)
