"""The bodies met now and then: binds, query_sm, cancel_sm, replace_sm, submit_multi, alert_notification, outbind, and their answers.

Same promises as `pdu`: a reader returns a value or raises `BadPdu`; builders return the octets after the header.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import (
    ADDRESS_MAX,
    ADDRESS_RANGE_MAX,
    DATA_ADDRESS_MAX,
    MAX_SHORT_MESSAGE_34,
    PASSWORD_MAX,
    SERVICE_TYPE_MAX,
    SYSTEM_ID_MAX,
    SYSTEM_TYPE_MAX,
    BadPdu,
    Reader,
)

MESSAGE_ID_MAX: Final = 64
DL_NAME_MAX: Final = 20
SME: Final = 1
DISTRIBUTION_LIST: Final = 2
MAX_DESTS_34: Final = 254


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


class AlertNotification(NamedTuple):
    """The fields of an alert_notification (SMPP 3.4 §4.12.1)."""

    source_ton: int
    source_npi: int
    source: bytes
    esme_ton: int
    esme_npi: int
    esme: bytes
    tlv_at: int


class Outbind(NamedTuple):
    """The fields of an outbind (SMPP 3.4 §4.1.7)."""

    system_id: bytes
    password: bytes

    def __repr__(self) -> str:
        """Show everything but the password."""
        return f"Outbind(system_id={self.system_id!r})"


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
    end = octets.find(0, 16)
    if end < 0:
        return BindResp(octets[16:], None)
    version = None
    for tag, at, length in tlv.iterate_lenient(octets, end + 1):
        if tag == const.TAG_SC_INTERFACE_VERSION and length == 1:
            version = octets[at]
    return BindResp(octets[16:end], version)


def read_query_sm(octets: bytes) -> QuerySm:
    """Read a query_sm. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    return QuerySm(message_id, *_address(body))


def read_query_sm_resp(octets: bytes) -> QuerySmResp:
    """Read a query_sm_resp. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    return QuerySmResp(message_id, body.time(const.ESME_RINVEXPIRY, "final_date"), body.octet(), body.octet())


def read_cancel_sm(octets: bytes) -> CancelSm:
    """Read a cancel_sm. Raises BadPdu."""
    body = Reader(octets)
    service_type = body.string(SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type")
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    source = _address(body)
    return CancelSm(service_type, message_id, *source, *_address(body, const.ESME_RINVDSTADR, "destination_addr"))


def read_replace_sm(octets: bytes) -> ReplaceSm:
    """Read a replace_sm. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    source = _address(body)
    schedule = body.time(const.ESME_RINVSCHED, "schedule_delivery_time")
    validity = body.time(const.ESME_RINVEXPIRY, "validity_period")
    registered, default_msg_id = body.octet(), body.octet()
    return ReplaceSm(message_id, *source, schedule, validity, registered, default_msg_id, _short_message(body))


def read_submit_multi(octets: bytes) -> SubmitMulti:
    """Read a submit_multi. Raises BadPdu (CONFORMANCE 162)."""
    body = Reader(octets)
    service_type = body.string(SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type")
    source = _address(body)
    count = body.octet()
    if not 1 <= count <= MAX_DESTS_34 + 1:
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
    short_message = _short_message(body)
    return SubmitMulti(
        service_type, *source, destinations, esm_class, protocol_id, priority, schedule, validity, *rest, short_message, body.at
    )


def read_submit_multi_resp(octets: bytes) -> SubmitMultiResp:
    """Read a submit_multi_resp. Raises BadPdu."""
    body = Reader(octets)
    message_id = body.string(MESSAGE_ID_MAX, const.ESME_RINVMSGID, "message_id")
    failed = tuple(
        Unsuccessful(*_address(body, const.ESME_RINVDSTADR, "destination_addr")[:3], int.from_bytes(body.take(4), "big"))
        for _ in range(body.octet())
    )
    return SubmitMultiResp(message_id, failed)


def read_alert_notification(octets: bytes) -> AlertNotification:
    """Read an alert_notification. Raises BadPdu."""
    body = Reader(octets)
    source = (body.octet(), body.octet(), body.string(DATA_ADDRESS_MAX, const.ESME_RINVSRCADR, "source_addr"))
    esme = (body.octet(), body.octet(), body.string(DATA_ADDRESS_MAX, const.ESME_RINVDSTADR, "esme_addr"))
    return AlertNotification(*source, *esme, body.at)


def read_outbind(octets: bytes) -> Outbind:
    """Read an outbind. Raises BadPdu."""
    body = Reader(octets)
    return Outbind(
        body.string(SYSTEM_ID_MAX, const.ESME_RINVSYSID, "system_id"),
        body.string(PASSWORD_MAX, const.ESME_RINVPASWD, "password"),
    )


def _address(
    body: Reader, status: int = const.ESME_RINVSRCADR, name: str = "source_addr"
) -> tuple[int, int, bytes]:
    return body.octet(), body.octet(), body.string(ADDRESS_MAX, status, name)


def _destination(body: Reader) -> Destination:
    flag = body.octet()
    if flag == SME:
        return Destination(flag, *_address(body, const.ESME_RINVDSTADR, "destination_addr"))
    if flag == DISTRIBUTION_LIST:
        return Destination(flag, 0, 0, body.string(DL_NAME_MAX, const.ESME_RINVDLNAME, "dl_name"))
    raise BadPdu(const.ESME_RINVDESTFLAG, "dest_flag")


def _short_message(body: Reader) -> bytes:
    length = body.octet()
    try:
        return body.take(length)
    except BadPdu:
        raise BadPdu(const.ESME_RINVMSGLEN, "sm_length") from None


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


def query_sm_body(*, message_id: bytes, source: bytes = b"", source_ton: int = 0, source_npi: int = 0) -> bytes:
    """Return the body of a query_sm."""
    return message_id + bytes((0, source_ton, source_npi)) + source + b"\0"


def query_sm_resp_body(*, message_id: bytes, final_date: bytes, message_state: int, error_code: int) -> bytes:
    """Return the body of a query_sm_resp."""
    return message_id + b"\0" + final_date + bytes((0, message_state, error_code))


def cancel_sm_body(*, message_id: bytes, source: bytes = b"", dest: bytes = b"", service_type: bytes = b"") -> bytes:
    """Return the body of a cancel_sm."""
    return service_type + b"\0" + message_id + b"\0\0\0" + source + b"\0\0\0" + dest + b"\0"


def replace_sm_body(*, message_id: bytes, short_message: bytes, source: bytes = b"", registered_delivery: int = 0) -> bytes:
    """Return the body of a replace_sm."""
    if len(short_message) > MAX_SHORT_MESSAGE_34:
        raise ValueError("short_message is longer than 254 octets")
    tail = bytes((registered_delivery, 0, len(short_message)))
    return message_id + b"\0\0\0" + source + b"\0\0\0" + tail + short_message


def submit_multi_body(
    *, source: bytes, destinations: tuple[Destination, ...], short_message: bytes = b"", registered_delivery: int = 0, tlvs: bytes = b""
) -> bytes:
    """Return the body of a submit_multi to these destinations."""
    dests = b"".join(
        (bytes((d.flag, d.ton, d.npi)) if d.flag == SME else bytes((d.flag,))) + d.address + b"\0" for d in destinations
    )
    head = b"\0\0\0" + source + b"\0" + bytes((len(destinations),)) + dests
    return head + b"\0\0\0\0\0" + bytes((registered_delivery, 0, 0, 0, len(short_message))) + short_message + tlvs


def submit_multi_resp_body(*, message_id: bytes, unsuccessful: tuple[Unsuccessful, ...] = ()) -> bytes:
    """Return the body of a submit_multi_resp; the count is written also when it is 0."""
    failed = b"".join(bytes((u.ton, u.npi)) + u.address + b"\0" + u.error.to_bytes(4, "big") for u in unsuccessful)
    return message_id + b"\0" + bytes((len(unsuccessful),)) + failed


def alert_notification_body(*, source: bytes, esme: bytes, tlvs: bytes = b"") -> bytes:
    """Return the body of an alert_notification."""
    return b"\0\0" + source + b"\0\0\0" + esme + b"\0" + tlvs


def outbind_body(*, system_id: bytes, password: bytes) -> bytes:
    """Return the body of an outbind."""
    return system_id + b"\0" + password + b"\0"
