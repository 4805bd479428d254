"""Numbers beside a text, on real binds: what is dialled there is judged at the door, and of a joined text with its last part."""

from __future__ import annotations

from pathlib import Path

from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from tests.journey.parted import DEST, SOURCE, part, put, scene_of
from tests.journey.scene import id_of
from tests.journey.test_hold import refused_all
from tests.policy.corpus.asked import callback

POLICY = '[phones]\nallowed = ["4001234567"]\n'
FOREIGN, OWN = callback(b"13800138000"), callback(b"4001234567")


async def test_a_callback_number_is_judged_and_carried_as_it_came(database: str, tmp_path: Path):
    """One that is not allowed is refused with the status of phone numbers; one that is goes on, octet for octet."""
    async with scene_of(database, tmp_path, POLICY).playing() as scene:
        tenant = await scene.tenant()
        refused = await tenant.ask(const.SUBMIT_SM, sm_body(source=SOURCE, dest=DEST, short_message=b"Sale", tlvs=FOREIGN))
        assert refused.status == STATUSES["phone"][0]
        body = sm_body(source=SOURCE, dest=DEST, short_message=b"Sale", tlvs=OWN)
        assert (await tenant.ask(const.SUBMIT_SM, body)).status == const.ESME_ROK
        await scene.smsc.submitted(1)
        assert [submit.pdu.body for submit in scene.smsc.submits] == [body]


async def test_a_number_beside_any_part_refuses_the_whole_text(database: str, tmp_path: Path):
    """Each part is answered ROK; the joined text is refused for what its second part alone has beside it, and paid back."""
    async with scene_of(database, tmp_path, POLICY).playing() as scene:
        tenant = await scene.tenant()
        first = await put(tenant, "您好，您的快递", 1, 2)
        second = await tenant.ask(const.SUBMIT_SM, part("已到驿站。", 2, 2, tlvs=FOREIGN))
        await refused_all(scene, [id_of(first), id_of(second)], "phone")
