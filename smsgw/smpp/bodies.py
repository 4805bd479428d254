"""The bodies met now and then: binds, outbind, query_sm, cancel_sm, replace_sm, alert_notification, and the responses.

Same promises as `pdu`: a reader returns a value or raises `BadPdu`; builders return the octets after the header.
submit_multi is in `multi`. Must never: show a password in a repr.
"""

from __future__ import annotations

from typing import NamedTuple

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import (
    ADDRESS_RANGE_MAX,
    DATA_ADDRESS_MAX,
    HEADER_LENGTH,
    MESSAGE_ID_MAX,
    PASSWORD_MAX,
    SERVICE_TYPE_MAX,
    SYSTEM_ID_MAX,
    SYSTEM_TYPE_MAX,
    TIME_LENGTH,
    Reader,
)


class Bind(NamedTuple):
    """The fields of a bind_receiver, bind_transmitter or bind_transceiver (SMPP 3.4 §4.1)."""

    system_id: bytes
    password: bytes
    system_type: bytes
    interface_version: int
    addr_ton: int
    addr_npi: int
    address_range: bytes

    def __repr__(self) -> str:
        """Show everything but the password."""
        return f"Bind(system_id={self.system_id!r}, interface_version=0x{self.interface_version:02x})"


class BindResp(NamedTuple):
    """A bind response: the centre's system_id, and its interface version (None where it sent none)."""

    system_id: bytes
    version: int | None


class Outbind(NamedTuple):
    """The fields of an outbind (SMPP 3.4 §4.1.7)."""

    system_id: bytes
    password: bytes

    def __repr__(self) -> str:
        """Show everything but the password."""
        return f"Outbind(system_id={self.system_id!r})"


class Response(NamedTuple):
    """A submit_sm_resp, deliver_sm_resp or data_sm_resp: message_id, and where its TLVs begin (== length of the PDU: none)."""

    message_id: bytes
    tlv_at: int


class QuerySm(NamedTuple):
    """The fields of a query_sm (SMPP 3.4 §4.8.1)."""

    message_id: bytes
    source_ton: int
    source_npi: int
    source: bytes


class QuerySmResp(NamedTuple):
    """The fields of a query_sm_resp (SMPP 3.4 §4.8.2)."""

    message_id: bytes
    final_date: bytes
    message_state: int
    error_code: int


class CancelSm(NamedTuple):
    """The fields of a cancel_sm (SMPP 3.4 §4.9.1)."""

    service_type: bytes
    message_id: bytes
    source_ton: int
    source_npi: int
    source: bytes
    dest_ton: int
    dest_npi: int
    dest: bytes


class ReplaceSm(NamedTuple):
    """The fields of a replace_sm (SMPP 3.4 §4.10.1)."""

    message_id: bytes
    source_ton: int
    source_npi: int
    source: bytes
    schedule: bytes
    validity: bytes
    registered_delivery: int
    default_msg_id: int
    short_message: bytes


class AlertNotification(NamedTuple):
    """The fields of an alert_notification (SMPP 3.4 §4.12.1)."""

    source_ton: int
    source_npi: int
    source: bytes
    esme_ton: int
    esme_npi: int
    esme: bytes
    tlv_at: int


def read_bind(octets: bytes) -> Bind:
    """Read a bind request. Raises BadPdu with the status of the field that is wrong (5.0 §4.7.6)."""
    body = Reader(octets)
    return Bind(
        body.string(SYSTEM_ID_MAX, const.ESME_RINVSYSID, "system_id"),
        body.string(PASSWORD_MAX, const.ESME_RINVPASWD, "password"),
        body.string(SYSTEM_TYPE_MAX, const.ESME_RINVSYSTYP, "system_type"),
        body.octet(),
        body.octet(),
        body.octet(),
        body.string(ADDRESS_RANGE_MAX, const.ESME_RBINDFAIL, "address_range"),
    )


def read_bind_resp(octets: bytes) -> BindResp:
    """Read a bind response; nothing in it is required, because refusals come with and without a body. Never raises."""
    end = octets.find(0, HEADER_LENGTH)
    if end < 0:
        return BindResp(octets[HEADER_LENGTH:], None)
    version = None
    for tag, at, length in tlv.iterate_lenient(octets, end + 1):
        if tag == const.TAG_SC_INTERFACE_VERSION and length:
            version = octets[at + length - 1]  # one octet by the specification; of a wider integer the last one tells
    return BindResp(octets[HEADER_LENGTH:end], version)


def read_outbind(octets: bytes) -> Outbind:
    """Read an outbind. Raises BadPdu."""
    body = Reader(octets)
    return Outbind(
        body.string(SYSTEM_ID_MAX, const.ESME_RINVSYSID, "system_id"),
        body.string(PASSWORD_MAX, const.ESME_RINVPASWD, "password"),
    )


def read_response(octets: bytes) -> Response:
    """Read a response that carries a message_id, with or without a body, a NUL and TLVs, of any status. Never raises."""
    end = octets.find(0, HEADER_LENGTH)
    return Response(octets[HEADER_LENGTH:end], end + 1) if end >= 0 else Response(octets[HEADER_LENGTH:], len(octets))


def read_query_sm(octets: bytes) -> QuerySm:
    """Read a query_sm. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    return QuerySm(message_id, *body.source())


def read_query_sm_resp(octets: bytes) -> QuerySmResp:
    """Read a query_sm_resp. Raises BadPdu. A final_date may be a short local time (3.4 §7.1.1), so only its limit is held."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    final_date = body.string(TIME_LENGTH, const.ESME_RINVEXPIRY, "final_date")
    return QuerySmResp(message_id, final_date, body.octet(), body.octet())


def read_cancel_sm(octets: bytes) -> CancelSm:
    """Read a cancel_sm. Raises BadPdu."""
    body = Reader(octets)
    service_type = body.string(SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type")
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    source = body.source()
    return CancelSm(service_type, message_id, *source, *body.dest())


def read_replace_sm(octets: bytes, version: int = const.V34) -> ReplaceSm:
    """Read a replace_sm. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    source = body.source()
    schedule = body.time(const.ESME_RINVSCHED, "schedule_delivery_time")
    validity = body.time(const.ESME_RINVEXPIRY, "validity_period")
    registered, default_msg_id = body.octet(), body.octet()
    return ReplaceSm(message_id, *source, schedule, validity, registered, default_msg_id, body.short_message(version))


def read_alert_notification(octets: bytes) -> AlertNotification:
    """Read an alert_notification. Raises BadPdu."""
    body = Reader(octets)
    source = body.address(const.ESME_RINVSRCADR, "source_addr", DATA_ADDRESS_MAX)
    esme = body.address(const.ESME_RINVDSTADR, "esme_addr", DATA_ADDRESS_MAX)
    return AlertNotification(*source, *esme, body.at)


# ---- builders -------------------------------------------------------------------------------------------------------------


def bind_body(
    *,
    system_id: bytes,
    password: bytes = b"",
    system_type: bytes = b"",
    interface_version: int = const.V34,
    addr_ton: int = 0,
    addr_npi: int = 0,
    address_range: bytes = b"",
) -> bytes:
    """Return the body of a bind request."""
    numbers = bytes((interface_version, addr_ton, addr_npi))
    return b"".join((system_id, b"\0", password, b"\0", system_type, b"\0", numbers, address_range, b"\0"))


def bind_resp_body(system_id: bytes, version: int | None) -> bytes:
    """Return the body of a bind response; no TLV where `version` is None: a 3.3 peer never gets one (3.4 §3.4)."""
    body = system_id + b"\0"
    return body if version is None else body + tlv.append(const.TAG_SC_INTERFACE_VERSION, bytes((version,)))


def outbind_body(*, system_id: bytes, password: bytes) -> bytes:
    """Return the body of an outbind."""
    return system_id + b"\0" + password + b"\0"


def query_sm_body(*, message_id: bytes, source: bytes = b"", source_ton: int = 0, source_npi: int = 0) -> bytes:
    """Return the body of a query_sm."""
    return message_id + bytes((0, source_ton, source_npi)) + source + b"\0"


def query_sm_resp_body(*, message_id: bytes, final_date: bytes, message_state: int, error_code: int) -> bytes:
    """Return the body of a query_sm_resp."""
    return message_id + b"\0" + final_date + bytes((0, message_state, error_code))


def cancel_sm_body(
    *,
    message_id: bytes = b"",
    service_type: bytes = b"",
    source: bytes = b"",
    source_ton: int = 0,
    source_npi: int = 0,
    dest: bytes = b"",
    dest_ton: int = 0,
    dest_npi: int = 0,
) -> bytes:
    """Return the body of a cancel_sm: by message_id, or of all that wait from source to dest."""
    source_at, dest_at = bytes((0, source_ton, source_npi)), bytes((0, dest_ton, dest_npi))
    return b"".join((service_type, b"\0", message_id, source_at, source, dest_at, dest, b"\0"))


def replace_sm_body(
    *,
    message_id: bytes,
    short_message: bytes,
    source: bytes = b"",
    source_ton: int = 0,
    source_npi: int = 0,
    schedule: bytes = b"",
    validity: bytes = b"",
    registered_delivery: int = 0,
    default_msg_id: int = 0,
) -> bytes:
    """Return the body of a replace_sm; data_coding stays that of the message. Raises ValueError for over 255 octets."""
    head = message_id + bytes((0, source_ton, source_npi)) + source + b"\0"
    tail = bytes((0, registered_delivery, default_msg_id, len(short_message)))
    return b"".join((head, schedule, b"\0", validity, tail, short_message))


def alert_notification_body(
    *,
    source: bytes,
    esme: bytes,
    source_ton: int = 0,
    source_npi: int = 0,
    esme_ton: int = 0,
    esme_npi: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """Return the body of an alert_notification."""
    return b"".join((bytes((source_ton, source_npi)), source, bytes((0, esme_ton, esme_npi)), esme, b"\0", tlvs))
