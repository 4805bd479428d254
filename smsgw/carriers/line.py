"""What the binds of one link share: its settings, its pace, its meter, and who is told when it has room again.

Promises: `on_room` comes at most once a loop turn, only when there is room and leave to send, and only when somebody found none
before or the link has just been bound.
Never here: sessions, messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from smsgw.carriers.pace import Pace
from smsgw.model import Link, Message, Outcome
from smsgw.smpp.pdu import Pdu
from smsgw.telemetry import LinkMeter
from smsgw.wire import TimeSource

if TYPE_CHECKING:
    from smsgw.carriers.link import LinkBind


@dataclass(slots=True)
class LinkEvents:
    """Where what happens on links goes: set by the daemon before anything runs.

    `on_room`: a link can take messages again, after it was bound or after somebody found it full; at most once a loop turn.
    """

    on_outcome: Callable[[Message, Outcome], None] = field(default=lambda _message, _outcome: None)
    on_deliver: Callable[[LinkBind, Pdu], None] = field(default=lambda _bind, _pdu: None)
    on_room: Callable[[int], None] = field(default=lambda _link: None)


class Line:
    """What the binds of one link share. `starved`: somebody wanted a slot and found none."""

    __slots__ = ("_scheduled", "binds", "clock", "events", "link", "log", "meter", "pace", "starved")

    def __init__(self, link: Link, events: LinkEvents, meter: LinkMeter, clock: TimeSource) -> None:
        self.link = link
        self.events = events
        self.meter = meter
        self.clock = clock
        self.pace = Pace(link.rate, clock.now())
        self.log = structlog.get_logger().bind(link=link.name)
        self.binds: list[LinkBind] = []
        self.starved = False
        self._scheduled = False

    def room(self) -> int:
        """Return how many more submits the binds of this link can take now, its pace left aside."""
        return sum(room for bind in self.binds if (room := bind.room()) > 0)

    def freed(self) -> None:
        """Something that was wanted may have become free: tell once this loop turn is over."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._scheduled = False
        if self.room() > 0 and self.pace.ready(self.clock.now()):
            self.starved = False
            self.events.on_room(self.link.id)

    def throttled(self, sent_at: float) -> None:
        """The carrier asked to slow down, in the answer to a message sent at `sent_at`."""
        self.meter.throttled += 1
        if self.pace.throttled(self.clock.now(), sent_at):
            self.log.warning("link_slowed", rate=round(self.pace.limit, 1))

    def tick(self, now: float) -> None:
        """Let time pass for the link: its pace recovers, and whoever waits for it is told."""
        if self.pace.tick(now):
            self.log.info("link_at_full_speed")
        if self.starved:
            self.freed()
