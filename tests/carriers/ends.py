"""A gateway's side of carriers for tests: real links on real sockets, with journeys that only take notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from smsgw.carriers.link import LinkBind
from smsgw.carriers.pool import Carriers
from smsgw.model import Account, Carrier, Link, Message, Outcome, Tenant
from smsgw.smpp import const, pdu
from smsgw.smpp.pdu import Pdu
from smsgw.telemetry import Meters
from tests.script import ManualClock

ALPHA = Carrier(id=1, name="alpha")
ACME = Account(id=1, system_id="acme1", tenant=Tenant(id=1, name="acme", currency="CNY"))
WAIT_S = 10.0


def link(port: int = 0, **fields: Any) -> Link:
    """Return a link that reconnects within milliseconds."""
    given: dict[str, Any] = {
        "id": 1, "name": "alpha-1", "carrier": ALPHA, "host": "127.0.0.1", "port": port, "system_id": "gw", "password": "gw",
        "reconnect_min_s": 0.005, "reconnect_max_s": 0.02,
    }  # fmt: skip
    return Link(**(given | fields))


def message(number: int = 1, text: bytes = b"hello", *, command: int = const.SUBMIT_SM, tlvs: bytes = b"") -> Message:
    """Return a message on its way."""
    body = pdu.sm_body(source=b"1069", dest=b"8613800138000", short_message=text, tlvs=tlvs)
    if command == const.DATA_SM:
        body = pdu.data_sm_body(source=b"1069", dest=b"8613800138000", tlvs=tlvs)
    return Message(number, ACME, "1069", "8613800138000", body, command=command)


class Notes:
    """What links told, in order; `changed` is set with each."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[int, Outcome]] = []
        self.delivered: list[tuple[LinkBind, Pdu]] = []
        self.rooms: list[int] = []
        self.changed = asyncio.Event()
        self.fails_for = -1
        self.answers: int | None = const.ESME_ROK
        """The status with which deliveries are answered at once; None: not at all."""

    def on_outcome(self, told: Message, outcome: Outcome) -> None:
        self.changed.set()
        if told.id == self.fails_for:
            raise RuntimeError("content of a message")
        self.outcomes.append((told.id, outcome))

    def on_deliver(self, bind: LinkBind, came: Pdu) -> None:
        self.delivered.append((bind, came))
        if self.fails_for == len(self.delivered):
            raise RuntimeError("content of a message")
        if self.answers is not None:
            bind.answer(came, self.answers)
        self.changed.set()

    def on_room(self, link_id: int) -> None:
        self.rooms.append(link_id)
        self.changed.set()


class Side:
    """Links under test. Time stands still but for `pass_`; `until` waits for what sockets bring."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.meters = Meters()
        self.notes = Notes()
        self.carriers = Carriers(self.meters, self.clock, node=1)
        self.carriers.events.on_outcome = self.notes.on_outcome
        self.carriers.events.on_deliver = self.notes.on_deliver
        self.carriers.events.on_room = self.notes.on_room

    def submit(self, number: int = 1, link_id: int = 1, **fields: Any) -> LinkBind:
        """Reserve a slot and use it; returns the bind that took the message."""
        bind = self.carriers.reserve((link_id,))
        assert bind is not None
        bind.submit(message(number, **fields), 0.0)
        return bind

    def pass_(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass, with the daemon's ticker."""
        for _ in range(round(seconds / step)):
            self.clock.pass_(step)
            self.carriers.tick(self.clock.now())

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Turn the loop until the condition holds, with a tick now and then; returns what it returned."""
        async with asyncio.timeout(WAIT_S):
            while not (found := condition()):
                self.carriers.tick(self.clock.now())
                try:
                    async with asyncio.timeout(0.005):
                        await self.notes.changed.wait()
                except TimeoutError:
                    continue
                finally:
                    self.notes.changed.clear()
            return found

    async def outcomes(self, count: int = 1) -> list[tuple[int, Outcome]]:
        """Wait for so many outcomes in all; returns all."""
        await self.until(lambda: len(self.notes.outcomes) >= count)
        return self.notes.outcomes

    async def bound(self, link_id: int = 1) -> None:
        """Wait until a link can send."""
        await self.until(lambda: self.carriers.bound(link_id))

    def states(self) -> list[str]:
        """Return the state of each bind."""
        return [row["state"] for row in self.carriers.rows()]


@asynccontextmanager
async def side(*links: Link) -> AsyncIterator[Side]:
    """Run these links until the end of the block."""
    made = Side()
    made.carriers.apply(links)
    async with asyncio.TaskGroup() as group:
        made.carriers.start(group)
        try:
            yield made
        finally:
            made.carriers.abandon()
