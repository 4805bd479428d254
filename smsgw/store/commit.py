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
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import asyncpg
import structlog

from smsgw.model import Effect, Message, Rejected
from smsgw.smpp.const import ESME_RSYSERR
from smsgw.store.batch import DUPLICATE, Batch, duplicate_of, halves_of, keys_of, statement, tell_caps
from smsgw.store.database import grouped, heed_cancellation
from smsgw.store.errors import StoreError
from smsgw.store.queues import HISTORY, CommitCaps, Queues, Seat

__all__ = ["CONFLICT", "FENCED", "POISON", "Commit", "CommitCaps", "Fenced", "Seat"]

# By class of SQLSTATE. What may pass is tried again; what speaks against this connection (shut down, cancelled, a standby that
# takes no writes) is tried on another one; all else is the fault of a row.
_RETRY_CLASSES: Final = ("40", "53", "55", "58")
_FULL_CLASS: Final = "53"
_LOST_CLASSES: Final = ("08", "25", "57")
FENCED: Final = "SG001"
_FAILURES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, UnicodeError)
_UNREACHABLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, StoreError)

CONFLICT: Final = Rejected(ESME_RSYSERR, "conflict")
POISON: Final = Rejected(ESME_RSYSERR, "not_storable")


class Fenced(Exception):
    """Another node has taken over: this process must answer nothing that is undecided, close its sockets and exit."""


class IdSource(Protocol):
    """Where ids come from: `Ids` of `store.ids`."""

    last_ms: int

    def moment(self) -> int:
        """Return an id of this moment, for partition keys."""
        ...


class Commit(Queues):
    """The loop that empties the queues, its promises to whoever filled them, and the effects."""

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
        super().__init__(seat, clock, caps)
        self._connect = connect
        self._ids = ids
        self._probe = probe
        self._connection: asyncpg.Connection[Any] | None = None
        self._statement: Any = None
        self._sequence = 0
        self._started_at = 0.0
        self._stopping = False
        self._log = structlog.get_logger().bind(node=seat.node)
        self.available = False
        self.on_conflict: Callable[[Message], None] = _ignore
        self.on_poison: Callable[[Message], None] = _ignore
        self.on_held: Callable[[list[int]], None] = _nobody_judges
        # ---- what is told
        self.cycles = 0
        self.rows = 0
        self.replays = 0
        self.conflicts = 0
        self.poisoned = 0
        self.effect_failures = 0
        self.cycle_s = 0.0
        self.observe: Callable[[float], None] = _observe_nothing

    # ---- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run cycles until `stop`, then until everything handed over is durable and its effects have run.

        Raises Fenced, in a group. However it ends, its connection ends with it.
        """
        try:
            await self._reconnect()
            await grouped(self._run)
            await self._close()
        finally:
            self.available = False
            if self._connection is not None:
                self._connection.terminate()

    async def _run(self, group: asyncio.TaskGroup) -> None:
        finished: Batch | None = None
        answer: dict[str, Any] = {}
        while True:
            if finished is None and not self._has_work():
                if self._stopping:
                    break
                self._wake.clear()
                self._asleep = True
                await self._wake.wait()
                self._asleep = False
            if finished is not None and not self._busy():
                self._run_effects(finished, answer)
                finished = None
                await self._pace()
                continue
            batch = self._pack()
            self._started_at = batch.started_at
            sending = group.create_task(self._send(batch))
            if finished is not None:
                # The statement must be on the wire before the effects run: that is the overlap.
                await asyncio.sleep(0)
                self._run_effects(finished, answer)
            answer = await sending
            finished = batch
            if answer:
                _disown(batch, answer)

    async def ready(self) -> None:
        """Wait until cycles can run: who is let in before would be sent back."""
        while not self.available:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        """Finish what was handed over, then end `run`."""
        self._stopping = True
        self._wake.set()

    async def _pace(self) -> None:
        """Under light load leave some time between cycles: each costs the same, however few rows it has."""
        left = self._started_at + self.caps.pace_s - self._clock.now()
        if left > 0 and not self._stopping:
            await asyncio.sleep(left)

    # ---- one cycle on the wire ------------------------------------------------------------------------------------

    async def _send(self, batch: Batch) -> dict[str, Any]:
        """Run the statement until it is decided; returns the answer. Raises Fenced."""
        self._sequence += 1
        head = (
            self.seat.node,
            self.seat.epoch,
            self._sequence,
            batch.day,
            batch.low_water,
            self._ids.last_ms,
        )
        arguments = batch.arguments(head, self._ids.moment())
        if self._probe is not None:
            self._probe("before_commit")
        pause = 0.01
        answer: str | None = None
        while True:
            heed_cancellation()
            failure: Exception | None = None
            try:
                answer = await self._statement.fetchval(*arguments, timeout=self.caps.timeout_s)
            except _FAILURES as error:  # handled below: what is compiled must not wait while it handles an exception
                failure = error
            if failure is None:
                break
            state = (failure.sqlstate or "") if isinstance(failure, asyncpg.PostgresError) else type(failure).__name__
            if state == FENCED:
                raise Fenced(str(failure)) from failure
            if isinstance(failure, ValueError):
                return await self._bisect(batch, "")  # text that PostgreSQL cannot even be told
            if state.startswith(_RETRY_CLASSES):
                # A full disk takes nothing new until it has room; a deadlock is over in a moment.
                self.available = self.available and not state.startswith(_FULL_CLASS)
                self._log.warning("cycle_retried", sqlstate=state)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            elif not isinstance(failure, asyncpg.PostgresError) or state.startswith(_LOST_CLASSES) or self._cut_off():
                await self._replay_soon(state)
            else:
                return await self._bisect(batch, state)
        self.available = True
        if self._probe is not None:
            self._probe("after_commit")
        self.cycles += 1
        self.rows += batch.rows
        self.cycle_s = self._clock.now() - batch.started_at
        self.observe(self.cycle_s)
        return json.loads(answer) if answer else {}

    def _cut_off(self) -> bool:
        return self._connection is None or self._connection.is_closed()

    async def _replay_soon(self, why: str) -> None:
        """The connection died and nobody knows whether the cycle was committed: connect again; its token will tell."""
        self.available = False
        self.replays += 1
        self._log.error("store_lost", why=why, undecided=len(self.new))
        await self._reconnect()

    async def _reconnect(self) -> None:
        pause = 0.05
        while True:
            heed_cancellation()
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            try:
                self._connection = await self._connect()
                self._statement = await self._connection.prepare(statement())
            except _UNREACHABLE as error:
                self._log.warning("store_unreachable", why=type(error).__name__)
            else:
                self.available = True
                self._log.info("store_connected")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _bisect(self, batch: Batch, state: str) -> dict[str, Any]:
        """The cycle failed for its data: try its halves, each under a new token, until the bad item stands alone."""
        halves = halves_of(batch)
        if not halves:
            self.poisoned += 1
            ids = keys_of(batch)
            self._log.error("row_not_storable", sqlstate=state, ids=ids)
            return {"poisoned": ids}
        merged: dict[str, Any] = {}
        for half in halves:
            for key, value in (await self._send(half)).items():
                merged.setdefault(key, []).extend(value)
        return merged

    # ---- effects --------------------------------------------------------------------------------------------------

    def _run_effects(self, batch: Batch, answer: dict[str, Any]) -> None:
        """Do what the journeys wanted done once this was durable."""
        verdicts = self._verdicts(batch, answer) if answer else None
        if batch.counted and answer:
            tell_caps(batch, answer)
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
                self.conflicts += verdict is CONFLICT
                self._tell(self.on_conflict, message)
                if verdict is POISON:
                    self._tell(self.on_poison, message)
            if pending is None:
                continue
            for follow, argument, _ in pending:
                if follow is not None:
                    try:
                        follow(argument, verdict)
                    except Exception as error:  # noqa: BLE001 - the wall around one message
                        self._effect_failed(error)
        rows = batch.rows_with_effects()
        for (effect, argument), row in zip(batch.effects, rows, strict=True):
            self._tell(effect, argument, None if verdicts is None else verdicts.get(row[0]))
        if "held" in answer:
            self._tell(self.on_held, answer["held"])
        self._share_out(batch.claims, answer.get("claimed", []))
        self._share_out(batch.leases, answer.get("leased", []))
        if self._probe is not None:
            self._probe("after_effects")

    def _share_out(self, effects: list[Effect], ids: list[int]) -> None:
        """Hand claimed ids over. Several claims of one cycle share their answer: the first one gets it."""
        for effect in effects:
            self._tell(effect, ids, None)
            ids = []

    def _tell(self, effect: Callable[..., None], *arguments: Any) -> None:
        try:
            effect(*arguments)
        except Exception as error:  # noqa: BLE001 - the wall around one message
            self._effect_failed(error)

    def _verdicts(self, batch: Batch, answer: dict[str, Any]) -> dict[int, Rejected]:
        """What did not go as asked, by its id, and why."""
        verdicts: dict[int, Rejected] = {}
        for key, reason, *more in answer.get("refused", []):
            verdicts[key] = duplicate_of(batch, *more) if reason == DUPLICATE else Rejected(ESME_RSYSERR, reason)
        verdicts.update(dict.fromkeys(answer.get("unapplied", []), CONFLICT))
        verdicts.update(dict.fromkeys(answer.get("poisoned", []), POISON))
        return verdicts

    def _effect_failed(self, error: Exception) -> None:
        self.effect_failures += 1
        where = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self._log.error("effect_failed", error=type(error).__name__, where=where)


def _disown(batch: Batch, answer: dict[str, Any]) -> None:
    """What was not written has another state in its row: what memory makes of it meanwhile must not be written over that."""
    failed = {*answer.get("unapplied", ()), *answer.get("poisoned", ())}
    if failed:
        for message, _ in batch.changes:
            if message.id in failed:
                message.rev = HISTORY


def _ignore(_message: Message) -> None:
    """Nobody has said what to do with a conflict."""


def _nobody_judges(_texts: list[int]) -> None:
    """Nobody has said what to do with texts that are whole."""


def _observe_nothing(_seconds: float) -> None:
    """Nobody counts."""
