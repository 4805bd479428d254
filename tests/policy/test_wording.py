from __future__ import annotations

import pytest

from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.sets import compiled, raw, rule, verdict

FILED = """
[text]
parts = "each"
[signature]
lengths = [2, 4]
only_filed = true
[[signature.filed]]
signature = "某某"
numbers = ["10690001"]
carriers = ["alpha", "beta"]
[[signature.filed]]
signature = "大家"
"""


@pytest.mark.parametrize(
    ("text", "source", "found"),
    [
        ("【某某】您好", "1069000188", ""),
        ("您好", "10690001", "signature.missing"),
        ("【某某】您好【大家】", "10690001", "signature.several"),
        ("您好【某某】", "10690001", "signature.place"),
        ("【某】您好", "10690001", "signature.length"),
        ("【谁家】您好", "10690001", "signature.not_filed"),
        ("【某某】您好", "10690002", "signature.number"),
        ("【大家】您好", "10690002", ""),
    ],
)
def test_one_filed_signature_at_the_front(text: str, source: str, found: str):
    """Missing, several, misplaced, too short, unknown, of another number: each is told as what it is."""
    assert rule(compiled(FILED), text, source=source) == found


def test_filings_name_the_carriers():
    """The verdict says with which carriers the signature is filed; none named means any."""
    policy = compiled(FILED)
    assert verdict(policy, "【某某】您好").carriers == {"alpha", "beta"}
    assert verdict(policy, "【大家】您好").carriers is None


SEVERAL = """
[signature]
[[signature.filed]]
signature = "某某"
numbers = ["10690001"]
carriers = ["alpha"]
[[signature.filed]]
signature = "某某"
numbers = ["10690002"]
carriers = ["beta"]
[[signature.filed]]
signature = "某某"
numbers = ["10690001"]
carriers = ["gamma"]
status = "filed"
[[signature.filed]]
signature = "大家"
status = "expired"
[[signature.filed]]
signature = "别家"
numbers = ["10690001"]
carriers = ["alpha"]
[[signature.filed]]
signature = "别家"
"""


@pytest.mark.parametrize(
    ("text", "source", "carriers"),
    [
        ("【某某】您好", "10690001", {"alpha"}),
        ("【某某】您好", "+1069000288", {"beta"}),
        ("【别家】您好", "10690001", None),
        ("【谁家】您好", "10690001", None),
    ],
)
def test_a_signature_has_a_filing_for_each_carrier_and_number(text: str, source: str, carriers: set[str] | None):
    """The approved ones that are for the number count, all of them: by their carriers, by any where one names none (C38)."""
    policy = compiled(SEVERAL)
    assert rule(policy, text, source=source) == ""
    assert verdict(policy, text, source=source).carriers == carriers


@pytest.mark.parametrize(
    ("text", "source", "found"), [("【大家】您好", "10690001", "not_approved"), ("【某某】您好", "10690003", "number")]
)
def test_what_is_not_approved_does_not_go(text: str, source: str, found: str):
    """A signature whose filings have all ended, and one whose number none is for, are refused, though others need no filing."""
    assert rule(compiled(SEVERAL), text, source=source) == f"signature.{found}"


def test_the_first_part_bears_the_signature():
    """Where parts are judged one by one, the later ones need none."""
    policy = compiled(FILED)

    def part(number: int, text: str) -> str:
        header = write_udh([concat_element(Concat(1, 8, 2, number))])
        return rule(policy, pdu=raw(header + text.encode("utf-16-be"), 8, esm_class=0x40))

    assert part(1, "您好") == "signature.missing"
    assert part(1, "【某某】您好") == ""
    assert part(2, "您好") == ""


def test_default_deny_lets_templates_alone_pass():
    """With `only`, what fits no template is refused, held or flagged as the set says."""
    template = '[[template]]\nid = "code"\nsignature = "某某"\ntext = "验证码{c:digits:4-6}"\nmust = ["【某某】验证码1234"]\n'
    policy = compiled(f"[templates]\nonly = true\n{template}")
    assert rule(policy, "【某某】验证码1234") == ""
    assert rule(policy, "【某某】验证码12") == "templates.only"
    assert rule(policy, "【别家】验证码1234") == "templates.only"
    flagged = compiled(f'[templates]\nonly = true\naction = "flag"\n{template}')
    assert [flag.rule for flag in verdict(flagged, "你好").flags] == ["templates.only"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("【示例】您好", ""), ("【示·例】您好", ""), ("【A&B】hi", ""), ("【C++】hi", ""), ("【示例银行】您好", "")),
        *(("【\u200b\u200b】您好", "length"), ("【  】您好", "length"), ("【示\u200b】您好", "length"), ("【--】您好", "length")),
        *(("【示例】您好︻另一︼", "several"), ("【示例】您好︻另一", "several"), ("︻示例︼您好", "missing")),
    ],
)
def test_a_signature_is_what_is_seen_of_it(text: str, found: str):
    """What has no width, spaces and signs alone make no name; brackets of vertical writing make a second one, and no first."""
    policy = compiled('[signature]\nrequired = true\nplace = "front"\nlengths = [2, 18]\n')
    assert rule(policy, text) == (f"signature.{found}" if found else "")
