"""How messages come into doubt, and what their tenant reads of it: what several test modules begin or end with."""

from __future__ import annotations

from typing import Any

from smsgw.model import State
from smsgw.smpp import const
from tests.journey.scene import Scene, id_of
from tests.peers import Esme

PRICE = 38_000


async def doubted(scene: Scene, tenant: Esme, **fields: Any) -> bytes:
    """Submit a message that the carrier has read when its connection breaks; returns its id."""
    scene.smsc.late = True
    ours = id_of(await tenant.submit(registered_delivery=1, **fields))
    await scene.smsc.submit()
    scene.smsc.late = False
    scene.smsc.cut()
    return ours


async def sent_twice(scene: Scene, tenant: Esme) -> bytes:
    """Submit a message whose first attempt nobody has answered in time: its second is on the way. Returns its id."""
    scene.smsc.late = True
    ours = id_of(await tenant.submit(registered_delivery=1))
    await scene.smsc.submitted(1)
    await scene.later(6)
    await scene.smsc.submitted(2)
    scene.smsc.late = False
    return ours


async def to_be_refused_late(scene: Scene, tenant: Esme, status: int) -> bytes:
    """Submit a message that is in doubt because its refusal, with this status, is late; returns its id."""
    scene.smsc.late = True
    scene.smsc.statuses.append(status)
    ours = id_of(await tenant.submit(registered_delivery=1))
    await scene.smsc.submit()
    await scene.later(6)
    await scene.in_state(ours, State.IN_DOUBT)
    scene.smsc.late = False
    return ours


async def taken_first_and_refused_then(scene: Scene, tenant: Esme) -> bytes:
    """Submit a message whose second attempt is refused and whose first one turns out, late, to have been taken; returns its id."""
    ours = await sent_twice(scene, tenant)
    (first, late), _ = scene.smsc.kept
    sequence = scene.smsc.submits[1].pdu.sequence
    scene.smsc.live[0].send(const.SUBMIT_SM_RESP, status=const.ESME_RINVDSTADR, sequence=sequence)
    await unknown(scene, tenant, ours)
    first.send_raw(late)
    await scene.until(lambda: scene.count("upstream_ref WHERE upstream_id = '1'"))
    return ours


async def unknown(scene: Scene, tenant: Esme, ours: bytes) -> None:
    """Its tenant reads that nobody knows, and it costs what it cost."""
    came = await scene.receipt(tenant)
    assert (came.message_id, came.stat) == (ours, b"UNKNOWN")
    row = await scene.row(ours)
    assert (row["state"], row["refund"]) == (State.UNKNOWN, 0)
    assert await scene.spent() == PRICE
    await scene.emptied("waiting")
