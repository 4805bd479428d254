"""The packs of config/policy: each does what its country asks, and nothing is in force unless an account names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsgw.policy.file import PolicyFault
from smsgw.policy.ruleset import RuleSet, compile_set, make_bundle
from smsgw.smpp import tlv
from tests.policy.sets import KEY, MORNING_IN_CHINA, NOON_UTC, raw, rule, verdict

PACKS = Path(__file__).resolve().parents[2] / "config" / "policy"
NIGHT_IN_CHINA = NOON_UTC + 2 * 3600
NOON_IN_NEW_YORK = NOON_UTC + 5 * 3600
CODE = "【示例】您的验证码是482913，请勿告知他人。"


def pack(*names: str) -> RuleSet:
    """Compile packs as one set, as apply would."""
    name = names[0]
    files = [f"{one}.toml" for one in names]
    bundle = make_bundle(files, lambda source, listed: (PACKS / (listed or source)).read_text(encoding="utf-8"), KEY)
    return compile_set(name, bundle, KEY)


@pytest.mark.parametrize(
    ("text", "now", "found"),
    [
        (CODE, NIGHT_IN_CHINA, ""),
        ("【示例】全场优惠，回复R退订", MORNING_IN_CHINA, ""),
        ("【示例】全场优惠，回复R退订", NIGHT_IN_CHINA, "hours.marketing"),
        ("【示例】全場優惠，拒收请回复R", NIGHT_IN_CHINA, "hours.marketing"),
        ("【示例】全场优惠", MORNING_IN_CHINA, "opt_out.1"),
        ("您的验证码是482913", MORNING_IN_CHINA, "signature.missing"),
        ("【示例】您好【另一】", MORNING_IN_CHINA, "signature.several"),
        ("您好【示例】", MORNING_IN_CHINA, "signature.place"),
    ],
)
def test_china(text: str, now: float, found: str):
    """Signature at the front, marketing by day and with a way to refuse, codes at any time."""
    assert rule(pack("china"), text, now=now) == found


def test_china_marks_what_turns_the_direction_of_a_text():
    """A message with an embedding, an override or an isolate goes and is flagged; one without is not."""
    china = pack("china")
    for control in "\u202a\u202e\u2066\u2069":
        found = verdict(china, CODE.replace("482913", f"{control}482913"))
        assert (found.objection, [flag.rule for flag in found.flags]) == (None, ["pattern.direction"])
    assert verdict(china, CODE.replace("482913", "\u200f482913")).flags == ()


def test_china_knows_its_numbers():
    """A land line and a foreign number are no recipients."""
    china = pack("china")
    assert rule(china, CODE, destination="861012345678") == "recipient.valid"
    assert rule(china, CODE, destination="85291234567") == "recipient.countries"


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        (CODE, {"otp-minute": 1, "otp-hour": 5, "otp-day": 10, "otp-platform": 40}),
        ("【示例】明天开会", {"template-day": 50}),
        ("【示例】全场优惠，回复R退订", {"template-day": 50}),
    ],
)
def test_chinas_caps(text: str, caps: dict[str, int]):
    """Codes by signature a minute, an hour and a day, and a day over the platform; the rest by template; else nothing."""
    counted = verdict(pack("china", "china-caps"), text).caps
    assert {one.rule.removeprefix("cap."): one.limit for one in counted} == caps
    assert verdict(pack("china"), text).caps == ()


def test_chinas_minutes_are_those_of_the_clock():
    """A code in the last second of a minute leaves the next one its own; a day is the last 24 hours."""
    policy = pack("china", "china-caps")
    minute, hour, day, _ = verdict(policy, CODE, now=MORNING_IN_CHINA - 1).caps
    after = verdict(policy, CODE, now=MORNING_IN_CHINA).caps
    assert minute.key != after[0].key
    assert hour.key != after[1].key
    assert day.key == after[2].key
    assert after[2].since == (MORNING_IN_CHINA - 86_400) * 1000


def test_india():
    """Both ids have to be there, as digits; the recipient is in India."""
    india = pack("india")
    both = tlv.append(0x1400, b"1101234567890123456\0") + tlv.append(0x1401, b"1107123456789012345")

    def found(tlvs: bytes, destination: str = "919812345678") -> str:
        return rule(india, destination=destination, pdu=raw(b"Your code is 1", tlvs=tlvs))

    assert found(both) == ""
    assert found(b"") == "tlv.entity"
    assert found(tlv.append(0x1400, b"1101234567890123456")) == "tlv.template"
    assert found(tlv.append(0x1400, b"ACME") + tlv.append(0x1401, b"1")) == "tlv.entity"
    assert found(both, "8613800138000") == "recipient.countries"


def test_a_tenant_in_india_may_have_its_ids_put_in():
    """Off unless a file of its own beside the pack says so; what is put in has to be what the pack wants."""
    own = '[[tlv]]\ntag = 0x1400\ninject = "1101234567890123456"\n[[tlv]]\ntag = 0x1401\ninject = "1107123456789012345"\n'

    def read(source: str, _listed: str) -> str:
        return own if source == "own.toml" else (PACKS / source).read_text(encoding="utf-8")

    both = compile_set("india", make_bundle(["india.toml", "own.toml"], read, KEY), KEY)
    found = verdict(both, destination="919812345678", pdu=raw(b"Your code is 1"))
    assert found.objection is None
    assert found.added == tlv.append(0x1400, b"1101234567890123456") + tlv.append(0x1401, b"1107123456789012345")
    own = own.replace("1101234567890123456", "ACME")
    with pytest.raises(PolicyFault):
        compile_set("india", make_bundle(["india.toml", "own.toml"], read, KEY), KEY)


@pytest.mark.parametrize(
    ("text", "source", "now", "found"),
    [
        ("Your verification code is 1234", "ACME", NOON_IN_NEW_YORK, "sender.alphanumeric.refuse"),
        ("Your verification code is 1234", "12025550100", NOON_UTC - 6 * 3600, ""),
        ("Big sale! Reply STOP to end", "12025550100", NOON_IN_NEW_YORK, ""),
        ("Big sale! Reply STOP to end", "12025550100", NOON_UTC - 6 * 3600, "hours.quiet"),
        ("Big sale!", "12025550100", NOON_IN_NEW_YORK, "opt_out.1"),
        ("Wholesale prices changed", "12025550100", NOON_UTC - 6 * 3600, ""),
    ],
)
def test_north_america(text: str, source: str, now: float, found: str):
    """No names as senders, quiet hours, STOP in marketing."""
    assert rule(pack("north-america"), text, source=source, destination="12125550100", now=now) == found
