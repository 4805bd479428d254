from __future__ import annotations

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.carriers.dialect import key_of, receipt_key, second_chances, submit_key, without_tlvs
from smsgw.model import Dialect
from smsgw.smpp import const, pdu, tlv
from smsgw.smpp.pdu import HEADER_LENGTH, BadPdu
from smsgw.smpp.receipt import Receipt, parse
from tests.script import payload

AS_IS = Dialect()


def receipt_of(text_id: bytes = b"", tlv_id: bytes = b"") -> Receipt:
    """Return a receipt read from a PDU that names these ids."""
    named = b"id:%b " % text_id if text_id else b""
    text = named + b"sub:001 dlvrd:001 submit date:2611240300 done date:2611240301 stat:DELIVRD err:000 text:"
    tlvs = tlv.append(const.TAG_RECEIPTED_MESSAGE_ID, tlv_id + b"\0") if tlv_id else b""
    octets = pdu.encode(const.DELIVER_SM, 0, 1, pdu.sm_body(source=b"86", dest=b"1069", short_message=text, esm_class=4, tlvs=tlvs))
    found = parse(octets, pdu.read_sm(octets))
    assert found is not None
    return found


# (what, dialect, id in submit_sm_resp, id in the receipt): the pairs of the field that must meet.
MEET = [
    ("the same", AS_IS, b"1234567890", b"1234567890"),
    ("the same, any kind of id", AS_IS, b"a/B+c=", b"a/B+c="),
    ("a UUID, in capitals later", AS_IS, b"6e6dd8a5-5b7c-4d1a-9f0e-0e6ff2a1c9aa", b"6E6DD8A5-5B7C-4D1A-9F0E-0E6FF2A1C9AA"),
    ("hex that changes its case", AS_IS, b"1eedf843", b"1EEDF843"),
    ("hex in the answer, decimal in the receipt", Dialect(submit_id="hex-to-dec"), b"3ade68b1", b"987654321"),
    ("the same, told the other way", Dialect(receipt_id="dec-to-hex"), b"3ADE68B1", b"987654321"),
    ("decimal in the answer, hex in the receipt", Dialect(receipt_id="hex-to-dec"), b"987654321", b"3ADE68B1"),
    ("padded hex in the answer, decimal in the receipt", Dialect(submit_id="hex-to-dec"), b"00000a1f", b"2591"),
    ("padded decimal in the receipt", Dialect(submit_id="hex-to-dec", strip_zeros=True), b"a1f", b"0000002591"),
    ("zeros lost in the receipt", Dialect(strip_zeros=True), b"0913121205", b"913121205"),
    ("zeros and case lost", Dialect(strip_zeros=True), b"0e999f21", b"E999F21"),
    ("nothing but zeros", Dialect(strip_zeros=True), b"0000", b"0"),
    ("a UUID under a number rule", Dialect(submit_id="hex-to-dec"), b"6e6dd8a5-5b7c-4d1a", b"6e6dd8a5-5b7c-4d1a"),
    ("blanks and NULs around it", AS_IS, b"abc1", b" abc1\0"),
]

# Pairs that must not meet, because a rule that is not set, or does not fit, changes nothing.
PART = [
    ("zeros count unless told otherwise", AS_IS, b"0913121205", b"913121205"),
    ("hex is no number unless told so", AS_IS, b"3ade68b1", b"987654321"),
    ("case counts in what is no hex", AS_IS, b"zAb9", b"zab9"),
    ("case counts when told so", Dialect(ignore_case=False), b"1eedf843", b"1EEDF843"),
    ("a decimal rule leaves letters alone", Dialect(receipt_id="dec-to-hex"), b"a", b"1O"),
]


@pytest.mark.parametrize(("dialect", "answered", "reported"), [row[1:] for row in MEET], ids=[row[0] for row in MEET])
def test_ids_of_both_sides_meet(dialect: Dialect, answered: bytes, reported: bytes):
    """The id of the answer and the id of the receipt become the same key, as the link's dialect says."""
    assert submit_key(dialect, answered) == receipt_key(dialect, reported)


@pytest.mark.parametrize(("dialect", "answered", "reported"), [row[1:] for row in PART], ids=[row[0] for row in PART])
def test_ids_are_not_bent_to_meet(dialect: Dialect, answered: bytes, reported: bytes):
    """Without a rule that fits, ids that differ stay different."""
    assert submit_key(dialect, answered) != receipt_key(dialect, reported)


@given(st.binary(max_size=70), st.sampled_from(["as-is", "hex-to-dec", "dec-to-hex"]), st.booleans(), st.booleans())
def test_any_octets_make_a_key(raw: bytes, rule: str, zeros: bool, case: bool):  # noqa: FBT001 - drawn
    """No id raises, and the same rule on both sides gives the same key."""
    dialect = Dialect(submit_id=rule, receipt_id=rule, strip_zeros=zeros, ignore_case=case)
    assert submit_key(dialect, raw) == receipt_key(dialect, raw)


@given(st.binary(max_size=20))
def test_a_key_is_its_own_key(raw: bytes):
    """A key that is stored and made a key again stays what it is."""
    key = submit_key(AS_IS, raw)
    assert submit_key(AS_IS, key.encode("latin-1")) == key


def test_the_id_of_the_tlv_counts_first():
    """receipted_message_id is preferred to the text's id, where both are there and differ."""
    assert key_of(AS_IS, receipt_of(text_id=b"111", tlv_id=b"222")) == "222"


def test_a_carrier_may_mean_the_id_of_the_text():
    """With prefer_id = "text" the text's id counts, and the TLV's only where the text has none."""
    dialect = Dialect(prefer_id="text")
    assert key_of(dialect, receipt_of(text_id=b"111", tlv_id=b"222")) == "111"
    assert key_of(dialect, receipt_of(tlv_id=b"222")) == "222"


def test_a_receipt_without_id_has_no_key():
    """No id at all gives an empty key and no second chance."""
    receipt = receipt_of()
    assert key_of(AS_IS, receipt) == ""
    assert second_chances(AS_IS, receipt) == ()


@pytest.mark.parametrize(
    ("answered", "receipt"),
    [
        (b"0913121205", receipt_of(text_id=b"913121205")),
        (b"913121205", receipt_of(text_id=b"0913121205")),
        (b"0e999f21", receipt_of(text_id=b"E999F21")),
        (b"3ade68b1", receipt_of(tlv_id=b"987654321")),
        (b"00000a1f", receipt_of(tlv_id=b"2591")),
        (b"987654321", receipt_of(tlv_id=b"3ADE68B1")),
        (b"111", receipt_of(text_id=b"111", tlv_id=b"222")),
    ],
)
def test_second_chances_guess_the_habits_of_the_field(answered: bytes, receipt: Receipt):
    """Without any rule set, the forms that carriers mix up are among the second chances, and never the first key again."""
    chances = second_chances(AS_IS, receipt)
    assert submit_key(AS_IS, answered) in chances
    assert key_of(AS_IS, receipt) not in chances


@given(st.binary(min_size=1, max_size=64).filter(lambda raw: not set(raw) & set(b" ,;\0\r\n")))
def test_second_chances_are_few(raw: bytes):
    """Any id makes at most a dozen guesses."""
    assert len(second_chances(AS_IS, receipt_of(tlv_id=raw))) <= 12


@pytest.mark.alone(reason="it measures microseconds")
def test_a_key_as_it_is_costs_little():
    """The common dialect costs well under a microsecond an id, measured beside a loop of this machine."""
    raw = b"123456789012345678"
    ratios = []
    for _ in range(50):  # side by side each time: what else runs on the machine, and its own pace, only add
        yardstick = timeit.timeit("raw.decode('latin-1')", number=20_000, globals={"raw": raw})
        ratios.append(timeit.timeit(lambda: submit_key(AS_IS, raw), number=20_000) / yardstick)
        if ratios[-1] < 12:
            break
    assert min(ratios) < 12


def test_a_body_for_a_carrier_without_tlvs_keeps_its_content():
    """TLVs are dropped, and a message_payload becomes the short_message."""
    body = pdu.sm_body(source=b"1069", dest=b"86138", tlvs=bytes.fromhex(payload(b"in a payload")))
    octets = bytes(HEADER_LENGTH) + without_tlvs(const.SUBMIT_SM, body)
    sm = pdu.read_sm(octets)
    assert (octets[sm.sm_at : sm.tlv_at], octets[sm.tlv_at :]) == (b"in a payload", b"")


@pytest.mark.parametrize(
    ("command", "body", "status"),
    [
        (const.DATA_SM, pdu.data_sm_body(source=b"1", dest=b"2"), const.ESME_RINVCMDID),
        (const.SUBMIT_SM, pdu.sm_body(source=b"1", dest=b"2", tlvs=bytes.fromhex(payload(b"x" * 255))), const.ESME_RINVMSGLEN),
    ],
)
def test_what_a_carrier_without_tlvs_cannot_be_sent_is_refused(command: int, body: bytes, status: int):
    """data_sm and a payload that is too long are refused with a status, never cut."""
    with pytest.raises(BadPdu) as refused:
        without_tlvs(command, body)
    assert refused.value.status == status
