"""Receipts of the common shape: what the fast way says and writes is what the lenient way says and writes, or it says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.smpp import pdu, receipt
from smsgw.smpp.receipt_plain import PlainReceipt, read_plain, rewrite_plain
from tests.smpp.test_receipt import COMMON, DEST, OUR_ID, SOURCE, deliver, id_tlv, state_tlv

SHARED = "message_id state error intermediate text_id tlv_id id_end".split()


def check(octets: bytes) -> PlainReceipt | None:
    """Read both ways; where the fast way finds a receipt, hold all that it says and writes against the lenient way."""
    plain = read_plain(octets)
    if plain is None:
        return None
    sm = pdu.read_sm(octets)
    found = receipt.parse(octets, sm)
    assert found is not None
    assert [getattr(plain, name) for name in SHARED] == [getattr(found, name) for name in SHARED]
    assert (plain.source, plain.dest, plain.tlv_at) == (sm.source, sm.dest, sm.tlv_at)
    ours = rewrite_plain(octets, plain, our_id=OUR_ID, source=SOURCE, dest=DEST)
    assert ours == receipt.rewrite(octets, sm, found, our_id=OUR_ID, source=SOURCE, dest=DEST)
    return plain


def test_the_common_shape_is_plain():
    """Appendix B to the letter, alone or followed by its two TLVs."""
    for tlvs in (b"", id_tlv(b"1234567890\0") + state_tlv(2)):
        plain = check(deliver(tlvs=tlvs, service_type=b"CMT"))
        assert plain is not None
        assert (plain.message_id, plain.state, plain.intermediate) == (b"1234567890", 2, False)


def test_the_tlvs_count_before_the_text():
    """Another id and another state in the TLVs: they are what the receipt says."""
    plain = check(deliver(tlvs=id_tlv(b"77\0") + state_tlv(8)))
    assert plain is not None
    assert (plain.message_id, plain.text_id, plain.state) == (b"77", b"1234567890", 8)


@pytest.mark.parametrize("length", [100, 200, 237, 238, 240, 254])
def test_a_text_that_our_id_pushes_over_the_limit_loses_its_tail(length: int):
    """short_message keeps to 254 octets, as the lenient way has it."""
    assert check(deliver(COMMON.ljust(length, b"x"))) is not None


@pytest.mark.parametrize(
    "octets",
    [
        deliver(esm_class=0x44),
        deliver(esm_class=0x20),
        deliver(esm_class=0),
        deliver(COMMON.replace(b"err:000 text", b"err:000, text")),
        deliver(COMMON[:-12] + b"\0tail"),
        deliver(COMMON.replace(b"id:", b"ID:")),
        deliver(tlvs=state_tlv(2) + id_tlv(b"1\0")),
        deliver(tlvs=id_tlv(b"1") + state_tlv(2)),
        deliver(tlvs=id_tlv(b"1\0") + state_tlv(0)),
        deliver(tlvs=id_tlv(b"1\0") + state_tlv(2) + b"\x14\0\0\1x"),
        deliver(tlvs=id_tlv(b"1\0") + state_tlv(2) + b"\x14"),
        deliver()[:-20],
        deliver()[:40],
        b"",
    ],
)
def test_any_other_shape_goes_the_lenient_way(octets: bytes):
    """A reply path, an intermediate notification, other words, other TLVs, a broken PDU: nothing is said here."""
    assert check(octets) is None


@given(st.data())
def test_both_ways_agree_on_mutated_receipts(data: st.DataObject):
    """Whatever octets of a receipt are changed, put in or left out: the fast way agrees with the lenient one or is silent."""
    octets = bytearray(deliver(tlvs=data.draw(st.sampled_from([b"", id_tlv(b"1234567890\0") + state_tlv(2)]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(16, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    check(bytes(octets))
