"""Opting out by a handset's keyword: on record before the carrier is answered, marketing refused on every node, codes sent."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from smsgw import config as settings
from smsgw.daemon import Daemon
from smsgw.policy.statuses import STATUSES
from smsgw.smpp import const
from smsgw.smpp.pdu import sm_body
from tests.journey.scene import Scene
from tests.peers import Esme
from tests.rig import process_settings, provisioning

OPTED_OUT = STATUSES["opted_out"][0]
KINDS = """
[category.words]
otp = ["验证码"]
marketing = ["优惠"]

[[keyword]]
words = ["TD", "T", "R", "退订", "STOP"]
before = ["回复", "回"]
after = ["退订"]

[[keyword]]
means = "resume"
words = ["START", "恢复"]

[signature]
required = false
[[signature.filed]]
signature = "某某"
numbers = ["10690001"]
[[signature.filed]]
signature = "另一"
numbers = ["1069000177"]
"""
OFFER, CODE, NOTICE = "全场优惠", "您的验证码是482913", "明天开会"
HANDSET = b"8613800138000"
DEAF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smsgw marks'"


def text_of(directory: Path, more: str = "") -> Any:
    """Return provisioning of an account whose set has keywords, as a function of the carriers' ports."""
    (directory / "set.toml").write_text(KINDS + more, encoding="utf-8")
    policy = f'[[policy]]\nname = "china"\nfiles = ["{directory}/set.toml"]\n'
    return lambda *ports: provisioning(*ports, account='policy = "china"') + policy


def scene_of(database: str, directory: Path, more: str = "") -> Scene:
    """Return a scene whose account's set has keywords."""
    return Scene(database, text=text_of(directory, more))


async def said(scene: Scene, text: str, source: bytes = HANDSET, dest: bytes = b"10690001") -> int:
    """Let a handset say something, and return what the carrier was answered."""
    body = sm_body(source=source, source_ton=1, dest=dest, short_message=text.encode("utf-16-be"), data_coding=8)
    return (await scene.smsc.delivered(scene.smsc.deliver(body))).status


async def told(esme: Esme, text: str, dest: bytes = HANDSET, source: bytes = b"10690001") -> int:
    """Submit a text and return the status of its answer."""
    return (await esme.submit(text=text.encode("utf-16-be"), data_coding=8, dest=dest, source=source)).status


async def test_marketing_stops_and_codes_go_on(database: str, tmp_path: Path):
    """After a keyword marketing to that number reads 0x0414, codes and notices pass; the tenant gets the message too (C18)."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        assert await told(tenant, OFFER) == const.ESME_ROK
        assert await said(scene, "ｔｄ ") == const.ESME_ROK
        assert (await tenant.request(const.DELIVER_SM)).body.endswith("ｔｄ ".encode("utf-16-be"))
        assert await told(tenant, OFFER) == OPTED_OUT
        assert await told(tenant, OFFER, dest=b"+8613800138000") == OPTED_OUT
        assert await told(tenant, CODE) == const.ESME_ROK
        assert await told(tenant, NOTICE) == const.ESME_ROK
        assert await told(tenant, OFFER, dest=b"8613800138001") == const.ESME_ROK
        assert scene.daemon.meters.account("acme1").refused == {"opted_out": 2}
        assert scene.daemon.docket.hits["china", "consent.account", "reject"] == 2
        assert scene.daemon.opt_outs.kept["refuse",] == 1
        row = await scene.connection.fetchrow("SELECT * FROM mark_event")
        assert (row["source"], row["word"], row["service"], row["active"]) == ("handset", "TD", "10690001", True)
        assert row["reference"].isdigit()


async def test_start_takes_it_back(database: str, tmp_path: Path):
    """A word that resumes lifts the refusal; where there is none it changes nothing; of several in a row the last one holds."""
    async with scene_of(database, tmp_path).playing() as scene:
        tenant = await scene.tenant()
        assert await said(scene, "START") == const.ESME_ROK
        assert await scene.count("mark") == 0
        for text, status in (("回复R", OPTED_OUT), ("start", const.ESME_ROK), ("退订。", OPTED_OUT), ("恢復", const.ESME_ROK)):
            assert await said(scene, text) == const.ESME_ROK
            assert await told(tenant, OFFER) == status
        bodies = [sm_body(source=HANDSET, dest=b"10690001", short_message=text) for text in (b"TD", b"START", b"STOP")]
        sent = [scene.smsc.deliver(body) for body in bodies]
        assert [(await scene.smsc.delivered(one)).status for one in sent] == [const.ESME_ROK] * 3
        assert await told(tenant, OFFER) == OPTED_OUT
        events = await scene.connection.fetch("SELECT word, active FROM mark_event ORDER BY id")
        assert [(row["word"], row["active"]) for row in events[-3:]] == [("TD", True), ("START", False), ("STOP", True)]


async def test_an_ordinary_message_refuses_nothing(database: str, tmp_path: Path):
    """A sentence with a keyword in it, a long text, a part of a long message: delivered, and nothing is on record."""
    async with scene_of(database, tmp_path).playing() as scene:
        for text in ("TD什么时候到", "STOP sending invoices", "请问如何退订", "好" * 60):
            assert await said(scene, text) == const.ESME_ROK
        part = sm_body(source=HANDSET, dest=b"10690001", esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x01TD")
        assert (await scene.smsc.delivered(scene.smsc.deliver(part))).status == const.ESME_ROK
        assert await scene.count("mark") == 0
        assert await scene.count("owed") == 5


@pytest.mark.parametrize(
    ("refusal", "dest", "stopped"),
    [
        ("number", b"1069000112", [(b"1069000112", OFFER)]),
        ("signature", b"1069000177", [(b"1069000177", f"【另一】{OFFER}")]),
        ("signature", b"1069000112", [(b"10690001", f"【某某】{OFFER}"), (b"1069000112", f"【某某】{OFFER}")]),
    ],
)
async def test_a_refusal_may_be_narrower(
    database: str, tmp_path: Path, refusal: str, dest: bytes, stopped: list[tuple[bytes, str]]
):
    """Where the set says so only the number written to, or the signature filed for it, is refused; the account's others pass."""
    sources = [(b"10690001", f"【某某】{OFFER}"), (b"1069000177", f"【另一】{OFFER}"), (b"1069000112", f"【某某】{OFFER}")]
    async with scene_of(database, tmp_path, f'[consent]\nrefusal = "{refusal}"\n').playing() as scene:
        tenant = await scene.tenant()
        assert await said(scene, "T", dest=dest) == const.ESME_ROK
        for source, text in stopped:
            assert await told(tenant, text, source=source) == OPTED_OUT
        refused = {source for source, _ in stopped}
        for source, text in sources:
            if source not in refused:
                assert await told(tenant, text, source=source) == const.ESME_ROK
        assert await said(scene, "START", dest=dest) == const.ESME_ROK
        for source, text in stopped:
            assert await told(tenant, text, source=source) == const.ESME_ROK


async def test_a_refusal_is_on_record_before_the_carrier_is_answered(database: str, tmp_path: Path):
    """While marks cannot be written the carrier gets no ESME_ROK; asked again, the same words are on record once."""
    async with scene_of(database, tmp_path).playing() as scene:
        await scene.connection.execute("ALTER TABLE mark_event RENAME TO mark_event_away")
        assert await said(scene, "TD") == const.ESME_RX_T_APPN
        assert await scene.count("mark") == 0
        assert await scene.count("owed") == 0
        assert scene.daemon.opt_outs.failures == 1
        await scene.connection.execute("ALTER TABLE mark_event_away RENAME TO mark_event")
        for _ in range(2):
            assert await said(scene, "TD") == const.ESME_ROK
        assert await scene.count("mark_event") == 1
        assert await scene.count("owed") == 2


async def test_a_kill_between_record_and_message_loses_no_refusal(database: str, tmp_path: Path):
    """Killed when the refusal is written and the message is not: nobody was answered, and the next process refuses."""
    async with scene_of(database, tmp_path).playing() as scene:
        body = sm_body(source=HANDSET, dest=b"10690001", short_message=b"TD")
        async with scene.stalled():
            sent = scene.smsc.deliver(body)
            await scene.until(lambda: scene.daemon.opt_outs.kept["refuse",])
            await scene.kill()
        assert not sent[0].responses
        assert await scene.count("owed") == 0
        await scene.start()
        tenant = await scene.tenant()
        assert await told(tenant, OFFER) == OPTED_OUT
        assert await told(tenant, CODE) == const.ESME_ROK


async def test_a_restart_knows_what_is_on_record(database: str, tmp_path: Path):
    """After a drained stop the next process loads all marks before it takes a message."""
    async with scene_of(database, tmp_path).playing() as scene:
        assert await said(scene, "TD") == const.ESME_ROK
        await scene.stop()
        await scene.start()
        assert (len(scene.daemon.opt_outs.marks), scene.daemon.opt_outs.marks.changed) == (1, 0)
        assert await told(await scene.tenant(), OFFER) == OPTED_OUT


@pytest.mark.alone(reason="it is promised within a second")
async def test_another_node_refuses_within_a_second(database: str, tmp_path: Path):
    """Said to one node, refused on the other, both ways, over real binds; also where the NOTIFY was never heard."""
    async with scene_of(database, tmp_path).playing() as scene:
        second = tmp_path / "second"
        second.mkdir()
        shutil.copy2(scene.directory / "seal.key", second)
        other = Daemon(settings.parse(process_settings(database, second, node=2)))
        ready, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(other.run(ready=ready, stop=stop))
            await ready.wait()
            async with await Esme.connect(other.ports[0]) as esme:
                await esme.bind("acme1", "secret")
                assert await told(esme, OFFER) == const.ESME_ROK
                for text, status in (("TD", OPTED_OUT), ("START", const.ESME_ROK)):
                    began = time.monotonic()
                    assert await said(scene, text) == const.ESME_ROK
                    while await told(esme, OFFER) != status:
                        assert time.monotonic() - began < 1.0
                await scene.connection.execute(DEAF)
                assert await said(scene, "TD") == const.ESME_ROK
                await scene.until(lambda: other.opt_outs.marks.found("8613800138000"))
            stop.set()


async def test_an_account_without_keywords_keeps_nothing(database: str):
    """No policy: whatever a handset says is delivered, and nothing is on record."""
    async with Scene(database).playing() as scene:
        assert await said(scene, "TD") == const.ESME_ROK
        assert await scene.count("mark_event") == 0
        assert not scene.daemon.opt_outs.marks.blocking
