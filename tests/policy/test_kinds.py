from __future__ import annotations

import pytest

from smsgw.policy.handset import content_of
from smsgw.policy.judging import judge, steps_of
from smsgw.policy.submission import Submission
from tests.policy.sets import ACCOUNT, MORNING_IN_CHINA, NOON_UTC, compiled, owner, raw, rule, verdict

WORDS = '[category.words]\nmarketing = ["优惠", "sale"]\notp = ["验证码"]\n'


def test_only_allowed_kinds_go():
    """The same text on two accounts gives two verdicts (C10)."""
    notices = compiled(f'[category]\nallowed = ["otp", "notice"]\n{WORDS}')
    every = compiled(f"[category]\n{WORDS}")
    assert rule(notices, "大优惠") == "category.marketing"
    assert rule(every, "大优惠") == ""
    assert rule(notices, "明天开会") == ""
    assert rule(notices, "优惠验证码1234") == "category.marketing"


@pytest.mark.parametrize(
    ("text", "source", "kind"),
    [
        ("您的验证码是1234。", "10690001", "otp"),
        ("优惠开始了", "10690001", "marketing"),
        ("优惠开始了", "1069000199", "notice"),
        ("优惠1234号", "1069000199", "marketing"),
        ("您好", "10690001", "notice"),
        ("wholesale prices", "10690001", "notice"),
        ("优惠开始了", "+1069000199", "notice"),
    ],
)
def test_template_sender_words_and_default_say_the_kind_in_this_order(text: str, source: str, kind: str):
    """A template is surer than a number, a number surer than words."""
    policy = compiled(
        f'[category]\n[category.sender]\n"1069000199" = "notice"\n{WORDS}'
        '[[template]]\nid = "t"\ntext = "优惠{n:digits:4-4}号"\ncategory = "marketing"\nmust = ["优惠1234号"]\n'
    )
    assert verdict(policy, text, source=source).category == kind


def test_hours_are_those_of_the_recipient():
    """Marketing at ten in China passes, at eight in the evening UTC+8 too, at nine it does not; notices go at any time."""
    policy = compiled(f'[category]\n{WORDS}[[hours]]\nid = "day"\nbegin = "08:00"\nend = "21:00"')
    assert rule(policy, "优惠", now=MORNING_IN_CHINA) == ""
    assert rule(policy, "优惠", now=NOON_UTC + 3599) == ""
    assert rule(policy, "优惠", now=NOON_UTC + 3600) == "hours.day"
    assert rule(policy, "您好", now=NOON_UTC + 3600) == ""
    assert rule(policy, "sale", destination="999123456789") == "hours.day"


SCHEDULE_AT_NIGHT, SCHEDULE_BY_DAY = b"000000100000000R", b"000000010000000R"


@pytest.mark.parametrize("action", ["reject", "defer"])
def test_hours_hold_for_the_time_that_a_carrier_keeps_it_until(action: str):
    """Scheduled from the morning into the night it is refused, and never deferred; from the night into the morning it goes."""
    policy = compiled(f'[category]\n{WORDS}[[hours]]\nid = "day"\nbegin = "08:00"\nend = "21:00"\naction = "{action}"\n')
    octets = "优惠".encode("utf-16-be")
    night, day = (raw(octets, 8, schedule=schedule) for schedule in (SCHEDULE_AT_NIGHT, SCHEDULE_BY_DAY))
    assert rule(policy, pdu=day, now=MORNING_IN_CHINA) == ""
    assert rule(policy, pdu=night, now=MORNING_IN_CHINA + 3600) == "hours.day"
    assert rule(policy, pdu=night, now=NOON_UTC + 3 * 3600) == ""
    assert verdict(policy, pdu=night, now=NOON_UTC + 3 * 3600).due == 0.0


def test_each_part_of_a_text_has_a_time_of_its_own():
    """Joined, it is delivered when the last of them is: one that is kept into the night is enough."""
    policy = compiled(f'[category]\n{WORDS}[[hours]]\nid = "day"\nbegin = "08:00"\nend = "21:00"')
    for times, found in ((("", "000000100000000R"), "hours.day"), (("", ""), "")):
        pdus = [raw(text.encode("utf-16-be"), 8, schedule=at.encode()) for text, at in zip("优惠", times, strict=True)]
        joined = [content_of(pdu) for pdu in pdus]
        text = Submission(
            policy, ACCOUNT, "10690001", "8613800138000", pdus[0], now=MORNING_IN_CHINA + 3600, owner=owner, joined=joined
        )
        told = judge(policy, steps_of(policy), text)
        assert (told.category, "" if told.objection is None else told.objection.rule) == ("marketing", found)


def test_a_country_of_several_zones_has_to_be_awake_in_all_of_them():
    """A number that may be on either coast is judged by both; an area code by its own."""
    policy = compiled(f'[category]\n{WORDS}[[hours]]\nbegin = "08:00"\nend = "21:00"\ncountries = ["US"]')
    at_nine_in_new_york = NOON_UTC + 2 * 3600
    assert rule(policy, "sale", destination="12125550100", now=at_nine_in_new_york) == ""
    assert rule(policy, "sale", destination="12135550100", now=at_nine_in_new_york) == "hours.1"
    assert rule(policy, "sale", destination="18005550100", now=at_nine_in_new_york) == "hours.1"
    assert rule(policy, "sale", destination="447700900123", now=at_nine_in_new_york + 12 * 3600) == ""


def test_marketing_names_a_way_to_refuse_it():
    """However it is spelt; notices need none."""
    policy = compiled(f'[category]\n{WORDS}[[opt_out]]\nwords = ["回复R", "退订"]')
    assert rule(policy, "优惠，回复r退出") == ""
    assert rule(policy, "优惠，回 复 Ｒ") == ""
    assert rule(policy, "优惠，退訂回T") == ""
    assert rule(policy, "优惠") == "opt_out.1"
    assert rule(policy, "您好") == ""


def test_hours_that_defer_say_when_they_begin():
    """At nine in the evening in China it is due at eight the next morning; what else speaks against it refuses it at once."""
    policy = compiled(
        f'[category]\n{WORDS}[[hours]]\nid = "day"\naction = "defer"\nbegin = "08:00"\nend = "21:00"\n'
        '[[terms]]\nid = "t"\nwords = ["百家乐"]\nmust = ["百家乐"]\n'
    )
    evening = NOON_UTC + 3600
    assert (verdict(policy, "优惠", now=evening).objection, verdict(policy, "优惠", now=evening).due) == (None, evening + 11 * 3600)
    assert verdict(policy, "优惠", now=MORNING_IN_CHINA).due == 0.0
    assert rule(policy, "优惠百家乐", now=evening) == "terms.t"
    assert rule(policy, "sale", destination="999123456789", now=evening) == "hours.day"


def test_hours_of_several_zones_begin_when_all_have():
    """A number that may be on either coast waits for the later one; zones whose hours never meet are never sent to."""
    hours = f'[category]\n{WORDS}[[hours]]\naction = "defer"\nbegin = "08:00"\nend = "21:00"\n'
    late = NOON_UTC + 14 * 3600
    both = verdict(compiled(hours), "sale", destination="18005550100", now=late).due
    assert both > verdict(compiled(hours), "sale", destination="12125550100", now=late).due > late
    brief = hours.replace("21:00", "08:30")
    assert rule(compiled(brief), "sale", destination="18005550100", now=late) == "hours.1"
