from __future__ import annotations

import pytest

from smsgw.policy.templates import Template, Templates, expression

CODE = Template("code", "您的验证码是{code:digits:4-6}，{m:digits:1-2}分钟内有效。", "某某", "otp")


def test_a_text_fits_from_its_first_character_to_its_last():
    """Lengths and types of holes hold, and nothing may stand before or behind."""
    templates = Templates([CODE])
    assert templates.find("某某", "您的验证码是1234，5分钟内有效。") == CODE
    for text in (
        "您的验证码是123，5分钟内有效。",
        "您的验证码是12a4，5分钟内有效。",
        "您的验证码是1234，5分钟内有效。加微信",
        "x您的验证码是1234，5分钟内有效。",
    ):
        assert templates.find("某某", text) is None
    assert templates.find("别家", "您的验证码是1234，5分钟内有效。") is None


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("hi {n:name:1-10}!", "hi 王小明·Li!", "hi a.cn!"),
        ("pay {n:money:1-9} now", "pay 1,234.50 now", "pay 12元 now"),
        ("at {n:datetime:4-20}!", "at 2026年11月25日 10:20!", "at home!"),
        ("id {n:alnum:2-4}.", "id A1b2.", "id A1b2c."),
        ("say {n:text:0-5}。", "say 你好!。", "say 【x】。"),
        ("see {n:url} ok", "see https://x.example.cn/a?b=1 ok", "see https://evil.cn ok"),
        ("a(b)*[c] {n:digits:1-1}", "a(b)*[c] 1", "ab[c] 1"),
    ],
)
def test_holes_hold_what_their_type_says(text: str, good: str, bad: str):
    """Each type has its characters; a url is on a listed domain; signs in the text are themselves."""
    templates = Templates([Template("t", text, domains=("x.example.cn",))])
    assert templates.find("", good) is not None
    assert templates.find("any", good) is not None
    assert templates.find("", bad) is None


@pytest.mark.parametrize(
    "name",
    [
        *("１３８００１３８０００", "①③⑧⓪⓪①③⑧⓪⓪⓪", "❶❸❽⓿⓿", "¹³⁸⁰⁰", "₁₃₈", "١٣٨", "१३८", "๑๓๘", "𝟏𝟑𝟖", "⑴⑶⑻", "〡〣〨", "🄁"),
        *("evil．com", "evil｡com", "evil。com", "evil․com", "ａ＠ｂ", "evil／x", "1️⃣", "evil：／／"),
    ],
)
def test_no_digit_and_no_point_of_any_kind_is_part_of_a_name(name: str):
    """Nor of another width or script, in circles or raised: a phone number or a link would be a name otherwise."""
    templates = Templates([Template("t", "hi {n:name:1-20}!")])
    assert templates.find("", f"hi {name}!") is None
    for good in ("王小明", "买买提·艾力", "O’Neill", "Ａｎｎａ", "Łukasz"):
        assert templates.find("", f"hi {good}!") is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{a:digits:1-2}{b:digits:1-2}x", "follows another hole"),
        ("x{a:digits:1-2} {b:text:1-2}", "follows another hole"),
        ("{a:digits:1-2}", "no text of its own"),
        ("x{a:colour:1-2}", "no such type"),
        ("x{a:digits}", "no lengths"),
        ("x{a:digits:4-2}", "least first"),
        ("x{a:text:0-999}", "least first"),
        ("x{a", "is written"),
        ("x{a:url}", "needs domains"),
        ("x{a:digits:1-1}" * 17, "17 holes"),
    ],
)
def test_what_would_let_anything_pass_is_refused(text: str, why: str):
    """Neighbouring holes, holes alone, unknown types and missing lengths are told as what they are."""
    with pytest.raises(ValueError, match=why):
        expression(Template("t", text))
