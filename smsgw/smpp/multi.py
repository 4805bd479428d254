"""submit_multi and submit_multi_resp: one message to many destinations (SMPP 3.4 §4.5).

Same promises as `pdu`: a reader returns a value or raises `BadPdu`; builders return the octets after the header.

Must never: read beyond the end of the PDU that it was given.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from smsgw.smpp import const
from smsgw.smpp.pdu import MESSAGE_ID_MAX, SERVICE_TYPE_MAX, BadPdu, Reader

DL_NAME_MAX: Final = 20
SME: Final = 1
DISTRIBUTION_LIST: Final = 2
MAX_DESTS_34: Final = 254


class Destination(NamedTuple):
    """One destination of a submit_multi: an SME address, or a distribution list by name (ton and npi are 0 then)."""

    flag: int
    ton: int
    npi: int
    address: bytes


class SubmitMulti(NamedTuple):
    """The fields of a submit_multi (SMPP 3.4 §4.5.1)."""

    service_type: bytes
    source_ton: int
    source_npi: int
    source: bytes
    destinations: tuple[Destination, ...]
    esm_class: int
    protocol_id: int
    priority: int
    schedule: bytes
    validity: bytes
    registered_delivery: int
    replace: int
    data_coding: int
    default_msg_id: int
    short_message: bytes
    tlv_at: int


class Unsuccessful(NamedTuple):
    """A destination of a submit_multi that was not accepted, and why."""

    ton: int
    npi: int
    address: bytes
    error: int


class SubmitMultiResp(NamedTuple):
    """The fields of a submit_multi_resp (SMPP 3.4 §4.5.2)."""

    message_id: bytes
    unsuccessful: tuple[Unsuccessful, ...]


def read_submit_multi(octets: bytes, version: int = const.V34) -> SubmitMulti:
    """Read a submit_multi. Raises BadPdu: ESME_RINVNUMDESTS for a count of 0, over 254 (255 in 5.0) or over the PDU's end."""
    body = Reader(octets)
    service_type = body.string(SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type")
    source = body.source()
    count = body.octet()
    if count == 0 or (count > MAX_DESTS_34 and version < const.V50):
        raise BadPdu(const.ESME_RINVNUMDESTS, "number_of_dests")
    try:
        destinations = tuple(_destination(body) for _ in range(count))
    except BadPdu as error:
        if error.status == const.ESME_RINVCMDLEN:
            raise BadPdu(const.ESME_RINVNUMDESTS, "number_of_dests") from None
        raise
    esm_class, protocol_id, priority = body.octet(), body.octet(), body.octet()
    schedule = body.time(const.ESME_RINVSCHED, "schedule_delivery_time")
    validity = body.time(const.ESME_RINVEXPIRY, "validity_period")
    rest = (body.octet(), body.octet(), body.octet(), body.octet())
    short_message = body.short_message(version)
    return SubmitMulti(
        service_type, *source, destinations, esm_class, protocol_id, priority, schedule, validity, *rest, short_message, body.at
    )


def read_submit_multi_resp(octets: bytes) -> SubmitMultiResp:
    """Read a submit_multi_resp. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    failed = tuple(Unsuccessful(*body.dest(), int.from_bytes(body.take(4), "big")) for _ in range(body.octet()))
    return SubmitMultiResp(message_id, failed)


def _destination(body: Reader) -> Destination:
    flag = body.octet()
    if flag == SME:
        return Destination(flag, *body.dest())
    if flag == DISTRIBUTION_LIST:
        return Destination(flag, 0, 0, body.string(DL_NAME_MAX, const.ESME_RINVDLNAME, "dl_name"))
    raise BadPdu(const.ESME_RINVDESTFLAG, "dest_flag")


def submit_multi_body(
    *,
    source: bytes,
    destinations: tuple[Destination, ...],
    short_message: bytes = b"",
    service_type: bytes = b"",
    source_ton: int = 0,
    source_npi: int = 0,
    esm_class: int = 0,
    protocol_id: int = 0,
    priority: int = 0,
    schedule: bytes = b"",
    validity: bytes = b"",
    registered_delivery: int = 0,
    replace: int = 0,
    data_coding: int = 0,
    default_msg_id: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """Return the body of a submit_multi. Raises ValueError for more than 255 destinations or octets."""
    pieces = [service_type, bytes((0, source_ton, source_npi)), source, bytes((0, len(destinations)))]
    for one in destinations:
        numbers = bytes((SME, one.ton, one.npi)) if one.flag == SME else bytes((one.flag,))
        pieces += (numbers, one.address, b"\0")
    times = (bytes((esm_class, protocol_id, priority)), schedule, b"\0", validity, b"\0")
    rest = bytes((registered_delivery, replace, data_coding, default_msg_id, len(short_message)))
    return b"".join((*pieces, *times, rest, short_message, tlvs))


def submit_multi_resp_body(*, message_id: bytes, unsuccessful: tuple[Unsuccessful, ...] = ()) -> bytes:
    """Return the body of a submit_multi_resp; the count is written also when it is 0."""
    failed = b"".join(bytes((u.ton, u.npi)) + u.address + b"\0" + u.error.to_bytes(4, "big") for u in unsuccessful)
    return message_id + bytes((0, len(unsuccessful))) + failed
