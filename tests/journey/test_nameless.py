"""Carriers that give no id: no receipt can name such a message, and it comes to its end all the same."""

from __future__ import annotations

from smsgw.model import State
from tests.journey.scene import Scene, id_of


async def test_a_message_without_an_id_is_given_up_after_a_crash(database: str):
    """SENT without an id when the gateway dies: after 72 hours without a receipt it is UNKNOWN, like any other."""
    async with Scene(database).playing() as scene:
        scene.smsc.ids = lambda _: b""
        ours = id_of(await (await scene.tenant()).submit(registered_delivery=1))
        await scene.in_state(ours, State.SENT)
        await scene.settled()
        await scene.kill()
        await scene.start()
        await scene.later(72 * 3600 + 60)
        await scene.daemon.recover._give_up_receipts()
        await scene.in_state(ours, State.UNKNOWN)
