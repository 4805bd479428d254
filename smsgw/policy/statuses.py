"""What a tenant is told when money, a quota, the state of its contract or a rule says no: reason → command_status, in one table.

Where SMPP has no status, each has one of the vendors' range (3.4 §5.1.3: 0x0400 to 0x04FF; 0x0410 to 0x042F for rules), by which a
client can tell them apart; an account with `strict_34` reads one of the specification instead. README lists both.

Promises: never ESME_RTHROTTLED nor another status that invites to try again at once: trying again mends none of these.
Never here: who is refused, the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from smsgw.model import Rejected
from smsgw.smpp import const

STATUSES: Final[Mapping[str, tuple[int, int]]] = {
    "balance": (0x0400, const.ESME_RSUBMITFAIL),
    "quota": (0x0401, const.ESME_RSUBMITFAIL),
    "suspended_arrears": (0x0402, const.ESME_RSUBMITFAIL),
    "frozen": (0x0403, const.ESME_RSUBMITFAIL),
    "closing": (0x0404, const.ESME_RSUBMITFAIL),
    "closed": (0x0404, const.ESME_RSUBMITFAIL),
    "term_over": (0x0405, const.ESME_RSUBMITFAIL),
    "content": (0x0410, const.ESME_RSUBMITFAIL),
    "signature": (0x0411, const.ESME_RSUBMITFAIL),
    "template": (0x0412, const.ESME_RSUBMITFAIL),
    "category": (0x0413, const.ESME_RSUBMITFAIL),
    "opted_out": (0x0414, const.ESME_RINVDSTADR),
    "scope": (0x0415, const.ESME_RINVDSTADR),
    "hours": (0x0416, const.ESME_RSUBMITFAIL),
    "link": (0x0417, const.ESME_RSUBMITFAIL),
    "phone": (0x0418, const.ESME_RSUBMITFAIL),
    "unreadable": (0x0419, const.ESME_RSUBMITFAIL),
    "held": (0x041A, const.ESME_RSUBMITFAIL),
    "blocked": (0x041B, const.ESME_RINVDSTADR),
    "opt_out_missing": (0x041C, const.ESME_RSUBMITFAIL),
    "parts": (0x041D, const.ESME_RSUBMITFAIL),
    "policy_failed": (0x041E, const.ESME_RSUBMITFAIL),
    "frequency": (0x0420, const.ESME_RSUBMITFAIL),
    "parts_missing": (0x0428, const.ESME_RSUBMITFAIL),
    "parts_conflict": (0x0429, const.ESME_RSUBMITFAIL),
    "reviewed": (0x042A, const.ESME_RSUBMITFAIL),
    "no_consent": (0x042B, const.ESME_RINVDSTADR),
    "cancelled": (0x042C, const.ESME_RSUBMITFAIL),
    "deferred_full": (0x042D, const.ESME_RSUBMITFAIL),
    "sender": (const.ESME_RINVSRCADR, const.ESME_RINVSRCADR),
    "recipient": (const.ESME_RINVDSTADR, const.ESME_RINVDSTADR),
    "tlv_missing": (const.ESME_RMISSINGOPTPARAM, const.ESME_RMISSINGOPTPARAM),
    "tlv_value": (const.ESME_RINVOPTPARAMVAL, const.ESME_RINVOPTPARAMVAL),
}
"""reason → (status of our own, status of the strict 3.4 profile)."""

_REFUSALS: Final = {
    strict: {reason: Rejected(pair[strict], reason) for reason, pair in STATUSES.items()} for strict in (False, True)
}


def refusal(reason: str, *, strict_34: bool) -> Rejected | None:
    """Return the refusal for a reason of the table, in the profile of the account; None for any other reason."""
    return _REFUSALS[strict_34].get(reason)
