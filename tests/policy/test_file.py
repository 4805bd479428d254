from __future__ import annotations

import pytest

from smsgw.policy.file import PolicyFault, Source, merged, parse


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[text]\nalphabet = 'morse'", "set.toml:2: text.alphabet: Invalid enum value 'morse'"),
        ("\n[[terms]]\nid = 'a'\nmust = ['x']\n[[terms]]\nid = 'b'\nmust = []\naction = 3", "set.toml:8: terms[1].action: "),
        ("[sender]\nowned = true\nonwed = true", "set.toml:3: sender: Object contains unknown field `onwed`"),
        ("[[pattern]]\nid = 'a'\nmust = ['x']", "set.toml:1: pattern[0]: Object missing required field `expression`"),
        ("mood = 'x'", "set.toml:1: the file: Object contains unknown field `mood`"),
        ("[text", "set.toml: "),
    ],
)
def test_a_fault_is_told_with_file_line_and_key(text: str, told: str):
    """Types, choices, unknown and missing keys, and what is no TOML."""
    with pytest.raises(PolicyFault) as fault:
        parse(Source("set.toml", text))
    assert fault.value.errors[0].startswith(told)


def test_files_are_read_as_one():
    """Lists add up and keep their places; the defaults of one file do not undo the other's tables."""
    first = Source("a.toml", '[sender]\nowned = true\n[[terms]]\nid = "a"\nmust = ["x"]\nwords = ["x"]\n')
    second = Source("b.toml", 'fail = "pass"\n\n[[terms]]\nid = "b"\nmust = ["y"]\nwords = ["y"]\n')
    table, places = merged([first, second])
    assert table.sender is not None
    assert table.sender.owned
    assert table.fail == "pass"
    assert [rule.id for rule in table.terms] == ["a", "b"]
    assert (places["terms", 0], places["terms", 1]) == ("a.toml:3", "b.toml:3")


def test_a_table_that_stands_once_may_not_stand_twice():
    """Which of two would hold could not be told; every file's faults are told at once."""
    with pytest.raises(PolicyFault) as fault:
        merged([Source("a.toml", "[sender]"), Source("b.toml", "\n[sender]"), Source("c.toml", "x = 1")])
    assert fault.value.errors == [
        "b.toml:2: sender is given twice: a.toml:1 is the first",
        "c.toml:1: the file: Object contains unknown field `x`",
    ]


def test_a_key_of_very_many_parts_is_refused_unread():
    """By its line and with the limit: to read it would take half a minute."""
    with pytest.raises(PolicyFault) as fault:
        parse(Source("a.toml", "[sender]\n" + ".".join(["a"] * 20_000) + " = 1"))
    assert fault.value.errors == ["a.toml:2: a key has more than 32 parts (a.b.c…)"]


def test_a_table_within_a_table_has_its_own_line():
    """A fault of a nested list is told at its header, or its key; tables after a faulty one keep their lines."""
    text = '[sender]\n[[sender.country]]\ncountry = "CN"\n[[sender.country]]\ncountry = 3\n'
    text += '[[terms]]\n[[terms]]\nid = "b"\nmust = ["x"]\n'
    faults: list[str] = []
    source = Source("a.toml", text)
    table, places = merged([source], faults)
    assert faults == [
        "a.toml:5: sender.country[1].country: Expected `str`, got `int`",
        "a.toml:6: terms[0]: Object missing required field `id`",
        "a.toml:6: terms[0]: Object missing required field `must`",
    ]
    assert ([rule.id for rule in table.terms], places["terms", 0], source.place("terms", 0)) == (["b"], "a.toml:7", 1)
