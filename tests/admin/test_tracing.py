"""What became of a message, told by everything that is kept of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smsgw.admin import tracing
from smsgw.admin.standing import NotFound
from smsgw.model import State
from smsgw.smpp import const
from tests.journey.scene import Scene, id_of
from tests.journey.test_coded import CHINA, PAID, failed
from tests.journey.test_judged import scene_of
from tests.journey.test_transform import NAME, REPLACE
from tests.peers import Esme

HOLDING = """
[[terms]]
id = "odd"
words = ["strange"]
must = ["strange words"]
action = "hold"
"""


def told(rows: tracing.Rows) -> dict[str, str]:
    """step → detail."""
    return {row["step"]: row["detail"] for row in rows}


async def test_a_failed_message_is_told_to_its_refund(database: str):
    """Accepted, taken under the carrier's id, ended by its code, paid back, in the order of time; no whole number stands in it."""
    async with Scene(database, tenant=PAID, link=CHINA).playing() as scene:
        row, _ = await failed(scene, await scene.tenant(), "UNDELIV", err=b"MK:0001")
        await scene.emptied("owed")
        rows = await tracing.trace(scene.connection, row["id"])
        assert [one["step"] for one in rows][:3] == ["accepted", "octets", "taken"]
        assert {one["step"] for one in rows[3:]} == {"ended", "refunded"}
        steps = told(rows)
        assert steps["accepted"] == "acme1 of acme, mode store: 10** to 8613****8000, 1 part, 0.038 CNY"
        assert steps["octets"] == "as they came"
        assert steps["taken"] == f"by alpha-1 as {scene.smsc.submits[0].message_id.decode()}, attempt 1"
        assert (steps["ended"], steps["refunded"]) == (
            "FAILED MK:0001: no such user (perm_number, fault of handset)",
            "0.038 CNY by smsgw",
        )
        assert "8613800138000" not in str(rows)


async def test_what_waits_and_what_is_owed_is_told(database: str):
    """While the carrier is down a message waits; without a receiver its receipt is owed."""
    async with Scene(database).playing() as scene:
        sender: Esme = await scene.tenant("tx")
        ours = id_of(await sender.submit(registered_delivery=1))
        await scene.in_state(ours, State.SENT)
        scene.smsc.receipt(scene.smsc.submits[0])
        await scene.in_state(ours, State.DELIVERED)
        assert told(await tracing.trace(scene.connection, int(ours)))["owed"].startswith("its receipt, 0 tries, until 20")
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        waiting = id_of(await sender.submit())
        await scene.until(lambda: scene.count("waiting WHERE node = 0"))
        steps = told(await tracing.trace(scene.connection, int(waiting)))
        assert (steps["stands"], steps["waits"]) == (
            "QUEUED",
            "for room on link alpha-1, or another of its route; any node may take it",
        )
        await scene.smsc.open()
        await scene.in_state(waiting, State.SENT)


async def test_verdicts_changes_complaints_and_purges_are_told(database: str, tmp_path: Path):
    """Who held it by which rule, what was changed in it, who complained of it and who had its content removed."""
    async with scene_of(database, tmp_path, REPLACE + HOLDING).playing() as scene:
        tenant = await scene.tenant()
        ours = int(id_of(await tenant.submit(text=b"strange words", dest=b"8613800138000", **NAME)))
        await scene.until(lambda: scene.count("held_text WHERE state = 1"))
        steps = told(await tracing.trace(scene.connection, ours))
        assert steps["octets"] == "changed: source_replaced tlv_0x1400"
        assert steps["held"].startswith("part 1 of 1 of text")
        assert "terms.odd" in steps["held"]
        await scene.connection.execute(
            "INSERT INTO tombstone (message, octets, sha256, actor, reason) VALUES ($1, 3, '', 'ann', 'x')", ours
        )
        assert told(await tracing.trace(scene.connection, ours))["purged"] == "what it said, by ann"


async def test_a_message_is_found_by_either_id(database: str):
    """By the id that its tenant has, also the short one of a 3.3 session, and by the carrier's in the forms of its dialect."""
    async with Scene(database, link='dialect = { submit_id = "hex-to-dec" }').playing() as scene:
        scene.smsc.ids = lambda _: b"0000ABCD"
        old = await scene.tenant(version=const.V33)
        while (answer := await old.submit()).status == const.ESME_RTHROTTLED:  # until its first ids are there
            assert not old.ended.is_set()
        short = id_of(answer).decode()
        (number,) = await tracing.by_id(scene.connection, short)
        await scene.in_state(number, State.SENT)
        assert await tracing.by_id(scene.connection, str(number)) == [number]
        since = time.time() - 3_600
        for written in ("0000ABCD", "43981"):
            assert await tracing.by_carrier_id(scene.connection, "alpha-1", written, since) == [number]
        with pytest.raises(NotFound, match="took no message"):
            await tracing.by_carrier_id(scene.connection, "alpha-1", "77", since)
        with pytest.raises(NotFound, match="no link"):
            await tracing.by_carrier_id(scene.connection, "beta-1", "77", since)
        with pytest.raises(NotFound):
            await tracing.by_id(scene.connection, "99")
        with pytest.raises(NotFound):
            await tracing.trace(scene.connection, 99)
