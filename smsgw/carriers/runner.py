"""Keeps a link alive: one supervised task a bind, dial → bind → run → back off, for as long as the link is provisioned.

A task ends when its link is deleted, changed in what needs a new session, or drained; it is cancelled by `abandon` alone, or
while it has no session to drain. It never raises: a link's failure is its own affair, and can't end the process.

Promises: pauses grow with jitter up to the link's limit, and begin anew after a bind that held; a refused bind is tried slowly,
because asking often does not mend a password (and locks accounts), except where the refusal passes by itself, as after a crash
of ours.
Must never: log a password.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from typing import Final

from smsgw.carriers import trouble
from smsgw.carriers.credentials import BIND_COMMANDS
from smsgw.carriers.line import Line, LinkEvents
from smsgw.carriers.link import BindRefused, BindState, LinkBind
from smsgw.model import Link
from smsgw.smpp import const
from smsgw.telemetry import LinkMeter
from smsgw.wire import TimeSource, where_raised

HELD_S: Final = 30.0
PASSING: Final = frozenset({const.StatusClass.TEMPORARY, const.StatusClass.THROTTLE})
IN_PLACE: Final = frozenset(
    "binds window rate dialect response_timeout_s enquire_link_s reconnect_min_s reconnect_max_s nodes carrier".split()
)
"""What of a link may change under its sessions; anything else needs new ones."""


class Backoff:
    """How long to pause before the next try: doubling from least to most, each pause shortened by up to a half at random."""

    __slots__ = ("_next_s",)

    def __init__(self) -> None:
        self._next_s = 0.0

    def pause(self, least_s: float, most_s: float, *, slow: bool) -> float:
        """Return the next pause; `slow` goes to the longest at once."""
        base = most_s if slow else min(max(self._next_s, least_s), most_s)
        self._next_s = base * 2
        return base * random.uniform(0.5, 1.0)

    def begin_anew(self) -> None:
        """The last try was a success that held."""
        self._next_s = 0.0


class LinkRunner:
    """The binds of one link, and the tasks that keep them."""

    def __init__(self, link: Link, events: LinkEvents, meter: LinkMeter, clock: TimeSource) -> None:
        """Describe the binds of a link; nothing runs before `start`."""
        self.link = link
        self.line = Line(link, events, meter, clock)
        self.binds = self.line.binds
        self.stopping = False
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[LinkBind, asyncio.Task[None]] = {}
        self._leaving: set[LinkBind] = set()
        self._resize()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run each bind in a task of its own, in this group."""
        self._group = group
        for bind in self.binds:
            self._tasks[bind] = group.create_task(self._keep(bind), name=f"link {self.link.name}")

    async def _keep(self, bind: LinkBind) -> None:
        """One bind's life."""
        backoff = Backoff()
        try:
            while not self._over(bind):
                slow = await self._once(bind)
                if self._over(bind):
                    break
                if bind.bound_at and self._clock.now() - bind.bound_at > HELD_S:
                    backoff.begin_anew()
                bind.bound_at = 0.0
                bind.enter(BindState.BACKING_OFF)
                pause = backoff.pause(self.link.reconnect_min_s, self.link.reconnect_max_s, slow=slow)
                bind.dial_at = self._clock.now() + pause
                await asyncio.sleep(pause)
        finally:
            bind.enter(BindState.DOWN)

    async def _once(self, bind: LinkBind) -> bool:
        """One session, whatever becomes of it. True when the next try should wait long."""
        log = self.line.log
        try:
            reason = await bind.run()
        except BindRefused as refusal:
            bind.last_error = trouble.refused(refusal.status)
            log.warning("link_bind_refused", status=str(refusal))
            return refusal.status != const.ESME_RALYBND and const.status_class(refusal.status) not in PASSING
        except (OSError, TimeoutError) as error:
            bind.last_error = trouble.unreachable(error)
            log.warning("link_unreachable", error=type(error).__name__, why=bind.last_error)
            return False
        except Exception as error:  # noqa: BLE001 - the wall around one link
            name = type(error).__name__
            bind.last_error = f"a fault of ours ({name}): see the log"
            log.error("link_failed", error=name, where=where_raised(error))  # noqa: TRY400 - not its words
            return True
        bind.last_error = trouble.ended(reason)
        log.info("link_down", reason=reason)
        return False

    def _over(self, bind: LinkBind) -> bool:
        return self.stopping or bind in self._leaving

    # ---- changes --------------------------------------------------------------------------------------------------

    def change(self, link: Link) -> bool:
        """Take over what may change under a session; False, and nothing done, when something else has changed too."""
        old = self.link
        if any(
            getattr(link, field.name) != getattr(old, field.name)
            for field in dataclasses.fields(Link)
            if field.name not in IN_PLACE
        ):
            return False
        self.link = self.line.link = link
        self.line.pace.rate = link.rate
        for bind in self.binds:
            bind.change(link)
        self._resize()
        if self.line.starved:
            self.line.freed()
        return True

    def _resize(self) -> None:
        """Have as many binds as the link should have: new ones start, those too many drain."""
        commands = BIND_COMMANDS[self.link.bind] * max(1, self.link.binds)
        staying = [bind for bind in self.binds if bind not in self._leaving]
        for bind in staying[len(commands) :]:
            self._leaving.add(bind)
            self._retire(bind)
        for command in commands[len(staying) :]:
            bind = LinkBind(self.line, command)
            self.binds.append(bind)
            if self._group is not None:
                self._tasks[bind] = self._group.create_task(self._keep(bind), name=f"link {self.link.name}")

    # ---- time and end ---------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let time pass for every session of the link."""
        self.line.tick(now)
        for bind in self.binds:
            bind.tick(now)
        for bind in tuple(self._leaving):
            task = self._tasks.get(bind)
            if task is None or task.done():
                self._leaving.discard(bind)
                self._tasks.pop(bind, None)
                self.binds.remove(bind)

    def stop(self) -> None:
        """Drain: no new submits, answers awaited, unbind, no reconnect."""
        self.stopping = True
        for bind in self.binds:
            self._retire(bind)

    def _retire(self, bind: LinkBind) -> None:
        bind.drain()
        task = self._tasks.get(bind)
        if task is not None and bind.state is not BindState.DRAINING:
            task.cancel()

    def abandon(self) -> None:
        """End at once whatever still runs."""
        self.stopping = True
        for task in self._tasks.values():
            task.cancel()

    @property
    def done(self) -> bool:
        """True once all its tasks have ended."""
        return all(task.done() for task in self._tasks.values())
