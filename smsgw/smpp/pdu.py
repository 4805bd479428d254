"""PDUs as lossless views: the octets stay as they came, and readers find the fields in them.

`read_sm` reads submit_sm and deliver_sm, which share their layout (SMPP 3.4 §4.4.1, §4.6.1), with offsets into the octets, so that
a relay can change one field and leave all others alone. The bodies met only now and then are in `bodies`.

Promises: a reader returns a value or raises `BadPdu` with the status that the field's error deserves; it never reads over the end
of the PDU, never raises anything else, and never changes an octet.
Must never: walk the TLVs of a PDU in transit, show content or a password in a repr.
"""

from __future__ import annotations

import re
import struct
from typing import Any, Final, NamedTuple

from smsgw.smpp import const

HEADER: Final = struct.Struct(">IIII")
HEADER_LENGTH: Final = 16
MAX_SHORT_MESSAGE_34: Final = 254
TIME_LENGTH: Final = 16
ADDRESS_MAX: Final = 20
DATA_ADDRESS_MAX: Final = 64
DELIVER_STRING_MAX: Final = 64
SERVICE_TYPE_MAX: Final = 5
MESSAGE_ID_MAX: Final = 64
SYSTEM_ID_MAX: Final = 15
PASSWORD_MAX: Final = 8
SYSTEM_TYPE_MAX: Final = 12
ADDRESS_RANGE_MAX: Final = 40


class BadPdu(Exception):
    """The peer's error in a body: `status` answers it, `reason` is a constant word for the log."""

    def __init__(self, status: int, reason: str) -> None:
        """Name the command_status for the answer and what was wrong."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Pdu:
    """One whole PDU: header decoded, body left as octets. `context`: of the own request that this answers, else the reader's."""

    __slots__ = ("command", "context", "octets", "sequence", "status")

    def __init__(self, octets: bytes, command: int, status: int, sequence: int) -> None:
        """Take a framed PDU; `octets` includes the header."""
        self.octets = octets
        self.command = command
        self.status = status
        self.sequence = sequence
        self.context: Any = None

    @property
    def body(self) -> bytes:
        """The octets after the header."""
        return self.octets[HEADER_LENGTH:]

    def __repr__(self) -> str:
        """Show the header only: bodies hold content and passwords."""
        name = const.command_name(self.command)
        return f"<{name} status={const.status_name(self.status)} sequence={self.sequence} length={len(self.octets)}>"


def encode(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """Return a whole PDU: header (SMPP 3.4 §3.2) and body."""
    return HEADER.pack(HEADER_LENGTH + len(body), command, status, sequence) + body


class Sm(NamedTuple):
    """The fields of a submit_sm or deliver_sm; `…_at` are offsets into the whole PDU's octets."""

    service_type: bytes
    source_ton: int
    source_npi: int
    source: bytes
    dest_ton: int
    dest_npi: int
    dest: bytes
    esm_class: int
    protocol_id: int
    priority: int
    schedule: bytes
    validity: bytes
    registered_delivery: int
    replace: int
    data_coding: int
    default_msg_id: int
    sm_length: int
    sm_at: int
    tlv_at: int
    source_at: int
    esm_at: int
    registered_at: int


class DataSm(NamedTuple):
    """The fields of a data_sm (SMPP 3.4 §4.7.1); content is in the TLV message_payload."""

    service_type: bytes
    source_ton: int
    source_npi: int
    source: bytes
    dest_ton: int
    dest_npi: int
    dest: bytes
    esm_class: int
    registered_delivery: int
    data_coding: int
    tlv_at: int
    source_at: int
    esm_at: int
    registered_at: int


_new = tuple.__new__

_PLAIN_SUBMIT: Final = re.compile(
    rb"[^\0]{0,5}+\0([^\5])(.)([^\0]{1,20}+)\0([^\5])(.)([^\0]{1,20}+)\0\0.\0\0\0([\0\1])\0(.)\0([^\xff])", re.DOTALL
).match


def plain_submit(octets: bytes) -> tuple[bytes, ...] | None:
    """Read a submit_sm that asks for nothing special, as nearly all do; None for any other, which `read_sm` reads.

    Plain: both addresses there, neither alphanumeric; esm_class, priority, times, replace_if_present and sm_default_msg_id nought;
    a receipt of both kinds asked for or none; no TLVs. Returns source TON, NPI and address, the same of the destination,
    registered_delivery, data_coding and sm_length, each as it stands there (integers as one octet).
    """
    found = _PLAIN_SUBMIT(octets, HEADER_LENGTH)
    if found is None:
        return None
    fields = found.groups()
    return fields if found.end() + fields[8][0] == len(octets) else None


def read_sm(octets: bytes, version: int = const.V50) -> Sm:
    """Read a submit_sm or deliver_sm. Raises BadPdu with the status of the field that is wrong (3.4 §4.4.1, 5.0 §4.7.6).

    `version`: that of the session by which it came; what was taken before is read as 5.0, which allows most.
    """
    try:
        # One index() a string: the fastest way in plain Python, and it can't run over the end.
        find = octets.index
        source_at = find(0, 16) + 1
        a = find(0, source_at + 2)
        dest_at = a + 1
        b = find(0, dest_at + 2)
        esm_at = b + 1
        schedule_at = b + 4
        c = find(0, schedule_at)
        d = find(0, c + 1)
        registered_at = d + 1
        length = octets[d + 5]
    except (ValueError, IndexError):
        raise _cut_short(octets) from None
    sm_at = d + 6
    tlv_at = sm_at + length
    if source_at > 22 or a - source_at > 22 or b - dest_at > 22 or c != schedule_at or d != c + 1 or length == 255:
        _judge_lengths(octets, (source_at, a, dest_at, b, schedule_at, c, d), length, version)
    if tlv_at > len(octets):
        raise BadPdu(const.ESME_RINVMSGLEN, "sm_length")
    return _new(
        Sm,
        (
            octets[16 : source_at - 1],
            octets[source_at],
            octets[source_at + 1],
            octets[source_at + 2 : a],
            octets[dest_at],
            octets[dest_at + 1],
            octets[dest_at + 2 : b],
            octets[esm_at],
            octets[b + 2],
            octets[b + 3],
            octets[schedule_at:c],
            octets[c + 1 : d],
            octets[registered_at],
            octets[d + 2],
            octets[d + 3],
            octets[d + 4],
            length,
            sm_at,
            tlv_at,
            source_at,
            esm_at,
            registered_at,
        ),
    )


def _judge_lengths(octets: bytes, at: tuple[int, ...], length: int, version: int) -> None:
    """Raise BadPdu for the first string that is longer than its field (octets without the NUL).

    A deliver_sm comes from a message centre; some put longer words in service_type, and refusing those would cost receipts.
    """
    source_at, a, dest_at, b, schedule_at, c, d = at
    longest = max(source_at - 1 - HEADER_LENGTH, a - source_at - 2, b - dest_at - 2, c - schedule_at, d - c - 1)
    if octets[7] == const.DELIVER_SM and longest <= DELIVER_STRING_MAX:
        return
    if source_at - 1 - HEADER_LENGTH > SERVICE_TYPE_MAX:
        raise BadPdu(const.ESME_RINVSERTYP, "service_type")
    if a - source_at - 2 > ADDRESS_MAX:
        raise BadPdu(const.ESME_RINVSRCADR, "source_addr")
    if b - dest_at - 2 > ADDRESS_MAX:
        raise BadPdu(const.ESME_RINVDSTADR, "destination_addr")
    if c - schedule_at not in {0, TIME_LENGTH}:
        raise BadPdu(const.ESME_RINVSCHED, "schedule_delivery_time")
    if d - c - 1 not in {0, TIME_LENGTH}:
        raise BadPdu(const.ESME_RINVEXPIRY, "validity_period")
    if length > MAX_SHORT_MESSAGE_34 and version < const.V50:
        raise BadPdu(const.ESME_RINVMSGLEN, "sm_length")


_STRINGS: Final = (
    (0, SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type"),
    (2, ADDRESS_MAX, const.ESME_RINVSRCADR, "source_addr"),
    (2, ADDRESS_MAX, const.ESME_RINVDSTADR, "destination_addr"),
    (3, TIME_LENGTH, const.ESME_RINVSCHED, "schedule_delivery_time"),
    (0, TIME_LENGTH, const.ESME_RINVEXPIRY, "validity_period"),
)


def _cut_short(octets: bytes) -> BadPdu:
    """Say which field of a body that ends early is to blame: a string without its NUL, else the length of the PDU."""
    at = HEADER_LENGTH
    for skip, longest, status, name in _STRINGS:
        at += skip
        end = octets.find(0, at)
        if end < 0:
            too_long = len(octets) - at > longest
            return BadPdu(status if too_long else const.ESME_RINVCMDLEN, name if too_long else "body_cut_short")
        if end - at > longest:
            return BadPdu(status, name)
        at = end + 1
    return BadPdu(const.ESME_RINVCMDLEN, "body_cut_short")


def read_data_sm(octets: bytes) -> DataSm:
    """Read a data_sm. Raises BadPdu."""
    body = Reader(octets)
    service_type = body.string(SERVICE_TYPE_MAX, const.ESME_RINVSERTYP, "service_type")
    source_at = body.at
    source = body.address(const.ESME_RINVSRCADR, "source_addr", DATA_ADDRESS_MAX)
    dest = body.address(const.ESME_RINVDSTADR, "destination_addr", DATA_ADDRESS_MAX)
    at = body.at
    numbers = (body.octet(), body.octet(), body.octet())
    return DataSm(service_type, *source, *dest, *numbers, body.at, source_at, at, at + 1)


def read_message_id(octets: bytes) -> bytes:
    """Return the message_id of any response; b"" where there is no body. A missing NUL is forgiven, a length is not judged."""
    end = octets.find(0, HEADER_LENGTH)
    return octets[HEADER_LENGTH:end] if end >= 0 else octets[HEADER_LENGTH:]


class Reader:
    """Reads the mandatory fields of a body one after the other; `at` is the offset of the next one."""

    __slots__ = ("at", "octets")

    def __init__(self, octets: bytes) -> None:
        """Start behind the header."""
        self.octets = octets
        self.at = HEADER_LENGTH

    def octet(self) -> int:
        """Read one octet. Raises BadPdu(ESME_RINVCMDLEN) at the end."""
        try:
            value = self.octets[self.at]
        except IndexError:
            raise BadPdu(const.ESME_RINVCMDLEN, "body_cut_short") from None
        self.at += 1
        return value

    def take(self, count: int) -> bytes:
        """Read `count` octets. Raises BadPdu(ESME_RINVCMDLEN) when there are fewer."""
        end = self.at + count
        if end > len(self.octets):
            raise BadPdu(const.ESME_RINVCMDLEN, "body_cut_short")
        value = self.octets[self.at : end]
        self.at = end
        return value

    def string(self, longest: int, status: int, name: str) -> bytes:
        """Read a C-octet string of at most `longest` octets without its NUL. Raises BadPdu with its field's status."""
        end = self.octets.find(0, self.at)
        if end < 0 and len(self.octets) - self.at <= longest:
            raise BadPdu(const.ESME_RINVCMDLEN, "body_cut_short")
        if end < 0 or end - self.at > longest:
            raise BadPdu(status, name)
        value = self.octets[self.at : end]
        self.at = end + 1
        return value

    def address(self, status: int, name: str, longest: int = ADDRESS_MAX) -> tuple[int, int, bytes]:
        """Read type of number, numbering plan and address; any numbers, because peers send any."""
        return self.octet(), self.octet(), self.string(longest, status, name)

    def source(self) -> tuple[int, int, bytes]:
        """Read a source address. Raises BadPdu(ESME_RINVSRCADR)."""
        return self.address(const.ESME_RINVSRCADR, "source_addr")

    def dest(self) -> tuple[int, int, bytes]:
        """Read a destination address. Raises BadPdu(ESME_RINVDSTADR)."""
        return self.address(const.ESME_RINVDSTADR, "destination_addr")

    def short_message(self, version: int) -> bytes:
        """Read sm_length and short_message. Raises BadPdu(ESME_RINVMSGLEN) for 255 octets before 5.0 and for too few."""
        length = self.octet()
        if self.at + length > len(self.octets) or (length > MAX_SHORT_MESSAGE_34 and version < const.V50):
            raise BadPdu(const.ESME_RINVMSGLEN, "sm_length")
        return self.take(length)

    def time(self, status: int, name: str) -> bytes:
        """Read a time: a NUL, or exactly 16 octets and a NUL. Raises BadPdu."""
        value = self.string(TIME_LENGTH, status, name)
        if len(value) not in {0, TIME_LENGTH}:
            raise BadPdu(status, name)
        return value


def sm_body(
    *,
    source: bytes,
    dest: bytes,
    short_message: bytes = b"",
    service_type: bytes = b"",
    source_ton: int = 0,
    source_npi: int = 0,
    dest_ton: int = 0,
    dest_npi: int = 0,
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
    """Return the body of a submit_sm or deliver_sm. Raises ValueError for a short_message over 255 octets.

    Strings are taken as they are: whoever builds a PDU of foreign strings has read them from one.
    """
    return b"".join(
        (
            service_type,
            bytes((0, source_ton, source_npi)),
            source,
            bytes((0, dest_ton, dest_npi)),
            dest,
            bytes((0, esm_class, protocol_id, priority)),
            schedule,
            b"\0",
            validity,
            bytes((0, registered_delivery, replace, data_coding, default_msg_id, len(short_message))),
            short_message,
            tlvs,
        )
    )


def data_sm_body(
    *,
    source: bytes,
    dest: bytes,
    service_type: bytes = b"",
    source_ton: int = 0,
    source_npi: int = 0,
    dest_ton: int = 0,
    dest_npi: int = 0,
    esm_class: int = 0,
    registered_delivery: int = 0,
    data_coding: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """Return the body of a data_sm."""
    return b"".join(
        (
            service_type,
            bytes((0, source_ton, source_npi)),
            source,
            bytes((0, dest_ton, dest_npi)),
            dest,
            bytes((0, esm_class, registered_delivery, data_coding)),
            tlvs,
        )
    )
