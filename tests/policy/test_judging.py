from __future__ import annotations

import pytest

from smsgw.policy.docket import Docket
from smsgw.policy.glance import Glance
from smsgw.policy.judging import (
    RULES,
    at_door,
    category_by,
    clear_steps_of,
    default_alone,
    door_of,
    every_finding,
    judge,
    plain_steps_of,
    steps_of,
)
from smsgw.policy.selftest import pdu_of
from smsgw.policy.verdict import Action
from smsgw.smpp import const
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.corpus import harmless
from tests.policy.sets import ACCOUNT, MORNING_IN_CHINA, compiled, owner, raw, rule, submission, verdict
from tests.policy.test_corpus import ENTRIES, large
from tests.policy.test_corpus import policy as small

TERM = '[[terms]]\nid = "{id}"\nwords = ["{word}"]\nmust = ["{word}"]\n{more}\n'


def test_the_order_is_cheap_first():
    """Addresses before octets, octets before words; the order is a promise to whoever reads a refusal."""
    assert [name for name, _, _ in RULES] == (
        "sender recipient tlv text category consent hours signature templates terms patterns links phones opt_out".split()
    )


def test_a_set_asks_only_what_it_has():
    """An empty set reads the octets and nothing else."""
    assert len(steps_of(compiled(""))) == 1
    assert verdict(compiled("")).objection is None


def test_the_gravest_finding_of_the_first_rule_that_objects_decides():
    """Refusing is more than holding, within a rule; a later rule is not asked."""
    policy = compiled(
        TERM.format(id="a", word="甲乙", more='action = "hold"') + TERM.format(id="b", word="丙丁", more="") + "[links]"
    )
    assert rule(policy, "甲乙丙丁 evil.com") == "terms.b"
    objection = verdict(policy, "甲乙 evil.com").objection
    assert objection is not None
    assert (objection.action, objection.rule) == (Action.HOLD, "terms.a")


def test_shadow_rules_and_sets_change_nothing_and_are_told():
    """What they would have done stands among the flags."""
    one = compiled(TERM.format(id="a", word="甲乙", more='mode = "shadow"'))
    whole = compiled('mode = "shadow"\n' + TERM.format(id="a", word="甲乙", more="") + '[recipient]\ncountries = ["US"]')
    assert verdict(one, "甲乙").objection is None
    assert [flag.rule for flag in verdict(one, "甲乙").flags] == ["terms.a"]
    assert [flag.rule for flag in verdict(whole, "甲乙").flags] == ["recipient.countries", "terms.a"]
    assert verdict(whole, "甲乙").objection is None


def test_whoever_asks_why_hears_every_rule():
    """Also those after the one that decided."""
    policy = compiled('[recipient]\ncountries = ["US"]\n' + TERM.format(id="a", word="甲乙", more=""))
    found = {name: [finding.rule for finding in findings] for name, findings in every_finding(policy, submission(policy, "甲乙"))}
    assert found == {"recipient": ["recipient.countries"], "text": [], "terms": ["terms.a"]}


def test_a_part_of_a_text_is_asked_at_the_door_for_what_needs_no_text():
    """Sender, recipient and TLVs; its category is that of its sender. Sets that read no text, say so, or try, join nothing."""
    reading = '[recipient]\ncountries = ["US"]\n[category.sender]\n"1069" = "otp"\n' + TERM.format(id="a", word="甲乙", more="")
    policy = compiled(reading)
    door = door_of(policy)
    assert door is not None
    assert len(door) == 1
    pdu = raw(write_udh([concat_element(Concat(7, 16, 3, 2))]) + "甲乙".encode("utf-16-be"), 8, esm_class=0x40)
    there = at_door(policy, door, submission(policy, pdu=pdu, destination="12125550100"))
    assert there.part is not None
    assert (there.objection, there.category, there.part.reference, there.part.number, there.part.total) == (
        None,
        "otp",
        "16:7",
        2,
        3,
    )
    elsewhere = at_door(policy, door, submission(policy, pdu=pdu)).objection
    assert elsewhere is not None
    assert elsewhere.rule == "recipient.countries"
    for other in ('[text]\nparts = "each"\n', '[text]\nparts = "reject"\n', '[text]\nmode = "shadow"\n', 'mode = "shadow"\n'):
        assert door_of(compiled(other + reading)) is None
    assert door_of(compiled('[recipient]\ncountries = ["US"]\n')) is None


def test_a_part_is_the_same_only_if_it_is_read_and_sent_the_same():
    """Its coding, language, ports and time are in its hash: one that comes twice, and then otherwise, is a contradiction."""
    policy = compiled(TERM.format(id="a", word="甲乙", more=""))
    door = door_of(policy)
    assert door is not None

    def digest(*elements: tuple[int, bytes], coding: int = 8, schedule: bytes = b"") -> str:
        header = write_udh([concat_element(Concat(7, 8, 2, 1)), *elements])
        pdu = raw(header + "甲".encode("utf-16-be"), coding, esm_class=0x40, schedule=schedule)
        part = at_door(policy, door, submission(policy, pdu=pdu)).part
        assert part is not None
        return part.digest

    others = [digest((0x25, b"\1")), digest((0x04, b"\1\2")), digest(coding=0), digest(schedule=b"000000100000000R")]
    assert digest() == digest()
    assert len({digest(), *others}) == 5


def test_a_trial_holds_against_no_part_that_it_is_one():
    """In earnest it would be joined first: it is no would-be hold, fits no template yet, and need not name the way to refuse."""
    rules = '[category]\ndefault = "marketing"\n[[opt_out]]\nwords = ["退订"]\n[templates]\nonly = true\n[[template]]\nid = "t"\n'
    rules += 'text = "好{n:digits:1-2}退订"\nmust = ["好1退订"]\n' + TERM.format(id="a", word="甲乙", more="")
    pdu = raw(write_udh([concat_element(Concat(7, 8, 2, 1))]) + "好1甲乙".encode("utf-16-be"), 8, esm_class=0x40)
    assert [flag.rule for flag in verdict(compiled(f'mode = "shadow"\n{rules}'), pdu=pdu).flags] == ["terms.a"]
    assert [flag.rule for flag in verdict(compiled(f'mode = "shadow"\n{rules}'), "好1甲乙").flags] == [
        *("templates.only", "terms.a", "opt_out.1"),
    ]
    each = verdict(compiled(f'mode = "shadow"\n[text]\nparts = "each"\n{rules}'), pdu=pdu)
    assert [flag.rule for flag in each.flags] == ["templates.only", "terms.a", "opt_out.1"]


CODES = """
[templates]
[[template]]
id = "code"
signature = "甲"
category = "otp"
text = "您的验证码是{code:digits:4-6}。"
must = ["【甲】您的验证码是1234。"]
"""
TRIALS = """
[[terms]]
id = "odd"
words = ["百家乐", "casino"]
must = ["casino"]
{more}
[[pattern]]
id = "digits"
expression = '[0-9]{{6}}'
must = ["123456"]
action = "flag"
[[pattern]]
id = "bait"
expression = '百家乐.{{0,9}}casino'
must = ["百家乐casino"]
"""


@pytest.mark.parametrize(
    "text",
    [
        "small",
        "large",
        *(TRIALS.format(more=more) for more in ("", 'action = "flag"', 'mode = "shadow"')),
        'mode = "shadow"\n' + TRIALS.format(more=""),
    ],
)
def test_the_short_way_says_what_the_long_one_says(text: str):
    """Whatever stands in a plain message: the same verdict, with the same rules, flags and places, by both ways."""
    rules = {"small": small, "large": large}.get(text, lambda: compiled(text))()
    texts = [entry["text"] for entry in ENTRIES if "text" in entry] + harmless.texts()[::20] + ["百家乐 casino 123456"]
    for said in texts:
        one = submission(rules, said)
        assert one.plain or len(said) > 70 or "\u202e" in said
        if one.plain:
            long = judge(rules, steps_of(rules), submission(rules, said))
            assert judge(rules, plain_steps_of(rules), one) == long
            if Glance(rules).look(said)[3]:
                assert judge(rules, clear_steps_of(rules), submission(rules, said)) == long


@pytest.mark.parametrize("text", ["small", "large", CODES, TRIALS.format(more="")])
def test_what_one_look_tells_is_what_all_rules_say(text: str):
    """A docket that settles a plain message by its words alone gives the verdict of the whole way, category and all."""
    rules = {"small": small, "large": large}.get(text, lambda: compiled(text))()
    docket = Docket({ACCOUNT.policy: rules})
    said = [entry["text"] for entry in ENTRIES if "text" in entry] + harmless.texts()[::20]
    for one in [*said, "【甲】您的验证码是1234。", "【甲】您好", "hello"]:
        pdu = pdu_of(one, source=b"10690001", destination=b"8613800138000")
        by_look = docket(ACCOUNT, "10690001", "8613800138000", pdu, MORNING_IN_CHINA, owner, const.SUBMIT_SM, const.V34)
        assert by_look == judge(rules, steps_of(rules), submission(rules, one))


def test_a_category_comes_from_the_text_alone_where_nothing_else_tells():
    """By its template, else by the default; not where senders, words or counters have a say."""
    plain = compiled(CODES)
    assert default_alone(plain) == "notice"
    assert plain.templates is not None
    assert [category_by(plain.templates, one) for one in ("【甲】您的验证码是1234。", "【甲】您好")] == ["otp", "notice"]
    assert default_alone(compiled(TRIALS.format(more=""))) == ""
    assert default_alone(compiled(CODES + '[category]\ndefault = "marketing"\n')) is None
