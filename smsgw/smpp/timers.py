"""The session's timers (SMPP 3.4 §7.2) as a value: when something was last heard, and what is due now.

Time is passed in (monotonic seconds); nothing here waits or sends. The session asks `due` at every tick and acts.

- session_init: from connecting to bind; octets that dribble in do not extend it.
- enquire_link: nothing heard for so long → ask; nothing heard within the response time-out after asking → dead.
- inactivity: no transaction (enquire_link is none) for so long → unbind.
- slow_pdu: an incomplete PDU must become whole within so long.
"""

from __future__ import annotations

import enum


class Due(enum.Enum):
    """What the timers say."""

    NOTHING = ""
    ENQUIRE = "enquire_link"
    SESSION_INIT = "session_init_timeout"
    NO_ENQUIRE_LINK_RESP = "enquire_link_timeout"
    INACTIVE = "inactivity_timeout"
    SLOW_PDU = "slow_pdu_timeout"


class Timers:
    """When a session last heard something. A time-out of 0 switches that timer off."""

    __slots__ = ("enquired_at", "heard_at", "opened_at", "partial_since", "worked_at")

    def __init__(self, now: float) -> None:
        """Start at the moment when the connection came up."""
        self.opened_at = now
        self.heard_at = now
        self.worked_at = now
        self.enquired_at = 0.0
        self.partial_since = 0.0

    def heard(self, now: float) -> None:
        """Octets came: the peer is alive, and an open enquire_link is as good as answered."""
        self.heard_at = now
        self.enquired_at = 0.0

    def due(
        self,
        now: float,
        *,
        bound: bool,
        session_init_s: float,
        enquire_link_s: float,
        response_timeout_s: float,
        inactivity_s: float,
        slow_pdu_s: float,
    ) -> Due:
        """Return the first timer that has run out, or NOTHING."""
        if self.partial_since and slow_pdu_s and now - self.partial_since > slow_pdu_s:
            return Due.SLOW_PDU
        if not bound:
            return Due.SESSION_INIT if session_init_s and now - self.opened_at > session_init_s else Due.NOTHING
        if self.enquired_at:
            silent = response_timeout_s and now - self.enquired_at > response_timeout_s
            return Due.NO_ENQUIRE_LINK_RESP if silent else Due.NOTHING
        if inactivity_s and now - self.worked_at > inactivity_s:
            return Due.INACTIVE
        if enquire_link_s and now - self.heard_at > enquire_link_s:
            return Due.ENQUIRE
        return Due.NOTHING
