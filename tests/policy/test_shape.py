from __future__ import annotations

import msgspec

from smsgw.policy.file import PolicyFile
from smsgw.policy.shape import fields_at, shaped


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    word: str = ""


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    listed: list[Inner] = []
    one: Inner | None = None


def told(raw: dict[str, object]) -> list[tuple[str, str]]:
    """Return the faults as plain pairs."""
    return [(fault.path, fault.what) for fault in shaped(raw, Outer).faults]


def test_every_fault_is_found():
    """Unknown and missing keys and wrong types, in lists of tables and in tables, all at once."""
    assert told({"listed": [{"number": "x", "wrod": 1}, 3, {"number": 1}], "one": {"word": 2}, "x": 1}) == [
        ("", "Object contains unknown field `x`"),
        ("", "Object missing required field `name`"),
        ("listed[0]", "Object contains unknown field `wrod`"),
        ("listed[0].number", "Expected `int`, got `str`"),
        ("listed[1]", "Expected `object`, got `int`"),
        ("one", "Object missing required field `number`"),
        ("one.word", "Expected `str`, got `int`"),
    ]


def test_what_is_sound_is_kept():
    """Of a list the tables without a fault, with their places; a table with one is left out."""
    found = shaped({"name": "a", "listed": [{}, {"number": 1}], "one": {"number": ""}}, Outer)
    assert found.values == {"name": "a", "listed": [Inner(1)]}
    assert found.kept == {"listed": [1]}


def test_the_keys_of_a_table_are_known_by_its_path():
    """Of the file itself, a list of tables, a table within one; none of what is no table."""
    assert "fail" in fields_at("", PolicyFile)
    assert "expression" in fields_at("pattern[3]", PolicyFile)
    assert {"country", "alphanumeric", "replacement"} <= set(fields_at("sender.country[0]", PolicyFile))
    assert fields_at("fail", PolicyFile) == ()
    assert fields_at("nothing.of[1].this", PolicyFile) == ()
