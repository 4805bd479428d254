"""What the client gives its user: receipts, messages, and what can go wrong.

Never here: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from smsgw.smpp.const import status_name

VENDOR: Final = range(0x400, 0x500)
"""Statuses that every gateway may give a meaning of its own (SMPP 3.4 §5.1.3)."""


class Refused(Exception):
    """The message was not taken; `status` is its command_status, any number of 32 bits."""

    def __init__(self, status: int) -> None:
        """Name the status; of one that is the gateway's own, say where it is explained."""
        own = ", a status of the gateway's own: its interface document says what it means" if status in VENDOR else ""
        super().__init__(status_name(status) + own)
        self.status = status


class Unanswered(Exception):
    """Nobody knows whether the message was taken: no answer came in time, or the connection was lost before it."""


class NotBound(Exception):
    """The gateway could not be reached, or refused the bind; `status` is its command_status, 0 when there was none."""

    def __init__(self, why: str, status: int = 0) -> None:
        """Say why."""
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message. `stat` as in SMPP 3.4 Appendix B ("DELIVRD"); `state` is message_state (2 =
    delivered).

    `reference`: what was given to `send`, None when that is forgotten. `final`: nothing more will come. `error` and
    `done_date` as the carrier wrote them.
    """

    message_id: str
    stat: str
    state: int
    final: bool
    error: str
    done_date: str
    reference: Any = None

    @property
    def delivered(self) -> bool:
        """True when the handset has it."""
        return self.stat == "DELIVRD"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message to a number of ours. `exact`: every octet had one meaning in its alphabet; `octets` without header elements."""

    source: str
    destination: str
    text: str = field(repr=False)
    exact: bool
    data_coding: int
    octets: bytes = field(repr=False)
