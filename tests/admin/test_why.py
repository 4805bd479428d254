from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smsgw.admin.control import ControlError, question
from smsgw.smpp import const
from tests.journey.scene import Scene
from tests.journey.test_judged import judged_kinds, scene_of
from tests.journey.test_restricted import put
from tests.rig import provisioning


async def why(scene: Scene, text: str, **asked: Any) -> dict[str, tuple[str, str]]:
    """Ask the gateway over its socket; returns step → (result, detail)."""
    whole = {"account": "acme1", "to": "8613800138000", "from": "10690001", "text": text, **asked}
    rows = await question(scene.directory / "admin.sock", "why", whole)
    return {row["step"]: (row["result"], row["detail"]) for row in rows}


async def test_every_decision_is_told_and_nothing_is_sent(database: str, tmp_path: Path):
    """Rules, verdict, routes and price of a message that passes and of one that does not; no row, no count."""
    async with scene_of(database, tmp_path).playing() as scene:
        good = await why(scene, "【某某】您好")
        version = scene.daemon.docket.rule_sets()[0].version[:8]
        assert good["policy"] == ("enforce", f"china@{version}")
        assert good["recipient"] == ("located", "CN CMCC")
        assert good["rule terms"] == ("pass", "")
        assert good["verdict"] == ("pass", "category none")
        assert good["route"] == ("bound", "alpha-1 of alpha")
        assert good["price"] == ("ok", "1 × 0.038 = 0.038 CNY")
        bad = await why(scene, "【别家】百家樂", **{"from": "10690009"})
        assert bad["rule sender"] == ("reject", "sender.owned")
        assert bad["rule terms"] == ("reject", "terms.gambling n1[4:7]")
        assert bad["verdict"] == ("refused", f"0x0000000a sender china@{version}:sender.owned")
        assert bad["route"] == ("not filed", "alpha-1 of alpha")
        long = await why(scene, f"【某某】{'好' * 100}试一试稀奇")
        assert long["reading"] == ("ok", "data_coding 8, 2 parts")
        assert long["price"] == ("ok", "2 × 0.038 = 0.076 CNY")
        assert long["verdict"][0] == "flag"
        assert not scene.daemon.docket.hits
        assert await scene.count("message") == 0
        assert scene.daemon.meters.account("acme1").refused == {}


async def test_the_price_is_that_of_the_hour_the_route_and_the_category(database: str, tmp_path: Path):
    """Parts are counted by the route's rule, and of all prices the one for what the policy says it is is told."""
    text = lambda *ports: judged_kinds(tmp_path, *ports).replace('links = ["alpha-1"]', 'links = ["alpha-1"]\npart_rule = "octet"')  # noqa: E731
    async with Scene(database, text=text).playing() as scene:
        assert (await why(scene, "您的验证码"))["price"] == ("ok", "1 × 0.05 = 0.05 CNY")
        assert (await why(scene, "您好"))["price"] == ("ok", "1 × 0.038 = 0.038 CNY")
        assert (await why(scene, "x" * 150))["price"] == ("ok", "2 × 0.038 = 0.076 CNY")


async def test_a_balance_and_quotas_are_told_as_they_stand(database: str):
    """What there is to spend, and what of each quota is used; where they do not cover it, with the status that it would get."""
    async with Scene(database, account="quota_day = 2\nquota_parts_month = 9").playing() as scene:
        fine = await why(scene, "hello")
        assert fine["balance"] == ("ok", "1000000.00 CNY to spend")
        assert fine["quota day"] == ("ok", "0 of 2 messages used")
        assert fine["quota month"] == ("ok", "0 of 9 parts used")
        tenant = await scene.tenant()
        for _ in range(2):
            assert (await tenant.submit()).status == const.ESME_ROK
        full = await why(scene, "hello")
        assert full["balance"] == ("ok", "999999.924 CNY to spend")
        assert full["quota day"] == ("refused", "0x00000401 quota 2 of 2 messages used")
        assert full["quota month"] == ("ok", "2 of 9 parts used")
        assert (await why(scene, "x" * 1500))["quota month"] == ("refused", "0x00000401 quota 2 of 9 parts used")


async def test_a_balance_that_does_not_cover_it_is_told(database: str):
    """The credit limit counts as money to spend; what is dearer than both is refused as accept would."""
    async with Scene(database, text=poor).playing() as scene:
        assert (await why(scene, "hello"))["balance"] == ("ok", "0.05 CNY to spend")
        assert (await why(scene, "x" * 161))["balance"] == ("refused", "0x00000400 balance 0.05 CNY to spend")


def poor(*ports: int) -> str:
    """A tenant that can pay one part."""
    return provisioning(*ports, tenant='credit_limit = "0.01"').replace('balance = "1000000.00"', 'balance = "0.04"')


async def test_a_state_that_refuses_is_told(database: str, tmp_path: Path):
    """A frozen account is refused whatever its policy says."""
    async with scene_of(database, tmp_path).playing() as scene:
        await put(scene, "frozen")
        assert (await why(scene, "【某某】您好"))["state"] == ("refused", "0x00000403 frozen")


async def test_what_cannot_be_asked(database: str):
    """An unknown account and an empty question are told; a fault of ours quotes nothing."""
    async with Scene(database).playing() as scene:
        plain = await why(scene, "hello", to="")
        assert plain["reading"] == ("refused", "0x0000000b destination_missing")
        assert "policy" not in plain
        for asked, told in (({"account": "nobody"}, "no account 'nobody'"), ({"to": 5}, "are wanted"), ({"to": "é"}, "ASCII")):
            with pytest.raises(ControlError, match=told) as refused:
                await why(scene, "hello", **asked)
            assert refused.value.status == 404
        with pytest.raises(ControlError, match="there is no 'how' to ask"):
            await question(scene.directory / "admin.sock", "how", {})
