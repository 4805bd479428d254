"""Reading a tenant's submit_sm or data_sm: octets → Message, or the refusal that its fields deserve.

Nearly all traffic sets nothing unusual: one test of all the rare fields together keeps the common path short, and what is rare
is judged field by field behind it. The body is passed on as it came; the only changes are an empty source replaced by the
account's default and registered_delivery raised where the price waits for a receipt.

Never here: accounts' rights, routes, money.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from smsgw.model import Account, Basis, Message, Rejected
from smsgw.smpp import const, tlv
from smsgw.smpp.clock import format_relative, parse_time
from smsgw.smpp.pdu import BadPdu, DataSm, Pdu, Sm, encode, plain_submit, read_data_sm, read_sm
from smsgw.smpp.text import ONE_PART, PartRule, count_parts
from smsgw.smpp.udh import read_udh, sar

HEADER_LENGTH: Final = 16
UDHI: Final = 0x40
TYPE_BITS: Final = 0x3C
MODE_BITS: Final = 0x03
TRANSACTION_MODE: Final = 0x02
ALPHANUMERIC: Final = 5
ALPHANUMERIC_MAX: Final = 11
PRIORITY_MAX_34: Final = 3
PRIORITY_MAX_50: Final = 4
RECEIPT_BITS: Final = 3
LEAST_PART: Final = 139
"""Octets that are one part whatever header they begin with; in codings where they are not, `ONE_PART` is less."""
REGISTERED_DELIVERY: Final = "registered_delivery"
SOURCE_DEFAULT: Final = "source_default"
"""The words for what is changed here; a message keeps them (see `transform`)."""
BOTH: Final = 1
"""registered_delivery that asks for a receipt of success and of failure: what a price by delivery needs."""


def parts_of(data_coding: int, data: bytes, *, udhi: bool, rule: PartRule = "gsm_ucs2") -> int:
    """Count the parts that a PDU's user data makes by a rule; with `udhi` it begins with a header."""
    return count_parts(data, data_coding, udh=read_udh(data) if udhi else None, rule=rule)


def count_by(rule: PartRule, pdu: Pdu, version: int) -> int:
    """Count a submit's parts by the rule of its route, where that is not gsm_ucs2, by which `read_submit` counts."""
    data_coding, esm_class, data, _ = _content(pdu, version)
    return parts_of(data_coding, data, udhi=bool(esm_class & UDHI), rule=rule)


def fingerprint(message: Message, pdu: Pdu, version: int, key: bytes) -> str:
    """Return a keyed hash of what makes two submits the same: addresses, coding and text, and which part of a long one it is.

    Ids of 3.3 sessions are of another form, so what was sent by one is not the same as what another session sends.
    """
    data_coding, esm_class, data, part = _content(pdu, version)
    what = f"{version < const.V34}/{message.source}/{message.destination}/{data_coding}/{esm_class & UDHI}/{part}/"
    return blake2b(what.encode() + data, digest_size=16, key=key).hexdigest()


def _content(pdu: Pdu, version: int) -> tuple[int, int, bytes, str]:
    """Return data_coding, esm_class, the user data, and the reference and number of a part that TLVs tell."""
    octets = pdu.octets
    if pdu.command == const.DATA_SM:
        sm: Sm | DataSm = read_data_sm(octets)
        data = b""
    else:
        short = sm = read_sm(octets, version)
        data = octets[short.sm_at : short.sm_at + short.sm_length]
    if sm.tlv_at == len(octets):
        return sm.data_coding, sm.esm_class, data, ""
    concat = sar(octets, sm.tlv_at)
    part = f"{concat.ref}:{concat.sequence}" if concat is not None else ""
    return sm.data_coding, sm.esm_class, tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or data, part


def read_submit(pdu: Pdu, account: Account, version: int) -> Message | Rejected:
    """Read a submit_sm or data_sm. `expires_at` of the message is relative: seconds from now, 0 for none."""
    octets = pdu.octets
    basis = account.tenant.basis
    if pdu.command == const.SUBMIT_SM and basis is not Basis.DELIVERED:
        plain = plain_submit(octets)
        if plain is not None:
            return _plain(octets, plain, account)
    try:
        if pdu.command == const.DATA_SM:
            return _read_data(octets, account)
        sm = read_sm(octets, version)
        parts = 1
        expires = 0.0
        registered = sm.registered_delivery
        if sm.tlv_at != len(octets):
            parts = _judge_tlvs(octets, sm)
        if (
            sm.esm_class
            or sm.priority
            or sm.schedule
            or sm.validity
            or sm.replace
            or sm.default_msg_id
            or ALPHANUMERIC in (sm.source_ton, sm.dest_ton)
            or registered & 0xFE
        ):
            expires = _judge_rare(octets, sm, version)
        if not sm.dest:
            return Rejected(const.ESME_RINVDSTADR, "destination_missing")
    except BadPdu as error:
        return Rejected(error.status, error.reason)
    if sm.sm_length > ONE_PART[sm.data_coding] or (sm.sm_length > LEAST_PART and sm.esm_class & UDHI):
        parts = parts_of(sm.data_coding, octets[sm.sm_at : sm.sm_at + sm.sm_length], udhi=bool(sm.esm_class & UDHI))
    body = octets[HEADER_LENGTH:]
    changed: tuple[str, ...] = ()
    if basis is Basis.DELIVERED and registered & RECEIPT_BITS != BOTH:
        body = _with_octet(body, sm.registered_at - HEADER_LENGTH, registered & ~RECEIPT_BITS | BOTH)
        changed = (REGISTERED_DELIVERY,)
    source = sm.source
    if not source:
        source = account.default_source.encode()
        if source:
            body = _with_source(body, sm.source_at - HEADER_LENGTH, source)
            changed += (SOURCE_DEFAULT,)
    return Message(
        id=0,
        account=account,
        source=source.decode("latin-1"),
        destination=sm.dest.decode("latin-1"),
        body=body,
        parts=parts,
        basis=int(basis),
        registered=registered,
        mode=int(account.mode),
        expires_at=expires,
        long_message=_reference(octets, sm, octets[sm.sm_at : sm.tlv_at])
        if sm.esm_class & UDHI or sm.tlv_at != len(octets)
        else "",
        transform=changed,
        ends=((sm.source_ton, sm.source_npi, source), (sm.dest_ton, sm.dest_npi, sm.dest)),
    )


def _plain(octets: bytes, fields: tuple[bytes, ...], account: Account) -> Message:
    """Make the message of a submit_sm that asks for nothing special: most of them, so that the others may take their time."""
    source_ton, source_npi, source, dest_ton, dest_npi, dest, registered, data_coding, length = fields
    coding, size = data_coding[0], length[0]
    return Message(
        id=0,
        account=account,
        source=source.decode("latin-1"),
        destination=dest.decode("latin-1"),
        body=octets[HEADER_LENGTH:],
        parts=1 if size <= ONE_PART[coding] else parts_of(coding, octets[-size:], udhi=False),
        basis=int(account.tenant.basis),
        registered=registered[0],
        mode=int(account.mode),
        ends=((source_ton[0], source_npi[0], source), (dest_ton[0], dest_npi[0], dest)),
    )


def _read_data(octets: bytes, account: Account) -> Message | Rejected:
    """Read a data_sm: content only in message_payload (SMPP 3.4 §4.7)."""
    sm = read_data_sm(octets)
    if not sm.dest:
        return Rejected(const.ESME_RINVDSTADR, "destination_missing")
    _judge_esm_class(sm.esm_class, transaction=True)
    tlv.check_known(octets, sm.tlv_at)
    payload = tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD)
    if payload is None:
        return Rejected(const.ESME_RMISSINGOPTPARAM, "message_payload_missing")
    _judge_payloads(octets, sm.tlv_at, short=False)
    body = octets[HEADER_LENGTH:]
    basis = account.tenant.basis
    changed: tuple[str, ...] = ()
    if basis is Basis.DELIVERED and sm.registered_delivery & RECEIPT_BITS != BOTH:
        body = _with_octet(body, sm.registered_at - HEADER_LENGTH, sm.registered_delivery & ~RECEIPT_BITS | BOTH)
        changed = (REGISTERED_DELIVERY,)
    source = sm.source or account.default_source.encode()
    if source and not sm.source:
        body = _with_source(body, sm.source_at - HEADER_LENGTH, source)
        changed += (SOURCE_DEFAULT,)
    return Message(
        id=0,
        account=account,
        source=source.decode("latin-1"),
        destination=sm.dest.decode("latin-1"),
        body=body,
        command=const.DATA_SM,
        parts=parts_of(sm.data_coding, payload, udhi=bool(sm.esm_class & UDHI)),
        basis=int(basis),
        registered=sm.registered_delivery,
        mode=int(account.mode),
        expires_at=_validity_of(octets, sm),
        long_message=_reference(octets, sm, payload),
        transform=changed,
    )


def _validity_of(octets: bytes, sm: DataSm) -> float:
    """data_sm says its validity in seconds, in the TLV qos_time_to_live (SMPP 3.4 §5.3.2.9)."""
    value = tlv.find(octets, sm.tlv_at, const.TAG_QOS_TIME_TO_LIVE)
    return float(int.from_bytes(value, "big")) if value else 0.0


def _judge_tlvs(octets: bytes, sm: Sm) -> int:
    """Check the TLV stream and count the parts of a message_payload. Raises BadPdu."""
    tlv.check_known(octets, sm.tlv_at)
    payload = tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD)
    if payload is None:
        return 1
    _judge_payloads(octets, sm.tlv_at, short=bool(sm.sm_length and payload))
    return parts_of(sm.data_coding, payload, udhi=bool(sm.esm_class & UDHI))


def _judge_payloads(octets: bytes, tlv_at: int, *, short: bool) -> None:
    """Raise BadPdu for a message_payload beside a text (`short`) or another one: which a carrier takes is anybody's guess."""
    if short or tlv.twice(octets, tlv_at, const.TAG_MESSAGE_PAYLOAD):
        raise BadPdu(const.ESME_RINVMSGLEN, "short_message_and_payload")  # two texts: so neither goes (CONFORMANCE 98)


def _judge_esm_class(esm_class: int, *, transaction: bool = False) -> None:
    """Raise BadPdu for a message type that a tenant must not set: a receipt it wrote itself would be a forgery."""
    kind = esm_class & TYPE_BITS
    if kind not in {0, 0x08, 0x10}:
        raise BadPdu(const.ESME_RINVESMCLASS, "esm_class_type")
    if esm_class & MODE_BITS == TRANSACTION_MODE and not transaction:
        raise BadPdu(const.ESME_RINVESMCLASS, "esm_class_transaction_mode")


def _judge_rare(octets: bytes, sm: Sm, version: int) -> float:
    """Judge the fields that most messages leave alone; returns the validity in seconds from now, 0 for none. Raises BadPdu."""
    _judge_esm_class(sm.esm_class)
    if sm.esm_class & UDHI and sm.sm_length:
        header = octets[sm.sm_at]
        if header + 1 > sm.sm_length:
            raise BadPdu(const.ESME_RINVESMCLASS, "udh_longer_than_message")
    elif sm.esm_class & UDHI and sm.tlv_at == len(octets):
        raise BadPdu(const.ESME_RINVESMCLASS, "udhi_without_data")
    if sm.priority > (PRIORITY_MAX_50 if version >= const.V50 else PRIORITY_MAX_34):
        raise BadPdu(const.ESME_RINVPRTFLG, "priority_flag")
    if sm.replace > 1:
        raise BadPdu(const.ESME_RINVREPFLAG, "replace_if_present_flag")
    if sm.default_msg_id == 0xFF:
        raise BadPdu(const.ESME_RINVDFTMSGID, "sm_default_msg_id")
    if sm.dest_ton == ALPHANUMERIC:
        raise BadPdu(const.ESME_RINVDSTTON, "destination_alphanumeric")
    if sm.source_ton == ALPHANUMERIC and len(sm.source) > ALPHANUMERIC_MAX:
        raise BadPdu(const.ESME_RINVSRCADR, "source_alphanumeric_too_long")
    registered = sm.registered_delivery
    if registered & 0xE0 or (registered & RECEIPT_BITS == RECEIPT_BITS and version < const.V50):
        raise BadPdu(const.ESME_RINVREGDLVFLG, "registered_delivery")
    return _judge_times(sm) if sm.schedule or sm.validity else 0.0


def _judge_times(sm: Sm) -> float:
    """Read schedule_delivery_time (passed on unchanged) and validity_period (SMPP 3.4 §7.1.1). Raises BadPdu."""
    now = datetime.now(UTC)
    try:
        schedule = parse_time(sm.schedule, now)
    except ValueError as error:
        raise BadPdu(const.ESME_RINVSCHED, "schedule_delivery_time") from error
    try:
        validity = parse_time(sm.validity, now)
    except ValueError as error:
        raise BadPdu(const.ESME_RINVEXPIRY, "validity_period") from error
    if validity is None:
        return 0.0
    if validity <= (schedule or now):
        raise BadPdu(const.ESME_RINVEXPIRY, "validity_period_over")
    return (validity - now).total_seconds()


def _reference(octets: bytes, sm: Sm | DataSm, data: bytes) -> str:
    """Return the reference that the parts of one long message share (UDH or SAR TLVs); "" for a message of its own."""
    if sm.esm_class & UDHI:
        header = read_udh(data or tlv.find(octets, sm.tlv_at, const.TAG_MESSAGE_PAYLOAD) or b"")
        concat = header.concat if header is not None else None
    else:
        concat = sar(octets, sm.tlv_at)
    return f"{concat.width}:{concat.ref}:{concat.total}" if concat is not None else ""


def with_validity_left(message: Message, seconds: float) -> bytes:
    """Return the body with a relative validity_period (or qos_time_to_live) of so many seconds; an absolute one stays."""
    octets = encode(message.command, 0, 0, message.body)
    left = max(1, int(seconds))
    if message.command == const.DATA_SM:
        sm = read_data_sm(octets)
        return tlv.replace(octets, sm.tlv_at, const.TAG_QOS_TIME_TO_LIVE, left.to_bytes(4, "big"))[HEADER_LENGTH:]
    validity = read_sm(octets).validity
    if not validity.endswith(b"R"):
        return message.body
    at = octets.rindex(validity + b"\0", 0, read_sm(octets).registered_at)
    now = datetime.fromtimestamp(message.expires_at - seconds, UTC)
    return (octets[:at] + format_relative(left, now) + octets[at + len(validity) :])[HEADER_LENGTH:]


def _with_octet(body: bytes, at: int, value: int) -> bytes:
    return body[:at] + bytes((value,)) + body[at + 1 :]


def _with_source(body: bytes, at: int, source: bytes) -> bytes:
    """Put the account's default address where the tenant left its source empty: ton, npi, then one NUL."""
    end = body.index(0, at + 2)
    return body[: at + 2] + source + body[end:]
