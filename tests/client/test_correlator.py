from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiosmpplib import DeliverSm, DeliverSmResp, OptionalParam, PhoneNumber, SubmitSm
from hypothesis import given
from hypothesis import strategies as st

from smsgw.client.correlator import Correlator, Remembered


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5))))
def test_no_more_is_kept_than_allowed(puts: list[tuple[int, int]]) -> None:
    """Whatever is put and when, neither the number nor the age that is allowed is passed, and the newest is there."""
    now = [0.0]
    kept: Remembered[int] = Remembered(ttl_s=10.0, most=4, clock=lambda: now[0])
    for value, (key, pause) in enumerate(puts):
        now[0] += pause
        kept.put(key, value)
        assert len(kept) <= 4
        assert kept.get(key) == value
        assert all(at >= now[0] - 10.0 for at, _ in kept._entries.values())


def test_what_is_taken_is_gone() -> None:
    """A value is taken once and may be looked at often."""
    kept: Remembered[str] = Remembered(10.0, 10)
    kept.put("a", "x")
    assert (kept.get("a"), kept.take("a"), kept.take("a"), kept.get("a")) == ("x", "x", None, None)


async def test_requests_are_found_by_their_number() -> None:
    """An answer finds its request once."""
    correlator = Correlator()
    request = SubmitSm(short_message="x", destination=PhoneNumber("1"), sequence_num=7)
    await correlator.put(request)
    answer: Any = SimpleNamespace(sequence_num=7)
    assert await correlator.get(answer) is request
    assert await correlator.get(answer) is None


async def test_an_answer_of_ours_takes_no_requests_place() -> None:
    """Both sides number their requests for themselves: what we answer under a number is not what we asked under it."""
    correlator = Correlator()
    request = SubmitSm(short_message="x", destination=PhoneNumber("1"), sequence_num=7)
    await correlator.put(request)
    await correlator.put(DeliverSmResp(sequence_num=7))
    answer: Any = SimpleNamespace(sequence_num=7)
    assert await correlator.get(answer) is request


async def test_messages_are_found_by_their_receipt() -> None:
    """A receipt finds its message by the id in its text."""
    correlator = Correlator()
    request = SubmitSm(short_message="x", destination=PhoneNumber("1"))
    await correlator.put_delivery("42", request)
    receipt: Any = SimpleNamespace(parse_receipt=lambda: {"id": "42"})
    assert await correlator.get_delivery(receipt) is request


async def test_parts_of_a_message_are_joined_in_order() -> None:
    """The parts of a long message come in any order; the last one brings the whole."""
    correlator = Correlator()
    parts = [
        DeliverSm(
            short_message=text,
            source=PhoneNumber("1"),
            destination=PhoneNumber("2"),
            optional_params=[OptionalParam(0x020C, 9), OptionalParam(0x020E, 2), OptionalParam(0x020F, number)],
        )
        for number, text in ((2, "world"), (1, "hello "))
    ]
    assert await correlator.put_delivery_segmented(parts[0]) is None
    whole = await correlator.put_delivery_segmented(parts[1])
    assert whole.short_message == "hello world"


async def test_nothing_of_ours_is_in_segments() -> None:
    """Long messages go as message_payload, so no segment is ever followed."""
    assert await Correlator().get_segmented(1) == (None, 0)
