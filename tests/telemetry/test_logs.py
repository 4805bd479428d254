from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from smsgw.telemetry.logs import BURST, Lines, conceal, hide_numbers, hide_quoted, mask, setup_logging, told

NUMBER = "8613800138000"
TEXT = "Your code is 493021, do not tell anybody"
Said = Callable[[], list[dict[str, Any]]]


class Seconds:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """Time that the test moves."""
    return Seconds()


@pytest.fixture
def said(clock: Seconds) -> Iterator[Said]:
    """JSON logs at level debug; call it for the lines so far."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    root = logging.getLogger()
    handlers = list(root.handlers)
    setup_logging("json", "debug", stream=stream, clock=clock)
    yield lambda: [json.loads(line) for line in stream.buffer.getvalue().splitlines()]  # type: ignore[attr-defined]
    root.handlers[:] = handlers
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("number", "shown"),
    [(NUMBER, "8613****8000"), ("+4915112345678", "+491****5678"), ("10690001", "10******"), ("123", "12*"), ("", "")],
)
def test_mask_shows_both_ends_alone(number: str, shown: str):
    """A number keeps what tells its operator and its last digits; a short one keeps two."""
    assert mask(number) == shown


def test_a_line_has_its_schema(said: Said):
    """Every line begins with the same five keys, in order, then what the event says."""
    structlog.get_logger().bind(link="alpha-1").info("link_bound", binds=2)
    (line,) = said()
    assert list(line) == ["ts", "level", "event", "svc", "v", "link", "binds"]
    assert (line["level"], line["event"], line["svc"], line["binds"]) == ("info", "link_bound", "smsgw", 2)
    assert line["ts"].endswith("Z")
    assert len(line["ts"]) == len("2025-11-24T16:00:00.250000Z")


def test_nothing_private_gets_out(said: Said):
    """Whatever a caller puts into an event, or an exception quotes, no password, content or full number is in a line."""
    log = structlog.get_logger()
    private = f"{TEXT} for {NUMBER}"
    log.warning("odd", password="hunter2x", body=private, text=TEXT, short_message=TEXT.encode(), source=NUMBER, destination=NUMBER)
    log.warning("odd", detail=f"submit to +{NUMBER} failed", octets=b"\x00" + TEXT.encode(), given=TEXT.encode())
    log.warning("odd", rows=[{"destination": NUMBER, "password": "hunter2x"}, TEXT.encode()], msisdn=int(NUMBER))
    log.warning("odd", dsn=f"postgresql://smsgw:hunter2x@db/{NUMBER}")
    for error in (ValueError(repr(private)), UnicodeEncodeError("ascii", TEXT + "é", 41, 42, repr(TEXT)), KeyError(TEXT)):
        try:
            try:
                raise error
            except (ValueError, KeyError) as cause:
                raise RuntimeError(f"while sending {TEXT.encode()!r} to {NUMBER}") from cause
        except RuntimeError as failure:
            log.exception("failed")
            log.exception("failed", error=failure)
    logging.getLogger("aiohttp").error("cannot serve %r to %s", TEXT, NUMBER)
    lines = json.dumps(said(), ensure_ascii=False)
    assert len(said()) == 4 + 6 + 1
    for secret in ("hunter2x", NUMBER, "493021", "Your code"):
        assert secret not in lines


@given(st.from_regex(r"[1-9][0-9]{8,14}", fullmatch=True), st.sampled_from(["source", "detail", "why", "error", "destination"]))
def test_no_full_number_passes(number: str, key: str):
    """A number of a subscriber is masked under any key, alone or in a sentence."""
    event = conceal(None, "info", {key: number, "said": f"to {number}: refused (dst={number})", "list": [number]})
    assert number not in json.dumps(event)


def test_our_ids_stay_readable():
    """A message id has more digits than any number, and stays whole, or nobody could look it up."""
    assert hide_numbers("message 250000000000000001 is odd") == "message 250000000000000001 is odd"


def test_quotes_are_blanked():
    """What an exception quotes is not shown, also with quotes of the other kind inside."""
    assert hide_quoted("""bad value "it's 5" and b'\\x00\\'x' at 3""") == "bad value … and … at 3"
    assert hide_quoted("can't read 'an open quote of a text") == "can't read …"


def test_an_exception_is_told_on_one_line():
    """Kind, words, places and cause are told; a group tells its parts."""
    try:
        try:
            raise OSError("no route to host")
        except OSError as cause:
            raise ExceptionGroup("two", [ValueError("first"), KeyError("second")]) from cause
    except ExceptionGroup as group:
        line = told(group)
    assert line.startswith("ExceptionGroup: two")
    assert "test_logs.py:" in line
    assert "[ValueError: first]" in line
    assert "from OSError: no route to host" in line
    assert "\n" not in line


def test_a_flood_is_thinned(said: Said, clock: Seconds):
    """Of one event of one party a burst passes in a second; the next one says how many did not. Others are not touched."""
    log = structlog.get_logger()
    for _ in range(BURST + 30):
        log.warning("bind_refused", account="acme1")
    log.warning("bind_refused", account="other")
    clock.now += 1
    log.warning("bind_refused", account="acme1")
    lines = said()
    assert len(lines) == BURST + 2
    assert [line.get("suppressed") for line in lines[BURST - 1 :]] == [None, None, 30]


def test_errors_are_never_thinned(said: Said):
    """Each error is written, however many there are."""
    for _ in range(BURST * 3):
        structlog.get_logger().error("store_lost")
    assert len(said()) == BURST * 3


def test_libraries_speak_the_same_way(said: Said):
    """What a library logs at warning or above comes out as a line of ours; its chatter does not."""
    logging.getLogger("asyncio").warning("slow callback %s", 5)
    logging.getLogger("asyncio").info("chatter")
    (line,) = said()
    assert (line["event"], line["library"], line["said"], line["level"]) == ("library", "asyncio", "slow callback 5", "warning")


def test_setting_up_again_changes_nothing_twice(said: Said, clock: Seconds):
    """A second set-up replaces the first: one line an event."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    setup_logging("json", "debug", stream=stream, clock=clock)
    logging.getLogger("x").error("once")
    assert said() == []
    assert stream.buffer.getvalue().count(b"once") == 1  # type: ignore[attr-defined]


def test_a_terminal_gets_words():
    """The console form is for reading: event and values, no JSON; the level below the setting is silent."""
    stream = io.StringIO()
    handlers = list(logging.getLogger().handlers)
    try:
        setup_logging("console", "info", stream=stream)
        structlog.get_logger().debug("not_shown")
        structlog.get_logger().info("link_bound", link="alpha-1")
    finally:
        logging.getLogger().handlers[:] = handlers
        structlog.reset_defaults()
    assert "link_bound" in stream.getvalue()
    assert "alpha-1" in stream.getvalue()
    assert "not_shown" not in stream.getvalue()
    assert "{" not in stream.getvalue()


def test_a_log_without_a_reader_costs_its_line_alone():
    """A closed or broken standard error is counted; nothing is raised at whoever logs."""
    stream = io.TextIOWrapper(io.BytesIO())
    lines = Lines(stream)
    lines.info(b"{}")
    stream.close()
    lines.info(b"{}")
    lines.error("words")
    assert lines.lost == 2
