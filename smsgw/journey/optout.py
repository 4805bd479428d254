"""opt-out: a handset's keyword → on record → its message goes on; and what is on record → every node, within a second.

An MO message that is a keyword is written down first, in a transaction of its own: only after that COMMIT does the message
enter the unit of work, and only after the unit of work's COMMIT is the carrier answered. So there is no instant at which a carrier
has its deliver_sm_resp and the refusal could be lost. Killed between both COMMITs, the carrier sends the message again, and what it
says is on record already: setting a mark that is set changes nothing. What the set answers is written with the mark (`reply`). The
unit of work knows nothing of marks, and stays as fast.

Words are written in the order in which they came, some hundred in one transaction; a number that says two things is written twice.
A message that is none may overtake one that is, on its way to the tenant.
What is refused holds here before the carrier is answered. Other nodes are woken by NOTIFY, and look once a second anyhow.

Must never: hold up the loop; let a message go on whose refusal could not be written (the carrier is asked to come again).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from smsgw.compliance.optout import refused_scope, resumed_scopes
from smsgw.policy.keywords import Wish
from smsgw.policy.marks import Marks, Scope, packed
from smsgw.store import complaints, replies
from smsgw.store import marks as store
from smsgw.store.database import LOST, heed_cancellation

if TYPE_CHECKING:
    from smsgw.journey.reply import Replies
    from smsgw.model import Account, Ends
    from smsgw.policy.ruleset import RuleSet
    from smsgw.store.database import Connection
    from smsgw.telemetry import Meters

WAITING: Final = 10_000
"""Keywords that wait for their transaction at most; over it carriers are asked to come again."""
AT_ONCE: Final = 500
POLL_S: Final = 1.0
AFRESH: Final = 50_000
"""Changes over which all marks are loaded anew: packed, they take a fraction of the memory."""
COMPLAINTS_EVERY: Final = 60
HANDSET: Final = "handset"


class Heard(msgspec.Struct, gc=False):
    """A keyword on its way into the record, of a number as its hash, and with its middle hidden. `then(argument, kept)`: what
    follows once it is there, or not.

    `service`: the number that it was sent to; `reference`: the id of its MO message; `ends`: its addresses as they were written.
    """

    wish: Wish
    policy: RuleSet
    account: Account
    number: int
    masked: str
    service: str
    reference: str
    at: float
    then: Callable[[Any, bool], None]
    argument: Any
    ends: Ends


class OptOuts:
    """The journey of keywords, and what this node knows of what is on record."""

    def __init__(self, marks: Marks, pool: Any, dsn: str, replies: Replies) -> None:
        """Take what is filled, where from, and who answers; nothing runs before `load`."""
        self.marks = marks
        self.replies = replies
        self._pool = pool
        self._dsn = dsn
        self._heard: deque[Heard] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._change = 0
        self._scope = 0
        self._round = 0
        self.failures = 0
        self.kept: Counter[tuple[str, ...]] = Counter()
        self.open = self.overdue = 0
        self._log = structlog.get_logger().bind()

    def register(self, meters: Meters) -> None:
        """Export what is on record, and what is late."""
        marks = self.marks
        meters.gauge("smsgw_marks", "Marks of recipients in memory.", lambda: len(marks) + marks.changed)
        meters.gauge("smsgw_marks_octets", "Memory of the marks that were loaded.", lambda: marks.octets)
        meters.gauge("smsgw_keywords_waiting", "Keywords of handsets that wait for their record.", lambda: len(self._heard))
        meters.counter("smsgw_keywords", "Keywords of handsets that were put on record.", lambda: self.kept, ("means",))
        meters.counter("smsgw_mark_failures", "Times that marks could not be written or read.", lambda: self.failures)
        self.replies.register(meters)
        meters.gauge("smsgw_complaints_open", "Complaints that are not closed.", lambda: self.open)
        meters.gauge("smsgw_complaints_overdue", "Complaints that are past their due date.", lambda: self.overdue)

    # ---- in ---------------------------------------------------------------------------------------------------------

    def keep(self, heard: Heard) -> bool:
        """Have a keyword put on record; False when too many wait already."""
        if len(self._heard) >= WAITING:
            return False
        self._heard.append(heard)
        self._wake.set()
        return True

    async def run(self) -> None:
        """Write and follow for ever, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            group.create_task(self._follow())

    async def _write(self) -> None:
        while True:
            heed_cancellation()
            while not self._heard:
                self._wake.clear()
                await self._wake.wait()
            batch = self._next_batch()
            answers = [answer for heard in batch if (answer := self.replies.answer(heard)) is not None]
            kept = False
            try:
                async with self._pool.acquire() as connection:
                    async with connection.transaction():
                        await _put(connection, batch)
                        stored = await replies.put(connection, answers, self.replies.since)
                    self.replies.given(answers, stored)
                    await self._learn(connection)
                    kept = True
            except LOST as error:
                self._failed(error)
            for heard in batch:
                self.kept[heard.wish.means,] += kept
                heard.then(heard.argument, kept)

    def _next_batch(self) -> list[Heard]:
        """Take the oldest keywords, at most one of each number."""
        batch: list[Heard] = []
        numbers: set[int] = set()
        while self._heard and len(batch) < AT_ONCE and self._heard[0].number not in numbers:
            heard = self._heard.popleft()
            numbers.add(heard.number)
            batch.append(heard)
        return batch

    # ---- out --------------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Learn all that is on record."""
        async with self._pool.acquire() as connection, self._turn:
            await self._load(connection)

    async def _load(self, connection: Connection) -> None:
        everything = await store.snapshot(connection)
        self.marks.know({code: Scope(*key) for code, key in everything.scopes.items()})
        self.marks.load(await asyncio.to_thread(packed, everything.pages))
        self._change = everything.change
        self._scope = max(everything.scopes, default=0)

    async def _learn(self, connection: Connection) -> None:
        """Learn what has changed; one reading at a time, so that an older one never comes after a newer one."""
        async with self._turn:
            newest = await store.last_change(connection)
            if newest - self._change > AFRESH or self.marks.changed > AFRESH:
                await self._load(connection)
            while self._change < newest:
                scopes = await store.scopes_above(connection, self._scope)
                if scopes:
                    self.marks.know({code: Scope(*key) for code, key in scopes.items()})
                    self._scope = max(scopes)
                for number, scope, active, change in await store.changes_above(connection, self._change, AT_ONCE):
                    self.marks.learn(number, scope, active=active)
                    self._change = change

    async def _follow(self) -> None:
        while True:
            heed_cancellation()
            try:
                async with store.listening(self._dsn) as (connection, changed):
                    while True:
                        heed_cancellation()
                        changed.clear()
                        await self._learn(connection)
                        await self._count_complaints(connection)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(POLL_S):
                                await changed.wait()
            except LOST as error:
                self._failed(error)
                await asyncio.sleep(POLL_S)

    async def _count_complaints(self, connection: Connection) -> None:
        """Look how many complaints are open and late, once a minute."""
        if self._round % COMPLAINTS_EVERY == 0:
            self.open, self.overdue = await complaints.counts(connection)
        self._round += 1

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self._log.warning("marks_not_reached", error=type(error).__name__)


async def _put(connection: Connection, batch: list[Heard]) -> None:
    """Write down what handsets said, within the caller's transaction."""
    await store.lock(connection)
    wanted = [(heard, scope) for heard in batch for scope in _scopes(heard)]
    codes = await store.codes_of(connection, [scope for heard, scope in wanted if heard.wish.means == "refuse"])
    codes |= await store.known_codes(connection, [scope for heard, scope in wanted if heard.wish.means != "refuse"])
    settings = [
        store.Setting(
            number=heard.number,
            scope=codes[scope],
            active=heard.wish.means == "refuse",
            at=datetime.fromtimestamp(heard.at, UTC),
            source=HANDSET,
            actor=HANDSET,
            word=heard.wish.word,
            service=heard.service,
            reference=heard.reference,
            make=heard.wish.means == "refuse",
            masked=heard.masked,
        )
        for heard, scope in wanted
        if scope in codes
    ]
    await store.put(connection, settings)


def _scopes(heard: Heard) -> tuple[Scope, ...]:
    if heard.wish.means == "help":
        return ()
    if heard.wish.means == "refuse":
        return (refused_scope(heard.policy, heard.account, heard.service),)
    return resumed_scopes(heard.policy, heard.account, heard.service)
