"""Delivery receipts: read as carriers really send them, passed on octet for octet, and written strictly.

What it is: ``parse`` finds the message id, the state and the dates in a deliver_sm (or data_sm) of a carrier: TLVs
first, the text of SMPP 3.4 Appendix B second. ``rewrite`` makes the deliver_sm body for the tenant, ``build`` the body
of a receipt of our own, ``for_version`` takes out what a peer older than SMPP 3.4 must not see (SMPP 3.4 §3.4).

What it promises: no octets of a peer raise here; an answer is found or ``None`` is returned. ``rewrite`` changes the
addresses and every place of the message id and nothing else, but that a broken end of the TLVs (SMPP 3.4 §3.2.4) is
left out and that the tail of a text which our longer id pushes over the limit of short_message is cut.

What it must never do: read a carrier's id as a number, add a TLV that was not there, or let the text of the tenant's
own message, which carriers repeat behind ``text:``, stand in for a field of the receipt that was read before it.

Choices where the specification is open: the first of repeated TLVs counts and all are rewritten; a state of 0, or above
9, in the TLV gives way to a known state in the text; a state word that nobody knows is UNKNOWN and closes the message;
a receipt that tells no state at all never does.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from smsgw.smpp.const import (
    STATE_DELIVERED,
    STATE_UNKNOWN,
    TAG_MESSAGE_PAYLOAD,
    TAG_MESSAGE_STATE,
    TAG_RECEIPTED_MESSAGE_ID,
    V34,
    V50,
)
from smsgw.smpp.pdu import DataSm, Sm, read_sm
from smsgw.smpp.receipt_text import Fields, read_fields
from smsgw.smpp.tlv import append, find, iterate_lenient
from smsgw.smpp.udh import UDHI, read_udh

Address = tuple[int, int, bytes]
"""TON, NPI and the address, without its NUL."""

_HEADER: Final = 16
_LONGEST_ID: Final = 64
MAX_SHORT_MESSAGE: Final = 254

STAT_OF_STATE: Final[Mapping[int, bytes]] = {
    0: b"ENROUTE",  # SCHEDULED, which has no word in Appendix B
    1: b"ENROUTE",
    2: b"DELIVRD",
    3: b"EXPIRED",
    4: b"DELETED",
    5: b"UNDELIV",
    6: b"ACCEPTD",
    7: b"UNKNOWN",
    8: b"REJECTD",
    9: b"SKIPPED",
}
"""message_state (SMPP 3.4 §5.2.28, SMPP 5.0 §4.7.15) to the word of Appendix B."""

STATE_OF_STAT: Final[Mapping[bytes, int]] = {
    b"SCHEDUL": 0,
    b"ENROUTE": 1,
    b"BUFFERE": 1,
    b"BUFFERD": 1,
    b"BUFFRED": 1,
    b"DELIVRD": 2,
    b"DELIVER": 2,
    b"EXPIRED": 3,
    b"DELETED": 4,
    b"UNDELIV": 5,
    b"FAILED": 5,
    b"ACCEPTD": 6,
    b"ACCEPTE": 6,
    b"UNKNOWN": 7,
    b"REJECTD": 8,
    b"REJECTE": 8,
    b"SKIPPED": 9,
}
"""The first seven letters of the word, in capitals, to message_state: with the long spellings that carriers send."""

OPEN_STATES: Final = frozenset((0, 1, 6))
_INTERMEDIATE: Final = 0x20
_RECEIPT_TYPES: Final = frozenset((0x04, 0x20))
_TYPE_BITS: Final = 0x3C


class Receipt(NamedTuple):
    """What a carrier's receipt says, and where in the PDU it says it (offsets include the header of 16 octets)."""

    message_id: bytes
    """The carrier's id: of the TLV if there is one, else of the text; b"" without one, or for one of over 64 octets."""
    stat: bytes
    """The state's word in capitals, at most seven letters; made from the state when the text has none."""
    state: int
    """message_state 0-9."""
    error: bytes
    submit_date: bytes
    done_date: bytes
    text: bytes
    """What stands behind ``text:``, in the coding of the PDU."""
    final: bool
    """The message's fate is sealed. Never true for an intermediate notification."""
    intermediate: bool
    """The carrier still tries: esm_class says so, or the state does."""
    id_from_tlv: bool
    text_id: bytes
    tlv_id: bytes
    tlv_state: int
    """The value of the TLV message_state as sent, -1 without one."""
    id_at: int
    """Where the id stands in the text, 0 when it does not."""
    id_end: int
    tlv_id_at: int
    """Where the first TLV receipted_message_id begins (its tag), 0 without one."""
    end: int
    """Where the last whole TLV ends."""
    plain: bool
    """One octet a character, in short_message, at most one id TLV: the shape that is spliced in one go."""


_COMMON: Final = re.compile(
    rb"id:([^ ,;\0\r\n]++) sub:[0-9]++ dlvrd:[0-9]++ submit date:([0-9]{10,14}) done date:([0-9]{10,14}) "
    rb"stat:([A-Z]{7}) err:([^ ,;\0\r\n]++)(?: [Tt]ext:(.*))?",
    re.DOTALL,
)
_match_common: Final = _COMMON.fullmatch
_unpack_tlv: Final = struct.Struct(">HH").unpack_from


def parse(octets: bytes, sm: Sm | DataSm, *, typed_only: bool = False) -> Receipt | None:
    """Read the receipt in a deliver_sm or data_sm, or return None when it is not one.

    esm_class tells a receipt (0x04) and an intermediate notification (0x20); with type bits of zero only a text or TLVs
    that cannot be much else do, because some carriers send them so. ``typed_only`` refuses those, for carriers that set
    esm_class rightly: else a handset that writes such a text gets it as far as the look-up of the id.
    SMPP 3.4 §5.2.12, Appendix B.
    """
    esm_class = sm.esm_class
    kind = esm_class & _TYPE_BITS
    if kind not in _RECEIPT_TYPES and (kind or typed_only or not _resembles(octets, sm)):
        return None
    found = None if esm_class & UDHI or isinstance(sm, DataSm) else _match_common(octets, sm.sm_at, sm.tlv_at)
    if found is None:
        return _read(octets, kind, _find_text(octets, sm), sm.tlv_at)
    text_id, submit_date, done_date, stat, error, text = found.groups(b"")
    id_at, id_end = found.span(1)
    fields = Fields(text_id, stat, error, submit_date, done_date, text, id_at, id_end)
    return _receipt(kind, fields, _walk(octets, sm.tlv_at), plain=True)


class _Tlvs(NamedTuple):
    """What the TLVs say."""

    tlv_id: bytes
    id_at: int
    state: int
    end: int
    single: bool


def _walk(octets: bytes, at: int) -> _Tlvs:
    """Read the TLVs from ``at`` on, as far as they are whole (SMPP 3.4 §3.2.4.1)."""
    size = len(octets)
    tlv_id, id_at, state, single = b"", 0, -1, True
    while at + 4 <= size:
        tag, length = _unpack_tlv(octets, at)
        end = at + 4 + length
        if end > size:
            break
        if tag == TAG_RECEIPTED_MESSAGE_ID:
            if id_at:
                single = False
            else:
                id_at, tlv_id = at, octets[at + 4 : end].rstrip(b"\0")
        elif tag == TAG_MESSAGE_STATE and state < 0 and 1 <= length <= 4:
            state = int.from_bytes(octets[at + 4 : end], "big")
        at = end
    return _Tlvs(tlv_id, id_at, state, at, single)


def _receipt(kind: int, fields: Fields, tlvs: _Tlvs, *, plain: bool) -> Receipt:
    """Weigh text against TLVs; the one place where a Receipt is made."""
    text_id, stat, error, submit_date, done_date, text, id_at, id_end = fields
    tlv_id, tlv_id_at, tlv_state, end, single = tlvs
    state = STATE_OF_STAT.get(stat, STATE_UNKNOWN)
    if 0 < tlv_state <= 9 or (tlv_state == 0 and not stat):
        state = tlv_state
    message_id = tlv_id or text_id
    told = bool(stat) or tlv_state >= 0
    intermediate = kind == _INTERMEDIATE or state in OPEN_STATES
    return Receipt(
        message_id if len(message_id) <= _LONGEST_ID else b"",
        stat or STAT_OF_STATE[state],
        state,
        error,
        submit_date,
        done_date,
        text,
        told and not intermediate,
        intermediate,
        bool(tlv_id),
        text_id,
        tlv_id,
        tlv_state,
        id_at,
        id_end,
        tlv_id_at,
        end,
        plain and single,
    )


# The lenient way.


class _Text(NamedTuple):
    """A text to read: its octets [at, end) of the PDU, at one or two octets a character."""

    at: int
    end: int


def _read(octets: bytes, kind: int, where: _Text, tlv_at: int) -> Receipt:
    fields = read_fields(octets[where.at : where.end], where.at)
    plain = 0 < fields.id_at < tlv_at and fields.id_end - fields.id_at == len(fields.text_id)
    return _receipt(kind, fields, _walk(octets, tlv_at), plain=plain)


def _find_text(octets: bytes, sm: Sm | DataSm) -> _Text:
    """Find the text: short_message behind its UDH, or message_payload when short_message is empty or not there."""
    if isinstance(sm, DataSm) or not sm.sm_length:
        return _find_payload(octets, sm.tlv_at, sm.esm_class)
    return _behind_udh(octets, sm.sm_at, sm.tlv_at, sm.esm_class)


def _find_payload(octets: bytes, at: int, esm_class: int) -> _Text:
    for tag, value_at, length in iterate_lenient(octets, at):
        if tag == TAG_MESSAGE_PAYLOAD:
            return _behind_udh(octets, value_at, value_at + length, esm_class)
    return _Text(at, at)


def _behind_udh(octets: bytes, at: int, end: int, esm_class: int) -> _Text:
    udh = read_udh(octets[at:end]) if esm_class & UDHI else None
    if udh is not None and udh.whole:  # else a text under a wrong esm_class
        at += udh.length
    return _Text(at, end)


def _names_id_and_state(octets: bytes, at: int) -> bool:
    tlvs = _walk(octets, at)
    return bool(tlvs.tlv_id) and tlvs.state >= 0


def _resembles(octets: bytes, sm: Sm | DataSm) -> bool:
    """Tell a receipt with no type bits: both TLVs, or a text that opens with an id and has a stat and a done date."""
    if _names_id_and_state(octets, sm.tlv_at):
        return True
    where = _find_text(octets, sm)
    opening = octets[where.at : where.at + 6].replace(b"\0", b"").lstrip().lower()
    if not opening.startswith(b"id:"):
        return False
    fields = read_fields(octets[where.at : where.end], where.at)
    return bool(fields.text_id and fields.stat and fields.done_date)


# Passing on.


def rewrite(octets: bytes, sm: Sm | DataSm, receipt: Receipt, *, our_id: bytes, source: Address, dest: Address) -> bytes:
    """Return the body for the tenant: our id in text and TLV, these addresses, every other octet as it came.

    ``receipt`` is what ``parse`` made of the same octets; the body is of the command that came, deliver_sm or data_sm.
    A short_message that grows over 254 octets loses its tail.
    """
    if isinstance(sm, DataSm):
        kept = octets[sm.esm_at : sm.tlv_at]
        return octets[16 : sm.source_at] + _addresses(source, dest) + kept + _rewrite_tlvs(octets, sm.tlv_at, receipt, our_id)
    if not receipt.plain:
        return _rewrite_any(octets, sm, receipt, our_id, _addresses(source, dest))
    sm_at = sm.sm_at
    short_message = b"%b%b%b" % (octets[sm_at : receipt.id_at], our_id, octets[receipt.id_end : sm.tlv_at])
    if len(short_message) > MAX_SHORT_MESSAGE:
        short_message = short_message[:MAX_SHORT_MESSAGE]
    tlvs = octets[sm.tlv_at : receipt.end]
    if receipt.tlv_id_at:
        tlvs = b"%b%b%b" % (
            octets[sm.tlv_at : receipt.tlv_id_at],
            _id_tlv(our_id),
            octets[_tlv_end(octets, receipt.tlv_id_at) : receipt.end],
        )
    return b"%b%b%b%c%b%b" % (
        octets[16 : sm.source_at],
        _addresses(source, dest),
        octets[sm.esm_at : sm_at - 1],
        len(short_message),
        short_message,
        tlvs,
    )


def _addresses(source: Address, dest: Address) -> bytes:
    return b"%c%c%b\0%c%c%b\0" % (source + dest)


def _id_tlv(our_id: bytes) -> bytes:
    return b"\0\x1e%b%b\0" % ((len(our_id) + 1).to_bytes(2, "big"), our_id)


def _tlv_end(octets: bytes, at: int) -> int:
    return at + 4 + int.from_bytes(octets[at + 2 : at + 4], "big")


def rewrite_data(octets: bytes, sm: DataSm, receipt: Receipt, *, our_id: bytes, source: Address, dest: Address) -> bytes:
    """As ``rewrite``, but a deliver_sm body for what came by data_sm: for tenants that know deliver_sm alone.

    The content stays in message_payload (SMPP 3.4 §4.6.1, §4.7.1).
    """
    return b"%b%b%c\0\0\0\0%c\0%c\0\0%b" % (
        octets[16 : sm.source_at],
        _addresses(source, dest),
        sm.esm_class,
        sm.registered_delivery,
        sm.data_coding,
        _rewrite_tlvs(octets, sm.tlv_at, receipt, our_id),
    )


def _rewrite_any(octets: bytes, sm: Sm, receipt: Receipt, our_id: bytes, addresses: bytes) -> bytes:
    """Rewrite the shapes that are not plain: no id in the text, wide characters, a payload, several id TLVs."""
    short_message = octets[sm.sm_at : sm.tlv_at]
    if sm.sm_at <= receipt.id_at < sm.tlv_at:
        id_at, id_end = receipt.id_at - sm.sm_at, receipt.id_end - sm.sm_at
        written = _as_written(octets, receipt, our_id)
        short_message = short_message[:id_at] + written + short_message[id_end:]
        if len(short_message) > MAX_SHORT_MESSAGE:
            half = (MAX_SHORT_MESSAGE - id_at) % 2 if len(written) != len(our_id) else 0
            short_message = short_message[: MAX_SHORT_MESSAGE - half]
    return b"%b%b%b%c%b%b" % (
        octets[16 : sm.source_at],
        addresses,
        octets[sm.esm_at : sm.sm_at - 1],
        len(short_message),
        short_message,
        _rewrite_tlvs(octets, sm.tlv_at, receipt, our_id),
    )


def _rewrite_tlvs(octets: bytes, at: int, receipt: Receipt, our_id: bytes) -> bytes:
    """Return the whole TLVs in their order, our id in each id TLV and in the payload where the text's id stands."""
    pieces = []
    for tag, value_at, length in iterate_lenient(octets, at):
        end = value_at + length
        if tag == TAG_RECEIPTED_MESSAGE_ID:
            pieces.append(_id_tlv(our_id))
        elif tag == TAG_MESSAGE_PAYLOAD and value_at <= receipt.id_at < end:
            written = _as_written(octets, receipt, our_id)
            value = octets[value_at : receipt.id_at] + written + octets[receipt.id_end : end]
            pieces.append(append(tag, value[:0xFFFF]))
        else:
            pieces.append(octets[value_at - 4 : end])
    return b"".join(pieces)


def _as_written(octets: bytes, receipt: Receipt, our_id: bytes) -> bytes:
    """Write our id in the width and byte order of the carrier's."""
    if receipt.id_end - receipt.id_at == len(receipt.text_id):
        return our_id
    return our_id.decode("latin-1").encode("utf-16-le" if octets[receipt.id_at] else "utf-16-be")


# Receipts of our own, and peers older than SMPP 3.4.


def build(
    *,
    our_id: bytes,
    source: Address,
    dest: Address,
    state: int,
    submit_date: bytes,
    done_date: bytes,
    stat: bytes | None = None,
    error: bytes = b"000",
    sub: int = 1,
    dlvrd: int | None = None,
    text: bytes = b"",
    tlvs: bool = True,
    esm_class: int = 0x04,
    data_coding: int = 0,
) -> bytes:
    """Return the deliver_sm body of a receipt that we originate, to the letter of SMPP 3.4 Appendix B.

    Dates are YYMMDDhhmm. ``source`` is the original destination (SMPP 5.0 §4.3.5.1). ``dlvrd`` is ``sub`` for a message
    delivered, else 0, when not given. ``text`` keeps its first 20 octets; SCHEDULED is sent as ENROUTE (no 3.4 word).
    """
    if dlvrd is None:
        dlvrd = sub if state == STATE_DELIVERED else 0
    short_message = b"id:%b sub:%03d dlvrd:%03d submit date:%b done date:%b stat:%b err:%b text:%b" % (
        our_id,
        min(sub, 999),
        min(dlvrd, 999),
        submit_date,
        done_date,
        stat if stat is not None else STAT_OF_STATE.get(state, b"UNKNOWN"),
        error[:3].rjust(3, b"0"),
        text[:20],
    )
    short_message = short_message[:MAX_SHORT_MESSAGE]
    added = _id_tlv(our_id) + b"\x04\x27\0\x01%c" % (state or 1) if tlvs else b""
    return b"\0%b%c\0\0\0\0\0\0%c\0%c%b%b" % (
        _addresses(source, dest),
        esm_class,
        data_coding,
        len(short_message),
        short_message,
        added,
    )


def for_version(body: bytes, version: int) -> bytes:
    """Return a deliver_sm body fit for a session of this interface_version: below 0x34 without TLVs (SMPP 3.4 §3.4).

    A message_payload moves into an empty short_message and is cut at 254 octets: right for a receipt, whose end is the
    repeated text, and a loss for a message (``text.split`` makes parts of one). Raises BadPdu for what is no such body.
    """
    if version >= V34:
        return body
    sm = read_sm(bytes(_HEADER) + body, V50)
    sm_at, tlv_at = sm.sm_at - _HEADER, sm.tlv_at - _HEADER
    short_message = body[sm_at:tlv_at][:MAX_SHORT_MESSAGE]
    if not short_message:
        short_message = (find(body, tlv_at, TAG_MESSAGE_PAYLOAD) or b"")[:MAX_SHORT_MESSAGE]
    return b"%b%c%b" % (body[: sm_at - 1], len(short_message), short_message)
