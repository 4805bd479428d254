from __future__ import annotations

from smsgw.policy.compare import Changed, Comparison, classes, compare, in_shadow, table_of
from smsgw.policy.ruleset import Bundle, make_bundle
from tests.policy.sets import KEY

OLD = """\
[recipient]
block = "block.txt"
[[terms]]
id = "a"
file = "words.txt"
must = ["one"]
[[terms]]
id = "gone"
words = ["x"]
must = ["x"]
[[tlv]]
tag = 0x1401
"""
NEW = """\
mode = "shadow"
[recipient]
block = "block.txt"
[[terms]]
id = "a"
file = "words.txt"
must = ["one"]
action = "flag"
[[pattern]]
id = "new"
expression = "x+"
must = ["x"]
mode = "shadow"
[[tlv]]
tag = 0x1401
"""


def bundle(text: str, words: str, block: str) -> Bundle:
    """Return a bundle of one file and two lists."""
    return make_bundle(["s.toml"], lambda _, listed: {"": text, "words.txt": words, "block.txt": block}[listed], KEY)


def test_what_came_what_went_and_what_is_otherwise():
    """Rules by their names, with the keys that differ and how many words and numbers came and went; the set itself is one."""
    found = compare(
        bundle(OLD, "one\ntwo\n", "8613800138000\n"), bundle(NEW, "one\nthree\nfour\n", "8613800138000\n8613800138001\n")
    )
    assert found.added == ("pattern.new",)
    assert found.removed == ("terms.gone",)
    assert found.changed == (Changed("set", ("mode",)), Changed("recipient", (), 1, 0), Changed("terms.a", ("action",), 2, 1))


def test_against_nothing_everything_came_and_against_itself_nothing_changed():
    """A first version, and the same one again."""
    one = bundle(OLD, "one\n", "")
    assert compare(None, one).added == ("set", "tlv.1401", "recipient", "terms.a", "terms.gone")
    assert compare(one, None).removed == compare(None, one).added
    assert compare(one, one) == Comparison((), (), ())


def test_a_set_is_counted_by_class():
    """How many rules of each, and which decide nothing."""
    table = table_of(bundle(NEW, "one\n", ""))
    assert classes(table) == {"tlv": 1, "recipient": 1, "terms": 1, "pattern": 1}
    assert in_shadow(table) == ("pattern.new",)


def test_words_of_other_rules_than_terms_are_keys_of_theirs():
    """By which word recipients refuse, what marketing has to say, and which words make it marketing: a change of these shows."""
    text = '[[keyword]]\nwords = ["TD"]\n[[opt_out]]\nwords = ["TD"]\n[category.words]\nmarketing = ["sale"]\n'
    found = compare(bundle(text, "", ""), bundle(text.replace("TD", "R").replace("sale", "offer"), "", ""))
    assert {one.rule: one.keys for one in found.changed} == {
        "keyword.1": ("words",),
        "opt_out.1": ("words",),
        "category": ("words",),
    }
