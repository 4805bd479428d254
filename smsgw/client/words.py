"""What the client gives its user: receipts, messages, and what can go wrong.

Never here: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smsgw.smpp.const import status_name


class Refused(Exception):
    """The message was not taken; `status` is its command_status, any number of 32 bits."""

    def __init__(self, status: int) -> None:
        """Name the status."""
        super().__init__(status_name(status))
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
