"""A simulated carrier: an SMSC that takes messages, gives them ids, and sends receipts, with the faults of the field.

    carrier = Carrier(CarrierSettings(receipt_delay_ms=2_000, id_style="hex", receipt_id_style="dec"))
    async with carrier.listening() as (host, port): ...

Promises: the n-th message has the fate that the seed gives it; a receipt that nobody answers is sent again until
somebody does, on whichever bind of its system_id may receive; what it took and sent stands in `ledger`. At run time:
`cut` and `restore` (the machine is gone, and back), `drop_connections`, `hush` (a silent spell), `send_mo`, and
`settings` may be replaced.

Never here: anything of the gateway.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from smsgw.sim.agenda import Agenda
from smsgw.sim.carrier_bind import CarrierBind, Delivery
from smsgw.sim.fates import ID_STYLES, fates
from smsgw.sim.ledgers import CarrierLedger
from smsgw.sim.settings import CarrierSettings
from smsgw.smpp.pdu import Pdu
from smsgw.smpp.session import Role, Session, SessionSettings
from smsgw.wire import Clock, TimeSource, Wire, WireLimits, listen

__all__ = ["Carrier", "CarrierSettings"]

BEAT_S: Final = 0.002
"""How exactly delays are kept."""

_WIRE_BEATS: Final = 50
"""The timers of the connections are looked at every so many beats."""


class Answer(NamedTuple):
    """An answer to a submit_sm or data_sm that is to be given later."""

    bind: CarrierBind
    command: int
    sequence: int
    status: int
    body: bytes


@dataclass(slots=True)
class _Dates:
    """The YYMMDDhhmm of receipts, made once a minute."""

    minute: int = -1
    text: bytes = b""

    def at(self, seconds: float) -> bytes:
        minute = int(seconds // 60)
        if minute != self.minute:
            self.minute = minute
            self.text = time.strftime("%y%m%d%H%M", time.gmtime(minute * 60)).encode()
        return self.text


class Carrier:
    """One simulated SMSC."""

    def __init__(self, settings: CarrierSettings | None = None, clock: TimeSource | None = None) -> None:
        """Take its habits; nothing listens yet."""
        self.settings = settings or CarrierSettings()
        self.clock: TimeSource = clock or Clock()
        self.ledger = CarrierLedger(bodies=deque(maxlen=self.settings.keep_bodies))
        self.binds: list[CarrierBind] = []
        self.parked: deque[tuple[str, Delivery]] = deque()
        self.answers: Agenda[Answer] = Agenda()
        self.receipts: Agenda[tuple[CarrierBind, Delivery]] = Agenda()
        self.silent_until = 0.0
        self.next_fate = fates(self.settings.seed, self.settings.shares)
        self.jitter: Callable[[], float] = random.Random(self.settings.seed + 1).random
        self.id_of = ID_STYLES[self.settings.id_style]
        self.receipt_id_of = ID_STYLES[self.settings.receipt_id_style or self.settings.id_style]
        self.numbers = self.settings.id_start - 1
        self.submit_dates = _Dates()
        self.done_dates = _Dates()
        self.address = ("", 0)
        self._server: asyncio.Server | None = None
        self._gone = False
        self._timer: asyncio.TimerHandle | None = None
        self._beats = 0
        self._turn = 0
        self._tokens = 0.0
        self._filled_at = self.clock.now()

    # ---- life -----------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Listen; returns host and port (chosen by the system for port 0). Raises OSError."""
        self._gone = False
        self._server = await listen(self.connection, host, port)
        name = self._server.sockets[0].getsockname()
        self.address = (name[0], name[1])
        if self._timer is None:
            self._beat()
        return self.address

    async def stop(self) -> None:
        """Close the listener and every connection at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.cut()

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[tuple[str, int]]:
        """Listen within the block."""
        address = await self.start(host, port)
        try:
            yield address
        finally:
            await self.stop()

    async def cut(self) -> None:
        """Be gone: no listener, every connection reset, no answer on its way."""
        self._gone = True
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop_connections()
        await asyncio.sleep(0)

    async def restore(self) -> None:
        """Be back at the same address after `cut`."""
        await self.start(*self.address)

    def drop_connections(self) -> None:
        """Reset every connection; the listener stays."""
        for bind in list(self.binds):
            self.ledger.drops += 1
            bind.wire.abort("dropped")

    def hush(self, seconds: float) -> None:
        """Answer nothing for so long; what comes is swallowed, or taken where `silent_takes` says so."""
        self.silent_until = self.clock.now() + seconds

    def connection(self) -> Wire:
        """Make the wire of a new connection."""
        settings = self.settings
        session = Session(
            Role.MC,
            SessionSettings(
                enquire_link_s=settings.enquire_link_s,
                response_timeout_s=settings.response_timeout_s,
                bad_pdu_limit=1_000_000,
            ),
            self.clock.now(),
        )
        wire = Wire(session, self.clock, limits=WireLimits(write_high=4_194_304, write_low=1_048_576, pause_reading=False))
        bind = CarrierBind(self, wire)
        wire.peer = bind
        self.binds.append(bind)
        self.ledger.connections += 1
        if self._gone:  # it was accepted in the last moment
            wire.abort("dropped")
        return wire

    # ---- time -----------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)
        self._beats += 1
        self.tick(self.clock.now())

    def tick(self, now: float) -> None:
        """Do what is due. Called by the carrier itself while it listens; tests with a clock of their own call it too."""
        if self.silent_until > now:
            return
        for answer in self.answers.take(now):
            answer.bind.answer(answer.command, answer.sequence, answer.status, answer.body)
        for bind, delivery in self.receipts.take(now):
            self.deliver(bind.system_id, delivery, bind)
        if self._beats % _WIRE_BEATS == 0:
            for bind in list(self.binds):
                bind.wire.tick(now)

    def allow(self, now: float) -> bool:
        """Take a token of `rate`; a tenth of a second's worth may come at once."""
        rate = self.settings.rate
        if not rate:
            return True
        self._tokens = min(max(rate / 10, 1.0), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def silent(self) -> bool:
        """True during a spell that `hush` began."""
        return bool(self.silent_until) and self.clock.now() < self.silent_until

    def later(self, bind: CarrierBind, request: Pdu, status: int, body: bytes) -> None:
        """Answer a request after the delay of the settings."""
        delay_ms = self.settings.response_delay_ms + self.jitter() * self.settings.response_jitter_ms
        due = self.clock.now() + delay_ms / 1000
        self.answers.enter(due, Answer(bind, request.command, request.sequence, status, body))

    # ---- receipts and messages to the peer ---------------------------------------------------------------------------

    def owe(self, bind: CarrierBind, delivery: Delivery, delay_ms: float) -> None:
        """Send a receipt, at once or after a delay (the jitter of the settings is added here)."""
        self.ledger.receipts_due += 1
        if self.settings.receipt_jitter_ms:
            delay_ms += self.jitter() * self.settings.receipt_jitter_ms
        if delay_ms <= 0:
            self.deliver(bind.system_id, delivery, bind)
        elif len(self.receipts) >= self.settings.receipt_cap:
            self.ledger.receipts_dropped += 1
        else:
            self.receipts.enter(self.clock.now() + delay_ms / 1000, (bind, delivery))

    def deliver(self, system_id: str, delivery: Delivery, preferred: CarrierBind | None = None) -> None:
        """Send a delivery on this bind, on another one of the same system_id that may receive, or when one comes."""
        bind = preferred if preferred is not None and preferred.receives else self._receiver(system_id)
        if bind is not None:
            bind.deliver(delivery)
        elif len(self.parked) >= self.settings.receipt_cap:
            self.ledger.receipts_dropped += 1
        else:
            self.parked.append((system_id, delivery))

    def _receiver(self, system_id: str) -> CarrierBind | None:
        binds = self.binds
        for step in range(len(binds)):
            bind = binds[(self._turn + step) % len(binds)]
            if bind.receives and bind.system_id == system_id:
                self._turn = (self._turn + step + 1) % len(binds)
                return bind
        return None

    def bound(self, bind: CarrierBind) -> None:
        """A bind that may receive came up: it gets what was parked for it."""
        self.ledger.binds += 1
        if not bind.receives:
            return
        for _ in range(len(self.parked)):
            system_id, delivery = self.parked.popleft()
            if system_id == bind.system_id:
                bind.deliver(delivery)
            else:
                self.parked.append((system_id, delivery))

    def unanswered(self, bind: CarrierBind, deliveries: list[Delivery]) -> None:
        """Nobody answered for these: they are sent again, on this bind's system_id."""
        self.ledger.receipts_unanswered += len(deliveries)
        if not self.settings.redeliver:
            return
        due = self.clock.now() + self.settings.receipt_retry_ms / 1000
        for delivery in deliveries:
            self.receipts.enter(due, (bind, delivery))

    def send_mo(self, body: bytes, system_id: str = "") -> None:
        """Send a deliver_sm that is no receipt (body: `pdu.sm_body`) to a bind of the system_id, or of the first bind there is."""
        if not system_id:
            system_id = self.settings.system_id or (self.binds[0].system_id if self.binds else "")
        self.ledger.mo_sent += 1
        self.deliver(system_id, Delivery(0, body, receipt=False))

    @property
    def owing(self) -> int:
        """How many receipts and messages nobody has answered for yet."""
        waiting = sum(len(bind.pending) + bind.wire.session.outstanding for bind in self.binds)
        return waiting + len(self.parked) + len(self.receipts)
