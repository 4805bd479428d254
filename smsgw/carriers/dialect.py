"""A carrier's habits: the form in which ids are matched, which of a receipt's two ids counts, and bodies for carriers without TLVs.

Carriers answer submit_sm with hex and report in decimal, pad with zeros, change the case (in the field: Kannel's
msg-id-type, zeros and capitals that come and go). Each PDU side has its own rule. What a rule does not fit stays as it is: a UUID
is never read as a number, and letters are folded only where an id is hex or a UUID, because other ids tell "a" from "A".

Promises: a key is made from the id alone, so that both sides meet; no octet sequence raises.
Never here: which message is meant. A second chance is a guess: whoever takes one must find exactly one message, and compare
its destination.
"""

from __future__ import annotations

from string import hexdigits
from typing import Final

from smsgw.model import Dialect
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import HEADER_LENGTH, BadPdu, read_sm
from smsgw.smpp.receipt import Receipt, for_version
from smsgw.smpp.receipt_plain import PlainReceipt

_HEX: Final = frozenset(hexdigits)
_HEX_OR_UUID: Final = _HEX | {"-"}
_DECIMAL: Final = frozenset("0123456789")
_LONGEST_NUMBER: Final = 32
_PADDED: Final = (8, 10)
"""Widths to which carriers pad: 8 hex digits (SMPP 3.3), 10 decimal ones (3.4 Appendix B)."""
_SHORT_MESSAGE_33: Final = 254


def submit_key(dialect: Dialect, raw: bytes) -> str:
    """Return the form in which the id of a submit_sm_resp is matched."""
    text = raw.decode("latin-1")
    if dialect.submit_id == "as-is" and not dialect.strip_zeros:
        if text.isalnum() and text == text.lower():
            return text  # nothing to fold: the common case, kept fast
        return _folded(dialect, text)
    return _key(dialect, text, dialect.submit_id)


def receipt_key(dialect: Dialect, raw: bytes) -> str:
    """Return the form in which the id of a receipt is matched."""
    text = raw.decode("latin-1")
    if dialect.receipt_id == "as-is" and not dialect.strip_zeros:
        if text.isalnum() and text == text.lower():
            return text
        return _folded(dialect, text)
    return _key(dialect, text, dialect.receipt_id)


def key_of(dialect: Dialect, receipt: Receipt | PlainReceipt) -> str:
    """Return the form in which a receipt is matched; "" for one without an id.

    Where TLV and text name different ids the TLV counts, or the text for a carrier that puts something else into the TLV
    (`prefer_id`).
    """
    if dialect.prefer_id == "text" and receipt.text_id:
        return receipt_key(dialect, receipt.text_id)
    return receipt_key(dialect, receipt.message_id)


def second_chances(dialect: Dialect, receipt: Receipt | PlainReceipt) -> tuple[str, ...]:
    """Return other forms in which the message of a receipt may be known, likelier ones first.

    The other one of its two ids; without zeros, padded with them; hex read as decimal and the reverse. For receipts that match
    nothing, and only when all of these together find exactly one message.
    """
    first = key_of(dialect, receipt)
    found: dict[str, None] = {}
    for raw in (receipt.tlv_id, receipt.text_id):
        key = receipt_key(dialect, raw)
        if not key:
            continue
        found[key] = None
        bare = key.lstrip("0") or "0"
        found[bare] = None
        for width in _PADDED:
            found[bare.zfill(width)] = None
        if len(key) <= _LONGEST_NUMBER:
            if _DECIMAL.issuperset(key):
                in_hex = f"{int(key):x}"
                found[in_hex] = None
                found[in_hex.zfill(_PADDED[0])] = None
            if _HEX.issuperset(key):
                found[str(int(key, 16))] = None
    found.pop(first, None)
    return tuple(found)


def _key(dialect: Dialect, text: str, rule: str) -> str:
    text = _ended(text)
    if 0 < len(text) <= _LONGEST_NUMBER:
        if rule == "hex-to-dec" and _HEX.issuperset(text):
            text = str(int(text, 16))
        elif rule == "dec-to-hex" and _DECIMAL.issuperset(text):
            text = f"{int(text):x}"
    text = _folded(dialect, text)
    if dialect.strip_zeros and text:
        text = text.lstrip("0") or "0"
    return text


def _ended(text: str) -> str:
    """Return an id without blanks, up to its NUL: what a careless carrier leaves behind that is no part of it, nor storable."""
    return text.lstrip("\0").partition("\0")[0].strip(" ")


def _folded(dialect: Dialect, text: str) -> str:
    text = _ended(text)
    if dialect.ignore_case and _HEX_OR_UUID.issuperset(text):
        return text.lower()
    return text


def without_tlvs(command: int, body: bytes) -> bytes:
    """Return the body of a submit_sm for a carrier that takes no TLVs (SMPP 3.4 §3.4): a message_payload becomes its short_message.

    Raises BadPdu for what such a carrier can't be sent at all: data_sm, a payload longer than a short_message, nonsense.
    """
    if command != const.SUBMIT_SM:
        raise BadPdu(const.ESME_RINVCMDID, "carrier_without_data_sm")
    octets = bytes(HEADER_LENGTH) + body
    sm = read_sm(octets, const.V50)
    payload = tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b""
    if max(sm.sm_length, len(payload)) > _SHORT_MESSAGE_33:
        raise BadPdu(const.ESME_RINVMSGLEN, "carrier_without_payload")
    return for_version(body, const.V33)
