"""Ten kills in every run of the tests; a hundred and thirty with SMSGW_CRASH=full (`make crash`)."""

from __future__ import annotations

import os
import sys

import pytest

from tests.crash.campaign import campaign, rounds

pytestmark = pytest.mark.alone(reason="kills hit a load at its full rate, of up to seven processes")

FULL = os.environ.get("SMSGW_CRASH") == "full"
KILLS = (100, 30) if FULL else (7, 3)
SEED = int(os.environ.get("SMSGW_SEED", "20261124"))


@pytest.mark.parametrize(("gateways", "gateway_kills", "server_kills", "points"), rounds(*KILLS))
async def test_nothing_acknowledged_is_lost_and_nothing_is_billed_twice(
    gateways: int, gateway_kills: int, server_kills: int, *, points: bool
):
    """Whatever is killed: acknowledged is stored, final and receipted, the books agree, twice at the carrier only in doubt."""
    verdict = await campaign(
        gateway_kills=gateway_kills, server_kills=server_kills, points=points, gateways=gateways, seed=SEED + gateways
    )
    sys.stdout.write(f"{gateways} gateway(s), {gateway_kills} + {server_kills} kills asked for: {verdict}\n")
    assert verdict.acknowledged > 0
    assert not verdict.faults
