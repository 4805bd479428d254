"""Delivery receipts of the one shape that nearly all have: read by two patterns and rewritten in one go.

What it is: the fast way of ``smsgw.smpp.receipt``. A deliver_sm of esm_class 0x04 whose short_message is the text of SMPP 3.4
Appendix B to the letter, followed by no TLVs or by receipted_message_id and message_state, in this order. Everything else is
``None`` here and goes the lenient way.

What it promises: it says what the lenient way would say of the same octets (a property test holds the two together), and
``rewrite_plain`` writes what ``receipt.rewrite`` would write.

What it must never do: raise on octets of a peer; guess.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, final

from smsgw.smpp.const import STATE_UNKNOWN
from smsgw.smpp.receipt import MAX_SHORT_MESSAGE, OPEN_STATES, STATE_OF_STAT, Address

_HEADER: Final = 16


@final
class PlainReceipt(NamedTuple):
    """What such a receipt says, and the pieces of it that a rewritten one keeps. See ``receipt.Receipt`` for the words."""

    source: bytes
    dest: bytes
    message_id: bytes
    state: int
    error: bytes
    intermediate: bool
    text_id: bytes
    tlv_id: bytes
    service_type: bytes
    """With its NUL."""
    flags: bytes
    """esm_class to sm_default_msg_id."""
    id_end: int
    tlv_at: int
    state_tlv: bytes
    """The whole TLV message_state, b"" without one."""


_SM: Final = re.compile(
    rb"([^\0]{0,5}+\0)..([^\0]{0,20}+)\0..([^\0]{0,20}+)\0(\x04..\0\0....)(.)"
    rb"id:([^ ,;\0\r\n]{1,64}+) sub:[0-9]++ dlvrd:[0-9]++ submit date:[0-9]{10,14} done date:[0-9]{10,14} "
    rb"stat:([A-Z]{7}) err:([^ ,;\0\r\n]++)( [Tt]ext:)?",
    re.DOTALL,
)
_TLVS: Final = re.compile(rb"\0\x1e\0(.)([^\0]{1,64}+)\0(\x04\x27\0\x01([\x01-\x09]))", re.DOTALL)
_match_sm: Final = _SM.match
_match_tlvs: Final = _TLVS.fullmatch
_new: Final = tuple.__new__


def read_plain(octets: bytes) -> PlainReceipt | None:
    """Read a deliver_sm as a receipt of the common shape; None for anything else, broken PDUs included."""
    found = _match_sm(octets, _HEADER)
    if found is None:
        return None
    service_type, source, dest, flags, length, text_id, stat, error, text = found.groups()
    id_at = found.start(6)
    tlv_at = id_at - 3 + length[0]
    end = found.end()
    if length == b"\xff" or (end != tlv_at and (text is None or end > tlv_at)):
        return None
    id_end = id_at + len(text_id)
    if tlv_at == len(octets):
        state = STATE_OF_STAT.get(stat, STATE_UNKNOWN)
        tlv_id = state_tlv = b""
    else:
        tlvs = _match_tlvs(octets, tlv_at)
        if tlvs is None:
            return None
        tlv_length, tlv_id, state_tlv, octet = tlvs.groups()
        if tlv_length[0] != len(tlv_id) + 1:
            return None
        state = octet[0]
    return _new(
        PlainReceipt,
        (
            source,
            dest,
            tlv_id or text_id,
            state,
            error,
            state in OPEN_STATES,
            text_id,
            tlv_id,
            service_type,
            flags,
            id_end,
            tlv_at,
            state_tlv,
        ),
    )


def rewrite_plain(octets: bytes, receipt: PlainReceipt, *, our_id: bytes, source: Address, dest: Address) -> bytes:
    """Return the deliver_sm body for the tenant; ``receipt`` is what ``read_plain`` made of the same octets."""
    rest = octets[receipt.id_end : receipt.tlv_at]
    length = 3 + len(our_id) + len(rest)
    if length > MAX_SHORT_MESSAGE:
        rest = rest[: MAX_SHORT_MESSAGE - length]
        length = MAX_SHORT_MESSAGE
    state_tlv = receipt.state_tlv
    if not state_tlv:
        return b"%b%c%c%b\0%c%c%b\0%b%cid:%b%b" % (receipt.service_type, *source, *dest, receipt.flags, length, our_id, rest)
    return b"%b%c%c%b\0%c%c%b\0%b%cid:%b%b\0\x1e\0%c%b\0%b" % (
        receipt.service_type,
        *source,
        *dest,
        receipt.flags,
        length,
        our_id,
        rest,
        len(our_id) + 1,
        our_id,
        state_tlv,
    )
