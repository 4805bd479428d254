"""What is changed in a message: the named octets and no others, noted for good, while its tenant goes on by his own addresses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smsgw.admin.exporting import export
from smsgw.journey.reading import read_submit
from smsgw.journey.transform import as_it_came, change
from smsgw.model import Account, Basis, Message, State, Tenant
from smsgw.policy.senders import Replacement
from smsgw.policy.verdict import Verdict
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import Pdu, data_sm_body, encode, read_sm, sm_body
from tests.admin.test_exporting import SIGNER, rows
from tests.admin.test_why import why
from tests.journey.parted import part, put
from tests.journey.scene import Scene, id_of
from tests.journey.test_judged import policed, scene_of
from tests.peers import Esme
from tests.rig import provisioning

REPLACE = """
[sender]
registered = ["ACME"]
[[sender.country]]
country = "CN"
alphanumeric = "replace"
numeric = "replace"
replacement = "10691234"
[[tlv]]
tag = 0x1400
inject = "1101"
"""
PARTS = '\n[[terms]]\nid = "odd"\nwords = ["稀奇"]\nmust = ["稀奇"]\n'
NAME = {"source_ton": 5, "source_npi": 0, "source": b"FOREIGN"}
DEST = b"8613800138000"
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2095, 1, 1, tzinfo=UTC)
ADDED = tlv.append(0x1400, b"1101")
PUT_IN = {"source_ton": 1, "source_npi": 1, "source": b"10691234"}
WORDS = "source_replaced tlv_0x1400"


async def words(scene: Scene) -> dict[int, str]:
    """The words of each message that has some, by its id."""
    return {row["message"]: row["words"] for row in await scene.connection.fetch("SELECT * FROM transform ORDER BY message")}


async def own_addresses(scene: Scene, tenant: Esme, number: int, source: tuple[int, int, bytes]) -> None:
    """The carrier's receipt for a submit comes to the tenant with his own source for its destination."""
    scene.smsc.receipt(scene.smsc.submits[number])
    sm = read_sm((await tenant.request(const.DELIVER_SM)).octets)
    assert (sm.dest_ton, sm.dest_npi, sm.dest) == source
    assert sm.source == DEST


async def test_a_sender_is_replaced_and_no_other_octet(database: str, tmp_path: Path):
    """Address, TON, NPI of the source are the set's, all else is the tenant's, in submit_sm and data_sm; receipts bring his own."""
    async with scene_of(database, tmp_path, REPLACE).playing() as scene:
        tenant = await scene.tenant()
        udh = b"\x05\x00\x03\x07\x01\x01" + "您好".encode("utf-16-be")
        odd: dict[str, Any] = {"service_type": b"CMT", "dest_ton": 1, "dest_npi": 1, "dest": DEST, "protocol_id": 9}
        odd |= {"priority": 1, "data_coding": 8}
        odd |= {"short_message": udh, "esm_class": 0x40, "registered_delivery": 1, "tlvs": tlv.append(0x1500, b"\x00\xff")}
        payload: dict[str, Any] = {"dest": DEST, "data_coding": 8, "registered_delivery": 1}
        payload["tlvs"] = tlv.append(const.TAG_MESSAGE_PAYLOAD, "您好".encode("utf-16-be"))
        first = id_of(await tenant.ask(const.SUBMIT_SM, sm_body(**NAME, **odd)))
        second = id_of(await tenant.ask(const.DATA_SM, data_sm_body(**NAME, **payload)))
        came = [submit.pdu.body for submit in await scene.smsc.submitted(2)]
        assert came == [sm_body(**PUT_IN, **odd) + ADDED, data_sm_body(**PUT_IN, **payload) + ADDED]
        assert await words(scene) == {int(first): WORDS, int(second): WORDS}
        assert [row["source"] for row in await scene.rows()] == ["FOREIGN"] * 2
        await own_addresses(scene, tenant, 0, (5, 0, b"FOREIGN"))
        await own_addresses(scene, tenant, 1, (5, 0, b"FOREIGN"))
        own = sm_body(source_ton=5, source=b"ACME", dest=DEST, short_message=b"hi", tlvs=tlv.append(0x1400, b"99"))
        assert scene.daemon.docket.hits["china", "sender.replace", "replace"] == 2
        plain = id_of(await tenant.ask(const.SUBMIT_SM, own))
        assert (await scene.smsc.submitted(3))[2].pdu.body == own
        assert int(plain) not in await words(scene)
        told = await why(scene, "您好", **{"from": "FOREIGN"})
        assert told["transform"] == (WORDS, "from 10691234, TON 1, NPI 1")
        out = tmp_path / "out"
        await export(scene.connection, "acme", out, SIGNER, start=START, end=END, content=True, actor="ann")
        assert [(row["source"], row["transform"]) for row in rows(out / "messages.csv")] == [("FOREIGN", WORDS)] * 2 + [
            ("ACME", "")
        ]
        sent = [sm_body(**NAME, **odd), data_sm_body(**NAME, **payload), own]
        took = [submit.pdu.body for submit in scene.smsc.submits]
        told_of = [(row["sha256_in"], row["sha256_out"]) for row in rows(out / "content.csv")]
        assert told_of == [(sha256(a).hexdigest(), sha256(b).hexdigest()) for a, b in zip(sent, took, strict=True)]
        assert [row["unmodified"] for row in rows(out / "messages.csv")] == ["no", "no", "yes"]


async def test_after_a_restart_the_receipt_still_has_the_tenants_own_source(database: str, tmp_path: Path):
    """Killed before the carrier's receipt came, the next start knows from the store what the tenant wrote; also of held parts."""
    records = tmp_path / "records.jsonl"
    async with scene_of(database, tmp_path, REPLACE + PARTS).recording(records).playing() as scene:
        tenant = await scene.tenant()
        sent = id_of(await tenant.submit(source=b"10690001", source_ton=3, registered_delivery=1))
        await scene.in_state(sent, State.SENT)
        held = [id_of(await put(tenant, "您好", 1, 2, **NAME))]
        await scene.kill()
        await scene.start()
        tenant = await scene.tenant()
        await own_addresses(scene, tenant, 0, (3, 0, b"10690001"))
        held.append(id_of(await put(tenant, "再见", 2, 2, **NAME)))
        came = [submit.pdu.body for submit in (await scene.smsc.submitted(3))[1:]]
        assert came == [part(text, at, 2, **PUT_IN) + ADDED for at, text in ((1, "您好"), (2, "再见"))]
        assert await words(scene) == {int(one): WORDS for one in (sent, *held)}
        await own_addresses(scene, tenant, 2, (5, 0, b"FOREIGN"))
        await scene.in_state(held[1], State.DELIVERED)
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert [line["transform"] for line in lines if line["record"] == "final"] == [WORDS.split()] * 2


async def test_what_a_setting_changes_is_noted_and_what_is_refused_leaves_nothing(database: str, tmp_path: Path):
    """An empty source, and registered_delivery for a price by delivery, have their words; a message without money has no row."""

    def text(*ports: int) -> str:
        basis, account = 'basis = "delivered"', 'policy = "china"\ndefault_source = "10690001"\nquota_day = 2'
        return provisioning(*ports, tenant=basis, account=account) + policed(tmp_path, REPLACE)

    async with Scene(database, text=text).playing() as scene:
        tenant = await scene.tenant()
        both = id_of(await tenant.submit(source=b"", dest=b"447700900123"))
        asked: dict[str, Any] = {"registered_delivery": 1, "tlvs": tlv.append(0x1400, b"7"), "dest": b"447700900123"}
        none = id_of(await tenant.submit(source=b"10690001", **asked))
        assert (await tenant.submit(source=b"")).status != const.ESME_ROK
        assert await words(scene) == {int(both): "registered_delivery source_default tlv_0x1400"}
        assert await scene.count("message") == 2
        (first, second) = await scene.smsc.submitted(2)
        assert (first.sm.source, first.sm.registered_delivery, second.sm.source) == (b"10690001", 1, b"10690001")
        for submit in (first, second):
            scene.smsc.receipt(submit)
        await scene.in_state(both, State.DELIVERED)
        await scene.in_state(none, State.DELIVERED)


async def test_a_validity_that_waited_is_told(database: str, tmp_path: Path):
    """The carrier is told what is left of it; the export does not call it unmodified, and one that left at once it does."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        await scene.in_state(id_of(await tenant.submit(validity=b"000000010000000R")), State.SENT)
        await scene.smsc.close()
        scene.smsc.cut()
        await scene.until(lambda: not scene.daemon.carriers.bound(1))
        waited = id_of(await tenant.submit(validity=b"000000010000000R"))
        await scene.until(lambda: scene.count("waiting WHERE node = 0"))
        await scene.later(60)
        await scene.smsc.open()
        await scene.in_state(waited, State.SENT)
        first, second = scene.smsc.submits
        assert (first.sm.validity, second.sm.validity[:10]) == (b"000000010000000R", b"0000000058")
        out = tmp_path / "out"
        await export(scene.connection, "acme", out, SIGNER, start=START, end=END, content=True, actor="ann")
        assert [row["unmodified"] for row in rows(out / "messages.csv")] == ["yes", "validity"]
        assert len({row["sha256_in"] for row in rows(out / "content.csv")}) == 1


async def test_a_receipt_finds_its_tenant_though_the_content_is_gone(database: str):
    """Retention has taken the body before the carrier's receipt comes: it goes to the tenant by the row's addresses."""
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        for source, ton in ((b"10690001", 1), (b"ACME", 5)):
            await scene.in_state(id_of(await tenant.submit(source=source, source_ton=ton, registered_delivery=1)), State.SENT)
        await scene.stop()
        await scene.connection.execute("DELETE FROM content")
        await scene.start()
        tenant = await scene.tenant()
        await own_addresses(scene, tenant, 0, (0, 0, b"10690001"))
        await own_addresses(scene, tenant, 1, (5, 0, b"ACME"))


ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY", basis=Basis.DELIVERED), default_source="10690001")
PUT = st.lists(st.builds(tlv.append, st.sampled_from([0x1400, 0x1401, 0x1500]), st.binary(max_size=9)), max_size=3).map(b"".join)
SENDER = st.none() | st.builds(Replacement, st.integers(0, 6), st.integers(0, 20), st.sampled_from(["1069", "10690001", "ACME"]))


@given(
    source=st.binary(max_size=11).map(lambda octets: octets.replace(b"\0", b"\xe9")),
    ends=st.tuples(st.integers(0, 6), st.integers(0, 255)),
    registered=st.sampled_from([0, 1, 2, 4, 0x10, 0x11]),
    own=PUT,
    added=PUT,
    sender=SENDER,
    data=st.booleans(),
)
def test_what_came_is_told_by_what_goes(  # noqa: PLR0917 - the parts of a message
    source: bytes,
    ends: tuple[int, int],
    registered: int,
    own: bytes,
    added: bytes,
    sender: Replacement | None,
    data: bool,  # noqa: FBT001 - which PDU
):
    """Whatever was changed, the words and the tenant's own source take it back to the octet that came."""
    fields: dict[str, Any] = {"source": source, "source_ton": ends[0], "source_npi": ends[1], "dest": DEST}
    if data:
        command = const.DATA_SM
        text = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"hi")
        body = data_sm_body(**fields, registered_delivery=registered, tlvs=text + own)
    else:
        command = const.SUBMIT_SM
        body = sm_body(**fields, registered_delivery=registered, short_message=b"hi", tlvs=own)
    message = read_submit(Pdu(encode(command, 0, 1, body), command, 0, 1), ACCOUNT, const.V34)
    assert isinstance(message, Message)
    change(message, Verdict(added=added, sender=sender), const.V34)
    assert (message.body == body) is (not message.transform)
    kept = (*message.ends[0][:2], message.source.encode("latin-1")) if message.ends is not None else None
    assert as_it_came(command, message.body, message.transform, kept, message.registered) == body
