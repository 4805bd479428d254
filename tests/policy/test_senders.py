from __future__ import annotations

import pytest

from smsgw.policy.file import PolicyFault
from smsgw.policy.senders import Replacement
from smsgw.policy.verdict import Action, Verdict
from tests.policy.sets import compiled, verdict

US = "12125550100"
TEXT = '[sender]\nregistered = ["ACME", "18005550199"]\n[[sender.country]]\ncountry = "US"\n'


def judged(policy: str, source: str, destination: str = US) -> Verdict:
    """What a set makes of a plain message."""
    return verdict(compiled(policy), source=source, destination=destination)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ('"12025550100"', (1, 1, "12025550100")),
        ('"ACME Inc"', (5, 0, "ACME Inc")),
        ('"72345"\nton = 3\nnpi = 0', (3, 0, "72345")),
        ('"2025550100"\nton = 2', (2, 1, "2025550100")),
    ],
)
def test_a_replacement_says_what_kind_of_address_it_is(given: str, made: tuple[int, int, str]):
    """A name is TON 5, NPI 0, a number TON 1, NPI 1, unless the file says otherwise (§2.8)."""
    found = judged(f'{TEXT}alphanumeric = "replace"\nreplacement = {given}\n', "FOREIGN")
    assert (found.objection, found.sender) == (None, Replacement(*made))


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        ('alphanumeric = "replace"', "replace wants a replacement"),
        ('replacement = "12025550100"', "nothing says replace"),
        ('alphanumeric = "replace"\nreplacement = "TWELVE CHARS"', "neither a number of 3 to 15 digits nor a name"),
        ('alphanumeric = "replace"\nreplacement = "汉字"', "neither a number"),
        ('alphanumeric = "replace"\nreplacement = "+1202555"', "neither a number"),
        ('alphanumeric = "replace"\nreplacement = "72345"', "short number: say its ton"),
        ('alphanumeric = "replace"\nreplacement = "12025550100"\nton = 5', "ton 5 is for names"),
        ('alphanumeric = "replace"\nreplacement = "ACME"\nton = 1', "ton 5 is for names"),
    ],
)
def test_a_replacement_that_no_carrier_would_take_is_a_fault_of_the_file(rest: str, what: str):
    """The set is refused at load, with the country and what is wrong."""
    with pytest.raises(PolicyFault, match=what) as fault:
        compiled(f"{TEXT}{rest}\n")
    assert "sender.country US" in str(fault.value)


def test_what_is_allowed_in_a_country_stays():
    """Registered senders, other countries' recipients and the replacement itself are left alone."""
    policy = f'{TEXT}alphanumeric = "replace"\nnumeric = "replace"\nreplacement = "12025550100"\n'
    assert judged(policy, "ACME").sender is None
    assert judged(policy, "18005550199").sender is None
    assert judged(policy, "12025550100").sender is None
    assert judged(policy, "FOREIGN", "447700900123").sender is None
    assert judged(policy, "10690001").sender == Replacement(1, 1, "12025550100")
    assert judged(policy, "").sender == Replacement(1, 1, "12025550100")


def test_numbers_may_be_refused_where_names_are_wanted():
    """A country may refuse numbers, and have names replaced, or the other way round."""
    policy = f'{TEXT}numeric = "refuse"\nalphanumeric = "replace"\nreplacement = "ACME"\n'
    objection = judged(policy, "10690001").objection
    assert objection is not None
    assert (objection.reason, objection.rule, objection.action) == ("sender", "sender.numeric.refuse", Action.REJECT)
    assert judged(policy, "FOREIGN").sender == Replacement(5, 0, "ACME")


def test_a_number_of_somebody_else_is_refused_before_it_could_be_replaced():
    """Whose number it is comes first: replacing must not make a forged sender pass."""
    policy = TEXT.replace("[sender]", "[sender]\nowned = true") + 'numeric = "replace"\nreplacement = "12025550100"\n'
    objection = judged(policy, "10690002").objection
    assert objection is not None
    assert objection.rule == "sender.owned"
    assert judged(policy, "10690001").sender == Replacement(1, 1, "12025550100")


@pytest.mark.parametrize("shadow", ["set", "rule"])
def test_in_shadow_mode_it_is_only_told(shadow: str):
    """Neither a shadow rule nor a shadow set changes a message: a flag says what would be."""
    policy = f'{TEXT}alphanumeric = "replace"\nreplacement = "12025550100"\n'
    policy = f'mode = "shadow"\n{policy}' if shadow == "set" else policy.replace("[sender]", '[sender]\nmode = "shadow"')
    found = judged(policy, "FOREIGN")
    assert found.sender is None
    assert [flag.rule for flag in found.flags] == ["sender.replace"]
