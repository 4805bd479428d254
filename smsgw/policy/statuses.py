"""What a tenant is told when money, a quota or the state of its contract says no: reason → command_status, in one table.

SMPP has no status for any of these, so each has one of the vendors' range (3.4 §5.1.3: 0x0400 to 0x04FF), by which a client can
tell them apart; an account with `strict_34` reads ESME_RSUBMITFAIL instead. README lists both.

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
}
"""reason → (status of our own, status of the strict 3.4 profile)."""

_REFUSALS: Final = {
    strict: {reason: Rejected(pair[strict], reason) for reason, pair in STATUSES.items()} for strict in (False, True)
}


def refusal(reason: str, *, strict_34: bool) -> Rejected | None:
    """Return the refusal for a reason of the table, in the profile of the account; None for any other reason."""
    return _REFUSALS[strict_34].get(reason)
