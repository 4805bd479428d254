"""What a gateway writes and shows of messages: no number whole, no word of what they say, whatever happens to them (C34).

One life with everything in it, every number and word of it distinct; then every log line, record line, metric, table, audit row and
error text is searched for each of them.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from smsgw.admin import doctor, reviewing
from smsgw.admin.control import ask, question
from smsgw.config import parse
from smsgw.model import State
from smsgw.smpp import const, pdu
from smsgw.store import audits
from smsgw.store.sealed import Unreadable
from smsgw.telemetry.logs import setup_logging
from tests.journey import scene as scenes
from tests.journey.parted import POLICY, part, policed
from tests.journey.scene import Scene
from tests.peers import Esme
from tests.rig import process_settings

MORE = 'recipient_rate = 0.001\nrecipient_burst = 4\nquota_day = 9\nretention = "eu"\n'
RETENTION = '[[retention]]\nname = "eu"\nprofile = "eu_min"\nencrypted = true\n'
WORDS = ("Qxzwords", "极密词语")


def number(index: int) -> bytes:
    """A number that nobody else has."""
    return b"86138%08d" % (41_273_500 + index)


NUMBERS = [number(index).decode() for index in range(40)]


def traces(where: str, said: str) -> list[str]:
    """What of numbers and words can be found in what was said: as text, as octets, and as what JSON makes of either."""
    forms = {word: (word, word.encode().hex(), word.encode("utf-16-be").hex(), json.dumps(word)[1:-1]) for word in WORDS}
    forms |= {one: (one, one[2:], one.encode().hex()) for one in NUMBERS}
    return [f"{where}: {what}" for what, shapes in forms.items() for shape in shapes if shape in said]


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    """All that is logged, at level debug; no logger remembers it."""
    octets = io.BytesIO()
    root = logging.getLogger()
    handlers = list(root.handlers)
    setup_logging("json", "debug", stream=io.TextIOWrapper(octets, encoding="utf-8", write_through=True))
    structlog.configure(cache_logger_on_first_use=False)
    yield octets
    root.handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def life(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A gateway that writes a record line for everything, judges, holds and seals."""

    def recording(*given: Any, **more: Any) -> str:
        toml = process_settings(*given, **{**more, "messages": "all", "records": tmp_path / "records.jsonl"})
        return toml.replace("[log]", '[log]\nlevel = "debug"')

    monkeypatch.setattr(scenes, "process_settings", recording)
    judged = policed(tmp_path, POLICY, MORE)
    return Scene(database, text=lambda *ports: judged(*ports) + RETENTION)


async def submit(tenant: Esme, index: int, text: str = "Qxzwords, 极密词语", **fields: Any) -> pdu.Pdu:
    """Submit to a number that nobody else has."""
    fields = {"dest": number(index), "registered_delivery": 1, "data_coding": 8, **fields}
    return await tenant.submit(text=text.encode("utf-16-be"), **fields)


async def everything(scene: Scene) -> list[str]:
    """Live through all that may become of a message; returns the error texts that people were shown."""
    smsc, tenant = scene.smsc, await scene.tenant()
    shown: list[str] = []
    # on its way, receipts of all kinds, twice, and one for nobody
    await submit(tenant, 1)
    sent = await smsc.submit()
    smsc.receipt(sent)
    await scene.receipt(tenant)
    smsc.receipt(sent, "UNDELIV")
    smsc.receipt(sent, text_id=number(2), tlv_id=number(2))
    # refused by the carrier, at the door, by a rule, by a quota of the cycle, by a rate
    smsc.statuses.append(const.ESME_RINVDSTADR)
    await submit(tenant, 3)
    await smsc.submit()
    assert (await submit(tenant, 4, validity=b"never")).status == const.ESME_RINVEXPIRY
    assert (await submit(tenant, 5, "Qxzwords 来玩百家乐 极密词语")).status
    for _ in range(5):
        last = await submit(tenant, 6)
    assert last.status == const.ESME_RTHROTTLED
    # held for a person, and as a part of a long text
    assert (await submit(tenant, 7, "Qxzwords 快加微信 极密词语")).status == const.ESME_ROK
    await tenant.ask(const.SUBMIT_SM, part("Qxzwords, 极密", 1, 2, dest=number(8)))
    (entry,) = await scene.until(lambda: reviewing.waiting(scene.connection))
    shown.append(str(entry))
    await reviewing.decide(scene.connection, [entry["id"]], accept=False, actor="ann", reason="bait")
    await scene.in_state(entry["id"], State.REJECTED)
    # handsets: to an account, and to nobody
    for to in (b"10690001", number(9)):
        mo = pdu.sm_body(source=number(10), dest=to, short_message="Qxzwords 极密词语".encode("utf-16-be"), data_coding=8)
        await smsc.delivered(smsc.deliver(mo))
    # octets that are none
    for body in (b"Qxzwords" + number(11), pdu.sm_body(source=number(12), dest=number(12), short_message=b"Qxzwords")[:-4]):
        await tenant.ask(const.SUBMIT_SM, body)
        await tenant.ask(const.QUERY_SM, body)
        await tenant.ask(const.SUBMIT_MULTI, body)
        smsc.deliver(body)
    raw = await scene.tenant()
    raw.send_raw(b"\0\0\0\5Qxzwords" + number(13))
    await raw.closed()
    wrong = await Esme.connect(scene.daemon.ports[0])
    await wrong.bind("somebody", "Qxzwords")
    await wrong.close()
    return [*shown, *await faults(scene, tenant)]


async def faults(scene: Scene, tenant: Esme) -> list[str]:
    """Have the store refuse a row, what is sealed not open, an effect fail, and questions go wrong."""
    await scene.refusing("INSERT ON message", f"NEW.destination = '{number(15).decode()}'")
    await submit(tenant, 15)
    await scene.taking()
    scene.daemon.desk.opened = broken
    scene.daemon.recall.load_messages([row["id"] for row in await scene.rows()], print)
    await scene.settled()
    scene.daemon.commit._tell(failing, number(16), "Qxzwords 极密词语")
    scene.daemon.commit.effect_failures = 0
    socket = scene.directory / "admin.sock"
    said = []
    for asked in (
        {"account": "acme1", "to": number(17).decode(), "text": "Qxzwords"},
        {"account": "acme1", "to": number(18).decode() * 9, "text": "极密词语"},
        {"account": "acme1", "to": [number(19).decode()], "text": {"Qxzwords": 1}},
    ):
        try:
            said.append(str(await question(socket, "why", asked)))
        except Exception as error:  # noqa: BLE001 - whatever it says is what is looked at
            said.append(str(error))
    return said


def broken(_owner: int, _stored: bytes) -> bytes:
    """Open nothing: the keys are lost."""
    raise Unreadable("the key 0011aabb is not in this data_dir")


def failing(to: bytes, text: str) -> None:
    """An effect that fails and quotes what it was given."""
    raise ValueError(f"{to!r} cannot be told {text!r}")


async def test_nothing_private_is_written_or_shown(life: Scene, lines: io.BytesIO, tmp_path: Path):
    """Logs, records, metrics, every table, the doctor, the audit, errors: not one of forty numbers, not one of the words."""
    async with life.playing() as scene:
        found = traces("errors", "\n".join(await everything(scene)))
        await scene.settled()
        await scene.turns()
        for what in [*scene.daemon.shown.providers(), "stalls"]:
            found += traces(f"show {what}", str(await ask(scene.directory / "admin.sock", what)))
        async with aiohttp.ClientSession() as session:
            for path in ("metrics", "readyz?verbose"):
                async with session.get(f"http://127.0.0.1:{scene.daemon.admin_port}/{path}") as answer:
                    found += traces(path, await answer.text())
        settings = parse(process_settings(life.dsn, scene.directory))
        found += traces("doctor", str(await doctor.examine(settings, life.dsn)))
        found += traces("audit", str(await audits.find(scene.connection, None, None, None, None, 1_000)))
        rows = {State(row["state"]) for row in await scene.rows()}
        assert {State.DELIVERED, State.REFUSED, State.HELD, State.REJECTED} <= rows
    logged = lines.getvalue().decode()
    records = (tmp_path / "records.jsonl").read_text(encoding="utf-8")
    events = {json.loads(line)["event"] for line in logged.splitlines()}
    assert {"row_not_storable", "content_unreadable", "effect_failed", "bound"} <= events, events
    assert len(records.splitlines()) > 8
    assert "8613****" in records
    found += traces("log", logged) + traces("records", records)
    assert not found


def test_the_search_finds_what_it_looks_for():
    """A test that cannot fail shows nothing: each form of a number and a word is found where it stands."""
    for said in (
        NUMBERS[3],
        f"+{NUMBERS[3]}",
        NUMBERS[3][2:],
        "Qxzwords",
        "极密词语",
        json.dumps("极密词语"),
        b"Qxzwords".hex(),
    ):
        assert traces("x", f"before {said} after"), said
