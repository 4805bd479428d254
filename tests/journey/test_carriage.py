"""Carriage: whatever a tenant may say in a submit_sm or data_sm, the carrier gets it octet for octet (C01)."""

from __future__ import annotations

import os
from hashlib import sha256
from random import Random
from typing import Any

from smsgw.admin.evidence import digests
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import data_sm_body, sm_body
from tests.journey.scene import Scene

COUNT = 10_000 if os.environ.get("SMSGW_FUZZ") == "full" else 2_000
WINDOW = 1_000
SEED = 20_261_126
UDH = (
    b"\x05\x00\x03\x2a\x02\x01",
    b"\x06\x08\x04\x12\x34\x03\x02",
    b"\x06\x05\x04\x0b\x84\x23\xf0",
    b"\x03\x24\x01\x03",
    b"\x04\x70\x02\x00\xff",
)


def odd_submit(random: Random, number: int) -> tuple[int, bytes]:
    """Any legal submit: every data_coding, UDH or none, text or payload, TLVs known and unknown, twice, empty and with NULs."""
    octets = random.randbytes(random.choice((0, 1, 70, 133, 140, 254)))
    header = random.choice(UDH) if random.random() < 0.4 else b""
    tags = (0, 0x0204, 0x1400, 0x1401, 0x3FFF, 0x4000, 0xFFFE)
    tlvs = [tlv.append(random.choice(tags[:1] + tags[2:]), random.randbytes(random.choice((0, 1, 20)))) for _ in range(3)]
    if random.random() < 0.3:
        tlvs.append(tlv.append(0x0204, random.randbytes(2)))
    fields: dict[str, Any] = {
        "service_type": random.choice((b"", b"CMT", b"WAP")),
        "source": random.choice((b"1069", b"10690001")),
        "source_ton": random.randrange(5),
        "source_npi": random.randrange(256),
        "dest_ton": random.randrange(5),
        "dest_npi": random.randrange(256),
        "dest": b"8613800%06d" % number,
        "esm_class": random.choice((0, 1, 3, 0x80, 0x08)) | (0x40 if header else 0),
        "data_coding": random.randrange(256),
        "registered_delivery": random.choice((0, 1, 2, 0x11, 0x0C)),
    }
    if random.random() < 0.2:
        payload = header + random.randbytes(random.choice((1, 300, 3_000)))
        fields["tlvs"] = b"".join((*tlvs[:2], tlv.append(const.TAG_MESSAGE_PAYLOAD, payload), *tlvs[2:]))
        return const.DATA_SM, data_sm_body(**fields)
    fields |= {"protocol_id": random.randrange(256), "priority": random.randrange(4), "default_msg_id": random.randrange(255)}
    fields["replace"] = random.randrange(2)
    if random.random() < 0.2:
        payload = tlv.append(const.TAG_MESSAGE_PAYLOAD, header + random.randbytes(random.choice((1, 300, 3_000))))
        return const.SUBMIT_SM, sm_body(**fields, tlvs=b"".join((*tlvs[:1], payload, *tlvs[1:])))
    fields["short_message"] = (header + octets)[:254]
    return const.SUBMIT_SM, sm_body(**fields, tlvs=b"".join(random.sample(tlvs, random.randrange(len(tlvs)))))


async def test_whatever_is_said_goes_on_octet_for_octet(database: str):
    """Odd submits by the thousand reach the carrier as they came, and what is stored has one hash for what came and what went."""
    random = Random(SEED)
    sent = [odd_submit(random, number) for number in range(COUNT)]
    async with Scene(database).playing() as scene:
        tenant = await scene.tenant()
        for at in range(0, COUNT, WINDOW):
            asked = [tenant.send(*one) for one in sent[at : at + WINDOW]]
            answers = [await tenant.answer_to(sequence) for sequence in asked]
            assert {const.status_name(answer.status) for answer in answers} == {"ESME_ROK"}
            tenant.responses.clear()
        took = {(submit.pdu.command, submit.pdu.body) for submit in await scene.smsc.submitted(COUNT)}
        assert took == set(sent)
        stored = await scene.connection.fetch(
            "SELECT c.body, m.command, m.registered, m.source, '' AS transform, NULL AS ton, NULL AS npi, '' AS reply"
            " FROM message m JOIN content c ON c.class = 0 AND c.id = m.id"
        )
        assert await scene.count("transform") == 0
        hashes = {sha256(body).hexdigest() for _, body in sent}
        told = [digests(dict(row), row["body"]) for row in stored]
        assert {one.came for one in told} == {one.went for one in told} == hashes
