from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from smsgw.model import Account
from smsgw.policy.docket import Docket, refused
from smsgw.policy.matcher import EngineFailed, Patterns, Terms
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.selftest import pdu_of
from smsgw.policy.statuses import STATUSES
from smsgw.policy.verdict import Action, Finding, Verdict
from smsgw.smpp import const, tlv
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.sets import ACCOUNT, compiled, owner, raw

TEXT = '[[terms]]\nid = "a"\nwords = ["甲乙"]\nmust = ["甲乙"]\n'
TEXT += '[[terms]]\nid = "b"\nwords = ["丙丁"]\nmust = ["丙丁"]\naction = "flag"\n'


class Told(list[tuple[str, Exception]]):
    """What a docket said of failures."""

    def __call__(self, name: str, error: Exception) -> None:
        self.append((name, error))


def asked(docket: Docket, text: str) -> Verdict:
    """Judge a text."""
    return docket(ACCOUNT, "10690001", "8613800138000", pdu_of(text), 0.0, owner, const.SUBMIT_SM, const.V34)


@pytest.fixture
def docket_of() -> Callable[[RuleSet], tuple[Docket, Told]]:
    """Make a docket with one set and what it tells."""

    def make(policy: RuleSet) -> tuple[Docket, Told]:
        told = Told()
        return Docket({"set": policy}, told), told

    return make


def test_what_was_judged_is_counted(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """Verdicts by set, findings by rule, and by class of rule for the metrics."""
    docket, told = docket_of(compiled(TEXT))
    for text in ("您好", "甲乙", "丙丁", "甲乙"):
        asked(docket, text)
    assert dict(docket.verdicts) == {("set", "pass"): 1, ("set", "reject"): 2, ("set", "flag"): 1}
    assert docket.hits["set", "terms.a", "reject"] == 2
    assert docket.hits_by_class() == {("set", "terms", "reject"): 2, ("set", "terms", "flag"): 1}
    assert not told
    docket.apply({})
    assert not docket.hits


@pytest.mark.parametrize(("fail", "action"), [("hold", Action.HOLD), ("reject", Action.REJECT)])
def test_a_set_that_breaks_judges_by_its_fail_mode(fail: str, action: Action, docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """It is told once, counted each time, and nothing passes."""
    docket, told = docket_of(compiled(f'fail = "{fail}"\n{TEXT}'))
    docket._steps["set"] = docket._steps["set"]._replace(steps=(lambda *_: 1 / 0,), look=None)
    for _ in range(2):
        objection = asked(docket, "您好").objection
        assert objection is not None
        assert (objection.action, objection.reason) == (action, "policy_failed")
    assert docket.failures["set",] == 2
    assert [(name, type(error)) for name, error in told] == [("set", ZeroDivisionError)]
    assert refused(ACCOUNT, objection, "set@:fail").status == STATUSES["policy_failed"][0]


def test_a_set_whose_canary_is_dead_judges_no_more(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """The periodic check takes it out of service until another version comes; that something else was provisioned is none."""
    policy = compiled('[[pattern]]\nid = "p"\nexpression = "x"\nmust = ["x"]')
    docket, told = docket_of(policy)
    docket.check()
    assert not told
    patterns = policy.patterns_rest
    assert isinstance(patterns, Patterns)
    patterns._shards = [(0, 9, patterns._shards[0][2])]
    docket.check()
    assert isinstance(told[0][1], EngineFailed)
    assert asked(docket, "您好").objection is not None
    docket.apply({"set": policy, "other": compiled(TEXT)})
    assert asked(docket, "您好").objection is not None
    docket.apply({"set": compiled(TEXT)})
    assert asked(docket, "您好").objection is None


def test_an_account_without_its_set_is_refused():
    """A name that leads nowhere lets nothing pass."""
    told = Told()
    objection = asked(Docket({}, told), "您好").objection
    assert objection is not None
    assert objection.reason == "policy_failed"
    assert told[0][0] == "set"


def test_a_refusal_names_set_version_rule_and_place(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """The tenant reads a status, the record the rule; what a rule wants held is refused as held."""
    policy = compiled(TEXT)
    docket, _ = docket_of(policy)
    objection = asked(docket, "去甲乙").objection
    assert objection is not None
    name = docket.rule_of(ACCOUNT, objection)
    assert name == f"set@{policy.version[:8]}:terms.a:n1[1:3]"
    rejected = refused(ACCOUNT, objection, name)
    assert (rejected.status, rejected.reason, rejected.rule) == (STATUSES["content"][0], "content", name)
    held = refused(ACCOUNT, Finding(Action.HOLD, "content", "terms.a"), "")
    assert held.reason == "held"
    strict = Account(id=1, system_id="a", tenant=ACCOUNT.tenant, strict_34=True)
    assert refused(strict, objection, name).status == const.ESME_RSUBMITFAIL


def test_every_reason_of_a_rule_has_its_status():
    """No finding of the source is without a status to tell."""
    import re
    from pathlib import Path

    room = Path(__file__).resolve().parents[2] / "smsgw" / "policy"
    source = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    reasons = set(re.findall(r'Finding\([^,]+, "(\w+)"', source)) | {"link", "phone"}
    assert len(reasons) > 12
    assert reasons <= set(STATUSES)


def test_what_was_held_is_judged_as_one_text(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """Parts are not counted at the door, and once as a whole; a message by itself as it was; an engine may fail here, too."""
    docket, told = docket_of(compiled(TEXT))
    pdus = [
        raw(write_udh([concat_element(Concat(7, 8, 2, number))]) + word.encode("utf-16-be"), 8, esm_class=0x40)
        for number, word in ((1, "甲"), (2, "乙"))
    ]
    ends = ("10690001", "8613800138000")
    assert all(docket(ACCOUNT, *ends, pdu, 0.0, owner, const.SUBMIT_SM, const.V34).part for pdu in pdus)
    assert not docket.verdicts
    parts = [(pdu, const.SUBMIT_SM) for pdu in pdus]
    joined = docket.held(ACCOUNT, *ends, parts, 0.0, owner, joined=True).objection
    assert joined is not None
    assert joined.rule == "terms.a"
    assert docket.held(ACCOUNT, *ends, [(pdu_of("甲乙"), const.SUBMIT_SM)], 0.0, owner, joined=False).objection is not None
    assert dict(docket.verdicts) == {("set", "reject"): 2}
    assert docket.held(replace(ACCOUNT, policy=""), *ends, parts, 0.0, owner, joined=True) == Verdict()
    assert not docket.releases_missing(ACCOUNT)
    docket._steps.clear()
    failed = docket.held(ACCOUNT, *ends, parts, 0.0, owner, joined=True).objection
    assert failed is not None
    assert failed.rule == "fail"
    assert len(told) == 1


def test_what_waits_is_not_let_go_under_a_sender_that_has_to_give_way_by_now(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """A set that replaces senders came while it waited: what was replaced at the door passes, what has its own is refused."""
    country = '[sender]\n[[sender.country]]\ncountry = "CN"\nalphanumeric = "replace"\nreplacement = "10691234"\n'
    docket, _ = docket_of(compiled(country))

    def judged(source: bytes, command: int = const.SUBMIT_SM) -> Verdict:
        body = pdu_of("您好", source=source, destination=b"8613800138000")
        return docket.held(ACCOUNT, "FOREIGN", "8613800138000", [(body, command)], 0.0, owner, joined=False)

    assert judged(b"10691234").objection is None
    objection = judged(b"FOREIGN").objection
    assert objection is not None
    assert (objection.reason, objection.rule) == ("sender", "sender.replace")
    assert docket.hits["set", "sender.replace", "reject"] == 1


def test_what_waits_is_not_let_go_without_a_tlv_that_has_to_be_there_by_now(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """Nothing is put in any more: what had it put in at the door passes, what lacks it is refused, and no flag tells otherwise."""
    docket, _ = docket_of(compiled('[[tlv]]\nid = "entity"\ntag = 0x1400\ninject = "1101"\n'))

    def judged(**fields: bytes) -> Verdict:
        parts = [(raw(b"hi", **fields), const.SUBMIT_SM)]
        return docket.held(ACCOUNT, "10690001", "8613800138000", parts, 0.0, owner, joined=False)

    assert judged(tlvs=tlv.append(0x1400, b"1101")).objection is None
    lacking = judged()
    assert lacking.objection is not None
    assert (lacking.objection.reason, lacking.objection.rule) == ("tlv_missing", "tlv.entity")
    assert (lacking.flags, lacking.added) == ((), b"")
    assert dict(docket.hits) == {("set", "tlv.entity", "reject"): 1}


CAPPED = f'{TEXT}[category.words]\nmarketing = ["优惠"]\n[[cap]]\nid = "day"\nlimit = 1\ncategories = ["marketing"]\n'


def test_a_set_that_breaks_tells_its_caps_as_long_as_it_can(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """Not where what tells kinds of messages is what broke, nor where there is no set; a set without caps has none to tell."""

    def held(docket: Docket, text: str = "优惠") -> tuple[list[str], bool, Action | None]:
        ends = ("10690001", "8613800138000")
        verdict = docket.held(ACCOUNT, *ends, [(pdu_of(text), const.SUBMIT_SM)], 0.0, owner, joined=False)
        objection = verdict.objection
        return [cap.rule for cap in verdict.caps], verdict.unsaid, objection.action if objection is not None else None

    policy = compiled(CAPPED)
    docket, _ = docket_of(policy)
    docket._steps["set"] = docket._steps["set"]._replace(steps=(lambda *_: 1 / 0,), look=None)
    assert held(docket) == (["cap.day"], False, Action.HOLD)
    assert held(docket, "您好") == ([], False, Action.HOLD)
    kinds, terms = policy.category_words, policy.terms_n1
    assert kinds is not None
    assert isinstance(terms, Terms)
    kinds._words._shards = [(kinds._words._shards[0][0], terms._shards[0][1])]
    assert held(docket) == ([], True, Action.HOLD)
    docket.apply({"set": compiled(TEXT)})
    docket._steps["set"] = docket._steps["set"]._replace(steps=(lambda *_: 1 / 0,), look=None)
    assert held(docket) == ([], False, Action.HOLD)
    docket.apply({})
    assert held(docket) == ([], True, Action.HOLD)


def test_a_set_that_breaks_tells_what_no_person_can_waive(docket_of: Callable[[RuleSet], tuple[Docket, Told]]):
    """That the recipient does not want it, and when its hours begin; of a message of another kind neither."""
    hours = '[[hours]]\nbegin = "09:00"\nend = "20:00"\naction = "defer"\n'

    def held(text: str, more: str) -> Verdict:
        docket, _ = docket_of(compiled(f'[category.words]\nmarketing = ["优惠"]\n{more}'))
        docket._steps["set"] = docket._steps["set"]._replace(steps=(lambda *_: 1 / 0,), look=None)
        ends = ("10690001", "8613800138000")
        return docket.held(ACCOUNT, *ends, [(pdu_of(text), const.SUBMIT_SM)], 0.0, owner, joined=False)

    failed = Finding(Action.HOLD, "policy_failed", "fail")
    assert held("优惠", hours) == Verdict("", failed, due=3_600.0)
    assert held("您好", hours) == Verdict("", failed)
    assert held("优惠", "[consent]\nrequired = true\n").stops == Finding(Action.REJECT, "no_consent", "consent.required")
    assert held("您好", "[consent]\nrequired = true\n") == Verdict("", failed)
