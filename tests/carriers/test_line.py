from __future__ import annotations

import asyncio

import structlog

from smsgw.carriers.line import Line, LinkEvents
from smsgw.telemetry import LinkMeter
from tests.builds import plain_only
from tests.carriers.ends import Notes, link
from tests.script import ManualClock


class Roomy:
    """Stands for a bind with so much room."""

    def __init__(self, room: int) -> None:
        self._room = room

    def room(self) -> int:
        return self._room


def line_with(rooms: list[int], rate: int = 0) -> tuple[Line, Notes, ManualClock]:
    """Return a line whose binds have this room, who is told, and its clock."""
    notes, clock = Notes(), ManualClock()
    made = Line(link(rate=rate), LinkEvents(on_room=notes.on_room), LinkMeter("alpha-1"), clock)
    made.binds.extend(Roomy(room) for room in rooms)  # type: ignore[misc]
    return made, notes, clock


@plain_only
def test_room_is_the_sum_of_what_is_there():
    """Binds over their window (it was made smaller) take nothing from the room of the others."""
    assert line_with([3, -2, 4])[0].room() == 7


@plain_only
async def test_what_becomes_free_is_told_once_a_turn():
    """However often something becomes free in a loop turn, it is told once, when the turn is over."""
    line, notes, _ = line_with([1])
    line.starved = True
    line.freed()
    line.freed()
    assert notes.rooms == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (notes.rooms, line.starved) == ([1], False)


async def test_nothing_is_told_while_there_is_nothing():
    """Without room, or without leave to send, nobody is called, and the wish is kept."""
    full, notes, _ = line_with([0])
    slow, slow_notes, clock = line_with([5], rate=1)
    assert slow.pace.take(clock.now())
    for line in (full, slow):
        line.starved = True
        line.freed()
    await asyncio.sleep(0)
    assert (notes.rooms, slow_notes.rooms) == ([], [])
    assert full.starved
    assert slow.starved


@plain_only
async def test_a_tick_tells_when_leave_has_come_back():
    """Who waits for the rate alone is told by the first tick that finds leave."""
    line, notes, clock = line_with([5], rate=1)
    assert line.pace.take(clock.now())
    line.starved = True
    clock.pass_(1.0)
    line.tick(clock.now())
    await asyncio.sleep(0)
    assert notes.rooms == [1]


def test_a_slow_down_is_logged_once():
    """Throttle answers are all counted; only the one that begins a slow-down is a log line."""
    with structlog.testing.capture_logs() as logs:
        line, _, clock = line_with([5], rate=100)
        for _ in range(3):
            line.throttled(clock.now())
    assert [(entry["event"], entry["rate"]) for entry in logs] == [("link_slowed", 50.0)]
    assert line.meter.throttled == 3
