"""Names of numbers that come off the wire, for record lines and metric labels.

Built once, from aiosmpplib's enums where it has them: a status is looked up by its number and never made into an enum,
because a carrier may answer with any of 2³² of them. A test compares these names with the specification's in
`smpp/const.py`, which lies above this room.
"""

from __future__ import annotations

from typing import Final

from aiosmpplib import SmppCommandStatus, SmppDataCoding

# What SMPP 5.0 §4.7.6 adds to the table of 3.4, which aiosmpplib stops at.
_ADDED_BY_50: Final = {
    0x100: "ESME_RSERTYPUNAUTH",
    0x101: "ESME_RPROHIBITED",
    0x102: "ESME_RSERTYPUNAVAIL",
    0x103: "ESME_RSERTYPDENIED",
    0x104: "ESME_RINVDCS",
    0x105: "ESME_RINVSRCADDRSUBUNIT",
    0x106: "ESME_RINVDSTADDRSUBUNIT",
    0x107: "ESME_RINVBCASTFREQINT",
    0x108: "ESME_RINVBCASTALIAS_NAME",
    0x109: "ESME_RINVBCASTAREAFMT",
    0x10A: "ESME_RINVNUMBCAST_AREAS",
    0x10B: "ESME_RINVBCASTCNTTYPE",
    0x10C: "ESME_RINVBCASTMSGCLASS",
    0x10D: "ESME_RBCASTFAIL",
    0x10E: "ESME_RBCASTQUERYFAIL",
    0x10F: "ESME_RBCASTCANCELFAIL",
    0x110: "ESME_RINVBCAST_REP",
    0x111: "ESME_RINVBCASTSRVGRP",
    0x112: "ESME_RINVBCASTCHANIND",
}
STATUS_NAMES: Final = {int(member): member.name for member in SmppCommandStatus} | _ADDED_BY_50
CODING_NAMES: Final = {int(member): member.name for member in SmppDataCoding}

STATE_NAMES: Final = {
    1: "HELD", 2: "SCHEDULED", 3: "QUEUED", 4: "SUBMITTING", 5: "IN_DOUBT", 6: "SENT", 10: "DELIVERED", 11: "FAILED",
    12: "REFUSED", 13: "REJECTED", 14: "EXPIRED", 15: "CANCELLED", 16: "UNKNOWN",
}  # fmt: skip
"""A message's states by number, as in `model.State` (a test compares them)."""

RECEIPT_STATES: Final = {
    0: "SCHEDULED", 1: "ENROUTE", 2: "DELIVERED", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIVERABLE", 6: "ACCEPTED",
    7: "UNKNOWN", 8: "REJECTED", 9: "SKIPPED",
}  # fmt: skip
"""message_state by number (SMPP 3.4 §5.2.28, 5.0 §4.7.15)."""


def status_name(status: int) -> str:
    """Return a command_status by name; in hex when nobody knows it."""
    return STATUS_NAMES.get(status) or f"0x{status:08x}"


def state_name(state: int) -> str:
    """Return a message's state by name; its number when there is none."""
    return STATE_NAMES.get(state) or str(state)


def receipt_state_name(state: int) -> str:
    """Return a receipt's message_state by name; `other` when the specification has none, so that labels stay few."""
    return RECEIPT_STATES.get(state, "other")
