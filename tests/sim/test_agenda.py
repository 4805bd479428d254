from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.sim.agenda import Agenda


@given(st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_what_is_due_comes_in_order_and_the_rest_stays(times: list[int], now: int) -> None:
    """Everything due by now comes out, oldest first, equal times in order of entry; nothing else does."""
    agenda: Agenda[tuple[int, int]] = Agenda()
    things = [(due, number) for number, due in enumerate(times)]
    for thing in things:
        agenda.enter(thing[0], thing)
    assert list(agenda.take(now)) == sorted(thing for thing in things if thing[0] <= now)
    assert len(agenda) == sum(due > now for due in times)


def test_what_is_entered_while_taking_comes_too() -> None:
    """A thing that a taken thing enters, already due, is taken in the same round."""
    agenda: Agenda[str] = Agenda()
    agenda.enter(1.0, "first")
    taken = []
    for thing in agenda.take(2.0):
        taken.append(thing)
        if thing == "first":
            agenda.enter(1.5, "second")
    assert taken == ["first", "second"]


def test_forgetting_says_how_much() -> None:
    """Clearing empties the agenda and returns the count."""
    agenda: Agenda[int] = Agenda()
    for due in (3.0, 1.0, 2.0):
        agenda.enter(due, 0)
    assert (agenda.clear(), len(agenda)) == (3, 0)
