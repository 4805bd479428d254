from __future__ import annotations

from pathlib import Path

from smsgw.smpp import const
from tests.admin.api.scene import serving
from tests.peers import Esme


async def test_a_set_that_was_sent_judges_within_a_second_and_nobody_is_dropped(database: str, tmp_path: Path):
    """A bound session's next message is judged by the version that a PUT brought, and by the old one after a rollback."""
    async with serving(database, tmp_path) as ask, await Esme.connect(ask.daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        assert (await esme.submit(text=b"lottery")).status == const.ESME_ROK
        status, made, headers = await ask.put("lottery")
        assert (status, made["changed"]) == (200, True)
        assert headers["ETag"] == f'"{made["version"]}"'
        await ask.follows(made["version"])
        assert (await esme.submit(text=b"lottery")).status == 0x410
        assert (await esme.submit(text=b"casino")).status == const.ESME_ROK
        status, back, _ = await ask("POST", "/v1/policies/content/rollback", {"reason": "too strict"})
        assert (status, back["version"], back["previous"]) == (200, made["previous"], made["version"])
        await ask.follows(back["version"])
        assert (await esme.submit(text=b"casino")).status == 0x410
        assert not esme.ended.is_set()
