"""Carriers: all links together, and the one question that journeys ask: who can take this message now?

`reserve` takes a slot on the first link in the route's order that has a bound bind with room and leave to send; within a link
the bind with the most room. A slot is used by `LinkBind.submit` or given back by `LinkBind.release`.

Never here: queues of messages; what an outcome means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from smsgw.carriers.line import LinkEvents
from smsgw.carriers.link import BindState, LinkBind
from smsgw.carriers.runner import LinkRunner
from smsgw.model import Link
from smsgw.telemetry import Meters
from smsgw.wire import TimeSource

Gauge = dict[tuple[str, ...], float]


class Carriers:
    """The links of this node."""

    def __init__(self, meters: Meters, clock: TimeSource, *, node: int) -> None:
        """Start without links; `events` is filled in by the daemon, `apply` brings the links."""
        self._meters = meters
        self._clock = clock
        self._node = node
        self.events = LinkEvents()
        self._runners: dict[int, LinkRunner] = {}
        self._retired: list[LinkRunner] = []
        self._group: asyncio.TaskGroup | None = None
        self._log = structlog.get_logger().bind()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let links run in this group from now on."""
        self._group = group
        for runner in self._runners.values():
            runner.start(group)

    def apply(self, links: Iterable[Link]) -> None:
        """Follow a new version of provisioning: new links start, deleted ones drain, changed ones change in place or reconnect.

        Only a change of what a session was made with (address, credentials, bind, TLS) makes a link reconnect: its old
        sessions drain while the new ones come up. Links that name other nodes are none of ours.
        """
        wanted = {link.id: link for link in links if not link.nodes or self._node in link.nodes}
        for link_id in list(self._runners):
            link = wanted.get(link_id)
            runner = self._runners[link_id]
            if link is None or (link != runner.link and not runner.change(link)):
                self._log.info("link_retired", link=runner.link.name, deleted=link is None)
                runner.stop()
                self._retired.append(self._runners.pop(link_id))
        for link_id, link in wanted.items():
            if link_id not in self._runners:
                runner = LinkRunner(link, self.events, self._meters.link(link.name), self._clock)
                self._runners[link_id] = runner
                if self._group is not None:
                    runner.start(self._group)

    # ---- room -----------------------------------------------------------------------------------------------------

    def reserve(self, links: Sequence[int]) -> LinkBind | None:
        """Take a slot on the first of these links that has room and leave to send; None when none has."""
        for link_id in links:
            bind = self._take(link_id)
            if bind is not None:
                return bind
        self.want(links)
        return None

    def want(self, links: Iterable[int]) -> None:
        """Have `on_room` called once one of these links has room again."""
        for link_id in links:
            runner = self._runners.get(link_id)
            if runner is not None:
                runner.line.starved = True

    def _take(self, link_id: int) -> LinkBind | None:
        runner = self._runners.get(link_id)
        if runner is None:
            return None
        best: LinkBind | None = None
        most = 0
        for bind in runner.binds:
            room = bind.room()
            if room > most:
                most, best = room, bind
        if best is None or not runner.line.pace.take(self._clock.now()):
            return None
        best.reserved += 1
        return best

    def room(self, link_id: int) -> int:
        """Return how many submits the window of a link can take now; 0 while its pace gives no leave."""
        runner = self._runners.get(link_id)
        return runner.line.room() if runner is not None and runner.line.pace.ready(self._clock.now()) else 0

    def leave(self, link_id: int) -> int:
        """Return how many submits a link can take now and in the next moment, by its window and its pace."""
        runner = self._runners.get(link_id)
        return runner.line.pace.leave(self._clock.now(), runner.line.room()) if runner is not None else 0

    def bound(self, link_id: int) -> bool:
        """Tell whether a link has a bound bind that can send."""
        runner = self._runners.get(link_id)
        return runner is not None and any(bind.sends for bind in runner.binds)

    @property
    def any_bound(self) -> bool:
        """True when at least one link can send."""
        return any(map(self.bound, self._runners))

    # ---- time and end ---------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let time pass for all links."""
        for runner in self._runners.values():
            runner.tick(now)
        if self._retired:
            for runner in self._retired:
                runner.tick(now)
            self._retired = [runner for runner in self._retired if not runner.done]

    def stop(self) -> None:
        """Drain all links: no new submits, answers awaited, unbind. `stopped` tells when; the ticker must go on."""
        for runner in self._runners.values():
            runner.stop()

    def abandon(self) -> None:
        """End all links at once."""
        for runner in (*self._runners.values(), *self._retired):
            runner.abandon()

    @property
    def stopped(self) -> bool:
        """True once every task of every link has ended."""
        return all(runner.done for runner in (*self._runners.values(), *self._retired))

    # ---- seen from outside ----------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a bind, for `show links`; those of deleted links while they drain.

        `sent`: by all binds of a link, on its first row. `next_dial_s`: while it backs off.
        """
        now = self._clock.now()
        return [
            {
                "link": runner.link.name,
                "carrier": runner.link.carrier.name,
                "address": f"{runner.link.host}:{runner.link.port}",
                "bind": runner.link.bind,
                "state": str(bind.state),
                "for_s": round(now - bind.since),
                "next_dial_s": round(max(0.0, bind.dial_at - now), 1) if bind.state is BindState.BACKING_OFF else None,
                "version": f"{bind.version >> 4}.{bind.version & 15}" if bind.version else "",
                "window": f"{bind.outstanding}/{runner.link.window}",
                "rate": round(runner.line.pace.limit, 1),
                "slowed": runner.line.pace.slowed,
                "throttled_for_s": round(max(0.0, runner.line.pace.held_until - now), 2),
                "sent": bind.meter.sent if bind is runner.binds[0] else None,
                "last_error": bind.last_error,
            }
            for runner in (*self._runners.values(), *self._retired)
            for bind in runner.binds
        ]

    def states(self) -> Gauge:
        """Return how many binds of each link are in each state, for the metric."""
        counts: Gauge = {}
        for runner in self._runners.values():
            for bind in runner.binds:
                key = (runner.link.name, str(bind.state))
                counts[key] = counts.get(key, 0.0) + 1
        return counts

    def windows(self) -> Gauge:
        """Return how many submits of each link wait for their answer, for the metric."""
        return {(r.link.name,): float(sum(bind.outstanding for bind in r.binds)) for r in self._runners.values()}

    def speeds(self) -> Gauge:
        """Return the speed in force on each link in messages a second (0: no limit), for the metric."""
        return {(r.link.name,): r.line.pace.limit for r in self._runners.values()}
