"""Long messages as tenants send them: texts cut into parts, and a scene whose account has them joined and judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import Pdu, sm_body
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.journey.scene import Scene
from tests.peers import Esme
from tests.rig import provisioning

POLICY = """
[[terms]]
id = "gambling"
words = ["百家乐"]
must = ["来玩百家樂吧"]

[[terms]]
id = "bait"
words = ["加微信"]
action = "hold"
must = ["快加微信"]
"""
SOURCE = b"10690001"
DEST = b"8613800138000"


def policed(directory: Path, text: str = POLICY, account: str = "") -> Any:
    """Return the provisioning of an account that is judged by a set: a function of the carriers' ports."""
    (directory / "set.toml").write_text(text, encoding="utf-8")
    policy = f'[[policy]]\nname = "set"\nfiles = ["{directory}/set.toml"]\n'
    return lambda *ports: provisioning(*ports, account=f'policy = "set"\n{account}') + policy


def scene_of(database: str, directory: Path, text: str = POLICY, *, account: str = "", links: int = 1, more: str = "") -> Scene:
    """Return a scene of that account."""
    return Scene(database, links=links, text=policed(directory, text, account), more=more)


def part(text: str, number: int, total: int, *, reference: int = 7, width: int = 8, sar: bool = False, **fields: Any) -> bytes:
    """Return a submit_sm body with one part of a text in UCS-2."""
    octets = text.encode("utf-16-be")
    fields = {"source": SOURCE, "dest": DEST, "data_coding": 8, "registered_delivery": 1, **fields}
    if sar:
        tlvs = tlv.append(const.TAG_SAR_MSG_REF_NUM, reference.to_bytes(2, "big"))
        tlvs += tlv.append(const.TAG_SAR_TOTAL_SEGMENTS, bytes((total,))) + tlv.append(
            const.TAG_SAR_SEGMENT_SEQNUM, bytes((number,))
        )
        return sm_body(short_message=octets, tlvs=tlvs, **fields)
    header = write_udh([concat_element(Concat(reference, width, total, number))])
    return sm_body(short_message=header + octets, esm_class=0x40, **fields)


async def put(tenant: Esme, text: str, number: int, total: int, **fields: Any) -> Pdu:
    """Submit a part and wait for its answer, as a tenant with window 1 does."""
    return await tenant.ask(const.SUBMIT_SM, part(text, number, total, **fields))


async def put_all(tenant: Esme, texts: Sequence[str], **fields: Any) -> list[bytes]:
    """Submit all parts in order, one after the other; returns their ids."""
    from tests.journey.scene import id_of

    return [id_of(await put(tenant, text, number, len(texts), **fields)) for number, text in enumerate(texts, 1)]
