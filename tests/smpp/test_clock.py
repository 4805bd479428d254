from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smsgw.smpp import clock

NOW = datetime(2026, 1, 31, 23, 30, 15, tzinfo=UTC)


def utc(*fields: int) -> datetime:
    """A time in UTC."""
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_no_time_is_none():
    """An empty string means: at once, or for as long as usual (3.4 §5.2.15, §5.2.16)."""
    assert clock.parse_time(b"", NOW) is None


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (b"260131233015000+", NOW),
        (b"260131233015032+", NOW - timedelta(hours=8)),
        (b"260131233015032-", NOW + timedelta(hours=8)),
        (b"260131233015748+", NOW - timedelta(hours=12) + timedelta(seconds=0.7)),
        (b"240229000000001-", utc(2024, 2, 29, 0, 15)),
        (b"370101000000000+", utc(2037, 1, 1)),
        (b"380101000000000+", utc(1938, 1, 1)),
        (b"991231235959000+", utc(1999, 12, 31, 23, 59, 59)),
        (b"260131233015", NOW),
    ],
)
def test_absolute_times(text: bytes, when: datetime):
    """YYMMDDhhmmsstnnp: tenths, quarters of an hour east or west, a pivot of 38; the short local form is UTC (items 145-150)."""
    assert clock.parse_time(text, NOW) == when


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (b"000002000000000R", utc(2026, 2, 2, 23, 30, 15)),
        (b"000000000000000R", NOW),
        (b"000000013045000R", utc(2026, 2, 1, 1, 1)),
        (b"000100000000000R", utc(2026, 2, 28, 23, 30, 15)),
        (b"001300000000000R", utc(2027, 2, 28, 23, 30, 15)),
        (b"020100000000000R", utc(2028, 2, 29, 23, 30, 15)),
        (b"999999999999999R", utc(2133, 4, 30, 23, 30, 15) + timedelta(days=99, hours=99, minutes=99, seconds=99)),
    ],
)
def test_relative_times(text: bytes, when: datetime):
    """Relative times count calendar years and months, then days and less, from now; tenths and zone are ignored (item 146)."""
    assert clock.parse_time(text, NOW) == when


@pytest.mark.parametrize(
    "text",
    [
        b"261301000000000+",
        b"260001000000000+",
        b"260230000000000+",
        b"260101240000000+",
        b"260101006000000+",
        b"260101000060000+",
        b"260101000000049+",
        b"260101000000000Z",
        b"260101000000000 ",
        b"26010100000000+",
        b"2601010000000000+",
        b"2601010000000",
        b"2601010000xx000+",
        b"260101000000xxx+",
        b"00000200000000xR",
        b"-60101000000000+",
        "２６０１０１００００００".encode(),
        b"1",
        b"\xff" * 16,
    ],
)
def test_what_is_no_time_is_refused(text: bytes):
    """Month 13, hour 24, 49 quarters and other letters are errors, never guesses (item 146)."""
    with pytest.raises(ValueError, match=r".+"):
        clock.parse_time(text, NOW)


@given(st.binary(max_size=18))
def test_any_octets_are_a_time_or_a_value_error(text: bytes):
    """No octets raise anything but ValueError."""
    try:
        when = clock.parse_time(text, NOW)
    except ValueError:
        return
    assert when is None or when.tzinfo is not None


@given(tenths=st.integers(-3_000_000_000, 21_000_000_000), quarters=st.integers(-48, 48))
def test_absolute_times_round_trip(tenths: int, quarters: int):
    """What is written is read again, to the tenth of a second, from any zone."""
    when = utc(1970, 1, 1) + timedelta(milliseconds=100 * tenths)
    written = clock.format_absolute(when.astimezone(timezone(timedelta(minutes=15 * quarters))))
    assert len(written) == clock.LENGTH
    assert clock.parse_time(written, NOW) == when


@given(st.integers(0, 99 * 86_400 + 86_399))
def test_relative_times_round_trip(seconds: int):
    """The remaining seconds of a message, written and read, end at the same moment (item 148)."""
    text = clock.format_relative(seconds)
    assert len(text) == clock.LENGTH
    assert clock.parse_time(text, NOW) == NOW + timedelta(seconds=seconds)


def test_relative_times_have_limits():
    """Nothing negative and nothing over 99 days is written; parts of a second are dropped."""
    assert clock.format_relative(-5) == b"000000000000000R"
    assert clock.format_relative(59.9) == b"000000000059000R"
    assert clock.format_relative(1e9) == b"000099235959000R"


@given(text=st.from_regex(rb"[0-9]{12}000R", fullmatch=True), waited=st.integers(2, 10_000_000))
def test_long_relative_times_round_trip(text: bytes, waited: int):
    """What is left of a validity of months or years ends at its moment too: with `now` nothing is cut off."""
    end = clock.parse_time(text, NOW)
    now = NOW + timedelta(seconds=waited)
    assume(end is not None and end > now)
    assert end is not None
    left = clock.format_relative((end - now).total_seconds(), now)
    assert len(left) == clock.LENGTH
    assert clock.parse_time(left, now) == end


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (b"2411240210", utc(2024, 11, 24, 2, 10)),
        (b"241124021033", utc(2024, 11, 24, 2, 10, 33)),
        (b"202411240210", utc(2024, 11, 24, 2, 10)),
        (b"20241124021033", utc(2024, 11, 24, 2, 10, 33)),
        (b"9912312359", utc(1999, 12, 31, 23, 59)),
        (b"2413240210", None),
        (b"00000000000000", None),
        (b"0000000000", None),
        (b"", None),
        (b"24112402", None),
        (b"241124 0210", None),
        (b"24112402102", None),
    ],
)
def test_receipt_dates_are_read_as_peers_write_them(text: bytes, when: datetime | None):
    """With or without seconds, with two or four digits of the year; anything else is no date, and no error (item 175)."""
    assert clock.parse_receipt_date(text) == when


@given(st.binary(max_size=15))
def test_any_octets_are_a_receipt_date_or_none(text: bytes):
    """Whatever octets stand in the place of a date, reading them raises nothing."""
    assert clock.parse_receipt_date(text) is None or text.isdigit()


@given(st.text("0123456789", min_size=10, max_size=14))
def test_any_digits_are_a_receipt_date_or_none(text: str):
    """Whatever digits stand in the place of a date, they are a time in UTC or none."""
    when = clock.parse_receipt_date(text.encode())
    assert when is None or when.tzinfo is UTC


def test_receipt_dates_are_written_in_ten_digits():
    """YYMMDDhhmm (3.4 Appendix B)."""
    assert clock.format_receipt_date(NOW) == b"2601312330"
    assert clock.parse_receipt_date(clock.format_receipt_date(NOW)) == NOW.replace(second=0)
