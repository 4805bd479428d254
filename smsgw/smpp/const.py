"""The specification's names: command ids, statuses, TON and NPI, data codings, TLV tags, message states (SMPP 3.3, 3.4, 5.0).

Plain integers, never enumerations: what stands on the wire may be any number, and an unknown one must pass, be shown and be counted
like a known one. `status_name` and its kin give names for people; `status_class` says what a refusal means for the message.

Never here: behaviour, octets.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

V33: Final = 0x33
V34: Final = 0x34
V50: Final = 0x50

# ---- command_id (3.4 §5.1.2.1, 5.0 §4.7.5) ------------------------------------------------------------------------------
RESP: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_RECEIVER_RESP: Final = 0x80000001
BIND_TRANSMITTER: Final = 0x00000002
BIND_TRANSMITTER_RESP: Final = 0x80000002
QUERY_SM: Final = 0x00000003
QUERY_SM_RESP: Final = 0x80000003
SUBMIT_SM: Final = 0x00000004
SUBMIT_SM_RESP: Final = 0x80000004
DELIVER_SM: Final = 0x00000005
DELIVER_SM_RESP: Final = 0x80000005
UNBIND: Final = 0x00000006
UNBIND_RESP: Final = 0x80000006
REPLACE_SM: Final = 0x00000007
REPLACE_SM_RESP: Final = 0x80000007
CANCEL_SM: Final = 0x00000008
CANCEL_SM_RESP: Final = 0x80000008
BIND_TRANSCEIVER: Final = 0x00000009
BIND_TRANSCEIVER_RESP: Final = 0x80000009
OUTBIND: Final = 0x0000000B
ENQUIRE_LINK: Final = 0x00000015
ENQUIRE_LINK_RESP: Final = 0x80000015
SUBMIT_MULTI: Final = 0x00000021
SUBMIT_MULTI_RESP: Final = 0x80000021
ALERT_NOTIFICATION: Final = 0x00000102
DATA_SM: Final = 0x00000103
DATA_SM_RESP: Final = 0x80000103
BROADCAST_SM: Final = 0x00000111
BROADCAST_SM_RESP: Final = 0x80000111
QUERY_BROADCAST_SM: Final = 0x00000112
QUERY_BROADCAST_SM_RESP: Final = 0x80000112
CANCEL_BROADCAST_SM: Final = 0x00000113
CANCEL_BROADCAST_SM_RESP: Final = 0x80000113

# ---- command_status (3.4 §5.1.3, 5.0 §4.7.6) ------------------------------------------------------------------------------
ESME_ROK: Final = 0x00
ESME_RINVMSGLEN: Final = 0x01
ESME_RINVCMDLEN: Final = 0x02
ESME_RINVCMDID: Final = 0x03
ESME_RINVBNDSTS: Final = 0x04
ESME_RALYBND: Final = 0x05
ESME_RINVPRTFLG: Final = 0x06
ESME_RINVREGDLVFLG: Final = 0x07
ESME_RSYSERR: Final = 0x08
ESME_RINVSRCADR: Final = 0x0A
ESME_RINVDSTADR: Final = 0x0B
ESME_RINVMSGID: Final = 0x0C
ESME_RBINDFAIL: Final = 0x0D
ESME_RINVPASWD: Final = 0x0E
ESME_RINVSYSID: Final = 0x0F
ESME_RCANCELFAIL: Final = 0x11
ESME_RREPLACEFAIL: Final = 0x13
ESME_RMSGQFUL: Final = 0x14
ESME_RINVSERTYP: Final = 0x15
ESME_RINVNUMDESTS: Final = 0x33
ESME_RINVDLNAME: Final = 0x34
ESME_RINVDESTFLAG: Final = 0x40
ESME_RINVSUBREP: Final = 0x42
ESME_RINVESMCLASS: Final = 0x43
ESME_RCNTSUBDL: Final = 0x44
ESME_RSUBMITFAIL: Final = 0x45
ESME_RINVSRCTON: Final = 0x48
ESME_RINVSRCNPI: Final = 0x49
ESME_RINVDSTTON: Final = 0x50
ESME_RINVDSTNPI: Final = 0x51
ESME_RINVSYSTYP: Final = 0x53
ESME_RINVREPFLAG: Final = 0x54
ESME_RINVNUMMSGS: Final = 0x55
ESME_RTHROTTLED: Final = 0x58
ESME_RINVSCHED: Final = 0x61
ESME_RINVEXPIRY: Final = 0x62
ESME_RINVDFTMSGID: Final = 0x63
ESME_RX_T_APPN: Final = 0x64
ESME_RX_P_APPN: Final = 0x65
ESME_RX_R_APPN: Final = 0x66
ESME_RQUERYFAIL: Final = 0x67
ESME_RINVOPTPARSTREAM: Final = 0xC0
ESME_ROPTPARNOTALLWD: Final = 0xC1
ESME_RINVPARLEN: Final = 0xC2
ESME_RMISSINGOPTPARAM: Final = 0xC3
ESME_RINVOPTPARAMVAL: Final = 0xC4
ESME_RDELIVERYFAILURE: Final = 0xFE
ESME_RUNKNOWNERR: Final = 0xFF
ESME_RSERTYPUNAUTH: Final = 0x100
ESME_RPROHIBITED: Final = 0x101
ESME_RSERTYPUNAVAIL: Final = 0x102
ESME_RSERTYPDENIED: Final = 0x103
ESME_RINVDCS: Final = 0x104
ESME_RINVSRCADDRSUBUNIT: Final = 0x105
ESME_RINVDSTADDRSUBUNIT: Final = 0x106
ESME_RINVBCASTFREQINT: Final = 0x107
ESME_RINVBCASTALIAS_NAME: Final = 0x108
ESME_RINVBCASTAREAFMT: Final = 0x109
ESME_RINVNUMBCAST_AREAS: Final = 0x10A
ESME_RINVBCASTCNTTYPE: Final = 0x10B
ESME_RINVBCASTMSGCLASS: Final = 0x10C
ESME_RBCASTFAIL: Final = 0x10D
ESME_RBCASTQUERYFAIL: Final = 0x10E
ESME_RBCASTCANCELFAIL: Final = 0x10F
ESME_RINVBCAST_REP: Final = 0x110
ESME_RINVBCASTSRVGRP: Final = 0x111
ESME_RINVBCASTCHANIND: Final = 0x112
VENDOR_FIRST: Final = 0x400
VENDOR_LAST: Final = 0x4FF

# ---- TLV tags (3.4 §5.3.1, 5.0 §4.8.1) ------------------------------------------------------------------------------------
TAG_DEST_ADDR_SUBUNIT: Final = 0x0005
TAG_DEST_NETWORK_TYPE: Final = 0x0006
TAG_DEST_BEARER_TYPE: Final = 0x0007
TAG_DEST_TELEMATICS_ID: Final = 0x0008
TAG_SOURCE_ADDR_SUBUNIT: Final = 0x000D
TAG_SOURCE_NETWORK_TYPE: Final = 0x000E
TAG_SOURCE_BEARER_TYPE: Final = 0x000F
TAG_SOURCE_TELEMATICS_ID: Final = 0x0010
TAG_QOS_TIME_TO_LIVE: Final = 0x0017
TAG_PAYLOAD_TYPE: Final = 0x0019
TAG_ADDITIONAL_STATUS_INFO_TEXT: Final = 0x001D
TAG_RECEIPTED_MESSAGE_ID: Final = 0x001E
TAG_MS_MSG_WAIT_FACILITIES: Final = 0x0030
TAG_PRIVACY_INDICATOR: Final = 0x0201
TAG_SOURCE_SUBADDRESS: Final = 0x0202
TAG_DEST_SUBADDRESS: Final = 0x0203
TAG_USER_MESSAGE_REFERENCE: Final = 0x0204
TAG_USER_RESPONSE_CODE: Final = 0x0205
TAG_SOURCE_PORT: Final = 0x020A
TAG_DESTINATION_PORT: Final = 0x020B
TAG_SAR_MSG_REF_NUM: Final = 0x020C
TAG_LANGUAGE_INDICATOR: Final = 0x020D
TAG_SAR_TOTAL_SEGMENTS: Final = 0x020E
TAG_SAR_SEGMENT_SEQNUM: Final = 0x020F
TAG_SC_INTERFACE_VERSION: Final = 0x0210
TAG_CALLBACK_NUM_PRES_IND: Final = 0x0302
TAG_CALLBACK_NUM_ATAG: Final = 0x0303
TAG_NUMBER_OF_MESSAGES: Final = 0x0304
TAG_CALLBACK_NUM: Final = 0x0381
TAG_DPF_RESULT: Final = 0x0420
TAG_SET_DPF: Final = 0x0421
TAG_MS_AVAILABILITY_STATUS: Final = 0x0422
TAG_NETWORK_ERROR_CODE: Final = 0x0423
TAG_MESSAGE_PAYLOAD: Final = 0x0424
TAG_DELIVERY_FAILURE_REASON: Final = 0x0425
TAG_MORE_MESSAGES_TO_SEND: Final = 0x0426
TAG_MESSAGE_STATE: Final = 0x0427
TAG_CONGESTION_STATE: Final = 0x0428
TAG_USSD_SERVICE_OP: Final = 0x0501
TAG_BROADCAST_CHANNEL_INDICATOR: Final = 0x0600
TAG_BROADCAST_CONTENT_TYPE: Final = 0x0601
TAG_BROADCAST_CONTENT_TYPE_INFO: Final = 0x0602
TAG_BROADCAST_MESSAGE_CLASS: Final = 0x0603
TAG_BROADCAST_REP_NUM: Final = 0x0604
TAG_BROADCAST_FREQUENCY_INTERVAL: Final = 0x0605
TAG_BROADCAST_AREA_IDENTIFIER: Final = 0x0606
TAG_BROADCAST_ERROR_STATUS: Final = 0x0607
TAG_BROADCAST_AREA_SUCCESS: Final = 0x0608
TAG_BROADCAST_END_TIME: Final = 0x0609
TAG_BROADCAST_SERVICE_GROUP: Final = 0x060A
TAG_BILLING_IDENTIFICATION: Final = 0x060B
TAG_SOURCE_NETWORK_ID: Final = 0x060D
TAG_DEST_NETWORK_ID: Final = 0x060E
TAG_SOURCE_NODE_ID: Final = 0x060F
TAG_DEST_NODE_ID: Final = 0x0610
TAG_DEST_ADDR_NP_RESOLUTION: Final = 0x0611
TAG_DEST_ADDR_NP_INFORMATION: Final = 0x0612
TAG_DEST_ADDR_NP_COUNTRY: Final = 0x0613
TAG_DISPLAY_TIME: Final = 0x1201
TAG_SMS_SIGNAL: Final = 0x1203
TAG_MS_VALIDITY: Final = 0x1204
TAG_ALERT_ON_MESSAGE_DELIVERY: Final = 0x130C
TAG_ITS_REPLY_TYPE: Final = 0x1380
TAG_ITS_SESSION_INFO: Final = 0x1383
TAG_VENDOR_FIRST: Final = 0x1400
TAG_VENDOR_LAST: Final = 0x3FFF

# ---- message_state (3.4 §5.2.28, 5.0 §4.7.15) -----------------------------------------------------------------------------
STATE_SCHEDULED: Final = 0
STATE_ENROUTE: Final = 1
STATE_DELIVERED: Final = 2
STATE_EXPIRED: Final = 3
STATE_DELETED: Final = 4
STATE_UNDELIVERABLE: Final = 5
STATE_ACCEPTED: Final = 6
STATE_UNKNOWN: Final = 7
STATE_REJECTED: Final = 8
STATE_SKIPPED: Final = 9

# ---- type of number, numbering plan (3.4 §5.2.5, §5.2.6) ------------------------------------------------------------------
TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NATIONAL: Final = 2
TON_NETWORK_SPECIFIC: Final = 3
TON_SUBSCRIBER_NUMBER: Final = 4
TON_ALPHANUMERIC: Final = 5
TON_ABBREVIATED: Final = 6
NPI_UNKNOWN: Final = 0
NPI_ISDN: Final = 1
NPI_DATA: Final = 3
NPI_TELEX: Final = 4
NPI_LAND_MOBILE: Final = 6
NPI_NATIONAL: Final = 8
NPI_PRIVATE: Final = 9
NPI_ERMES: Final = 10
NPI_INTERNET: Final = 14
NPI_WAP_CLIENT_ID: Final = 18

# ---- esm_class: mode, type, features (3.4 §5.2.12, 5.0 §4.7.12) -----------------------------------------------------------
ESM_MODE_MASK: Final = 0x03
ESM_MODE_DEFAULT: Final = 0x00
ESM_MODE_DATAGRAM: Final = 0x01
ESM_MODE_FORWARD: Final = 0x02
ESM_MODE_STORE: Final = 0x03
ESM_TYPE_MASK: Final = 0x3C
ESM_TYPE_DEFAULT: Final = 0x00
ESM_TYPE_RECEIPT: Final = 0x04
ESM_TYPE_DELIVERY_ACK: Final = 0x08
ESM_TYPE_USER_ACK: Final = 0x10
ESM_TYPE_CONVERSATION_ABORT: Final = 0x18
ESM_TYPE_INTERMEDIATE: Final = 0x20
ESM_UDHI: Final = 0x40
ESM_REPLY_PATH: Final = 0x80

# ---- registered_delivery (3.4 §5.2.17, 5.0 §4.7.21) -----------------------------------------------------------------------
REGISTERED_MASK: Final = 0x03
REGISTERED_NONE: Final = 0x00
REGISTERED_BOTH: Final = 0x01
REGISTERED_FAILURE: Final = 0x02
REGISTERED_SUCCESS: Final = 0x03  # reserved in 3.4
REGISTERED_ACK_MASK: Final = 0x0C
REGISTERED_INTERMEDIATE: Final = 0x10

# ---- data_coding (3.4 §5.2.19, 5.0 §4.7.7) --------------------------------------------------------------------------------
DCS_DEFAULT: Final = 0x00
DCS_IA5: Final = 0x01
DCS_BINARY_TDMA: Final = 0x02
DCS_LATIN_1: Final = 0x03
DCS_BINARY: Final = 0x04
DCS_JIS: Final = 0x05
DCS_CYRILLIC: Final = 0x06
DCS_HEBREW: Final = 0x07
DCS_UCS2: Final = 0x08
DCS_PICTOGRAM: Final = 0x09
DCS_ISO_2022_JP: Final = 0x0A
DCS_KANJI_JIS: Final = 0x0D
DCS_KSC_5601: Final = 0x0E


def _named(prefix: str, *, without: frozenset[str] = frozenset()) -> dict[int, str]:
    """Collect this module's constants with a prefix, number → name; the first name of a number counts."""
    names: dict[int, str] = {}
    for name, value in list(globals().items()):
        if name.startswith(prefix) and name not in without and isinstance(value, int):
            names.setdefault(value, name)
    return names


_TAG_BOUNDS: Final = frozenset({"TAG_VENDOR_FIRST", "TAG_VENDOR_LAST"})
STATUS_NAMES: Final[Mapping[int, str]] = _named("ESME_")
TAG_NAMES: Final[Mapping[int, str]] = {tag: name[4:].lower() for tag, name in _named("TAG_", without=_TAG_BOUNDS).items()}
STATE_NAMES: Final[Mapping[int, str]] = {state: name[6:] for state, name in _named("STATE_").items()}
COMMAND_NAMES: Final[Mapping[int, str]] = {
    number: name.lower()
    for prefix in ("BIND_", "QUERY_", "SUBMIT_", "DELIVER_", "UNBIND", "REPLACE_", "CANCEL_", "OUTBIND", "ENQUIRE_",
                   "ALERT_", "DATA_", "BROADCAST_", "GENERIC_")
    for number, name in _named(prefix).items()
}  # fmt: skip


def command_name(command: int) -> str:
    """Return the specification's name of a command_id, or its number in hex."""
    return COMMAND_NAMES.get(command) or f"0x{command:08x}"


def status_name(status: int) -> str:
    """Return the specification's name of a command_status, or its number in hex."""
    return STATUS_NAMES.get(status) or f"0x{status:08x}"


def tag_name(tag: int) -> str:
    """Return the specification's name of a TLV's tag, or its number in hex."""
    return TAG_NAMES.get(tag) or f"0x{tag:04x}"


def state_name(state: int) -> str:
    """Return the specification's name of a message_state ("DELIVERED"), or its number."""
    return STATE_NAMES.get(state) or str(state)


class StatusClass(enum.Enum):
    """What a status in an answer to submit_sm means: whether it decides the message, the moment, or the session."""

    OK = "ok"
    THROTTLE = "throttle"
    TEMPORARY = "temporary"
    SESSION = "session"
    PERMANENT = "permanent"


_CLASSES: Final[Mapping[int, StatusClass]] = {
    ESME_ROK: StatusClass.OK,
    ESME_RTHROTTLED: StatusClass.THROTTLE,
    ESME_RMSGQFUL: StatusClass.THROTTLE,
    ESME_RSYSERR: StatusClass.TEMPORARY,
    ESME_RX_T_APPN: StatusClass.TEMPORARY,
    ESME_RINVCMDLEN: StatusClass.SESSION,
    ESME_RINVCMDID: StatusClass.SESSION,
    ESME_RINVBNDSTS: StatusClass.SESSION,
    ESME_RALYBND: StatusClass.SESSION,
    ESME_RBINDFAIL: StatusClass.SESSION,
    ESME_RINVPASWD: StatusClass.SESSION,
    ESME_RINVSYSID: StatusClass.SESSION,
}


def status_class(status: int) -> StatusClass:
    """Return what a status means; whatever is not known to pass is permanent."""
    return _CLASSES.get(status, StatusClass.PERMANENT)


_FOR_34: Final[Mapping[int, int]] = {
    ESME_RSERTYPUNAUTH: ESME_RINVSERTYP,
    ESME_RSERTYPUNAVAIL: ESME_RINVSERTYP,
}
_FIRST_50: Final = 0x100
_FIRST_TLV_STATUS: Final = 0xC0
_LAST_TLV_STATUS: Final = 0xC4


def status_for_version(status: int, version: int) -> int:
    """Return a status that a session of this interface version knows ; vendor statuses pass."""
    if _FIRST_50 <= status < VENDOR_FIRST and version < V50:
        return _FOR_34.get(status, ESME_RSUBMITFAIL)
    if version < V34 and _FIRST_TLV_STATUS <= status <= _LAST_TLV_STATUS:
        return ESME_RSUBMITFAIL
    return status
