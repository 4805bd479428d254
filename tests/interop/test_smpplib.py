"""Python's smpplib against the real process: a blocking client, in a thread of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import smpplib.client
import smpplib.consts

from smsgw.smpp import const
from tests.interop.letters import LETTERS, PASSWORD, SOURCE, SYSTEM_ID, VENDOR, Letter
from tests.interop.scene import scene

KNOWN = tuple(letter for letter in LETTERS if all(tag < VENDOR for tag, _ in letter.tlvs))  # "Vendors not supported"
NAMES = {
    const.TAG_SAR_MSG_REF_NUM: "sar_msg_ref_num",
    const.TAG_SAR_TOTAL_SEGMENTS: "sar_total_segments",
    const.TAG_SAR_SEGMENT_SEQNUM: "sar_segment_seqnum",
}
BINDS = {"trx": "bind_transceiver", "tx": "bind_transmitter", "rx": "bind_receiver"}


class Told:
    """What a session saw."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.receipts: list[str] = []

    def sent(self, pdu: Any) -> None:
        """Note the id of an answer."""
        self.ids.append(pdu.message_id.decode())

    def received(self, pdu: Any) -> int:
        """Note the id of a receipt; the text and the TLV say the same."""
        found = re.search(rb"id:(\S+)", pdu.short_message)
        assert found is not None
        if pdu.receipted_message_id is not None:
            assert pdu.receipted_message_id == found[1]
        self.receipts.append(found[1].decode())
        return int(smpplib.consts.SMPP_ESME_ROK)


def fields(letter: Letter) -> dict[str, Any]:
    """A letter as the library's keywords."""
    made: dict[str, Any] = {NAMES[tag]: int.from_bytes(value, "big") for tag, value in letter.tlvs if tag in NAMES}
    payload = dict(letter.tlvs).get(const.TAG_MESSAGE_PAYLOAD)
    if payload is not None:
        made["message_payload"] = payload
    return {**made, "short_message": letter.text, "esm_class": letter.esm_class, "data_coding": letter.data_coding}


def session(port: int, kind: str, version: int, letters: Sequence[Letter]) -> dict[str, list[str]]:
    """Bind, send, wait for what is due, unbind."""
    told = Told()
    clients = []
    for each in ("rx", "tx") if kind == "pair" else (kind,):
        client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
        client.set_message_sent_handler(told.sent)
        client.set_message_received_handler(told.received)
        client.connect()
        answer = getattr(client, BINDS[each])(system_id=SYSTEM_ID, password=PASSWORD, interface_version=version)
        assert answer.status == 0
        clients.append(client)
    for letter in letters:
        clients[-1].send_message(source_addr=SOURCE, destination_addr="8613800138000", registered_delivery=1, **fields(letter))
    while len(told.ids) < len(letters):
        clients[-1].read_once()
    while len(told.receipts) < len(letters):
        clients[0].read_once()
    for client in clients:
        assert client.unbind().status == 0
        client.disconnect()
    return {"ids": told.ids, "receipts": told.receipts}


async def test_smpplib(database: str, tmp_path: Path):
    """Every letter but the vendor's on a transceiver, a pair, 3.3 to 5.0: bodies, receipts and unbind are right."""
    asked = [("trx", 0x34, KNOWN), ("pair", 0x34, KNOWN), ("pair", 0x33, KNOWN[:9]), ("trx", 0x50, KNOWN)]
    async with scene(database, tmp_path) as stage:
        told = [await asyncio.to_thread(session, stage.tap.port, *each) for each in asked]
        await stage.check([letter for *_, own in asked for letter in own], told)
