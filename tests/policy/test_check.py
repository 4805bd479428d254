from __future__ import annotations

from collections.abc import Mapping

import pytest

from smsgw.policy.check import Checked, check_set
from smsgw.policy.matcher import EngineFailed
from tests.policy.sets import KEY

TERM = '[[terms]]\nid = "t"\nwords = ["casino"]\nmust = ["casino"]\n'
FAULTY = """\
mood = 1
[[terms]]
id = "shape"
must = 3
[[terms]]
id = "short"
form = "n2"
words = ["赌博"]
must = ["赌博"]
[[terms]]
id = "blind"
words = ["abc"]
must = ["xyz"]
[[terms]]
id = "lost"
file = "lost.txt"
must = ["x"]
[[pattern]]
id = "engine"
expression = "("
must = ["x"]
[recipient]
block = "block.txt"
"""


def check(files: Mapping[str, str], *names: str) -> Checked:
    """Check a set of these files."""

    def read(source: str, listed: str) -> str:
        try:
            return files[listed or source]
        except KeyError:
            raise FileNotFoundError(2, "No such file", source) from None

    return check_set("set", names, read, KEY)


def test_every_fault_of_every_step_is_told_at_once():
    """What is no file, no TOML, misshapen, not there, refused by an engine, or not found by its own rule: each with its line."""
    found = check({"a.toml": FAULTY, "b.toml": "x = [\n", "block.txt": "8613800138000\nabc\n"}, "a.toml", "b.toml", "c.toml")
    assert found.made is None
    assert {(fault.file, fault.line, fault.key) for fault in found.faults} == {
        ("c.toml", 0, ""),
        ("b.toml", 0, ""),
        ("a.toml", 1, ""),
        ("a.toml", 4, "terms[0].must"),
        ("a.toml", 5, "terms.short"),
        ("a.toml", 10, "terms.blind"),
        ("a.toml", 16, "lost.txt"),
        ("a.toml", 18, "pattern.engine"),
        ("block.txt", 2, ""),
    }
    assert all(fault.hint for fault in found.faults)


def test_what_follows_from_a_fault_is_no_other_fault():
    """A TLV that is misshapen is not also missed by what injects it; its own fault alone is told."""
    template = '[[template]]\nid = "t"\ntext = "code {c:digits:4-6}"\nmust = ["code 1234"]\ninject = {"0x1401" = "1"}\n'
    text = f'[[tlv]]\ntag = "x"\n{template}'
    assert [fault.key for fault in check({"a.toml": text}, "a.toml").faults] == ["tlv[0].tag"]


def test_engines_and_own_texts_are_asked_of_what_is_sound():
    """A set whose form is right: an engine's refusal does not hide a harmless text that another rule would stop."""
    text = (
        'harmless = ["fine.txt"]\n[[terms]]\nid = "t"\nwords = ["casino"]\nmust = ["casino"]\n'
        '[[pattern]]\nid = "p"\nexpression = "("\nmust = ["x"]\n'
    )
    found = check({"a.toml": text, "fine.txt": "casino royale\n"}, "a.toml")
    assert [(fault.file, fault.key) for fault in found.faults] == [("a.toml", "pattern.p"), ("fine.txt", "")]


def test_an_engine_that_refuses_the_whole_is_told(monkeypatch: pytest.MonkeyPatch):
    """Rules that are each right, and too much together: a fault of the set's first file, not an exception."""

    def refuses(*_: object, **_named: object) -> None:
        raise EngineFailed("out of memory")

    monkeypatch.setattr("smsgw.policy.check.compile_set", refuses)
    (fault,) = check({"a.toml": TERM}, "a.toml").faults
    assert (fault.file, fault.message) == ("a.toml", "an engine refuses the set: out of memory")
    monkeypatch.undo()
    monkeypatch.setattr("smsgw.policy.check.prove", refuses)
    assert "out of memory" in str(check({"a.toml": "x = 1\n" + TERM}, "a.toml").faults[1])


def test_a_sound_set_is_compiled_and_says_on_what_it_was_proved():
    """No fault, the compiled set, and how many texts it was proved on."""
    text = 'harmless = ["fine.txt"]\n[[terms]]\nid = "t"\nwords = ["casino"]\nmust = ["casino", "CASINO"]\n'
    found = check({"a.toml": text, "fine.txt": "good morning\n# none\nbye\n"}, "a.toml")
    assert found.faults == ()
    assert found.made is not None
    assert found.made.version == found.bundle.version
    assert (found.proved, found.harmless) == (2, 2)


def test_what_is_nested_too_deeply_is_a_fault():
    """And no failure of whoever reads it."""
    (fault,) = check({"a.toml": "a = " + "[" * 50_000}, "a.toml").faults
    assert (fault.file, "nested too deeply" in fault.message) == ("a.toml", True)
