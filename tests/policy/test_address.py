from __future__ import annotations

import pytest

from smsgw.policy.marks import Marks
from tests.policy.sets import compiled, rule


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("10690001", ""),
        ("1069000188", ""),
        ("10690002", "sender.owned"),
        ("10691234", "sender.owned"),
        ("", "sender.owned"),
        ("ACME", ""),
        ("FOREIGN", "sender.alphanumeric.registered"),
    ],
)
def test_a_sender_is_owned_or_registered(source: str, found: str):
    """A number of the account or an extension of it; a name from the list (C06)."""
    policy = compiled('[sender]\nowned = true\nalphanumeric = "registered"\nregistered = ["ACME"]')
    assert rule(policy, source=source) == found


def test_countries_have_their_own_word_on_names():
    """A name that goes anywhere is refused where the recipient's country wants numbers alone."""
    policy = compiled('[sender]\n[[sender.country]]\ncountry = "US"\nalphanumeric = "refuse"')
    assert rule(policy, source="ACME", destination="12125550100") == "sender.alphanumeric.refuse"
    assert rule(policy, source="ACME", destination="447700900123") == ""
    assert rule(policy, source="5550100", destination="12125550100") == ""


@pytest.mark.parametrize(
    ("destination", "found"),
    [
        ("8613800138000", ""),
        ("+8613800138000", ""),
        ("86138001380", "recipient.valid"),
        ("861012345678", "recipient.valid"),
        ("8612345678901", "recipient.valid"),
        ("999123456789", "recipient.valid"),
        ("13800138000a", "recipient.valid"),
        ("447700900123", "recipient.countries"),
    ],
)
def test_a_recipient_can_be_one_and_is_in_scope(destination: str, found: str):
    """In China a mobile number of its length; elsewhere what E.164 allows; only allowed countries."""
    assert rule(compiled('[recipient]\ncountries = ["CN"]'), destination=destination) == found


def test_lists_of_numbers_decide():
    """Scope lets only its own through, block lists stop, exempt numbers are stopped by neither block list nor opt-out."""
    lists = {
        "scope": "8613800138000\n8613800138001\n8613800138002\n",
        "block": "8613800138001\n8613800138002",
        "ok": "8613800138002",
    }
    policy = compiled('[recipient]\nscope = "scope"\nblock = "block"\nexempt = "ok"', lists)
    assert rule(policy, destination="8613800138000") == ""
    assert rule(policy, destination="8613800138001") == "recipient.block"
    assert rule(policy, destination="+8613800138002") == ""
    assert rule(policy, destination="8613800138003") == "recipient.scope"
    assert rule(compiled('[recipient]\nprefixes = ["86139"]')) == "recipient.prefixes"


def test_opting_out_stops_marketing_alone():
    """A code still reaches whoever has refused advertisements (C18)."""
    policy = compiled(
        '[recipient]\nopt_out = "out"\n[category]\n[category.words]\nmarketing = ["优惠"]\notp = ["验证码"]',
        {"out": "8613800138000"},
    )
    assert rule(policy, "优惠多多") == "recipient.opt_out"
    assert rule(policy, "验证码1234") == ""
    assert rule(policy, "优惠多多", destination="8613800138009") == ""


IN_CHINA = Marks(country_code="86", national_digits=11)


@pytest.mark.parametrize("listed", ["8613800138000", "13800138000"])
@pytest.mark.parametrize("written", ["8613800138000", "+8613800138000", "008613800138000", "13800138000"])
def test_a_number_is_the_same_in_whatever_spelling(listed: str, written: str):
    """Where national numbers are said to be ones of a country, lists and the number plan know them by either spelling."""
    policy = compiled('[recipient]\ncountries = ["CN"]\nblock = "no"\n', {"no": listed})
    assert rule(policy, destination=written, marks=IN_CHINA) == "recipient.block"
    assert rule(policy, destination=written[:-1] + "1", marks=IN_CHINA) == ""


def test_two_noughts_before_a_number_lead_past_no_country():
    """Hours and senders of a country hold for its numbers however they begin."""
    policy = compiled('[[hours]]\ncategories = ["notice"]\nbegin = "08:00"\nend = "09:00"\ncountries = ["CN"]\n')
    for written in ("8613800138000", "+8613800138000", "008613800138000"):
        assert rule(policy, destination=written) == "hours.1"
