"""The unit of work: everything that must be durable, in one statement and one COMMIT a cycle.

Journeys hand work over with `add`, `change`, `owe` and their like, and name the effect that it is to have; the cycle that packs
the work runs the effect once it is durable. While PostgreSQL works on one cycle, the effects of the one before run: the next
statement is on the wire before they do, which alone gave half the speed again.

Promises:
- an effect runs once, after the COMMIT of the cycle that packed its work, never before; effect(message, None) when it is
  durable, effect(message, Rejected) when a durable limit refused it (then nothing of it was written);
- a cycle whose connection dies is replayed under the same token until it is decided; nothing of it is answered meanwhile, and
  `available` is False so that new submits are refused;
- one poison row never blocks the others: a cycle that fails for its data is bisected until the bad item stands alone;
- caps never split a receipt from the change of its message: both are one entry.

Must never: answer anybody; know what a state means; run two cycles at once.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg
import structlog

from smsgw.model import Effect, Message, Owed, Rejected, State
from smsgw.smpp.const import ESME_RSYSERR
from smsgw.store.batch import Batch, quote, statement

log = structlog.get_logger()

_RETRY_CLASSES: Final = ("40", "53", "55")
_LOST_CLASSES: Final = ("57", "08")
FENCED: Final = "SG001"

CONFLICT: Final = Rejected(ESME_RSYSERR, "conflict")
POISON: Final = Rejected(ESME_RSYSERR, "not_storable")


class Fenced(Exception):
    """Another node has taken over: this process must answer nothing that is undecided, close its sockets and exit."""


@dataclass(frozen=True, slots=True)
class CommitCaps:
    """Rows that one cycle takes at most, and the least time between cycles while load is light."""

    new: int = 128
    owed: int = 512
    changed: int = 2_048
    pace_s: float = 0.002
    timeout_s: float = 30.0
    busy_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Seat:
    """Which node this process is, and the epoch in which it may write."""

    node: int
    epoch: int


class Orphan(Protocol):
    """A receipt that matches nothing yet."""

    id: int
    link: int
    command: int
    upstream_id: str
    body: bytes
    expires_at: float


class IdSource(Protocol):
    """Where ids come from: `Ids` of `store.ids`."""

    last_ms: int

    def moment(self) -> int:
        """Return an id of this moment, for partition keys."""
        ...


class Commit:
    """The queues, and the loop that empties them."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection[Any]]],
        seat: Seat,
        ids: IdSource,
        clock: Any,
        caps: CommitCaps,
        *,
        probe: Callable[[str], None] | None = None,
    ) -> None:
        """Take what every cycle needs. `connect` opens a connection that is ready for cycles; `probe` is told crash points."""
        self._connect = connect
        self.seat = seat
        self._ids = ids
        self._clock = clock
        self.caps = caps
        self._probe = probe
        self._connection: asyncpg.Connection[Any] | None = None
        self._statement: Any = None
        self._sequence = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._log = log.bind(node=seat.node)
        self.available = False
        self.on_conflict: Callable[[Message], None] = _ignore
        self.low_water: Callable[[], int] = _no_low_water
        self._low_water_at = 0.0
        # ---- what waits for the next cycle
        self.new: deque[tuple[Message, Effect]] = deque()
        self.changed: dict[int, Message] = {}
        self.owed: deque[tuple[Owed, Effect, Any]] = deque()
        self.done: list[int] = []
        self.put_back: list[tuple[Any, ...]] = []
        self.leases: list[tuple[int, int, Effect]] = []
        self.waits: dict[int, tuple[Any, ...]] = {}
        self.unwaits: list[int] = []
        self.claims: list[tuple[int, int, Effect]] = []
        self.refers: list[tuple[Any, ...]] = []
        self.parks: deque[tuple[Any, Effect, Any]] = deque()
        self.unparks: list[int] = []
        # ---- what is told
        self.cycles = 0
        self.rows = 0
        self.replays = 0
        self.conflicts = 0
        self.poisoned = 0
        self.effect_failures = 0
        self.cycle_s = 0.0
        self.observe: Callable[[float], None] = _observe_nothing

    # ---- handing work over ----------------------------------------------------------------------------------------

    def add(self, message: Message, effect: Effect) -> None:
        """A new message: written, debited and counted in quotas; effect(message, None | Rejected)."""
        self.new.append((message, effect))
        if not self._wake.is_set():
            self._wake.set()

    def change(self, message: Message, effect: Effect | None = None, argument: Any = None, owed: Owed | None = None) -> None:
        """The message has changed: its present state is written; effect(argument, None | CONFLICT); `owed` goes with it."""
        self.changed[message.id] = message
        if effect is not None or owed is not None:
            if message.pending is None:
                message.pending = [(effect, argument, owed)]
            else:
                message.pending.append((effect, argument, owed))
        if not self._wake.is_set():
            self._wake.set()

    def owe(self, owed: Owed, effect: Effect, argument: Any) -> None:
        """Something is owed that belongs to no message of ours (MO); effect(argument, None | Rejected)."""
        self.owed.append((owed, effect, argument))
        self._wake.set()

    def close(self, owed_id: int) -> None:
        """What was owed is done: its row goes."""
        self.done.append(owed_id)
        if not self._wake.is_set():
            self._wake.set()

    def postpone(self, owed: Owed, *, keep: bool) -> None:
        """What is owed is tried again later: by us when `keep`, else by whoever takes it."""
        self.put_back.append((owed.id, owed.tries, int(owed.due_at * 1000), self.seat.node if keep else 0))
        self._wake.set()

    def lease(self, account: int, count: int, effect: Effect) -> None:
        """Take up to `count` free owed rows of an account; effect([id, …], None)."""
        self.leases.append((account, count, effect))
        self._wake.set()

    def wait(self, message: Message, link: int, due_at: float, *, claimed: bool) -> None:
        """Put the message into `waiting`: for the link, not before `due_at`, ours when `claimed`."""
        node = self.seat.node if claimed else 0
        expires = int(message.expires_at * 1000) if message.state is State.QUEUED else 0
        self.waits[message.id] = (message.id, link, int(message.state), int(due_at * 1000), expires, node)
        self._wake.set()

    def unwait(self, message_id: int) -> None:
        """The message waits no longer."""
        self.waits.pop(message_id, None)
        self.unwaits.append(message_id)
        self._wake.set()

    def claim(self, link: int, count: int, effect: Effect) -> None:
        """Take up to `count` waiting messages of a link (0: of those with something due); effect([id, …], None)."""
        self.claims.append((link, count, effect))
        self._wake.set()

    def refer(self, message: Message) -> None:
        """Keep where a late receipt leads: (link, upstream id) → message."""
        self.refers.append((message.link, message.id, quote(message.upstream_id), quote(message.destination)))
        self._wake.set()

    def park(self, orphan: Orphan, effect: Effect, argument: Any) -> None:
        """Keep a receipt that matches nothing yet; effect(argument, None | Rejected)."""
        self.parks.append((orphan, effect, argument))
        self._wake.set()

    def unpark(self, orphan_id: int) -> None:
        """A parked receipt has found its message, or its time is over."""
        self.unparks.append(orphan_id)
        self._wake.set()

    # ---- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run cycles until `stop`, then until everything handed over is durable and its effects have run. Raises Fenced."""
        await self._reconnect()
        finished: Batch | None = None
        answer: dict[str, Any] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                if finished is None and not self._has_work():
                    if self._stopping:
                        break
                    self._wake.clear()
                    await self._wake.wait()
                if finished is not None and not self._busy():
                    self._run_effects(finished, answer)
                    finished = None
                    await self._pace()
                    continue
                batch = self._pack()
                sending = group.create_task(self._send(batch))
                if finished is not None:
                    # The statement must be on the wire before the effects run: that is the overlap.
                    await asyncio.sleep(0)
                    self._run_effects(finished, answer)
                answer = await sending
                finished = batch
        await self._close()

    def stop(self) -> None:
        """Finish what was handed over, then end `run`."""
        self._stopping = True
        self._wake.set()

    @property
    def backlog(self) -> int:
        """How many entries wait for a cycle."""
        return len(self.new) + len(self.changed) + len(self.owed) + len(self.done) + len(self.parks)

    def _has_work(self) -> bool:
        return bool(
            self.new
            or self.changed
            or self.done
            or self.owed
            or self.put_back
            or self.waits
            or self.unwaits
            or self.claims
            or self.leases
            or self.refers
            or self.parks
            or self.unparks
        )

    def _busy(self) -> bool:
        share = self.caps.busy_share
        return len(self.new) >= self.caps.new * share or len(self.changed) >= self.caps.owed * share

    async def _pace(self) -> None:
        """Under light load leave some time between cycles: each costs the same, however few rows it has."""
        left = self._started_at + self.caps.pace_s - self._clock.now()
        if left > 0 and not self._stopping:
            await asyncio.sleep(left)

    _started_at = 0.0

    def _pack(self) -> Batch:
        """Take what the caps allow from all queues and turn it into rows."""
        batch = Batch()
        now = self._clock.now()
        self._started_at = batch.started_at = now
        quotas: dict[int, Message] = {}
        rows, blob, new = batch.new, batch.blob, self.new
        for _ in range(min(len(new), self.caps.new)):
            entry = new.popleft()
            message = entry[0]
            account = message.account
            batch.news.append(entry)
            rows.append((
                message.id, account.tenant.id, account.id, int(message.state), message.mode, message.basis, message.registered,
                message.parts, message.attempt, message.command, message.link, message.price, int(message.expires_at * 1000),
                quote(message.source), quote(message.destination), *blob(message.body),
            ))  # fmt: skip
            if message.short_id:
                batch.short.append((message.id, account.id, quote(message.short_id)))
            if account.quota_day or account.quota_month:
                quotas[account.id] = message
        if quotas:
            self._pack_quotas(batch, quotas)
        if self.changed:
            self._pack_changes(batch)
        while self.owed and len(batch.owed) < self.caps.owed:
            owed, effect, argument = self.owed.popleft()
            batch.owed.append(self._owed_row(owed, batch))
            batch.effects.append((effect, argument))
        while self.parks and len(batch.park) < self.caps.owed:
            orphan, effect, argument = self.parks.popleft()
            expires = int(orphan.expires_at * 1000)
            row = (orphan.id, orphan.link, orphan.command, quote(orphan.upstream_id), expires, *batch.blob(orphan.body))
            batch.park.append(row)
            batch.effects.append((effect, argument))
        self._pack_rest(batch)
        if now - self._low_water_at >= 1.0:
            self._low_water_at = now
            batch.low_water = self.low_water()
        return batch

    def _pack_changes(self, batch: Batch) -> None:
        changed, rows = self.changed, batch.changed
        if len(changed) <= self.caps.changed:
            messages = list(changed.values())
            changed.clear()
        else:
            ids = [key for key, _ in zip(changed, range(self.caps.changed), strict=False)]
            messages = [changed.pop(key) for key in ids]
        for message in messages:
            rows.append((
                message.id, message.rev, int(message.state), message.attempt, message.resends, message.link, message.error,
                int(message.sent_at * 1000), int(message.done_at * 1000), message.refund, message.account.tenant.id,
                quote(message.upstream_id),
            ))  # fmt: skip
            message.rev += 1
            pending = message.pending
            batch.changes.append((message, pending))
            if pending is not None:
                message.pending = None
                for _, _, owed in pending:
                    if owed is not None:
                        batch.owed.append(self._owed_row(owed, batch))

    def _owed_row(self, owed: Owed, batch: Batch) -> tuple[Any, ...]:
        node = self.seat.node if owed.claimed else 0
        expires = int(owed.expires_at * 1000)
        return (owed.id, owed.account, owed.message, owed.kind, owed.command, node, expires, *batch.blob(owed.body))

    def _pack_quotas(self, batch: Batch, quotas: dict[int, Message]) -> None:
        day, month = _periods(self._clock.time())
        for account_id in sorted(quotas):
            account = quotas[account_id].account
            if account.quota_month:
                batch.quota.append((account_id, month, account.quota_month))
            if account.quota_day:
                batch.quota.append((account_id, day, account.quota_day))

    def _pack_rest(self, batch: Batch) -> None:
        """Take the small queues whole."""
        if self.done:
            batch.done = [(key,) for key in self.done]
            self.done = []
        if self.put_back:
            batch.put_back, self.put_back = self.put_back, []
        if self.waits:
            batch.wait, self.waits = list(self.waits.values()), {}
        if self.unwaits:
            batch.unwait, self.unwaits = [(key,) for key in self.unwaits], []
        if self.refers:
            batch.refer, self.refers = self.refers, []
        if self.unparks:
            batch.unpark, self.unparks = [(key,) for key in self.unparks], []
        if self.claims:
            batch.claimed = [(link, count) for link, count, _ in self.claims]
            batch.claims = [effect for _, _, effect in self.claims]
            self.claims = []
        if self.leases:
            batch.leased = [(account, count) for account, count, _ in self.leases]
            batch.leases = [effect for _, _, effect in self.leases]
            self.leases = []

    # ---- one cycle on the wire ------------------------------------------------------------------------------------

    async def _send(self, batch: Batch) -> dict[str, Any]:
        """Run the statement until it is decided; returns the answer. Raises Fenced."""
        self._sequence += 1
        head = (
            self.seat.node,
            self.seat.epoch,
            self._sequence,
            int(self._clock.time() // 86_400),
            batch.low_water,
            self._ids.last_ms,
        )
        arguments = batch.arguments(head, self._ids.moment())
        if self._probe is not None:
            self._probe("before_commit")
        pause = 0.01
        answer: str | None = None
        while True:
            try:
                answer = await self._statement.fetchval(*arguments, timeout=self.caps.timeout_s)
            except asyncpg.PostgresError as error:
                state = error.sqlstate or ""
                if state == FENCED:
                    raise Fenced(str(error)) from error
                if state.startswith(_RETRY_CLASSES):
                    self._log.warning("cycle_retried", sqlstate=state)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
                elif state.startswith(_LOST_CLASSES) or self._connection is None or self._connection.is_closed():
                    await self._replay_soon(state)
                else:
                    return await self._bisect(batch, state)
            except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
                await self._replay_soon(type(error).__name__)
            else:
                break
        if self._probe is not None:
            self._probe("after_commit")
        self.cycles += 1
        self.rows += batch.rows
        self.cycle_s = self._clock.now() - batch.started_at
        self.observe(self.cycle_s)
        return json.loads(answer) if answer else {}

    async def _replay_soon(self, why: str) -> None:
        """The connection died and nobody knows whether the cycle was committed: connect again; its token will tell."""
        self.available = False
        self.replays += 1
        self._log.error("store_lost", why=why, undecided=len(self.new))
        await self._reconnect()

    async def _reconnect(self) -> None:
        pause = 0.05
        while True:
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            try:
                self._connection = await self._connect()
                self._statement = await self._connection.prepare(statement())
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                self._log.warning("store_unreachable", why=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            else:
                self.available = True
                self._log.info("store_connected")
                return

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        self.available = False

    async def _bisect(self, batch: Batch, state: str) -> dict[str, Any]:
        """The cycle failed for its data: try its halves, each under a new token, until the bad item stands alone."""
        halves = _halves(batch)
        if not halves:
            self.poisoned += 1
            ids = [message.id for message, _ in [*batch.news, *batch.changes]]
            self._log.error("row_not_storable", sqlstate=state, messages=ids)
            return {"poison": True}
        merged: dict[str, Any] = {"refused": [], "unapplied": [], "poisoned": []}
        for half in halves:
            answer = await self._send(half)
            if answer.pop("poison", False):
                merged["poisoned"].extend(m.id for m, _ in half.news)
                merged["poisoned"].extend(m.id for m, _ in half.changes)
                continue
            for key, value in answer.items():
                merged.setdefault(key, []).extend(value)
        return merged

    # ---- effects --------------------------------------------------------------------------------------------------

    def _run_effects(self, batch: Batch, answer: dict[str, Any]) -> None:
        """Do what the journeys wanted done once this was durable."""
        verdicts = self._verdicts(batch, answer) if answer else None
        for message, effect in batch.news:
            try:
                effect(message, None if verdicts is None else verdicts.get(message.id))
            except Exception as error:  # noqa: BLE001 - the wall around one message
                self._effect_failed(error)
        if self._probe is not None:
            self._probe("between_effects")
        for message, pending in batch.changes:
            verdict = None if verdicts is None else verdicts.get(message.id)
            if verdict is not None:
                self.conflicts += 1
                self.on_conflict(message)
            if pending is None:
                continue
            for follow, argument, _ in pending:
                if follow is not None:
                    try:
                        follow(argument, verdict)
                    except Exception as error:  # noqa: BLE001 - the wall around one message
                        self._effect_failed(error)
        failed = POISON if answer.get("poison") else None
        for effect, argument in batch.effects:
            try:
                effect(argument, failed)
            except Exception as error:  # noqa: BLE001 - the wall around one message
                self._effect_failed(error)
        self._share_out(batch.claims, answer.get("claimed", []))
        self._share_out(batch.leases, answer.get("leased", []))
        if self._probe is not None:
            self._probe("after_effects")

    def _share_out(self, effects: list[Effect], ids: list[int]) -> None:
        """Hand claimed ids over. Several claims of one cycle share their answer: the first one gets it."""
        for effect in effects:
            effect(ids, None)
            ids = []

    def _verdicts(self, batch: Batch, answer: dict[str, Any]) -> dict[int, Rejected]:
        """Which messages did not go as asked, and why."""
        verdicts = {key: Rejected(ESME_RSYSERR, reason) for key, reason in answer.get("refused", [])}
        verdicts.update(dict.fromkeys(answer.get("unapplied", []), CONFLICT))
        verdicts.update(dict.fromkeys(answer.get("poisoned", []), POISON))
        if answer.get("poison"):
            verdicts.update((message.id, POISON) for message, _ in [*batch.news, *batch.changes])
        return verdicts

    def _effect_failed(self, error: Exception) -> None:
        self.effect_failures += 1
        where = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self._log.error("effect_failed", error=type(error).__name__, where=where)


def _halves(batch: Batch) -> list[Batch]:
    """Split a batch in two by its messages and changes; what belongs to neither goes into the first. [] when it is one item."""
    news, changes, others = len(batch.news), len(batch.changes), len(batch.effects)
    if news + changes + others <= 1:
        return []
    first, second = Batch(), Batch()
    cut_new, cut_change = (news + 1) // 2, (changes + 1) // 2
    if news == 1 and changes:
        cut_new, cut_change = 1, 0
    elif changes == 1 and news:
        cut_new, cut_change = news, 0
    for half in (first, second):
        half.octets, half.size, half.started_at = batch.octets, batch.size, batch.started_at
        half.quota = batch.quota
    first.news, second.news = batch.news[:cut_new], batch.news[cut_new:]
    first.new, second.new = batch.new[:cut_new], batch.new[cut_new:]
    first.changes, second.changes = batch.changes[:cut_change], batch.changes[cut_change:]
    first.changed, second.changed = batch.changed[:cut_change], batch.changed[cut_change:]
    moved = {message.id for message, _ in [*second.news, *second.changes]}
    for name, position in (("short", 0), ("owed", 2), ("wait", 0), ("refer", 1)):
        rows = getattr(batch, name)
        setattr(first, name, [row for row in rows if row[position] not in moved])
        setattr(second, name, [row for row in rows if row[position] in moved])
    for name in ("effects", "done", "put_back", "leased", "leases", "unwait", "claimed", "claims", "park", "unpark"):
        setattr(first, name, getattr(batch, name))
    if not first.news and not first.changes and not second.news and not second.changes:
        return []
    return [half for half in (first, second) if half.rows]


def _periods(now: float) -> tuple[int, int]:
    """Return the quota periods of a moment: the day as yyyymmdd and the month as yyyymm, UTC."""
    today = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return today.year * 10_000 + today.month * 100 + today.day, today.year * 100 + today.month


def _ignore(_message: Message) -> None:
    """Nobody has said what to do with a conflict."""


def _no_low_water() -> int:
    return 0


def _observe_nothing(_seconds: float) -> None:
    """Nobody counts."""
