from __future__ import annotations

import pytest

from smsgw.policy.compare import in_shadow, table_of
from smsgw.policy.ruleset import Bundle
from smsgw.policy.shadowing import CannotSwitch, NoSuchRule, switched

FIRST = """\
# rules of ours
fail = "pass"

[[terms]]                # bait
id = "bait"
words = ["a"]
must = ["a"]

[[terms]]
id = "slow"
mode = "enforce"         # since May
words = [
  "b",
]
must = ["b"]

[signature]
required = true
[[signature.filed]]
signature = "x"
"""
SECOND = '[[terms]]\nid = "third"\nwords = ["c"]\nmust = ["c"]\nmode = "shadow"\n'
FILES = [("a.toml", FIRST), ("b.toml", SECOND)]


def table(files: list[tuple[str, str]]):
    """Return what files say."""
    return table_of(Bundle(files))


@pytest.mark.parametrize("rule", ["terms.bait", "signature"])
def test_one_line_is_put_in_and_taken_out_again(rule: str):
    """A rule that says nothing of its mode gets a line below its header; out of the shadow the files are what they were."""
    on = switched(FILES, rule, on=True)
    assert in_shadow(table(on)) == tuple(sorted([rule, "terms.third"], key=lambda name: name.startswith("terms")))
    assert len(on[0][1].splitlines()) == len(FIRST.splitlines()) + 1
    assert switched(on, rule, on=False) == FILES


def test_a_line_that_is_there_is_changed_and_keeps_its_comment():
    """In the second file, too: lists are counted over all of them."""
    on = switched(FILES, "terms.slow", on=True)
    assert 'mode = "shadow"         # since May' in on[0][1]
    assert switched(on, "terms.slow", on=False) == FILES
    off = switched(FILES, "terms.third", on=False)
    assert (off[0], in_shadow(table(off))) == (FILES[0], ())


def test_the_whole_set_is_switched_at_its_head():
    """Before any table of the file that has the mode, else of the first one; back again it is as it was."""
    on = switched(FILES, "", on=True)
    assert table(on).mode == "shadow"
    assert table(on).fail == "pass"
    assert switched(on, "", on=False) == FILES
    told = [("a.toml", FIRST), ("b.toml", 'mode = "shadow"\n' + SECOND)]
    assert table(switched(told, "", on=False)).mode == "enforce"


def test_what_is_so_already_stays_the_same():
    """Nothing is written where nothing changes."""
    assert switched(FILES, "terms.bait", on=False) == FILES
    assert switched(FILES, "terms.third", on=True) == FILES


@pytest.mark.parametrize("rule", ["terms.none", "terms", "fail", "links", "template.x", "keyword.1"])
def test_a_rule_that_is_not_there_is_told_with_those_that_are(rule: str):
    """By its name, and which can be switched."""
    with pytest.raises(NoSuchRule, match=r"terms\.bait, terms\.slow, terms\.third"):
        switched(FILES, rule, on=True)


@pytest.mark.parametrize(
    "text",
    [
        'signature = {required = true}\n[[terms]]\nid = "a"\nwords = ["a"]\nmust = ["a"]\n',
        'signature.required = true\n[[terms]]\nid = "a"\nwords = ["a"]\nmust = ["a"]\n',
        "[signature]\nmode = 'enforce'\n".replace("'", '"""'),
    ],
)
def test_a_file_that_one_line_does_not_change_is_left_alone(text: str):
    """Tables written inline, dotted keys, odd quotes: nothing is guessed."""
    with pytest.raises(CannotSwitch, match="write mode in the file yourself"):
        switched([("a.toml", text)], "signature", on=True)
