"""Window: sequence numbers, answers, expiry, loss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.smpp.window import LATE_KEPT, MAX_SEQUENCE, LateResponse, Window


def test_numbers_start_at_one_and_rise():
    """The first request of a session is number 1, each next one is one higher."""
    window = Window()
    assert [window.add(name, 0.0) for name in "abc"] == [1, 2, 3]


def test_the_number_after_the_highest_is_one():
    """Numbers wrap from 0x7FFFFFFF to 1, never to 0."""
    window = Window()
    window.newest = MAX_SEQUENCE
    assert window.add("a", 0.0) == 1


def test_numbers_that_are_outstanding_are_skipped():
    """After a wrap a number whose request still waits is not given again."""
    window = Window()
    window.add("old", 0.0)
    window.newest = MAX_SEQUENCE
    assert window.add("new", 1.0) == 2
    assert window.pop(1) == "old"


def test_answers_are_matched_by_number_only():
    """Answers may come in any order."""
    window = Window()
    numbers = [window.add(name, 0.0) for name in "abc"]
    assert [window.pop(number) for number in reversed(numbers)] == ["c", "b", "a"]
    assert len(window) == 0


def test_an_answer_to_nothing_is_none():
    """A number that is not outstanding has no context."""
    assert Window().pop(7) is None


def test_expiry_takes_the_oldest_only():
    """Only requests sent before the given time expire, oldest first."""
    window = Window()
    for at, name in enumerate("abcd"):
        window.add(name, float(at))
    assert window.expire(1.5) == ["a", "b"]
    assert len(window) == 2


def test_a_late_answer_is_known_as_late():
    """The answer to an expired request brings its context back, marked as late, once."""
    window = Window()
    number = window.add("a", 0.0)
    window.expire(1.0)
    late = window.pop(number)
    assert isinstance(late, LateResponse)
    assert late.context == "a"
    assert window.pop(number) is None


def test_the_memory_of_late_ones_is_bounded():
    """However many requests expire, only the newest are remembered."""
    window = Window()
    for _ in range(LATE_KEPT + 50):
        window.add("x", 0.0)
    window.expire(1.0)
    assert len(window._late) == LATE_KEPT


def test_what_was_added_since_is_counted_over_the_wrap():
    """Those that wait and came after a number was given, also where numbers have begun again at 1 since."""
    window = Window()
    window.newest = MAX_SEQUENCE - 2
    window.add("a", 0.0)
    mark = window.newest
    for name in "bcd":
        window.add(name, 0.0)
    assert (window.newer(mark), window.newest) == (3, 2)
    window.pop(MAX_SEQUENCE)
    assert (window.newer(mark), window.newer(window.newest), window.newer(MAX_SEQUENCE - 2)) == (2, 0, 3)


def test_loss_brings_all_back_in_order():
    """When the connection is gone everything outstanding comes back, oldest first."""
    window = Window()
    for name in "abc":
        window.add(name, 0.0)
    assert window.clear() == ["a", "b", "c"]
    assert window.clear() == []


@given(st.lists(st.sampled_from(["add", "pop", "expire", "clear"]), max_size=60))
def test_every_request_leaves_exactly_once(actions: list[str]):
    """Whatever happens, each request comes back once: answered, expired, or lost."""
    window = Window()
    sent = 0
    back: list[int] = []
    numbers: dict[int, int] = {}
    for now, action in enumerate(actions):
        if action == "add":
            numbers[sent] = window.add(sent + 1, float(now))
            sent += 1
        elif action == "pop" and numbers:
            context = window.pop(numbers.pop(next(iter(numbers))))
            if isinstance(context, int):
                back.append(context)
        elif action == "expire":
            back += window.expire(now - 3.0)
        elif action == "clear":
            back += window.clear()
    back += window.clear()
    assert sorted(back) == list(range(1, sent + 1))
