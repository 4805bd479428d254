"""Answers to keywords: one text of the set's own, free of charge, durable with the mark, never twice."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin.exporting import export
from smsgw.model import State
from smsgw.smpp import const
from smsgw.smpp.pdu import read_sm, sm_body
from tests.admin.test_exporting import SIGNER, rows
from tests.journey.scene import Scene
from tests.journey.test_hold import second
from tests.rig import provisioning

OUT, AGAIN = "You get no more offers of ACME. START takes it back.", "您将再次收到优惠信息"
HELP = "ACME: 800-555-0199. STOP ends it."
SET = f"""
[category.words]
marketing = ["优惠"]
[[keyword]]
words = ["STOP"]
reply = "{OUT}"
[[keyword]]
means = "resume"
words = ["START"]
reply = "{AGAIN}"
[[keyword]]
means = "help"
words = ["HELP", "INFO"]
reply = "{HELP}"
[[keyword]]
words = ["TD"]
[consent]
"""
HANDSET, OTHER, SERVICE = b"8613800138000", b"8613800138001", b"1069000188"


def scene_of(database: str, directory: Path, text: str = SET, links: int = 1) -> Scene:
    """Return a scene whose account answers keywords, and has a quota."""
    (directory / "set.toml").write_text(text, encoding="utf-8")
    policy = f'[[policy]]\nname = "us"\nfiles = ["{directory}/set.toml"]\n'
    return Scene(database, links=links, text=lambda *ports: provisioning(*ports, account='policy = "us"\nquota_day = 1') + policy)


def mo(text: bytes, source: bytes, **fields: Any) -> bytes:
    """What a carrier brings of a handset."""
    return sm_body(
        **{"source_ton": 1, "source_npi": 1, "source": source, "dest_ton": 3, "dest_npi": 8, "dest": SERVICE, **fields},
        short_message=text,
    )


async def said(scene: Scene, text: bytes, source: bytes = HANDSET, **fields: Any) -> int:
    """Let a handset say something, and return what the carrier was answered."""
    return (await scene.smsc.delivered(scene.smsc.deliver(mo(text, source, **fields)))).status


def answer(text: str, dest: bytes = HANDSET) -> bytes:
    """The submit_sm body by which a handset is answered."""
    gsm = text.isascii()
    octets = text.encode("ascii" if gsm else "utf-16-be")
    ends: dict[str, Any] = {"source_ton": 3, "source_npi": 8, "source": SERVICE, "dest_ton": 1, "dest_npi": 1, "dest": dest}
    return sm_body(**ends, data_coding=0 if gsm else 8, short_message=octets)


def bodies(scene: Scene) -> list[bytes]:
    """What the carrier got."""
    return [submit.pdu.body for submit in scene.smsc.submits]


async def test_who_opts_out_or_in_or_asks_for_help_is_answered_once(database: str, tmp_path: Path):
    """From the number to the handset, in GSM or UCS-2; free, in no quota, in export and record; too soon again: nothing (C18)."""
    records = tmp_path / "records.jsonl"
    async with scene_of(database, tmp_path).recording(records).playing() as scene:
        tenant = await scene.tenant()
        counted = scene.daemon.opt_outs.replies.counted
        assert await said(scene, b"Stop.") == const.ESME_ROK
        assert (await tenant.request(const.DELIVER_SM)).body.endswith(b"Stop.")
        await scene.smsc.submitted(1)
        assert bodies(scene) == [answer(OUT)]
        for text in (b"STOP", b"START", b"help"):
            assert await said(scene, text) == const.ESME_ROK
        assert [counted[means, "limited"] for means in ("refuse", "resume", "help")] == [1, 1, 1]
        assert await said(scene, b"info", OTHER) == const.ESME_ROK
        assert (await scene.smsc.submitted(2))[1].pdu.body == answer(HELP, OTHER)
        await scene.later(601)
        for at, (text, told) in enumerate(((b"STOP", OUT), (b"START", AGAIN)), 3):
            assert await said(scene, text) == const.ESME_ROK
            assert (await scene.smsc.submitted(at))[at - 1].pdu.body == answer(told)
            await scene.later(601)
        assert await said(scene, b"TD", OTHER) == const.ESME_ROK
        assert await said(scene, b"STOP", b"ACME", source_ton=5) == const.ESME_ROK
        assert counted["refuse", "no_number"] == 1
        assert len(scene.smsc.submits) == 4
        assert await scene.spent() == 0
        assert (await tenant.submit()).status == const.ESME_ROK  # the whole quota is the tenant's
        await scene.smsc.submitted(5)
        await scene.settled()
        assert {(row["state"], row["price"]) for row in await scene.rows()} == {(State.SENT, 0), (State.SENT, 38_000)}
        out, span = tmp_path / "out", {"start": datetime(2025, 1, 1, tzinfo=UTC), "end": datetime(2095, 1, 1, tzinfo=UTC)}
        await export(scene.connection, "acme", out, SIGNER, **span, content=True, actor="ann")
        listed = [(row["account"], row["reply"]) for row in rows(out / "messages.csv")]
        assert listed == [("acme1", means) for means in ("refuse", "help", "refuse", "resume", "")]
        assert bytes.fromhex(rows(out / "content.csv")[0]["body_hex"]) == answer(OUT)
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert [line["reply"] for line in lines] == ["refuse", "help", "refuse", "resume", ""]
    assert {(line["account"], line["state"]) for line in lines} == {("acme1", "SENT")}


async def test_an_answer_takes_the_link_that_is_up(database: str, tmp_path: Path):
    """The first link of its route is down, so the second one has it, at once."""
    async with scene_of(database, tmp_path, links=2).playing() as scene:
        await scene.tenant()
        first, second = scene.smscs
        await first.close()
        first.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        answered = await second.delivered(second.deliver(mo(b"STOP", HANDSET)))
        assert answered.status == const.ESME_ROK
        assert (await second.submitted(1))[0].pdu.body == answer(OUT)


async def test_killed_at_any_moment_nobody_is_answered_twice(database: str, tmp_path: Path):
    """Durable with the mark it goes after a restart, once; the same message again, however late, is not answered."""
    async with scene_of(database, tmp_path).playing() as scene:
        scene.daemon.receipt._inbound._owe = lambda _: None  # type: ignore[method-assign]  # killed between both COMMITs
        scene.daemon.due._claim = lambda _: None  # type: ignore[method-assign]  # and before the answer was taken up
        scene.smsc.deliver(mo(b"STOP", HANDSET))

        async def kept() -> bool:
            return await scene.count("reply") == 1

        await scene.until(kept)
        await scene.kill()
        assert (await scene.count("mark"), await scene.count("owed"), len(scene.smsc.submits)) == (1, 0, 0)
        await scene.start()
        await scene.hastened(lambda: scene.smsc.submits)
        assert bodies(scene) == [answer(OUT)]
        for later in (0, 3_600):
            await scene.later(later)
            assert await said(scene, b"STOP") == const.ESME_ROK
        await scene.turns()
        assert bodies(scene) == [answer(OUT)]
        assert scene.daemon.opt_outs.replies.counted["refuse", "limited"] == 2


async def test_two_nodes_answer_a_handset_once_between_them(database: str, tmp_path: Path):
    """What both hear at once, the same keyword or another one, is answered by one of them, and again after the interval."""
    handsets = [b"86138001380%02d" % number for number in range(20)]
    async with scene_of(database, tmp_path).playing() as scene, second(scene) as (other, _):
        nodes = await scene.smsc.bound(2)
        for turn in (1, 2):
            heard = [
                scene.smsc.deliver(mo(text, handset), session=node)
                for handset in handsets
                for node, text in zip(nodes, (b"help", b"info" if handset < handsets[10] else b"STOP"), strict=True)
            ]
            assert {(await scene.smsc.delivered(one)).status for one in heard} == {const.ESME_ROK}
            await scene.smsc.submitted(turn * len(handsets))
            await scene.turns()
            answered = Counter(read_sm(submit.pdu.octets).dest for submit in scene.smsc.submits)
            assert answered == dict.fromkeys(handsets, turn)
            await scene.later(601)
        counted = scene.daemon.opt_outs.replies.counted + other.opt_outs.replies.counted
        assert {result: sum(counted[means, result] for means in ("help", "refuse")) for result in ("accepted", "limited")} == {
            "accepted": 40,
            "limited": 40,
        }
        assert min(sum(node.opt_outs.replies.counted.values()) for node in (scene.daemon, other)) == 40


async def test_an_answer_in_doubt_is_not_sent_again(database: str, tmp_path: Path):
    """Killed while the carrier had it and had not answered, smsgw leaves it UNKNOWN, though the account has others sent again."""
    async with scene_of(database, tmp_path).playing() as scene:
        scene.smsc.lost = 1
        scene.smsc.deliver(mo(b"help", HANDSET))
        await scene.smsc.submitted(1)
        await scene.kill()
        await scene.start()
        (row,) = await scene.rows()
        await scene.turns()
        await scene.in_state(row["id"], State.UNKNOWN)
        assert len(scene.smsc.submits) == 1


async def test_an_answer_that_its_carrier_refuses_is_refused(database: str, tmp_path: Path):
    """It has no resends left from the first, and yet was never in doubt: REFUSED, as any message that is not taken."""
    async with scene_of(database, tmp_path).playing() as scene:
        scene.smsc.statuses.append(const.ESME_RINVDSTADR)
        scene.smsc.deliver(mo(b"help", HANDSET))
        await scene.smsc.submitted(1)
        (row,) = await scene.rows()
        assert (await scene.in_state(row["id"], State.REFUSED))["error"] == const.ESME_RINVDSTADR


FILED = '[signature]\n[[signature.filed]]\nsignature = "某某"\ncarriers = ["other"]\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'mode = "shadow"\n{SET}', "shadow"),
        (f'{SET}mode = "shadow"\n', "shadow"),
        (SET.replace(OUT, "【某某】已退订") + FILED, "no_route"),
    ],
)
async def test_who_cannot_be_answered_is_heard_all_the_same(database: str, tmp_path: Path, text: str, why: str):
    """In shadow mode, or where no carrier may take the text: the refusal is on record and goes to the tenant, nothing is sent."""
    async with scene_of(database, tmp_path, text).playing() as scene:
        assert await said(scene, b"STOP") == const.ESME_ROK
        assert await scene.count("mark") == 1
        assert await scene.count("owed") == 1
        assert await scene.count("message") == 0
        assert scene.daemon.opt_outs.replies.counted == {("refuse", why): 1}


async def test_a_refusal_does_not_fall_with_its_answer(database: str, tmp_path: Path):
    """Where the store cannot take an answer, the mark is there all the same, and the carrier and the tenant are served."""
    async with scene_of(database, tmp_path).playing() as scene:
        await scene.refusing("INSERT ON reply", "NEW.means = 'refuse'")
        assert await said(scene, b"STOP") == const.ESME_ROK
        assert (await scene.count("mark"), await scene.count("owed"), await scene.count("message")) == (1, 1, 0)
        assert scene.daemon.opt_outs.replies.counted == {("refuse", "failed"): 1}
