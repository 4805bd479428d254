from __future__ import annotations

import pytest

from smsgw.bench.rules import made_set
from smsgw.policy.engines import Engines
from smsgw.policy.file import PolicyFault
from smsgw.policy.ruleset import Bundle, compile_set, decode_bundle, lines_of, make_bundle
from tests.policy.corpus import harmless
from tests.policy.sets import KEY, compiled, rule


def faults(text: str, lists: dict[str, str] | None = None) -> list[str]:
    """Return what is wrong with a set."""
    with pytest.raises(PolicyFault) as fault:
        compiled(text, lists)
    return fault.value.errors


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[pattern]]\nid = "a"\nmust = ["x"]\nexpression = "(x"', "set.toml:1: pattern 'a': RE2 refuses it: missing )"),
        ('[[terms]]\nid = "a"\nmust = ["x"]', "set.toml:1: terms 'a' has no word"),
        ('[[terms]]\nid = "a"\nwords = ["xx"]\nmust = []', "set.toml:1: terms 'a': must = [...] names no text"),
        (
            '[[terms]]\nid = "a"\nform = "n2"\nwords = ["赌博"]\nmust = ["赌博"]',
            "set.toml:1: terms 'a': '赌博' is too short for form n2",
        ),
        ('[[hours]]\nbegin = "8"\nend = "21:00"', "set.toml:1: hours from '8' to '21:00': times are written"),
        ('[[hours]]\nbegin = "21:00"\nend = "08:00"', "set.toml:1: hours from 21:00 to 08:00 are none"),
        ("[[tlv]]\ntag = 0", "set.toml:1: tlv tag 0 is none"),
        ('[[tlv]]\ntag = 5\npattern = "("', "set.toml:1: tlv 0x0005: RE2 refuses its pattern"),
        ('[[template]]\nid = "a"\ntext = "{a:text:1-9}"\nmust = ["x"]', "set.toml:1: template 'a': has no text of its own"),
        ('[[terms]]\nid = "a"\nfile = "none"\nmust = ["x"]', "set.toml:3: none cannot be read: No such file"),
        ('[recipient]\nblock = "b"', "b:2: is no number: 3 to 20 digits"),
    ],
)
def test_a_faulty_set_is_nothing(text: str, told: str):
    """What an engine refuses, what is missing, what would match across words: file, line and what to do."""
    assert faults(text, {"b": "8613800138000\nabc"})[0].startswith(told)


def test_every_fault_is_told_at_once():
    """Also two rules of one name."""
    term = '[[terms]]\nid = "a"\nwords = ["xx"]\nmust = ["xx"]\n'
    assert faults(f'{term}{term}[[hours]]\nbegin = "x"\nend = "y"') == [
        "set.toml:5: terms 'a' is given twice",
        "set.toml:9: hours from 'x' to 'y': times are written \"08:00\", up to \"24:00\"",
    ]


def test_the_version_is_the_hash_of_the_files():
    """The same files have the same version, one letter more makes another, and it comes back from the store as it was."""

    def bundle(text: str) -> Bundle:
        return make_bundle(["set.toml"], lambda _, listed: "8613800138000" if listed else text, KEY)

    one, same, other = (bundle(f'[recipient]\nblock = "b"\n{more}') for more in ("", "", "# more"))
    assert one.version == same.version != other.version
    assert decode_bundle(one.encode()) == one
    assert b"8613800138000" not in one.encode()


def test_words_come_from_files_and_in_any_spelling():
    """A list in full-width or traditional letters finds the plain ones; comments are none."""
    policy = compiled('[[terms]]\nid = "a"\nfile = "w"\nmust = ["百家乐"]', {"w": "# a list\n百家樂\nＣＡＳＩＮＯ # latin\n\n"})
    assert policy.size["terms"] == 2
    assert rule(policy, "casino") == "terms.a"
    assert lines_of("# x\n a \nb # c") == ["a", "b"]


def test_a_set_that_works_passes_its_canaries():
    """Each engine is asked."""
    policy = compiled(
        '[[terms]]\nid = "a"\nwords = ["甲乙"]\nmust = ["甲乙"]\n[[pattern]]\nid = "b"\nexpression = "b+"\nmust = ["b"]'
    )
    policy.check()
    assert policy.size == {"terms": 1, "patterns": 1, "templates": 0}


def test_a_small_change_builds_little():
    """What did not change is taken over, and judges as if it had been compiled anew; what did change is in force."""
    text, lists = made_set(400)
    files = [(text, lists), (text, {**lists, "n1.txt": lists["n1.txt"] + "\n百家乐"}), (f"{text}# another\n", lists)]
    bundles = [make_bundle(["set.toml"], lambda _, listed, of=of: of[1][listed] if listed else of[0], KEY) for of in files]
    first = compile_set("set", bundles[0], KEY)
    second = compile_set("set", bundles[1], KEY, first)
    assert second.engines.kept > 10 * second.engines.built > 0
    assert second.sources == first.sources
    assert [rule(policy, "来百家乐吧") for policy in (first, second)] == ["", "terms.n1"]
    third = compile_set("set", bundles[2], KEY, second)
    fresh = compile_set("set", bundles[2], KEY)
    assert (third.engines.built, third.version) == (second.engines.built, fresh.version)
    assert third.sources != second.sources
    texts = [*lists["n1.txt"].splitlines()[:50], *harmless.texts()[::200], "来百家乐吧"]
    assert [rule(third, one) for one in texts] == [rule(fresh, one) for one in texts]


def test_a_faulty_version_harms_the_one_before_by_nothing():
    """What could not be compiled took nothing away from what is in force."""
    sound = compiled('[[terms]]\nid = "a"\nwords = ["xx"]\nmust = ["xx"]')
    faulty = make_bundle(["set.toml"], lambda *_: '[[terms]]\nid = "a"\nwords = ["xx"]\nmust = ["y"]', KEY)
    with pytest.raises(PolicyFault):
        compile_set("set", faulty, KEY, sound)
    assert rule(sound, "an xx here") == "terms.a"
    sound.check()


def test_an_engine_that_has_broken_is_not_taken_over():
    """A set that judges by its fail mode, because an engine is silent, is mended by its next version."""
    listed = '[[terms]]\nid = "a"\nwords = ["xx"]\nmust = ["xx"]\n'
    broken = compiled(listed)
    engines = broken.engines
    engines._automata = dict.fromkeys(engines._automata, Engines().automaton(["other"]))
    following = make_bundle(["set.toml"], lambda *_: f"{listed}# another\n", KEY)
    mended = compile_set("set", following, KEY, broken)
    mended.check()
    assert rule(mended, "an xx here") == "terms.a"
    assert mended.engines.kept == 0


@pytest.mark.parametrize(("form", "word"), [("n1", ""), ("n2", "--")])
def test_an_exception_without_a_letter_is_a_fault(form: str, word: str):
    """The engine takes no empty word: it is told with its rule, and is no fault of ours."""
    with pytest.raises(PolicyFault, match=rf"set.toml:1: terms 't' has an exception that is empty once it is in the form {form}"):
        compiled(f'[[terms]]\nid = "t"\nwords = ["百家乐"]\nmust = ["百家乐"]\nform = "{form}"\nexceptions = ["{word}"]\n')
