"""What became of a submit: at the carrier, an Outcome; at our door, a Rejected. One meaning each.

Never here: what follows from it.
"""

from __future__ import annotations

import msgspec


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A refusal: the SMPP status goes to the peer, the reason (a constant word) to log, record and metric.

    `rule`: which rule of which policy said so, for the record; "" where no policy did.
    """

    status: int
    reason: str
    rule: str = ""


class Duplicate(Rejected, frozen=True, gc=False, kw_only=True):
    """Not written, because the account sent the same within its duplicate window: it is answered with that message's id."""

    text_id: bytes


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The carrier took the message and gave it this id (raw octets, possibly empty).

    `late_on`: the link whose answer came after the time-out had been told as Unknown; 0 for an answer in time. The message may be
    on another bind's slot by then.
    """

    upstream_id: bytes
    late_on: int = 0


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The carrier said no; `retryable` when another route or a later time may do.

    `late`: it said so after the time-out had been told as Unknown: that attempt is in no doubt any more.
    """

    status: int
    retryable: bool
    late: bool = False


class Throttled(msgspec.Struct, frozen=True, gc=False):
    """The carrier asked to slow down (ESME_RTHROTTLED, ESME_RMSGQFUL): the message was surely not taken. `late`: as in Refused."""

    status: int
    late: bool = False


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """No answer came. `written` False: not one octet had left, so the message surely was not taken."""

    reason: str
    written: bool


Outcome = Sent | Refused | Throttled | Unknown
