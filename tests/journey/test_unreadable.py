"""Content that does not open: its key is not here, or octets were damaged. What needs it waits, and is seen; all else goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.admin import tracing
from smsgw.model import State
from smsgw.smpp import const
from smsgw.smpp.pdu import read_sm, sm_body
from tests.journey.scene import Scene, id_of
from tests.journey.test_judged import scene_of
from tests.journey.test_sealed_content import TEXT, sealed
from tests.journey.test_transform import NAME, REPLACE
from tests.peers import Esme

DAMAGE = "UPDATE {} SET body = set_byte(body, 30, get_byte(body, 30) # 1)"


def holding(*ports: int) -> str:
    """Provision an account whose doubts are never sent again."""
    return sealed(*ports).replace('retention = "eu"', 'retention = "eu"\nin_doubt = "hold"', 1)


async def away(scene: Scene) -> None:
    """The carrier is down."""
    await scene.smsc.close()
    scene.smsc.cut()
    await scene.until(lambda: not scene.daemon.carriers.any_bound)


async def put(scene: Scene, tenant: Esme, validity: bytes = b"") -> int:
    """Submit a message while the carrier is down, and damage what it says once it waits in the store; returns its id."""
    await away(scene)
    number = int(id_of(await tenant.submit(text=TEXT, registered_delivery=1, validity=validity)))
    await scene.until(lambda: scene.count("waiting WHERE node = 0"))
    await scene.settled()
    await scene.connection.execute(DAMAGE.format("content"))
    return number


async def test_a_message_that_does_not_open_waits_and_is_seen(database: str):
    """It is tried once a minute, claimed by nobody meanwhile; counted, explained, and sent once it opens, without a restart."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant()
        number = await put(scene, tenant)
        await scene.smsc.open()
        await scene.until(lambda: scene.daemon.meters.process.unreadable)
        await scene.until(lambda: scene.count("waiting WHERE node = 0 AND due_ms > 0"))
        await scene.turns()
        await scene.turns()
        assert scene.daemon.meters.process.unreadable == 1
        assert not scene.smsc.submits
        rows = await tracing.trace(scene.connection, number, scene.daemon.content_keys.open)
        steps = {row["step"]: row["detail"] for row in rows}
        assert (steps["stands"], steps["waits"]) == (
            "QUEUED",
            "for room on link alpha-1, or another of its route; any node may take it",
        )
        assert steps["content"].startswith("does not open: it was changed since it was sealed with the key ")
        await scene.later(61)
        await scene.until(lambda: scene.daemon.meters.process.unreadable == 2)
        await scene.connection.execute(DAMAGE.format("content"))
        await scene.later(61)
        assert (await scene.smsc.submit()).content == TEXT
        await scene.in_state(number, State.SENT)
        await scene.emptied("waiting")
        rows = await tracing.trace(scene.connection, number, scene.daemon.content_keys.open)
        assert "content" not in {row["step"] for row in rows}


async def test_its_validity_ends_all_the_same(database: str):
    """What it says is not needed to end it: EXPIRED in its time, given back, and its tenant is told."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant()
        number = await put(scene, tenant, b"000000000200000R")
        await scene.smsc.open()
        await scene.until(lambda: scene.daemon.meters.process.unreadable)
        await scene.later(121)
        came = await scene.receipt(tenant)
        assert (came.message_id, came.stat) == (b"%d" % number, b"EXPIRED")
        assert await scene.spent() == 0
        await scene.emptied("waiting")
        assert not scene.smsc.submits


async def test_a_doubt_is_given_up_all_the_same(database: str):
    """In doubt and never to be sent again: UNKNOWN after its time, whether what it says can be read or not."""
    async with Scene(database, text=holding).playing() as scene:
        tenant = await scene.tenant()
        scene.smsc.late = True
        number = int(id_of(await tenant.submit(text=TEXT, registered_delivery=1)))
        await scene.smsc.submit()
        scene.smsc.cut()
        await scene.in_state(number, State.IN_DOUBT)
        await scene.settled()
        await scene.connection.execute(DAMAGE.format("content"))
        await scene.later(72 * 3600 + 1)
        assert (await scene.receipt(tenant)).stat == b"UNKNOWN"
        await scene.in_state(number, State.UNKNOWN)
        await scene.emptied("waiting")


async def test_a_receipt_that_never_came_is_given_up_all_the_same(database: str):
    """SENT, and no receipt within 72 hours: UNKNOWN, whether what it says can be read or not."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant()
        number = int(id_of(await tenant.submit(text=TEXT, registered_delivery=1)))
        await scene.in_state(number, State.SENT)
        await scene.later(6)
        await scene.until(lambda: scene.count("upstream_ref"))
        await scene.connection.execute(DAMAGE.format("content"))
        await scene.later(72 * 3600 + 60)
        await scene.daemon.recover._give_up_receipts()
        await scene.in_state(number, State.UNKNOWN)


async def test_what_is_owed_and_does_not_open_is_tried_again(database: str):
    """A receipt that its tenant is owed stays nobody's while it does not open, and comes once it does, without a restart."""
    async with Scene(database, text=sealed).playing() as scene:
        number = id_of(await (await scene.tenant("tx")).submit(text=TEXT, registered_delivery=1))
        await scene.smsc.delivered(scene.smsc.receipt(await scene.smsc.submit()))
        await scene.in_state(number, State.DELIVERED)
        await scene.connection.execute(DAMAGE.format("owed"))
        receiver = await scene.tenant("rx")
        await scene.until(lambda: scene.daemon.meters.process.unreadable)
        await scene.until(lambda: scene.count("owed WHERE node = 0 AND due_ms > 0"))
        await scene.connection.execute(DAMAGE.format("owed"))
        await scene.hastened(lambda: any(one.command == const.DELIVER_SM for one in receiver.requests), pace=5)
        assert (await scene.receipt(receiver)).message_id == number
        await scene.emptied("owed")


@pytest.mark.parametrize("back", [False, True])
async def test_its_receipt_waits_for_it_an_hour(database: str, back: bool):  # noqa: FBT001 - whether the key comes back
    """A carrier's receipt for a message that does not open is parked until it does, or an hour; then its state is told."""
    async with Scene(database, text=sealed).playing() as scene:
        tenant = await scene.tenant()
        body = sm_body(source_ton=5, source=b"Shop", dest_ton=1, dest_npi=1, dest=b"8613800138000", registered_delivery=1)
        number = id_of(await tenant.ask(const.SUBMIT_SM, body))
        submit = await scene.smsc.submit()
        await scene.in_state(number, State.SENT)
        await scene.later(6)
        await scene.until(lambda: scene.count("upstream_ref"))
        await scene.until(lambda: not len(scene.daemon.transit))
        await scene.connection.execute(DAMAGE.format("content"))
        assert (await scene.smsc.delivered(scene.smsc.receipt(submit))).status == const.ESME_ROK
        await scene.later(3_500)
        await scene.daemon.recover._sweep_parked()
        assert await scene.count("orphan") == 1
        assert (await scene.row(number))["state"] == State.SENT
        if back:
            await scene.connection.execute(DAMAGE.format("content"))
        await scene.later(200)
        await scene.daemon.recover._sweep_parked()
        delivered = read_sm((await tenant.request(const.DELIVER_SM)).octets)
        assert (delivered.source, delivered.dest) == (b"8613800138000", b"Shop")
        assert (delivered.source_ton, delivered.dest_ton) == ((1, 5) if back else (0, 5))
        await scene.in_state(number, State.DELIVERED)
        await scene.emptied("orphan")


async def test_damaged_octets_hold_up_nobody_else(database: str, tmp_path: Path):
    """A message whose sender was replaced, and of whose body nothing is left: it waits like one that does not open."""
    async with scene_of(database, tmp_path, REPLACE).playing() as scene:
        tenant = await scene.tenant()
        await away(scene)
        number = int(id_of(await tenant.submit(dest=b"8613800138000", **NAME)))
        other = id_of(await tenant.submit(dest=b"8613800138000", text=b"the other", **NAME))
        await scene.until(lambda: scene.count("waiting WHERE node = 0"))
        await scene.settled()
        await scene.connection.execute("UPDATE content SET body = '\\x00' WHERE id = $1", number)
        await scene.smsc.open()
        assert (await scene.smsc.submit()).content == b"the other"
        await scene.in_state(other, State.SENT)
        await scene.until(lambda: scene.count("waiting WHERE id = $1 AND node = 0 AND due_ms > 0", number))
        assert not scene._life.done()
