"""TLVs: tag and length of two octets each, then the value (SMPP 3.4 §3.2.4). Found, appended, replaced; order and octets kept.

Unknown tags are as good as known ones: a gateway passes them on. Of a tag that stands twice, the first counts for ourselves and all
are passed on. Must never reorder, decode or drop what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu

HEAD: Final = 4


def iterate(octets: bytes, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, offset of the value, length) to the end. Raises BadPdu(ESME_RINVOPTPARSTREAM) where a TLV is cut short."""
    end = len(octets)
    while at < end:
        if end - at < HEAD:
            raise BadPdu(const.ESME_RINVOPTPARSTREAM, "tlv_cut_short")
        tag = octets[at] << 8 | octets[at + 1]
        length = octets[at + 2] << 8 | octets[at + 3]
        at += HEAD
        if at + length > end:
            raise BadPdu(const.ESME_RINVOPTPARSTREAM, "tlv_cut_short")
        yield tag, at, length
        at += length


def iterate_lenient(octets: bytes, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """Yield what is whole and stop at what is not: a carrier's loose octet must not cost a receipt."""
    end = len(octets)
    while end - at >= HEAD:
        tag = octets[at] << 8 | octets[at + 1]
        length = octets[at + 2] << 8 | octets[at + 3]
        at += HEAD
        if at + length > end:
            return
        yield tag, at, length
        at += length


def find(octets: bytes, at: int, tag: int) -> bytes | None:
    """Return the value of the first TLV with this tag from offset `at` on; None when there is none."""
    for found, value_at, length in iterate_lenient(octets, at):
        if found == tag:
            return octets[value_at : value_at + length]
    return None


def find_all(octets: bytes, at: int, tag: int) -> list[bytes]:
    """Return the values of all TLVs with this tag, in their order."""
    return [octets[value_at : value_at + length] for found, value_at, length in iterate_lenient(octets, at) if found == tag]


def twice(octets: bytes, at: int, tag: int) -> bool:
    """Tell whether more than one TLV has this tag."""
    return sum(found == tag for found, _, _ in iterate_lenient(octets, at)) > 1


def append(tag: int, value: bytes) -> bytes:
    """Return one encoded TLV. Raises OverflowError for a value over 65,535 octets."""
    return tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def replace(octets: bytes, at: int, tag: int, value: bytes) -> bytes:
    """Return the octets with every TLV of this tag from `at` on given a new value, in its place."""
    pieces: list[bytes] = []
    kept = 0
    for found, value_at, length in iterate_lenient(octets, at):
        if found == tag:
            pieces += (octets[kept : value_at - HEAD], append(tag, value))
            kept = value_at + length
    return b"".join((*pieces, octets[kept:])) if pieces else octets


def strip(octets: bytes, at: int) -> bytes:
    """Return the octets without any TLV."""
    return octets[:at]


# How many octets the value of a known TLV may have. Integers: 1, 2 or 4, whatever the table says, because peers send them so.
_INTEGER: Final = frozenset({1, 2, 4})
_LENGTHS: Final[Mapping[int, frozenset[int]]] = {
    **dict.fromkeys(
        (
            const.TAG_DEST_ADDR_SUBUNIT,
            const.TAG_DEST_NETWORK_TYPE,
            const.TAG_DEST_BEARER_TYPE,
            const.TAG_DEST_TELEMATICS_ID,
            const.TAG_SOURCE_ADDR_SUBUNIT,
            const.TAG_SOURCE_NETWORK_TYPE,
            const.TAG_SOURCE_BEARER_TYPE,
            const.TAG_SOURCE_TELEMATICS_ID,
            const.TAG_QOS_TIME_TO_LIVE,
            const.TAG_PAYLOAD_TYPE,
            const.TAG_MS_MSG_WAIT_FACILITIES,
            const.TAG_PRIVACY_INDICATOR,
            const.TAG_USER_MESSAGE_REFERENCE,
            const.TAG_USER_RESPONSE_CODE,
            const.TAG_SOURCE_PORT,
            const.TAG_DESTINATION_PORT,
            const.TAG_SAR_MSG_REF_NUM,
            const.TAG_LANGUAGE_INDICATOR,
            const.TAG_SAR_TOTAL_SEGMENTS,
            const.TAG_SAR_SEGMENT_SEQNUM,
            const.TAG_SC_INTERFACE_VERSION,
            const.TAG_CALLBACK_NUM_PRES_IND,
            const.TAG_NUMBER_OF_MESSAGES,
            const.TAG_DPF_RESULT,
            const.TAG_SET_DPF,
            const.TAG_MS_AVAILABILITY_STATUS,
            const.TAG_DELIVERY_FAILURE_REASON,
            const.TAG_MORE_MESSAGES_TO_SEND,
            const.TAG_MESSAGE_STATE,
            const.TAG_CONGESTION_STATE,
            const.TAG_USSD_SERVICE_OP,
            const.TAG_DISPLAY_TIME,
            const.TAG_SMS_SIGNAL,
            const.TAG_MS_VALIDITY,
            const.TAG_ITS_REPLY_TYPE,
            const.TAG_DEST_ADDR_NP_RESOLUTION,
        ),
        _INTEGER,
    ),
    const.TAG_ALERT_ON_MESSAGE_DELIVERY: frozenset({0, 1}),
    const.TAG_ITS_SESSION_INFO: frozenset({2}),
    const.TAG_NETWORK_ERROR_CODE: frozenset({3, 4}),
    const.TAG_RECEIPTED_MESSAGE_ID: frozenset(range(1, 66)),
    const.TAG_ADDITIONAL_STATUS_INFO_TEXT: frozenset(range(1, 257)),
    const.TAG_CALLBACK_NUM: frozenset(range(4, 20)),
    const.TAG_CALLBACK_NUM_ATAG: frozenset(range(66)),
    const.TAG_SOURCE_SUBADDRESS: frozenset(range(2, 24)),
    const.TAG_DEST_SUBADDRESS: frozenset(range(2, 24)),
}


def check_known(octets: bytes, at: int) -> None:
    """Check the stream and the lengths of known TLVs; what their values mean is not judged here.

    Raises BadPdu: ESME_RINVOPTPARSTREAM (0xC0) for the stream, ESME_RINVPARLEN (0xC2) for a length, with the TLV's name.
    """
    for tag, _, length in iterate(octets, at):
        allowed = _LENGTHS.get(tag)
        if allowed is not None and length not in allowed:
            raise BadPdu(const.ESME_RINVPARLEN, const.TAG_NAMES[tag])
