"""Caps: which counters a message is counted by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsgw.policy.caps import Counted
from smsgw.policy.file import PolicyFault
from smsgw.policy.marks import Marks
from smsgw.policy.ruleset import RuleSet, compile_set, make_bundle
from smsgw.policy.submission import Submission
from tests.policy.sets import ACCOUNT, KEY, MORNING_IN_CHINA, OTHER, compiled, owner, pdu_of, rule, verdict

MINUTE = MORNING_IN_CHINA - MORNING_IN_CHINA % 60
EACH_SCOPE = "".join(
    f'[[cap]]\nid = "{scope}"\nscope = "{scope}"\nlimit = 5\n' for scope in ("signature", "template", "account", "platform")
)
TEMPLATES = """
[[template]]
id = "code"
text = "您的验证码是{code:digits:4-6}"
category = "otp"
must = ["您的验证码是1234"]
[[template]]
id = "bill"
text = "您的账单是{sum:digits:1-6}元"
must = ["您的账单是12元"]
"""


def cap(**keys: object) -> str:
    """Return a file with one cap."""
    lines = {"id": "'one'", "limit": 2} | keys
    return "[[cap]]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items())


def counters(policy: RuleSet, text: str = "您好", **fields: object) -> tuple[Counted, ...]:
    """Return what a text is counted by."""
    return verdict(policy, text, **fields).caps


def keys(policy: RuleSet, text: str = "您好", **fields: object) -> list[int]:
    """Return the names of its counters."""
    return [one.key for one in counters(policy, text, **fields)]


def of_account(policy: RuleSet, account: object, text: str) -> list[int]:
    """Return the counters of a message of another account."""
    asked = Submission(
        policy, account, "", "8613800138000", pdu_of(text), now=MORNING_IN_CHINA, owner=owner  # type: ignore[arg-type]
    )  # fmt: skip
    assert policy.caps is not None
    return [one.key for one in policy.caps(asked)]


def test_each_scope_has_counters_of_its_own():
    """Another signature, template, account or recipient is counted apart; what is the platform's is counted for all."""
    policy = compiled(EACH_SCOPE + TEMPLATES)
    first = keys(policy, "【甲】您的验证码是1234")
    assert len(set(first)) == 4
    same = [a == b for a, b in zip(first, keys(policy, "【甲】您的验证码是987654"), strict=True)]
    other_signature = [a == b for a, b in zip(first, keys(policy, "【乙】您的验证码是1234"), strict=True)]
    other_template = [a == b for a, b in zip(first, keys(policy, "【甲】您的账单是12元"), strict=True)]
    other_account = [
        a == b for a, b in zip(first, of_account(policy, replace(ACCOUNT, id=9), "【甲】您的验证码是1234"), strict=True)
    ]
    other_tenant = [a == b for a, b in zip(first, of_account(policy, OTHER, "【甲】您的验证码是1234"), strict=True)]
    assert same == [True, True, True, True]
    assert other_signature == [False, False, True, True]
    assert other_template == [True, False, True, True]
    assert other_account == [True, True, False, True]
    assert other_tenant == [False, False, False, True]
    assert not set(first) & set(keys(policy, "【甲】您的验证码是1234", destination="8613800138001"))


def test_what_stands_before_a_number_does_not_make_another_of_it():
    """With + or 00 in front it is the same recipient."""
    policy = compiled(cap())
    assert keys(policy) == keys(policy, destination="+8613800138000") == keys(policy, destination="008613800138000")


def test_a_name_needs_the_key():
    """Who has the database alone cannot work out whose counter it is."""
    bundle = make_bundle(["set.toml"], lambda *_: cap(), KEY)
    other = compile_set("set", bundle, b"another key")
    assert keys(other) != keys(compile_set("set", bundle, KEY))


@pytest.mark.parametrize(
    ("span", "zone", "border"),
    [("minute", "UTC", MINUTE), ("hour", "Asia/Shanghai", 1_764_068_400.0), ("day", "Asia/Shanghai", 1_764_086_400.0)],
)
def test_a_natural_window_ends_with_the_clock(span: str, zone: str, border: float):
    """The last millisecond before the border is of one counter, the border of the next, which counts all that it holds."""
    policy = compiled(f'zone = "{zone}"\n' + cap(window='"natural"', span=f'"{span}"'))
    (before,), (at,), (later,) = (counters(policy, now=moment) for moment in (border - 0.001, border, border + 1))
    assert before.key != at.key == later.key
    assert (before.since, at.since) == (0, 0)
    assert at.moment == int(border * 1000)


def test_the_zone_of_a_natural_window_is_the_sets():
    """A day in Shanghai begins sixteen hours after one in London had."""
    day = cap(window='"natural"')
    shanghai, utc = compiled(f'zone = "Asia/Shanghai"\n{day}'), compiled(day)
    midnight = 1_764_086_400.0  # in Shanghai
    assert keys(shanghai, now=midnight) != keys(shanghai, now=midnight - 1)
    assert keys(utc, now=midnight) == keys(utc, now=midnight - 1)


@pytest.mark.parametrize(("span", "seconds"), [("minute", 60), ("hour", 3_600), ("day", 86_400), ("month", 30 * 86_400)])
def test_a_rolling_window_is_counted_to_the_millisecond(span: str, seconds: int):
    """Its counter is always the same; what was counted a whole window ago does not count any more."""
    policy = compiled(cap(span=f'"{span}"'))
    (first,), (last,) = counters(policy, now=MINUTE), counters(policy, now=MINUTE + seconds - 0.001)
    (after,) = counters(policy, now=MINUTE + seconds)
    assert first.key == last.key == after.key
    assert last.since < first.moment
    assert after.since == first.moment
    assert first.keep_h * 3_600 >= MINUTE + seconds + 3_000


def test_only_its_categories_are_counted():
    """A cap of one-time passwords leaves notices alone; one without categories counts all."""
    policy = compiled(cap(categories='["otp"]') + "\n" + cap(id="'all'") + TEMPLATES)
    assert [one.rule for one in counters(policy, "您的验证码是1234")] == ["cap.one", "cap.all"]
    assert [one.rule for one in counters(policy, "您好")] == ["cap.all"]


def test_an_exempt_number_is_not_counted():
    """Numbers of the list, stored as keyed hashes, are nobody's business."""
    text = cap(exempt='"white.txt"')
    policy = compiled(text, {"white.txt": "+86 13800138000\n".replace(" ", "") + "# a tester\n"})
    assert keys(policy) == []
    assert len(keys(policy, destination="8613800138001")) == 1


def test_what_is_refused_by_a_rule_is_not_counted():
    """The rules come first; what they refuse has no counter."""
    policy = compiled(cap() + '\n[[terms]]\nid = "a"\nwords = ["百家乐"]\nmust = ["百家乐"]\n')
    assert rule(policy, "百家乐") == "terms.a"
    assert counters(policy, "百家乐") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (cap(), "reject"),
        (cap(action='"flag"'), "flag"),
        (cap(mode='"shadow"'), "would_reject"),
        (cap(mode='"shadow"', action='"flag"'), "would_flag"),
        ('mode = "shadow"\n' + cap(), "would_reject"),
    ],
)
def test_a_flag_and_a_shadow_refuse_nothing(text: str, told: str):
    """A cap refuses only where neither its action nor its mode, nor that of the whole set, says otherwise."""
    (one,) = counters(compiled(text))
    assert (one.told, one.enforced) == (told, told == "reject")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (cap() + "\n" + cap(), "set.toml:4: cap 'one' is given twice"),
        ('zone = "Mars/Olympus"\n' + cap(), "set.toml:1: zone 'Mars/Olympus' is none"),
        (cap(limit=0), "set.toml:3: cap[0].limit: "),
        (cap(limit=1_001), "set.toml:3: cap[0].limit: "),
        (cap(exempt='"gone.txt"'), "set.toml:1: gone.txt cannot be read"),
        (cap(scope='"world"'), "set.toml:4: cap[0].scope: "),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, told: str):
    """Twice the same id, no zone, limits that cannot be, a list that is not there, a scope that nobody knows."""
    with pytest.raises(PolicyFault) as fault:
        compiled(text)
    assert fault.value.errors[0].startswith(told)


def test_a_recipient_has_one_counter_in_whatever_spelling():
    """A national number is counted with its country's code where the gateway knows which that is, and is exempt as either."""
    marks = Marks(country_code="86", national_digits=11)
    policy = compiled(cap())
    spelled = ("8613800138000", "+8613800138000", "008613800138000", "13800138000")
    assert len({key for written in spelled for key in keys(policy, destination=written, marks=marks)}) == 1
    assert keys(policy, destination="13800138000") != keys(policy, destination="8613800138000")
    exempt = compiled(cap(exempt="'vip'"), {"vip": "13800138000"})
    assert [keys(exempt, destination=written, marks=marks) for written in spelled] == [[]] * 4
