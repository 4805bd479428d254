"""What every foreign ESME sends: the bodies that a gateway may not touch. As values here, as JSON for other languages."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import read_sm

SOURCE = "10690001"
SYSTEM_ID = "acme1"
PASSWORD = "secret"
VENDOR = 0x1400
VENDOR_VALUE = b"ab\0cd\0"


@dataclass(frozen=True, slots=True)
class Letter:
    """One submit_sm. `tlvs`: tag → value; the order is the library's own."""

    name: str
    text: bytes = b""
    data_coding: int = 0
    esm_class: int = 0
    tlvs: tuple[tuple[int, bytes], ...] = ()

    def key(self) -> tuple[int, int, bytes, tuple[tuple[int, bytes], ...]]:
        """What of it the carrier must see."""
        return self.esm_class, self.data_coding, self.text, tuple(sorted(self.tlvs))


def _sar(number: int, text: bytes) -> Letter:
    segments = (
        (const.TAG_SAR_MSG_REF_NUM, b"\x12\x34"),
        (const.TAG_SAR_TOTAL_SEGMENTS, b"\x02"),
        (const.TAG_SAR_SEGMENT_SEQNUM, bytes([number])),
    )
    return Letter(f"sar {number}", text, tlvs=segments)


LETTERS = (
    Letter("gsm-7", b"Hello \x1be \x00 \x02 [\x1b<]"),
    Letter("ucs-2", "你好，世界 😀".encode("utf-16-be"), data_coding=8),
    Letter("latin-1", "Grüße à tous".encode("latin-1"), data_coding=3),
    Letter("8-bit", bytes(range(256))[:140], data_coding=4),
    Letter("8-bit, the other half", bytes(range(116, 256)), data_coding=4),
    Letter("udh 8-bit 1", b"\x05\x00\x03\x2a\x02\x01" + b"a" * 153, esm_class=0x40),
    Letter("udh 8-bit 2", b"\x05\x00\x03\x2a\x02\x02" + b"b" * 20, esm_class=0x40),
    Letter("udh 16-bit 1", b"\x06\x08\x04\x12\x34\x02\x01" + b"\x4f\x60" * 66, data_coding=8, esm_class=0x40),
    Letter("udh 16-bit 2", b"\x06\x08\x04\x12\x34\x02\x02" + b"\x59\x7d" * 8, data_coding=8, esm_class=0x40),
    _sar(1, b"c" * 100),
    _sar(2, b"d" * 10),
    Letter("message_payload", tlvs=((const.TAG_MESSAGE_PAYLOAD, bytes(range(256)) * 4),), data_coding=4),
    Letter("vendor tlvs", b"with a TLV", tlvs=((VENDOR, VENDOR_VALUE), (VENDOR + 1, b"\0\xff\0"))),
)


def plan(port: int, sessions: list[dict[str, Any]]) -> str:
    """Return the JSON that a foreign script is given: octets as hexadecimal."""
    for session in sessions:
        session["letters"] = [
            {**asdict(letter), "text": letter.text.hex(), "tlvs": [[tag, value.hex()] for tag, value in letter.tlvs]}
            for letter in session["letters"]
        ]
    where = {"host": "127.0.0.1", "port": port, "system_id": SYSTEM_ID, "password": PASSWORD, "source": SOURCE}
    return json.dumps({**where, "sessions": sessions})


def key_of(octets: bytes) -> tuple[int, int, bytes, tuple[tuple[int, bytes], ...]]:
    """What a submit_sm carries, read by our own reader."""
    sm = read_sm(octets)
    tlvs = sorted((tag, octets[at : at + length]) for tag, at, length in tlv.iterate(octets, sm.tlv_at))
    return sm.esm_class, sm.data_coding, octets[sm.sm_at : sm.sm_at + sm.sm_length], tuple(tlvs)
