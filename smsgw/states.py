"""The states of a message: which there are, how one leads to another, and what SMPP says for each.

The same words in row, record line, metric label and README. Tables only; `smsgw.model` gives them on, and everybody
takes them from there.

Never here: what a journey does in a state.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.IntEnum):
    """Where a message stands. Up to SENT it is open; from DELIVERED on it is final."""

    HELD = 1
    SCHEDULED = 2
    QUEUED = 3
    SUBMITTING = 4
    IN_DOUBT = 5
    SENT = 6
    DELIVERED = 10
    FAILED = 11
    REFUSED = 12
    REJECTED = 13
    EXPIRED = 14
    CANCELLED = 15
    UNKNOWN = 16


FIRST_FINAL: Final = 10
"""Every state from this number on is final."""

_GIVEN_UP = frozenset({State.EXPIRED, State.CANCELLED, State.REJECTED})
_RECEIPTED = frozenset({State.DELIVERED, State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})

# A missing pair is an illegal move. A receipt may arrive before the answer to submit_sm, and even while the message
# is queued again after a doubt: so SUBMITTING, IN_DOUBT and QUEUED lead straight to what a receipt says. SENT expires
# only by the carrier's word. UNKNOWN is final for the books, yet one late receipt still moves it. Of a message that was sent again
# a failure is told of one attempt: that another one was delivered is still news (what was given back stays so).
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.HELD: frozenset({State.QUEUED, State.SUBMITTING, State.SCHEDULED}) | _GIVEN_UP,
    State.SCHEDULED: frozenset({State.QUEUED, State.SUBMITTING}) | _GIVEN_UP,
    State.QUEUED: frozenset({State.SUBMITTING, State.REFUSED, State.SENT}) | _GIVEN_UP | _RECEIPTED,
    State.SUBMITTING: frozenset({State.SENT, State.REFUSED, State.QUEUED, State.IN_DOUBT}) | _RECEIPTED,
    State.IN_DOUBT: frozenset({State.QUEUED, State.SENT, State.SUBMITTING, State.REFUSED}) | _RECEIPTED,
    State.SENT: _RECEIPTED,
    State.UNKNOWN: _RECEIPTED - {State.UNKNOWN},
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset({State.DELIVERED}),
    State.REFUSED: frozenset(),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset({State.DELIVERED}),
    State.CANCELLED: frozenset({State.DELIVERED}),
}

MESSAGE_STATE: Final[Mapping[State, int]] = {
    State.HELD: 1,
    State.SCHEDULED: 0,
    State.QUEUED: 1,
    State.SUBMITTING: 1,
    State.IN_DOUBT: 1,
    State.SENT: 1,
    State.DELIVERED: 2,
    State.FAILED: 5,
    State.REFUSED: 8,
    State.REJECTED: 8,
    State.EXPIRED: 3,
    State.CANCELLED: 4,
    State.UNKNOWN: 7,
}
"""The SMPP message_state (3.4 §5.2.28) that query_sm and receipts say for each state; 3.x sessions read 1 for SCHEDULED."""

STAT: Final[Mapping[State, bytes]] = {
    State.DELIVERED: b"DELIVRD",
    State.FAILED: b"UNDELIV",
    State.REFUSED: b"REJECTD",
    State.REJECTED: b"REJECTD",
    State.EXPIRED: b"EXPIRED",
    State.CANCELLED: b"DELETED",
    State.UNKNOWN: b"UNKNOWN",
}
"""The `stat:` word of a receipt that smsgw itself originates for a final state (3.4 Appendix B)."""

STATE_OF_RECEIPT: Final[Mapping[int, State]] = {
    2: State.DELIVERED,
    3: State.EXPIRED,
    4: State.CANCELLED,
    5: State.FAILED,
    7: State.UNKNOWN,
    8: State.FAILED,
    9: State.FAILED,
}
"""message_state of a carrier's final receipt → our state. ENROUTE, ACCEPTED and SCHEDULED are absent: they never close."""
