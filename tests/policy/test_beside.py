from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.beside import beside
from smsgw.policy.docket import Docket
from smsgw.policy.handset import content_of
from smsgw.smpp import const, gsm7, tlv
from smsgw.smpp.pdu import data_sm_body, encode
from smsgw.smpp.udh import Concat, concat_element, write_udh
from tests.policy.corpus.asked import HARMLESS_TLVS, callback, high_first, low_first, reply_address
from tests.policy.sets import ACCOUNT, compiled, owner, raw, rule, submission, verdict

PHONES = '[text]\nunreadable = "pass"\n[phones]\nallowed = ["4001234567"]\n'
NUMBER = "13800138000"
TAGS = (const.TAG_CALLBACK_NUM, const.TAG_CALLBACK_NUM_ATAG, const.TAG_SOURCE_SUBADDRESS, const.TAG_DEST_SUBADDRESS)


def read(tlvs: bytes = b"", header: bytes = b"") -> list[tuple[str, tuple[str, ...]]]:
    """Return the names of what a message bears, and the ways to read it."""
    pdu = raw(header + b"Sale", esm_class=0x40 if header else 0, tlvs=tlvs)
    return [(written.name, written.forms) for written in beside((content_of(pdu),), "gsm7")]


def test_a_callback_number_is_read_as_clients_write_it():
    """Letters or half octets, low or high first, a keypad's zero, with and without what says so; a + where it is a country's."""
    assert read(callback(NUMBER.encode())) == [("callback_num", (NUMBER,))]
    assert read(callback(b"447700900123", kind=1)) == [("callback_num", ("+447700900123",))]
    assert read(tlv.append(const.TAG_CALLBACK_NUM, NUMBER.encode())) == [("callback_num", (NUMBER,))]
    for digits in (low_first(NUMBER), low_first(NUMBER, "a"), high_first(NUMBER), high_first(NUMBER, "a", "0")):
        ((_, forms),) = read(callback(digits, mode=0))
        assert NUMBER in forms


def test_a_name_is_read_by_its_coding():
    """UCS-2, the default alphabet, and octets that have no sense in their coding but are letters."""
    for value in (b"\x08" + "客服".encode("utf-16-be"), b"\0Shop", b"\x04Shop"):
        ((name, forms),) = read(tlv.append(const.TAG_CALLBACK_NUM_ATAG, value))
        assert (name, forms[0]) == ("callback_num_atag", "客服" if value[0] == 8 else "shop")


def test_a_reply_address_is_read_by_its_type():
    """Digits, as many as it says; letters in septets."""
    assert read(header=reply_address(0, 11, low_first(NUMBER))) == [("reply_address", (NUMBER,))]
    assert read(header=reply_address(1, 12, low_first("447700900123"))) == [("reply_address", ("+447700900123",))]
    assert read(header=reply_address(5, 7, gsm7.pack7(b"Shop"))) == [("reply_address", ("shop",))]


@given(st.sampled_from(TAGS), st.binary(max_size=24), st.sampled_from(["gsm7", "latin1", "utf8"]))
def test_any_octets_are_read_or_give_nothing(tag: int, value: bytes, alphabet: str):
    """In each of the TLVs, and as a reply address: never an exception, and nothing that is empty."""
    pdu = raw(write_udh([(0x22, value), (0x22, value[:2])]) + b"Sale", esm_class=0x40, tlvs=tlv.append(tag, value))
    for cut in (pdu, pdu[:-1]):
        for written in beside((content_of(cut),), alphabet):
            assert all(written.forms)


def test_the_rule_says_where_a_number_stands():
    """The verdict names the TLV; a trial and a flag tell the same and let it go."""
    found = verdict(compiled(PHONES), pdu=raw(b"Sale", tlvs=callback(NUMBER.encode()))).objection
    assert found is not None
    assert (found.rule, found.span) == ("phones", "callback_num[0:11]")
    flagged = verdict(compiled('[phones]\naction = "flag"\n'), pdu=raw(b"Sale", tlvs=callback(NUMBER.encode())))
    assert (flagged.objection, [flag.rule for flag in flagged.flags]) == (None, ["phones"])


def test_numbers_that_are_allowed_or_the_tenants_own_go():
    """In any way of writing them; beside another one in the same value they go no more, and another tenant's does not go."""
    policy = compiled(PHONES)
    own = raw(b"Sale", tlvs=callback(b"13900000001", kind=1))
    assert rule(policy, pdu=own) == "phones"
    assert rule(policy, pdu=own, source="+8613900000001") == ""
    assert [tlvs for tlvs in HARMLESS_TLVS if rule(policy, pdu=raw(b"Sale", tlvs=tlvs))] == []
    both = tlv.append(const.TAG_CALLBACK_NUM, b"4001234567," + NUMBER.encode()[:8] + b"000")
    assert rule(policy, pdu=raw(b"Sale", tlvs=both)) == "phones"
    for tlvs in (callback(b"4001234567") + callback(NUMBER.encode()), callback(NUMBER.encode()) + callback(b"4001234567")):
        assert rule(policy, pdu=raw(b"Sale", tlvs=tlvs)) == "phones"


def test_a_landline_that_nobody_can_dial_is_none_beside_a_text_either():
    """Digits with a 0 before them, to a recipient in China."""
    policy = compiled(PHONES)
    assert rule(policy, pdu=raw(b"Sale", tlvs=callback(b"012345678901"))) == ""
    assert rule(policy, pdu=raw(b"Sale", tlvs=callback(b"01087654321"))) == "phones"


@pytest.mark.parametrize("at", [0, 1])
def test_each_part_of_a_text_is_looked_at(at: int):
    """A number beside the second part alone is seen when the parts are joined."""
    policy = compiled('[phones]\n[[terms]]\nid = "t"\nwords = ["百家乐"]\nmust = ["百家乐"]\n')
    parts = [
        raw(
            write_udh([concat_element(Concat(7, 8, 2, number))]) + "您好".encode("utf-16-be"),
            8,
            esm_class=0x40,
            tlvs=callback(NUMBER.encode()) if number == at + 1 else b"",
        )
        for number in (1, 2)
    ]
    judged = Docket({"set": policy}).held(
        ACCOUNT, "10690001", "8613800138000", [(pdu, const.SUBMIT_SM) for pdu in parts], 0.0, owner, joined=True
    )
    assert judged.objection is not None
    assert judged.objection.rule == "phones"


def test_a_data_sm_has_them_as_well():
    """Its text is a TLV, and its callback number another."""
    tlvs = tlv.append(const.TAG_MESSAGE_PAYLOAD, b"Sale") + callback(NUMBER.encode())
    pdu = encode(const.DATA_SM, 0, 1, data_sm_body(source=b"10690001", dest=b"8613800138000", tlvs=tlvs))
    judged = Docket({"set": compiled(PHONES)})(ACCOUNT, "10690001", "8613800138000", pdu, 0.0, owner, const.DATA_SM, const.V34)
    assert judged.objection is not None
    assert judged.objection.rule == "phones"


def test_what_is_plain_bears_nothing():
    """A message without header and TLVs is not read again for them."""
    assert submission(compiled(PHONES), pdu=raw(b"Sale")).beside == ()
    assert submission(compiled(PHONES), pdu=raw(b"Sale", tlvs=callback(NUMBER.encode()))).beside != ()
