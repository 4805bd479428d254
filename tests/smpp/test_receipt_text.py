from __future__ import annotations

import pytest

from smsgw.smpp.receipt_text import read_fields


def test_fields_are_given_raw_with_the_place_of_the_id():
    """Offsets count from where the text stands in its PDU."""
    fields = read_fields(b"  id:77 stat:delivrd err:1", 40)
    assert fields.text_id == b"77"
    assert (fields.id_at, fields.id_end) == (45, 47)
    assert (fields.stat, fields.error) == (b"DELIVRD", b"1")


@pytest.mark.parametrize("raw", [b"", b"hello", b"id", b"identity:1 state of affairs:2", b"uuid:1", b"\xff" * 50, b"\0" * 50])
def test_a_text_without_fields_gives_none(raw: bytes):
    """What is no receipt has no fields, and no place for an id."""
    assert read_fields(raw, 40) == (b"", b"", b"", b"", b"", b"", 0, 0)


def test_a_field_without_a_value_is_empty():
    """An empty field does not take the next one for its value, and an empty id stands nowhere."""
    fields = read_fields(b"id: stat:DELIVRD err: text:hi", 40)
    assert (fields.text_id, fields.stat, fields.error, fields.text) == (b"", b"DELIVRD", b"", b"hi")
    assert (fields.id_at, fields.id_end) == (0, 0)


def test_the_first_of_two_counts():
    """A field that comes twice keeps its first value."""
    assert read_fields(b"id:1 stat:DELIVRD stat:EXPIRED id:2", 0)[:2] == (b"1", b"DELIVRD")


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
def test_two_octets_a_character_are_seen(codec: str):
    """Offsets and text of UTF-16 are in octets, other fields narrow."""
    fields = read_fields("id:77 stat:DELIVRD text:你".encode(codec), 40)
    assert (fields.text_id, fields.id_at, fields.id_end) == (b"77", 46, 50)
    assert fields.text == "你".encode(codec)


@pytest.mark.parametrize("raw", [b" id:" * 16_000, b"text: " * 10_000, b" " * 60_000 + b":", b" submit date " * 5_000 + b":"])
def test_a_long_text_of_keys_names_nothing(raw: bytes):
    """64 kilooctets of keys alone are read in one pass and give no id."""
    assert read_fields(raw, 0).text_id == b""


def test_fields_are_bounded():
    """An error and dates are cut at what any carrier sends: they are kept and logged."""
    fields = read_fields(b"id:1 stat:" + b"A" * 900 + b" err:" + b"E" * 900 + b" done date:" + b"2" * 900, 0)
    assert [len(fields.stat), len(fields.error), len(fields.done_date)] == [7, 32, 32]
