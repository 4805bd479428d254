from __future__ import annotations

from tests.policy.sets import compiled, raw, submission


def test_forms_are_worked_out_once():
    """The same objects come back: rules share what one of them asked for."""
    one = submission(compiled(""), "ＡＢ")
    assert one.first_forms is one.first_forms
    assert one.first_forms == (("ＡＢ", "ab"),)
    assert one.second_forms() == ("ab",)
    assert one.signed is one.signed
    assert one.place is one.place
    assert one.place.country == "CN"


def test_the_alphabet_of_the_account_is_a_setting():
    """What data_coding 0 means is the set's word."""
    octets = "é!".encode("latin-1")
    assert submission(compiled('[text]\nalphabet = "latin1"'), pdu=raw(octets)).shown.text == "é!"
    assert not submission(compiled(""), pdu=raw(octets)).shown.exact


def test_a_set_without_kinds_says_notice():
    """Nothing is marketing where nobody said what is."""
    assert submission(compiled(""), "优惠").category == "notice"
    assert submission(compiled(""), "优惠").template is None
