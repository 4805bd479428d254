from __future__ import annotations

import datetime
from typing import Any

import pytest

from smsgw.model import Message, State
from smsgw.store.batch import Batch
from smsgw.store.ids import Ids
from smsgw.store.queues import CommitCaps, Queues, Seat
from smsgw.store.receipts import ParkedReceipt
from tests.store.work import account, message, owed

MIDNIGHT = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC).timestamp()


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = MIDNIGHT - 0.001
        self.step = 0.0

    def now(self) -> float:
        return self.at

    def time(self) -> float:
        self.at += self.step
        return self.at


@pytest.fixture
def clock() -> FakeClock:
    """A millisecond before midnight."""
    return FakeClock()


@pytest.fixture
def ids(clock: FakeClock) -> Ids:
    """Ids of node 3."""
    return Ids(3, clock)


def queues(clock: FakeClock, **caps: int) -> Queues:
    """Queues of node 3 with these caps."""
    return Queues(Seat(3, 1), clock, CommitCaps(**caps))  # type: ignore[arg-type]


def nothing(*_: Any) -> None:
    """An effect."""


def ids_of(rows: list[tuple[Any, ...]]) -> list[int]:
    """The first column."""
    return [row[0] for row in rows]


def packed(waiting: Queues) -> list[Batch]:
    """Pack until nothing is left."""
    batches = []
    while waiting._has_work():
        batches.append(waiting._pack())
        assert len(batches) < 50
    return batches


def test_each_kind_of_entry_is_packed_once(clock: FakeClock, ids: Ids):
    """What is handed over is in the next batch, in its group, and nowhere afterwards."""
    waiting = queues(clock)
    new, old = message(ids, account(quota_day=1, quota_month=2), short_id="00000001"), message(ids, upstream_id="x")
    of_old, mo = owed(ids, about=old.id), owed(ids, claimed=True, expires_at=2.0)
    parked = ParkedReceipt(ids.next(), 7, 5, "key", b"receipt", 3.0)
    assert not waiting._has_work()
    waiting.add(new, nothing)
    waiting.change(old, nothing, "argument", of_old)
    waiting.owe(mo, nothing, "mo")
    waiting.close(11)
    waiting.postpone(owed(ids, id=12, tries=2, due_at=1.5), keep=True)
    waiting.postpone(owed(ids, id=13), keep=False)
    waiting.lease(1, 50, nothing)
    waiting.wait(old, 7, 1.5, claimed=True)
    waiting.unwait(14)
    waiting.claim(7, 60, nothing)
    waiting.refer(old)
    waiting.park(parked, nothing, "parked")
    waiting.unpark(15)
    assert waiting.backlog == 5  # rows by the hundred are told; what is small beside them is not
    (batch,) = packed(waiting)
    assert waiting.backlog == 0
    assert ids_of(batch.new) == [new.id]
    assert batch.short == [(new.id, 1, "00000001")]
    assert [(row[1], row[5]) for row in batch.quota] == [(2, 1), (3, 2)]
    assert ids_of(batch.changed) == [old.id]
    assert batch.changes == [(old, [(nothing, "argument", of_old)])]
    assert [(row[0], row[2], row[5], row[6]) for row in batch.owed] == [
        (of_old.id, old.id, 0, 4_000_000_000_000),
        (mo.id, 0, 3, 2000),
    ]
    assert batch.effects == [(nothing, "mo"), (nothing, "parked")]
    assert batch.done == [(11,)]
    assert batch.put_back == [(12, 2, 1500, 3), (13, 0, 0, 0)]
    assert (batch.leased, batch.leases) == ([(1, 50)], [nothing])
    assert batch.wait == [(old.id, 7, int(State.SUBMITTING), 1500, 0, 3)]
    assert batch.unwait == [(14,)]
    assert (batch.claimed, batch.claims) == ([(7, 60)], [nothing])
    assert batch.refer == [(7, old.id, '"x"', "8613800138000")]
    assert [row[:5] for row in batch.park] == [(parked.id, 7, 5, '"key"', 3000)]
    assert batch.unpark == [(15,)]
    assert b"".join(batch.octets) == b"body" + b"owed" + b"owed" + b"receipt"


def test_accepts_have_the_smallest_cap(clock: FakeClock, ids: Ids):
    """A batch takes so many new messages, oldest first, and more of what settles them: else receipts would never drain."""
    waiting = queues(clock, new=3, owed=4, changed=5)
    news = [message(ids) for _ in range(7)]
    for new in news:
        waiting.add(new, nothing)
        waiting.change(message(ids), nothing)
        waiting.owe(owed(ids), nothing, None)
        waiting.park(ParkedReceipt(ids.next(), 7, 5, "k", b"", 3.0), nothing, None)
    batches = packed(waiting)
    assert [len(batch.new) for batch in batches] == [3, 3, 1]
    assert [len(batch.changed) for batch in batches] == [5, 2, 0]
    assert [len(batch.owed) for batch in batches] == [4, 3, 0]
    assert [len(batch.park) for batch in batches] == [4, 3, 0]
    assert [new for batch in batches for new, _ in batch.news] == news
    assert all(len(batch.effects) == len(batch.rows_with_effects()) for batch in batches)


def test_a_cap_never_splits_a_receipt_from_its_change(clock: FakeClock, ids: Ids):
    """Whatever the caps, what is owed for a message is packed with the change of that message, however much that is."""
    waiting = queues(clock, new=1, owed=1, changed=3)
    messages = [message(ids) for _ in range(8)]
    for each in messages:
        waiting.change(each, nothing, None, owed(ids, about=each.id))
        waiting.change(each, nothing, None, owed(ids, about=each.id))
        waiting.owe(owed(ids), nothing, None)
    for batch in packed(waiting):
        about = [row[2] for row in batch.owed if row[2]]
        assert sorted(about) == sorted(ids_of(batch.changed) * 2)


def test_where_a_message_waits_stays_behind_with_it(clock: FakeClock, ids: Ids):
    """A row of waiting or a reference never goes ahead of the new message, or of the change, that a cap has left behind."""
    waiting = queues(clock, new=2, changed=2)
    news, changes = [message(ids) for _ in range(5)], [message(ids) for _ in range(5)]
    for each in changes:
        waiting.change(each, nothing)
        waiting.wait(each, 7, 0.0, claimed=False)
        waiting.refer(each)
    for each in news:
        waiting.add(each, nothing)
        waiting.wait(each, 7, 0.0, claimed=False)
    known: set[int] = set()
    waits: list[int] = []
    for batch in packed(waiting):
        known.update(ids_of(batch.new), ids_of(batch.changed))
        waits += ids_of(batch.wait)
        assert set(ids_of(batch.wait)) | {row[1] for row in batch.refer} <= known
    assert sorted(waits) == sorted(each.id for each in [*news, *changes])

    for each in changes:
        waiting.change(each, nothing)
        waiting.unwait(each.id)
    gone: set[int] = set()
    for batch in packed(waiting):
        gone.update(ids_of(batch.changed))
        assert set(ids_of(batch.unwait)) <= gone
    assert len(gone) == 5


def test_where_a_message_waits_goes_with_it_whosever_turn_it_is(clock: FakeClock, ids: Ids):
    """New messages go in turns by account; where one waits is in its own batch: between the two it would be nowhere."""
    waiting = queues(clock, new=2)
    busy, quiet = account(1), account(2)
    news = [message(ids, busy) for _ in range(4)] + [message(ids, quiet)]
    committed = message(ids, quiet, state=State.QUEUED)
    for new in news:
        waiting.add(new, nothing)
        waiting.wait(new, 7, 0.0, claimed=False)
    waiting.change(committed, nothing, committed)
    waiting.wait(committed, 7, 0.0, claimed=False)
    batches = packed(waiting)
    assert [ids_of(batch.new) for batch in batches] == [[news[0].id, news[4].id], [news[1].id, news[2].id], [news[3].id]]
    for batch in batches:
        assert ids_of(batch.wait) == sorted(ids_of(batch.new) + ids_of(batch.changed))


def test_the_last_word_on_waiting_counts(clock: FakeClock, ids: Ids):
    """Waiting, then not: no row. Not waiting, then again: its row is written over."""
    waiting = queues(clock)
    first, second = message(ids), message(ids, state=State.QUEUED, expires_at=9.0)
    waiting.wait(first, 7, 0.0, claimed=False)
    waiting.unwait(first.id)
    waiting.unwait(second.id)
    waiting.wait(second, 7, 0.0, claimed=False)
    waiting.wait(second, 8, 2.0, claimed=False)
    (batch,) = packed(waiting)
    assert batch.wait == [(second.id, 8, int(State.QUEUED), 2000, 9000, 0)]
    assert batch.unwait == [(first.id,)]


def test_rows_are_what_they_were_when_packed(clock: FakeClock, ids: Ids):
    """A message that changes while its cycle is on the way is written again by the next one, under the next revision."""
    waiting = queues(clock)
    each = message(ids)
    waiting.change(each)
    first = waiting._pack()
    each.state = State.SENT
    waiting.change(each, nothing, "sent")
    second = waiting._pack()
    assert [row[1:3] for row in (*first.changed, *second.changed)] == [(0, int(State.SUBMITTING)), (1, int(State.SENT))]
    assert first.changes == [(each, None)]
    assert second.changes == [(each, [(nothing, "sent", None)])]
    assert each.pending is None


def test_a_quota_is_of_the_moment_of_acceptance(clock: FakeClock, ids: Ids):
    """What was accepted before midnight and is packed after it counts in the day before; each window is named once."""
    waiting = queues(clock)
    early = [message(ids, account(quota_day=5, quota_parts_day=9)) for _ in range(2)]
    clock.at = MIDNIGHT + 0.001
    late = message(ids, account(quota_day=5, quota_parts_day=9))
    for one in (*early, late):
        waiting.add(one, nothing)
    midnight = int(MIDNIGHT)
    day = 86_400
    assert waiting._pack().quota == [
        (1, 2, midnight - day, midnight - day, midnight, 5, 9),
        (1, 2, midnight, midnight, midnight + day, 5, 9),
    ]


def test_the_low_water_is_asked_for_once_a_second(clock: FakeClock, ids: Ids):
    """A batch carries the least open id when a second has passed since the last one that did."""
    waiting = queues(clock)
    waiting.low_water = lambda: 77
    marks = []
    for _ in range(5):
        waiting.close(ids.next())
        marks.append(waiting._pack().low_water)
        clock.at += 0.4
    assert marks == [77, 0, 0, 77, 0]


def test_the_low_water_stays_below_what_is_not_written_yet(clock: FakeClock, ids: Ids):
    """A message that memory has let go of changes over the cap: until its row is written, recovery must come by it."""
    waiting = queues(clock, changed=1)
    first, second = message(ids), message(ids)
    waiting.low_water = lambda: second.id + 1
    for each in (first, second):
        waiting.change(each)
    assert waiting._pack().low_water == second.id
    clock.at += 1.0
    assert waiting._pack().low_water == second.id + 1


def test_new_messages_wake_a_loop_that_waits(clock: FakeClock, ids: Ids):
    """Whatever is handed over wakes the loop."""
    each = message(ids)
    ways: list[Any] = [
        lambda waiting: waiting.add(each, nothing),
        lambda waiting: waiting.change(each),
        lambda waiting: waiting.owe(owed(ids), nothing, None),
        lambda waiting: waiting.close(1),
        lambda waiting: waiting.postpone(owed(ids), keep=False),
        lambda waiting: waiting.lease(1, 1, nothing),
        lambda waiting: waiting.wait(each, 7, 0.0, claimed=False),
        lambda waiting: waiting.unwait(1),
        lambda waiting: waiting.claim(7, 1, nothing),
        lambda waiting: waiting.refer(each),
        lambda waiting: waiting.park(ParkedReceipt(1, 7, 5, "k", b"", 3.0), nothing, None),
        lambda waiting: waiting.unpark(1),
    ]
    for hand_over in ways:
        waiting = queues(clock)
        hand_over(waiting)
        assert waiting._wake.is_set()
        assert waiting._has_work()


@pytest.mark.parametrize(("new", "changed", "busy"), [(0, 0, False), (4, 0, True), (3, 5, False), (0, 6, True)])
def test_busy_from_half_a_cap_on(clock: FakeClock, ids: Ids, *, new: int, changed: int, busy: bool):
    """The loop overlaps cycles when half a cycle's accepts, or of its receipts, are waiting."""
    waiting = queues(clock, new=8, owed=12)
    for _ in range(new):
        waiting.add(message(ids), nothing)
    for _ in range(changed):
        waiting.change(message(ids))
    assert waiting._busy() is busy


def test_a_message_is_packed_with_all_its_columns(clock: FakeClock, ids: Ids):
    """The columns of a new message are what it says, times in milliseconds."""
    waiting = queues(clock)
    each: Message = message(
        ids, expires_at=5.5, registered=1, basis=2, mode=1, parts=3, price=38_000, state=State.QUEUED, command=0x103
    )
    waiting.add(each, nothing)
    row = waiting._pack().new[0]
    assert row == (each.id, 1, 1, 3, 1, 2, 1, 3, 1, 0x103, 7, 38_000, 5500, "1069", "8613800138000", 1, 4, 0)


def test_what_changes_together_is_packed_together(clock: FakeClock, ids: Ids):
    """The cap on changes never splits messages that are to change in one cycle, or in none."""
    waiting = queues(clock, changed=2)
    single, parts = message(ids), [message(ids) for _ in range(4)]
    waiting.change(single)
    waiting.change_all(parts, nothing)
    last = message(ids)
    waiting.change(last)
    first, second = packed(waiting)[:2]
    assert ids_of(first.changed) == [single.id, *(part.id for part in parts)]
    assert ids_of(second.changed) == [last.id]
    assert not waiting._together
