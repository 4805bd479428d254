"""A simulated tenant: an ESME with N sessions × window, in a closed loop or at a fixed rate, that checks what comes
back.

    tenant = Tenant(TenantSettings(port=2775, system_id="acme1", password="secret", sessions=10, window=50,
    count=100_000)) report = await tenant.run()

Closed loop: each answer lets the next message go. Fixed rate (`rate` > 0, open loop): messages are due at even
distances whatever the answers do, and `latency_due` counts from when a message was due, so that a stalled peer does
not hide behind the messages that it kept from being sent.

Promises: every id that ESME_ROK brought stands in `ledger` until its receipt comes, beyond that where `keep` says so;
nothing waits for ever.

Never here: anything of the gateway.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from smsgw.sim.latency import Latency
from smsgw.sim.ledgers import TenantLedger
from smsgw.sim.settings import TenantSettings
from smsgw.sim.tenant_bind import Sent, TenantBind
from smsgw.sim.texts import indexed_text
from smsgw.smpp import bodies, const, pdu
from smsgw.smpp.pdu import Pdu, Sm
from smsgw.smpp.receipt import Receipt
from smsgw.smpp.session import Role, Session, SessionSettings
from smsgw.wire import Clock, TimeSource, Wire, WireLimits, dial

_BEAT_S: Final = 0.001
_WIRE_BEATS: Final = 100
_SAMPLE_S: Final = 0.005
_LOOK_S: Final = 0.01
_THROTTLES: Final = frozenset({const.ESME_RTHROTTLED, const.ESME_RMSGQFUL})
_BINDS: Final = {
    "transceiver": const.BIND_TRANSCEIVER,
    "transmitter": const.BIND_TRANSMITTER,
    "receiver": const.BIND_RECEIVER,
}


class BindRefused(Exception):
    """The peer refused a bind; `status` is its command_status."""

    def __init__(self, status: int) -> None:
        """Name the status."""
        super().__init__(const.status_name(status))
        self.status = status


class Tenant:
    """One simulated ESME. `compose(index)` may give submit_sm bodies of its own; `on_mo(octets, sm)` sees messages to it."""

    def __init__(
        self,
        settings: TenantSettings,
        clock: TimeSource | None = None,
        *,
        compose: Callable[[int], bytes] | None = None,
        on_mo: Callable[[bytes, Sm], None] | None = None,
    ) -> None:
        """Take what to do; nothing is connected yet."""
        self.settings = settings
        self.clock: TimeSource = clock or Clock()
        self.ledger = TenantLedger()
        self.latency = Latency()
        self.latency_due = Latency()
        self.receipt_latency = Latency()
        self.compose = compose or self._indexed
        self.own_texts = compose is None
        self.on_mo = on_mo
        self.bind_body = bodies.bind_body(
            system_id=settings.system_id.encode(), password=settings.password.encode(), interface_version=settings.version
        )
        self.samples: list[tuple[float, int, int]] = []
        self.stopping = False
        kinds = [_BINDS[settings.bind]] * settings.sessions + [const.BIND_RECEIVER] * settings.receivers
        self.binds = [TenantBind(self, kind) for kind in kinds]
        self._base = int(settings.destination)
        self._head = b"\0\x01\x01%b\0\x01\x01" % settings.source.encode()
        # the destination's NUL, then esm_class to validity_period: five octets of zero
        self._middle = b"\0\0\0\0\0\0%c\0%c\0%c" % (settings.registered_delivery, settings.data_coding, settings.octets)
        self._next = settings.first
        self._again: deque[tuple[float, int]] = deque()
        self._sending = False
        self._started_at = 0.0
        self._ended_at = 0.0
        self._heard_at = 0.0
        self._end_at = 0.0
        self._turn = 0
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None

    # ---- what is sent ---------------------------------------------------------------------------------------------

    def _indexed(self, index: int) -> bytes:
        settings = self.settings
        number = self._base + index % settings.destinations
        return b"%b%d%b%b" % (self._head, number, self._middle, indexed_text(index, settings.octets))

    def may_send(self, now: float) -> bool:
        """Tell whether the next message may go now, as far as count, time and rate are concerned."""
        settings = self.settings
        done = self._next - settings.first
        if not self._sending or self.stopping or (settings.count and done >= settings.count):
            return False
        if self._end_at and now >= self._end_at:
            return False
        return not settings.rate or done < (now - self._started_at) * settings.rate

    def fill(self, bind: TenantBind) -> None:
        """Send as much on this session as its window and the settings allow."""
        now = self.clock.now()
        while bind.room > 0:
            if self._again and self._again[0][0] <= now and self._sending:
                index = self._again.popleft()[1]
            elif self.may_send(now):
                index = self._next
                self._next += 1
            else:
                return
            bind.submit(index, self.compose(index), now)

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_BEAT_S, self._beat)
        self._beats += 1
        now = self.clock.now()
        if self._sending and (self.settings.rate or self._again):
            self._turn += 1
            for step in range(len(self.binds)):
                self.fill(self.binds[(self._turn + step) % len(self.binds)])
        if self._beats % _WIRE_BEATS == 0:
            for bind in self.binds:
                if bind.wire is not None:
                    bind.wire.tick(now)
        if not self.samples or now - self.samples[-1][0] >= _SAMPLE_S:
            self.samples.append((now, self.ledger.responses, self.ledger.matched))
            if len(self.samples) > 100_000:
                del self.samples[::2]

    # ---- what comes back --------------------------------------------------------------------------------------------

    def on_answer(self, response: Pdu, sent: Sent) -> None:
        """A submit_sm was answered."""
        ledger = self.ledger
        settings = self.settings
        now = self._heard_at = self.clock.now()
        index, sent_at = sent
        ledger.responses += 1
        self.latency.record(now - sent_at)
        if settings.rate:
            self.latency_due.record(now - self._started_at - (index - settings.first) / settings.rate)
        status = response.status
        if status:
            ledger.statuses[status] += 1
            if settings.retry_throttled and status in _THROTTLES:
                self._again.append((now + settings.throttle_pause_s, index))
            return
        ledger.ok += 1
        message_id = pdu.read_message_id(response.octets)
        if not message_id or message_id in ledger.waiting or message_id in ledger.done:
            ledger.wrong["message_id empty or given twice"] += 1
        elif message_id in ledger.early:
            ledger.duplicates += ledger.early.pop(message_id) - 1
            self._match(message_id, sent, now)
        else:
            ledger.waiting[message_id] = sent

    def on_receipt(self, found: Receipt, sm: Sm) -> None:
        """A receipt came."""
        ledger = self.ledger
        now = self._heard_at = self.clock.now()
        message_id = found.message_id
        if found.text_id and found.tlv_id and found.text_id != found.tlv_id:
            ledger.wrong["ids of text and TLV differ"] += 1
        if not found.final:
            ledger.intermediate += 1
            return
        ledger.receipts += 1
        ledger.states[found.stat.decode("latin-1")] += 1
        sent = ledger.waiting.pop(message_id, None)
        if sent is not None:
            if self.own_texts and sm.source != b"%d" % (self._base + sent[0] % self.settings.destinations):
                ledger.wrong["receipt of another destination"] += 1
            self._match(message_id, sent, now)
        elif message_id in ledger.done:
            ledger.duplicates += 1
        else:
            ledger.early[message_id] = ledger.early.get(message_id, 0) + 1

    def _match(self, message_id: bytes, sent: Sent, now: float) -> None:
        self.ledger.matched += 1
        self.receipt_latency.record(now - sent[1])
        if self.settings.keep:
            self.ledger.done[message_id] = sent[0]

    def on_message(self, octets: bytes, sm: Sm) -> None:
        """A message to us came (MO)."""
        self.ledger.mo += 1
        if self.on_mo is not None:
            self.on_mo(octets, sm)

    def on_bound(self, bind: TenantBind) -> None:
        """A session is bound: send, if sending goes on."""
        self.fill(bind)

    # ---- life -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def bound(self) -> AsyncIterator[Tenant]:
        """Be bound within the block, on every session. Raises BindRefused, OSError, TimeoutError."""
        self._beat()
        try:
            async with asyncio.TaskGroup() as group:
                for bind in self.binds:
                    group.create_task(self._keep(bind))
                async with asyncio.timeout(self.settings.bind_timeout_s):
                    for bind in self.binds:
                        await bind.bound.wait()
                yield self
                self.stopping = True
                self._sending = False
                for bind in self.binds:
                    bind.unbind()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for bind in self.binds:
                if bind.wire is not None:
                    bind.wire.abort("stopped")

    async def _keep(self, bind: TenantBind) -> None:
        """Dial a session, and again as long as `reconnect_s` says so. Ends with its block."""
        settings = self.settings
        while not self._leaving():
            try:
                wire = await dial(self._wire(bind), settings.host, settings.port)
                if self._leaving():
                    wire.abort("stopped")
                bind.connected(wire)
                await bind.lost.wait()
            except (OSError, TimeoutError):
                if not settings.reconnect_s:
                    raise
            if self._leaving():
                return
            if not settings.reconnect_s:
                if bind.refused:
                    raise BindRefused(bind.refused)
                if not bind.was_bound:
                    raise ConnectionError("closed before it was bound")
                return
            await asyncio.sleep(settings.reconnect_s)

    def _leaving(self) -> bool:
        """Tell whether the block has ended; it may while a session is being dialled."""
        return self.stopping

    def _wire(self, bind: TenantBind) -> Wire:
        settings = self.settings
        limits = SessionSettings(
            session_init_s=settings.bind_timeout_s,
            enquire_link_s=settings.enquire_link_s,
            response_timeout_s=settings.response_timeout_s,
        )
        session = Session(Role.ESME, limits, self.clock.now())
        return Wire(session, self.clock, bind, WireLimits(write_high=4_194_304, write_low=1_048_576, pause_reading=False))

    def start(self) -> None:
        """Begin to send, on the sessions that are bound; `stop` ends it."""
        now = self._started_at = self.clock.now()
        self._end_at = now + self.settings.seconds if self.settings.seconds else 0.0
        self._sending = True
        for bind in self.binds:
            self.fill(bind)

    def stop(self) -> None:
        """Send nothing new."""
        self._sending = False

    @property
    def unanswered(self) -> int:
        """How many submit_sm wait for their answer."""
        return sum(len(bind.wire.session.window) for bind in self.binds if bind.wire is not None)

    @property
    def sending(self) -> bool:
        """True while messages are still to be sent."""
        settings = self.settings
        if not self._sending or (self._end_at and self.clock.now() >= self._end_at):
            return False
        again = self._again or (settings.retry_throttled and self.unanswered)
        if settings.count and self._next - settings.first >= settings.count and not again:
            return False
        return any(bind.wire is not None for bind in self.binds) or settings.reconnect_s > 0

    async def sent(self) -> None:
        """Wait until everything was sent."""
        while self.sending:  # noqa: ASYNC110 - an end by time, count or stop, looked at now and then
            await asyncio.sleep(_LOOK_S)
        self._ended_at = self.clock.now()

    async def settled(self) -> bool:
        """Wait for answers and receipts; False when some have not come within `linger_s` of silence, or `max_wait_s`."""
        settings = self.settings
        since = self.clock.now()
        while True:
            ledger = self.ledger
            if not self.unanswered and not (settings.registered_delivery & 0x03 == 1 and ledger.waiting):
                return True
            now = self.clock.now()
            if now - max(since, self._heard_at) > settings.linger_s or now - since > settings.max_wait_s:
                return False
            await asyncio.sleep(_LOOK_S)

    async def run(self) -> dict[str, Any]:
        """Bind, send, wait for what is due, unbind; returns the report."""
        async with self.bound():
            self.start()
            await self.sent()
            await self.settled()
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return the figures: rates are per second between 10 % and 90 % of all, times in milliseconds."""
        settings = self.settings
        figures = {
            "sessions": settings.sessions,
            "window": settings.window,
            "rate": settings.rate,
            **self.ledger.figures(),
            "without_receipt": len(self.ledger.waiting) if settings.registered_delivery & 0x03 == 1 else 0,
            "throughput": round(_steady([(at, responses) for at, responses, _ in self.samples]), 1),
            "receipt_throughput": round(_steady([(at, matched) for at, _, matched in self.samples]), 1),
            "elapsed_s": round(max(self._heard_at - self._started_at, 0.0), 3),
            "response_ms": self.latency.milliseconds(),
            "receipt_ms": self.receipt_latency.milliseconds(),
        }
        if settings.rate:
            figures["response_due_ms"] = self.latency_due.milliseconds()
        return figures


def _steady(samples: list[tuple[float, int]]) -> float:
    """Return the rate between 10 % and 90 % of the last count; 0.0 where that cannot be told."""
    if not samples or not samples[-1][1]:
        return 0.0
    total = samples[-1][1]
    times = []
    for share in (0.1, 0.9):
        wanted = total * share
        for (at, count), (next_at, next_count) in itertools.pairwise(samples):
            if count < wanted <= next_count:
                times.append(at + (next_at - at) * (wanted - count) / (next_count - count))
                break
    if len(times) < 2 or times[1] <= times[0]:
        return 0.0
    return 0.8 * total / (times[1] - times[0])
