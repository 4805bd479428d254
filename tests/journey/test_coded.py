"""Receipts that say by a carrier's own code why a message was not delivered: MK:0001 in err, or in place of the state's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smsgw.admin.exporting import export
from smsgw.model import State
from smsgw.receipts.codes import number_of
from smsgw.smpp.pdu import read_sm
from tests.admin.test_exporting import SIGNER, rows
from tests.journey.scene import Scene, id_of
from tests.journey.test_transform import END, START
from tests.peers import Esme
from tests.rig import process_settings

PRICE = 38_000
PAID = 'basis = "delivered"'
CHINA = 'dialect = { codes = "china" }'
SHAPES = [{}, {"tlv_id": b""}]
"""With TLVs, which say UNKNOWN of a word that is none, and as text alone."""


async def failed(scene: Scene, tenant: Esme, stat: str, **receipt: Any) -> tuple[dict[str, Any], bytes]:
    """A message and its receipt; returns its row at the end, and what the tenant was told."""
    ours = id_of(await tenant.submit(registered_delivery=1))
    await scene.in_state(ours, State.SENT)
    scene.smsc.receipt(scene.smsc.submits[-1], stat, **receipt)
    told = (await tenant.request()).octets
    sm = read_sm(told)
    return dict(await scene.row(ours)), told[sm.sm_at : sm.tlv_at]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("stat", "err", "state", "kept", "kind"),
    [
        ("MK:0001", b"000", State.FAILED, b"MK:0001", "perm_number"),
        ("MK:0023", b"000", State.EXPIRED, b"MK:0023", "expired"),
        ("MI:7777", b"000", State.FAILED, b"MI:7777", "temp_handset"),
        ("MBBLACK", b"015", State.FAILED, b"MBBLACK", "blacklist_optout"),
        ("UNDELIV", b"DB:0142", State.FAILED, b"DB:0142", "throttle"),
        ("UNKNOWN", b"MK:0001", State.UNKNOWN, b"MK:0001", "perm_number"),
        ("ZZ:0001", b"000", State.UNKNOWN, b"ZZ:0001", "unknown"),
    ],
)
async def test_a_code_says_what_became_of_a_message(  # noqa: PLR0917 - what is said, and what is made of it
    database: str, shape: dict[str, Any], stat: str, err: bytes, state: State, kept: bytes, kind: str
):
    """By the link's table: state and refund; the code is kept, its class counted; the tenant reads the carrier's own words."""
    async with Scene(database, tenant=PAID, link=CHINA).playing() as scene:
        row, told = await failed(scene, await scene.tenant(), stat, err=err, **shape)
        assert (State(row["state"]), row["error"]) == (state, number_of(kept))
        assert row["refund"] == (0 if state is State.UNKNOWN else PRICE)
        assert b" stat:%b err:%b " % (stat.encode(), err) in told
        assert scene.daemon.meters.link("alpha-1").codes == {kind: 1}


async def test_without_a_table_a_code_is_kept_and_closes_as_unknown(database: str):
    """A word that nobody knows is UNKNOWN, a plain error stays the number that it is, and nothing is counted by class."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        row, _ = await failed(scene, tenant, "MK:0001")
        assert (State(row["state"]), row["error"]) == (State.UNKNOWN, number_of(b"MK:0001"))
        row, _ = await failed(scene, tenant, "UNDELIV", err=b"021")
        assert (State(row["state"]), row["error"]) == (State.FAILED, 21)
        assert scene.daemon.meters.link("alpha-1").codes == {}


async def test_records_and_exports_have_the_code_as_it_came(database: str, tmp_path: Path):
    """In a record line status is the code and reason its class; the tenant's export names the code."""
    records = tmp_path / "records.jsonl"

    def with_records(dsn: str, data_dir: Path, *, more: str = "") -> str:
        return process_settings(dsn, data_dir, messages="all", more=more).replace("[log]\n", f'[log]\nrecords = "{records}"\n')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.journey.scene.process_settings", with_records)
        async with Scene(database, link=CHINA).playing() as scene:
            tenant = await scene.tenant()
            await failed(scene, tenant, "UNDELIV", err=b"MK:1004")
            await failed(scene, tenant, "UNDELIV", err=b"021")
            out = tmp_path / "out"
            await export(scene.connection, "acme", out, SIGNER, start=START, end=END, content=False, actor="ann")
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert [(line["state"], line["status"], line["reason"]) for line in lines] == [
        ("FAILED", "MK:1004", "content"),
        ("FAILED", "21", "unknown"),
    ]
    assert [row["error"] for row in rows(out / "messages.csv")] == ["MK:1004", "21"]
