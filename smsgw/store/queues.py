"""What waits for the next cycle of the unit of work: journeys hand it over here, a cycle packs it.

Handing over is an append and a wake-up, nothing else: it runs several times a message. Packing takes what the caps allow and
turns it into rows as they are at that moment.

Promises: what belongs together is packed together. A receipt goes with the change of its message (both are one entry), and what
is said of where a message waits never goes ahead of the message itself or of its change.
Must never: await; drop an entry; know what a state means.
"""

from __future__ import annotations

import asyncio
import operator
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from smsgw.model import Effect, Message, Owed, State
from smsgw.store.batch import Batch, caps_rows, quote, transform_row
from smsgw.store.ids import seconds_of
from smsgw.store.quotas import windows_of
from smsgw.store.turns import Turns


@dataclass(frozen=True, slots=True)
class CommitCaps:
    """Rows that one cycle takes at most, and the least time between cycles while load is light."""

    new: int = 128
    owed: int = 512
    changed: int = 512
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


_ID: Final = operator.attrgetter("id")
HISTORY: Final = -(1 << 30)
"""The revision of what memory has of a message that somebody else has changed: no row has it, so nothing of it is written."""
LEASES: Final = 32
"""Accounts that one cycle looks into for what they are owed: each costs it a look, and hundreds may bind at once."""


class Queues:
    """The queues of the unit of work. `Commit` is one of these with a loop that empties it."""

    def __init__(self, seat: Seat, clock: Any, caps: CommitCaps) -> None:
        """Start empty."""
        self.seat = seat
        self.caps = caps
        self._clock = clock
        self._wake = asyncio.Event()
        self._asleep = True  # whether anybody waits for it: looked at some times a message
        self.low_water: Callable[[], int] = _no_low_water
        self.seal: Callable[[int, bytes], bytes] = _no_keys
        self.seals: Callable[[int], bool] = _nobody
        self._low_water_at = 0.0
        self.new = Turns()
        self.changed: dict[int, Message] = {}
        self._second: list[Message] = []
        self._together: dict[int, list[Message]] = {}
        self.owed: deque[tuple[Owed, Effect, Any]] = deque()
        self.done: list[int] = []
        self.put_back: dict[int, tuple[Any, ...]] = {}
        self.leases: list[tuple[int, int, Effect]] = []
        self.waits: dict[int, tuple[int, tuple[Any, ...]]] = {}
        self.unwaits: dict[int, None] = {}
        self.claims: list[tuple[int, int, Effect]] = []
        self.refers: list[tuple[Any, ...]] = []
        self.parks: deque[tuple[Any, Effect, Any]] = deque()
        self.unparks: list[int] = []

    # ---- handing work over ----------------------------------------------------------------------------------------

    def add(self, message: Message, effect: Effect) -> None:
        """A new message: written, debited and counted in quotas; effect(message, None | Rejected)."""
        self.new.append(message, effect)
        if self._asleep:
            self._wake.set()

    def change(self, message: Message, effect: Effect | None = None, argument: Any = None, owed: Owed | None = None) -> None:
        """The message has changed: its present state is written; effect(argument, None | CONFLICT); `owed` goes with it."""
        if self.changed.setdefault(message.id, message) is not message:
            self._second.append(message)
        if effect is not None or owed is not None:
            if message.pending is None:
                message.pending = [(effect, argument, owed)]
            else:
                message.pending.append((effect, argument, owed))
        if self._asleep:
            self._wake.set()

    def change_all(self, messages: list[Message], effect: Effect) -> None:
        """All of these have changed, and are written in one cycle: all or none; effect(message, None | CONFLICT) for each."""
        for message in messages:
            self.change(message, effect, message)
            self._together[message.id] = messages

    def owe(self, owed: Owed, effect: Effect, argument: Any) -> None:
        """Something is owed that belongs to no message of ours (MO); effect(argument, None | Rejected)."""
        self.owed.append((owed, effect, argument))
        self._wake.set()

    def close(self, owed_id: int) -> None:
        """What was owed is done: its row goes."""
        self.done.append(owed_id)
        if self._asleep:
            self._wake.set()

    def postpone(self, owed: Owed, *, keep: bool) -> None:
        """What is owed is tried again later: by us when `keep`, else by whoever takes it. What is said last of it counts."""
        self.put_back[owed.id] = (owed.id, owed.tries, int(owed.due_at * 1000), self.seat.node if keep else 0)
        self._wake.set()

    def lease(self, account: int, count: int, effect: Effect) -> None:
        """Take up to `count` free owed rows of an account; effect([id, …], None)."""
        self.leases.append((account, count, effect))
        self._wake.set()

    def wait(self, message: Message, link: int, due_at: float, *, claimed: bool) -> None:
        """Put the message into `waiting`: for the link, not before `due_at`, ours when `claimed`."""
        node = self.seat.node if claimed else 0
        expires = int(message.expires_at * 1000) if message.state in {State.QUEUED, State.SCHEDULED} else 0
        row = (message.id, link, int(message.state), int(due_at * 1000), expires, node)
        self.waits[message.id] = (message.account.id, row)
        if self.unwaits:
            self.unwaits.pop(message.id, None)
        self._wake.set()

    def unwait(self, message_id: int) -> None:
        """The message waits no longer."""
        self.waits.pop(message_id, None)
        self.unwaits[message_id] = None
        self._wake.set()

    def claim(self, link: int, count: int, effect: Effect) -> None:
        """Take up to `count` waiting messages of a link (0: of those with something due); effect([id, …], None)."""
        self.claims.append((link, count, effect))
        self._wake.set()

    def refer(self, message: Message, link: int = 0, upstream_id: str = "") -> None:
        """Keep where a late receipt leads: (link, upstream id) → message; its own, unless another attempt's are given."""
        key = upstream_id or message.upstream_id
        self.refers.append((link or message.link, message.id, quote(key), quote(message.destination)))
        self._wake.set()

    def park(self, orphan: Orphan, effect: Effect, argument: Any) -> None:
        """Keep a receipt that matches nothing yet; effect(argument, None | Rejected)."""
        self.parks.append((orphan, effect, argument))
        self._wake.set()

    def unpark(self, orphan_id: int) -> None:
        """A parked receipt has found its message, or its time is over."""
        self.unparks.append(orphan_id)
        self._wake.set()

    # ---- seen by the loop -----------------------------------------------------------------------------------------

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

    # ---- packing --------------------------------------------------------------------------------------------------

    def _pack(self) -> Batch:
        """Take what the caps allow from all queues and turn it into rows."""
        batch = Batch()
        now = self._clock.now()
        batch.started_at = now
        moment = self._clock.time()
        batch.day = int(moment // 86_400)
        quotas: list[Message] = []
        rows, blob = batch.new, batch.blob
        batch.news = self.new.take(self.caps.new)
        for message, _ in batch.news:
            account = message.account
            body = message.body if not account.sealed else self.seal(message.id, message.body)
            rows.append((
                message.id, account.tenant.id, account.id, int(message.state), message.mode, message.basis, message.registered,
                message.parts, message.attempt, message.command, message.link, message.price, int(message.expires_at * 1000),
                quote(message.source), quote(message.destination), *blob(body), message.content_class,
            ))  # fmt: skip
            if message.short_id:
                batch.short.append((message.id, account.id, quote(message.short_id)))
            if message.held is not None:
                key, part, total, due, digest = message.held
                batch.held.append((message.id, account.id, quote(key), part, total, due, quote(digest)))
            if message.transform:
                batch.held.append(transform_row(message))
            if message.caps:
                batch.counted[message.id] = caps = message.caps
                message.caps = ()
                batch.capped += caps_rows(message.id, caps)
            if account.quotas:
                quotas.append(message)
            if message.fingerprint:
                expires = int((message.accepted_at + account.duplicate_window_s) * 1000)
                batch.double.append((message.id, account.id, message.fingerprint, expires))
        if quotas:
            _pack_quotas(batch, quotas)
        if self.changed:
            self._pack_changes(batch)
        while self.owed and len(batch.owed) < self.caps.owed:
            owed, effect, argument = self.owed.popleft()
            batch.owed.append(self._owed_row(owed, batch, sealed=self.seals(owed.account)))
            batch.effects.append((effect, argument))
        while self.parks and len(batch.park) < self.caps.owed:
            orphan, effect, argument = self.parks.popleft()
            expires = int(orphan.expires_at * 1000)
            body = self.seal(orphan.id, orphan.body) if self.seals(0) else orphan.body
            row = (orphan.id, orphan.link, orphan.command, quote(orphan.upstream_id), expires, *batch.blob(body))
            batch.park.append(row)
            batch.effects.append((effect, argument))
        self._pack_rest(batch)
        if now - self._low_water_at >= 1.0:
            self._low_water_at = now
            # A message that memory has let go of is no longer among its open ones; until its change is written its row is.
            batch.low_water = min(self.low_water(), *self.changed) if self.changed else self.low_water()
        if self._second:
            self._next_in_line()
        return batch

    def _next_in_line(self) -> None:
        """Of a message that was read twice there are two objects: one's change is packed, now the other's, which will conflict."""
        second, self._second = self._second, []
        for message in second:
            if self.changed.setdefault(message.id, message) is not message:
                self._second.append(message)

    def _pack_changes(self, batch: Batch) -> None:
        changed, rows = self.changed, batch.changed
        if len(changed) <= self.caps.changed:
            messages = list(changed.values())
            changed.clear()
        else:
            ids = [key for key, _ in zip(changed, range(self.caps.changed), strict=False)]
            messages = [changed.pop(key) for key in ids]
            if self._together:
                others = [other for key in ids for other in self._together.get(key, ()) if changed.get(other.id) is other]
                messages += [changed.pop(key) for key in dict.fromkeys(other.id for other in others)]
        if self._together:
            for message in messages:
                self._together.pop(message.id, None)
        messages.sort(key=_ID)  # every cycle of every node locks rows in this order
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
                        batch.owed.append(self._owed_row(owed, batch, sealed=message.account.sealed))

    def _owed_row(self, owed: Owed, batch: Batch, *, sealed: bool) -> tuple[Any, ...]:
        node = self.seat.node if owed.claimed else 0
        expires = int(owed.expires_at * 1000)
        body = self.seal(owed.id, owed.body) if sealed else owed.body
        return (owed.id, owed.account, owed.message, owed.kind, owed.command, node, expires, *batch.blob(body))

    def _pack_places(self, batch: Batch) -> None:
        """Take what is said of where messages wait, but for messages that the caps have left for a later cycle."""
        changed = self.changed
        least_id = self.new.least_id
        waits, unwaits, refers = self.waits, self.unwaits, self.refers
        self.waits, self.unwaits, self.refers = {}, {}, []
        for key, place in waits.items():
            account_id, row = place
            if key in changed or key >= least_id(account_id):  # not packed yet: between the two it would be nowhere
                self.waits[key] = place
            else:
                batch.wait.append(row)
        batch.wait.sort()
        # Of two objects the first one's change may conflict, and then its cycle takes nothing out: it is for the second one's.
        second = {message.id for message in self._second} if self._second else None
        for key in unwaits:
            if key in changed or (second is not None and key in second):
                self.unwaits[key] = None
            else:
                batch.unwait.append((key,))
        for row in refers:
            if row[1] in changed:
                self.refers.append(row)
            else:
                batch.refer.append(row)

    def _pack_rest(self, batch: Batch) -> None:
        """Take the small queues whole."""
        if self.done:
            batch.done = [(key,) for key in self.done]
            self.done = []
        if self.put_back:
            batch.put_back, self.put_back = list(self.put_back.values()), {}
        if self.waits or self.unwaits or self.refers:
            self._pack_places(batch)
        if self.unparks:
            batch.unpark, self.unparks = [(key,) for key in self.unparks], []
        if self.claims:
            batch.claimed = [(link, count) for link, count, _ in self.claims]
            batch.claims = [effect for _, _, effect in self.claims]
            self.claims = []
        if self.leases:
            taken, self.leases = self.leases[:LEASES], self.leases[LEASES:]
            batch.leased = [(account, count) for account, count, _ in taken]
            batch.leases = [effect for _, _, effect in taken]


def _pack_quotas(batch: Batch, quotas: list[Message]) -> None:
    """Name each window that one of these messages is counted in, once."""
    moments = {(message.account.id, int(seconds_of(message.id))): message.account for message in quotas}
    batch.quota = sorted({row for (_, moment), account in moments.items() for row in windows_of(account, moment)})


def _no_low_water() -> int:
    return 0


def _nobody(_account: int) -> bool:
    return False


def _no_keys(_owner: int, _body: bytes) -> bytes:
    raise RuntimeError("an account's content is to be sealed, and nobody has said how")
