from __future__ import annotations

import pytest

from smsgw.policy.content import needs_store
from smsgw.policy.file import PolicyFault
from smsgw.smpp import tlv
from tests.policy.sets import compiled, raw, rule, submission, verdict

TERMS = """
[[terms]]
id = "plain"
words = ["百家乐", "casino"]
exceptions = ["casino royale"]
must = ["百家樂"]
[[terms]]
id = "apart"
form = "n2"
action = "hold"
words = ["办假证件", "freemoney"]
must = ["办 假 证 件"]
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("来百家乐", "terms.plain"),
        ("the CASINO.", "terms.plain"),
        ("casinos", ""),
        ("casino royale", ""),
        ("百-家-乐", ""),
        ("办/假/证/件", "terms.apart"),
        ("free money!", "terms.apart"),
        ("您好", ""),
    ],
)
def test_terms_are_found_in_their_form(text: str, found: str):
    """n1 looks at the text as it stands, n2 through what is put between; exceptions and whole words hold."""
    assert rule(compiled(TERMS), text) == found


def test_a_finding_says_where():
    """The span is one of the form that it was found in."""
    objection = verdict(compiled(TERMS), "去百家樂").objection
    assert objection is not None
    assert (objection.reason, objection.span) == ("content", "n1[1:4]")


def test_patterns_look_at_their_form():
    """By default at small simplified letters, with `on = "text"` at what was written."""
    policy = compiled(
        '[[pattern]]\nid = "bait"\nexpression = \'加.{0,3}微信\'\nmust = ["加我微信"]\n'
        '[[pattern]]\nid = "shout"\non = "text"\nexpression = \'[A-Z]{8,}\'\nmust = ["BUYNOWOK"]\n'
    )
    assert rule(policy, "加個微信") == "pattern.bait"
    assert rule(policy, "BUYNOWOK") == "pattern.shout"
    assert rule(policy, "buynowok") == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("见 https://example.cn/a", ""),
        ("见 https://m.example.cn/a", ""),
        ("见 http://evil.com/a", "links"),
        ("见 evil.com", "links"),
        ("见ＥＶＩＬ．ｃｏｍ", "links"),
        ("见 https://example.cn.evil.top", "links"),
        ("见 https://example.cn@evil.top/", "links"),
        ("共12.50元，3.com.cn不算", "links"),
        ("共12.50元。a.b", ""),
        ("me@example.org", ""),
    ],
)
def test_links_go_to_allowed_domains(text: str, found: str):
    """A domain and what lies under it; look-alikes and user parts do not help."""
    assert rule(compiled('[links]\nallowed = ["example.cn"]'), text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("请打13800138000", "phones"),
        ("请打１３８ ００１３ ８０００", "phones"),
        ("请打400-123-4567", ""),
        ("请打400-123-4568", "phones"),
        ("请打010-12345678", "phones"),
        ("call +12125550100", "phones"),
        ("单号20251125103000123456", ""),
        ("验证码123456", ""),
    ],
)
def test_phone_numbers_are_the_allowed_ones(text: str, found: str):
    """Mobiles, lines, service numbers, international ones, however they are spaced; order numbers are none."""
    assert rule(compiled('[phones]\nallowed = ["4001234567"]'), text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("戳 bit.ly/abc", "t.ly/x", "m.evil.game/x", "www.evil.game", "www.example.cn.evil.game", "evil.xn--p1ai", "1.2.3.4/x"),
        *("https://evil.top?.example.cn", "https://evil.top#.example.cn", "https://evil.top\\.example.cn", "weixin://dl/x"),
        *(
            "https://example.cn。evil.top",
            "https://example.cn,@evil.top",
            "example.cn.evil.game",
            "a.b.c.d.e.evil.com",
            "_evil.com",
        ),
    ],
)
def test_no_way_of_writing_a_link_leads_past_the_list(text: str):
    """Short domains, whatever a browser takes for the end of a host, other schemes, and a host that begins like an allowed one."""
    assert rule(compiled('[links]\nallowed = ["example.cn"]'), text) == "links"


@pytest.mark.parametrize(
    "text",
    [
        *("请访问https://example.cn，谢谢", "见 https://example.cn.", "（https://example.cn）", "https://example.cn；回T退订"),
        *("https://www.example.cn:8080/a?b#c", "example.cn", "a@mail.evil.com", "and/or 24/7 10.5/12 a.m./p.m.", "192.168.1.1"),
    ],
)
def test_what_stands_behind_a_link_is_none_of_it(text: str):
    """Punctuation of a sentence, full-width too, a port and a path; mail addresses, fractions and plain numbers are no links."""
    assert rule(compiled('[links]\nallowed = ["example.cn"]'), text) == ""


@pytest.mark.parametrize(
    "text", ["138.0013.8000", "138 001 38000", "138_0013_8000", "138—0013—8000", "138 00 138 000", "(010) 12345678"]
)
def test_a_number_in_other_groups_is_one(text: str):
    """Dots, strokes, long dashes and other groups hide no number."""
    assert rule(compiled("[phones]"), f"请联系{text}") == "phones"


@pytest.mark.parametrize("number", ["012345678901", "0108765432", "000012345678", "098765432109", "047187654321", "01234567890"])
def test_digits_that_nobody_can_dial_are_no_phone_number(number: str):
    """An order's number that begins with 0: in China no area has such; elsewhere nobody knows, and it counts as one."""
    policy = compiled("[phones]")
    text = f"【示例】您的快递（单号{number}）已到，请及时领取。"
    assert rule(policy, text) == ""
    assert rule(policy, text, destination="447700900123") == "phones"
    for dialled in ("01087654321", "057187654321", "0571-87654321", "(010)87654321", "013800138000", "04718765432"):
        assert rule(policy, text.replace(number, dialled)) == "phones"


@pytest.mark.parametrize("text", ["1 3 8 0 0 1 3 8 0 0 0", "1.3.8.0.0.1.3.8.0.0.0", "1-3-800138000"])
def test_a_number_digit_by_digit_is_one(text: str):
    """Nor does a space behind each digit; what counts to ten, a date and an address in a network are none."""
    policy = compiled("[phones]")
    assert rule(policy, f"请联系{text}") == "phones"
    for other in ("1 2 3 4 5 6 7 8 9 10", "18.11.2026 100元", "192.168.100.101", "13.50 2026-11-26"):
        assert rule(policy, other) == ""


def test_kinds_of_messages_have_their_own_opposition():
    """Links may be forbidden in codes alone."""
    policy = compiled('[category]\n[category.words]\notp = ["验证码"]\n[links]\ncategories = ["otp"]')
    assert rule(policy, "验证码 evil.com") == "links"
    assert rule(policy, "看 evil.com") == ""


def test_required_tlvs_are_there_and_look_right():
    """India's two ids: missing and malformed are two reasons."""
    policy = compiled('[[tlv]]\nid = "entity"\ntag = 0x1400\npattern = "[0-9]{1,20}"')

    def found(tlvs: bytes) -> tuple[str, str]:
        objection = verdict(policy, pdu=raw(b"hi", tlvs=tlvs)).objection
        return ("", "") if objection is None else (objection.reason, objection.rule)

    assert found(b"") == ("tlv_missing", "tlv.entity")
    assert found(tlv.append(0x1400, b"11015\0")) == ("", "")
    assert found(tlv.append(0x1400, b"abc")) == ("tlv_value", "tlv.entity")
    assert found(tlv.append(0x1400, b"11015") + tlv.append(0x1400, b"abc")) == ("tlv_value", "tlv.entity")  # all go on


@pytest.mark.parametrize(("word", "found"), [("hold", "text.unreadable"), ("reject", "text.unreadable"), ("pass", "")])
def test_what_cannot_be_read_is_what_the_set_says(word: str, found: str):
    """Binary is held unless it is refused or let pass."""
    assert rule(compiled(f'[text]\nunreadable = "{word}"'), pdu=raw(b"\0\1\2", 4)) == found


def test_readings_under_another_name_are_judged():
    """Where unreadable octets may pass, a term in any of their readings still counts."""
    policy = compiled('[text]\nunreadable = "pass"\n' + TERMS)
    assert rule(policy, pdu=raw("来百家乐吧".encode("utf-16-be"), 4)) == "terms.plain"
    assert rule(policy, pdu=raw("来百家乐吧".encode(), 0)) == "terms.plain"
    assert submission(policy, pdu=raw(b"fine", 0)).shown.others == ()


def test_a_set_says_what_it_needs_a_store_for():
    """Joining, rules that hold, and hours that defer; a set without them may judge what is relayed. Caps that refuse join, too."""
    cap = '[[cap]]\nid = "c"\nlimit = 1\n'
    assert "joins the parts" in needs_store(compiled(cap))
    assert not needs_store(compiled(cap + 'action = "flag"\n'))
    assert not needs_store(compiled(cap + 'mode = "shadow"\n'))
    term = '[[terms]]\nid = "t"\nwords = ["abc"]\nmust = ["abc"]\n'
    each = '[text]\nparts = "each"\n'
    assert "joins the parts" in needs_store(compiled(term))
    assert "terms.t, links, opt_out.1 would hold" in needs_store(
        compiled(each + term + 'action = "hold"\n[links]\naction = "hold"\n[[opt_out]]\nwords = ["stop"]\naction = "hold"\n')
    )
    assert "hours defer" in needs_store(compiled(each + '[[hours]]\nbegin = "08:00"\nend = "21:00"\naction = "defer"\n'))
    assert "templates would hold" in needs_store(compiled(each + '[templates]\nonly = true\naction = "hold"\n'))
    assert needs_store(compiled(each + term)) == ""


INJECTED = """
[[tlv]]
id = "entity"
tag = 0x1400
pattern = "[0-9]{1,20}"
[[tlv]]
tag = 0x1400
inject = "1101\\u0000"
[[tlv]]
id = "template"
tag = 0x1401
[templates]
[[template]]
id = "code"
text = "Your code is {code:digits:4-6}"
must = ["Your code is 1234"]
inject = { "0x1401" = "1107" }
"""


def test_a_missing_tlv_is_put_there():
    """Only where it is missing, once, told by a flag; that of a template where its text fits. What nobody gives is refused."""
    policy = compiled(INJECTED)
    found = verdict(policy, pdu=raw(b"Your code is 1234"))
    assert found.objection is None
    assert found.added == tlv.append(0x1400, b"1101\0") + tlv.append(0x1401, b"1107")
    assert [flag.rule for flag in found.flags] == ["tlv.entity.injected", "tlv.template.injected"]
    own = tlv.append(0x1400, b"99") + tlv.append(0x1401, b"88")
    assert verdict(policy, pdu=raw(b"Your code is 1234", tlvs=own)).added == b""
    assert rule(policy, pdu=raw(b"Your code is gone")) == "tlv.template"
    assert rule(compiled(f'mode = "shadow"\n{INJECTED}'), pdu=raw(b"Your code is 1234")) == ""
    assert verdict(compiled(f'mode = "shadow"\n{INJECTED}'), pdu=raw(b"Your code is 1234")).added == b""


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('inject = "1101\\u0000"', 'inject = "ABC"', "inject for 0x1400: 'ABC' is not what its pattern wants"),
        ('"0x1401" = ', '"0x1402" = ', "inject: there is no [[tlv]] with the tag 0x1402"),
        ('"0x1401" = ', '"x" = ', "inject: there is no [[tlv]] with the tag 0x0000"),
    ],
)
def test_what_is_put_there_must_be_what_is_wanted(before: str, after: str, told: str):
    """A value that the set itself would refuse, or for a TLV that it does not want, makes the set nothing."""
    with pytest.raises(PolicyFault) as fault:
        compiled(INJECTED.replace(before, after))
    assert told in fault.value.errors[0]
