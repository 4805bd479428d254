"""What recipients want: marketing is stopped by a refusal, or by a missing consent; codes and notices never are."""

from __future__ import annotations

from smsgw.policy.judging import judge, steps_of
from smsgw.policy.marks import CONSENT, OPT_OUT, Marks, Scope
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.policy.verdict import Verdict
from tests.policy.sets import ACCOUNT, KEY, MORNING_IN_CHINA, compiled, owner, pdu_of

NUMBER = "8613800138000"
KINDS = '[category.words]\nmarketing = ["优惠"]\notp = ["验证码"]\n'


def asked(policy: RuleSet, text: str, *scopes: Scope) -> Verdict:
    """Judge a text to a number that is marked in these scopes."""
    marks = Marks(KEY)
    marks.know(dict(enumerate(scopes)))
    for code, _ in enumerate(scopes):
        marks.learn(marks.hash_of(NUMBER), code, active=True)
    pdu = pdu_of(text, source=b"10690001", destination=NUMBER.encode())
    submission = Submission(policy, ACCOUNT, "10690001", NUMBER, pdu, now=MORNING_IN_CHINA, owner=owner, marks=marks)
    return judge(policy, steps_of(policy), submission)


def rule(verdict: Verdict) -> tuple[str, str]:
    """Return the reason and the rule of an objection."""
    return ("", "") if verdict.objection is None else (verdict.objection.reason, verdict.objection.rule)


def test_a_refusal_stops_marketing_alone():
    """A set with keywords asks; each scope has its word; a code and a notice pass."""
    policy = compiled(KINDS + '[[keyword]]\nwords = ["TD"]\n')
    out = Scope(OPT_OUT, "account", ACCOUNT.id)
    assert rule(asked(policy, "优惠多多", out)) == ("opted_out", "consent.account")
    assert rule(asked(policy, "优惠多多", Scope(OPT_OUT, "number", ACCOUNT.id, "10690001"))) == ("opted_out", "consent.number")
    assert rule(asked(policy, "【某某】优惠", Scope(OPT_OUT, "signature", ACCOUNT.id, "某某"))) == (
        "opted_out",
        "consent.signature",
    )
    assert rule(asked(policy, "【另一】优惠", Scope(OPT_OUT, "signature", ACCOUNT.id, "某某"))) == ("", "")
    assert rule(asked(policy, "验证码1234", out)) == ("", "")
    assert rule(asked(policy, "您好", out)) == ("", "")
    assert rule(asked(policy, "优惠多多")) == ("", "")


def test_consent_may_be_required():
    """Without a record of consent marketing is refused; a refusal goes before a consent."""
    policy = compiled(KINDS + "[consent]\nrequired = true\n")
    given = Scope(CONSENT, "account", ACCOUNT.id)
    assert rule(asked(policy, "优惠多多")) == ("no_consent", "consent.required")
    assert rule(asked(policy, "优惠多多", given)) == ("", "")
    assert rule(asked(policy, "优惠多多", given, Scope(OPT_OUT, "account", ACCOUNT.id))) == ("opted_out", "consent.account")
    assert rule(asked(policy, "优惠多多", Scope(CONSENT, "account", 99))) == ("no_consent", "consent.required")
    assert rule(asked(policy, "验证码1234")) == ("", "")


def test_shadow_tells_and_stops_nothing():
    """In shadow mode the finding is told as a flag, and the message goes."""
    verdict = asked(compiled(KINDS + '[consent]\nrequired = true\nmode = "shadow"\n'), "优惠多多")
    assert (verdict.objection, [flag.rule for flag in verdict.flags]) == (None, ["consent.required"])


def test_a_set_without_either_table_does_not_ask():
    """No keyword and no [consent]: what is on record is not looked at."""
    assert rule(asked(compiled(KINDS), "优惠多多", Scope(OPT_OUT, "account", ACCOUNT.id))) == ("", "")
