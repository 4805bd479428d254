from __future__ import annotations

import pytest

from smsgw.policy.faults import ANY, told


@pytest.mark.parametrize(
    ("line", "parts", "hint"),
    [
        ("a.toml:3: sender: Object contains unknown field `onwed`", ("a.toml", 3, "sender.onwed"), "did you mean owned?"),
        ("a.toml:1: the file: Object contains unknown field `xyz`", ("a.toml", 1, ""), "known are cap, category"),
        ("a.toml:6: terms[0].must: Expected `array`, got `int`", ("a.toml", 6, "terms[0].must"), "of this type: array"),
        ("a.toml:1: pattern[0]: Object missing required field `id`", ("a.toml", 1, "pattern[0].id"), "give it: id"),
        ("p/a.toml:1: pattern 'p.q': RE2 refuses it: x", ("p/a.toml", 1, "pattern.p.q"), "look-around"),
        ("a.toml: Expected '=' (at line 7, column 2)", ("a.toml", 7, ""), "TOML"),
        ("b.txt:2: is no number: 3 to 20 digits", ("b.txt", 2, ""), "one number a line"),
        ("a.toml:9: tlv 0x0005: RE2 refuses its pattern: x", ("a.toml", 9, "tlv.0x0005"), "look-around"),
        ("something else", ("", 0, ""), ANY),
    ],
)
def test_a_line_is_taken_apart(line: str, parts: tuple[str, int, str], hint: str):
    """File, line and key as they were said, with a hint that says what to do; and it is put together again."""
    fault = told(line)
    assert (fault.file, fault.line, fault.key) == parts
    assert hint in fault.hint
    assert str(fault) == line or fault.line == 7
