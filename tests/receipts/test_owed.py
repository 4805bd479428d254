"""What is owed: which states were asked for, and the receipts that smsgw itself writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsgw.model import Account, Message, State, Tenant
from smsgw.receipts.owed import addresses, own_receipt, wants, wants_intermediate
from smsgw.smpp import const, receipt
from smsgw.smpp.pdu import HEADER, data_sm_body, read_sm, sm_body
from smsgw.store.ids import least_id_at

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"))


@pytest.mark.parametrize(
    ("registered", "delivered", "failed"),
    [
        (0, False, False),
        (1, True, True),
        (2, False, True),
        (3, True, False),
        (0x11, True, True),
        (0x10, False, False),
        (0x05, True, True),
    ],
)
def test_bits_one_and_nought_say_which_receipts(registered: int, delivered: bool, failed: bool):  # noqa: FBT001
    """None, both, failure only, success only; the other bits change nothing (items 116, 119, 121)."""
    assert wants(registered, State.DELIVERED) is delivered
    assert all(wants(registered, state) is failed for state in (State.FAILED, State.EXPIRED, State.REFUSED, State.UNKNOWN))


def test_bit_four_asks_for_intermediate_ones():
    """Bit 4 alone asks for intermediate notifications, never for the final one (item 118)."""
    assert wants_intermediate(0x10)
    assert not wants_intermediate(0x01)


def message(state: State, body: bytes, command: int = const.SUBMIT_SM) -> Message:
    """Make a message in a state."""
    return Message(id=77, account=ACCOUNT, source="1069", destination="8613", body=body, command=command, state=state, error=8)


@pytest.mark.parametrize(
    ("state", "stat", "number"),
    [
        (State.EXPIRED, b"EXPIRED", 3),
        (State.REFUSED, b"REJECTD", 8),
        (State.REJECTED, b"REJECTD", 8),
        (State.UNKNOWN, b"UNKNOWN", 7),
    ],
)
def test_our_own_receipt_speaks_the_tenants_language(state: State, stat: bytes, number: int):
    """Addresses swapped, our id in text and TLV, the state in both (items 172, 173, 177)."""
    body = own_receipt(message(state, sm_body(source=b"1069", dest=b"8613", source_ton=5, dest_ton=1)), 1_800_000_000.0)
    octets = HEADER.pack(16 + len(body), const.DELIVER_SM, 0, 1) + body
    sm = read_sm(octets)
    found = receipt.parse(octets, sm)
    assert found is not None
    assert (found.message_id, found.text_id, found.stat, found.state) == (b"77", b"77", stat, number)
    assert (sm.source, sm.source_ton, sm.dest, sm.dest_ton) == (b"8613", 1, b"1069", 5)
    assert sm.esm_class & 0x3C == 0x04


def test_our_own_receipt_dates_from_when_the_message_came():
    """A message that was read back from the store says when it was accepted by its id."""
    came = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
    stored = message(State.EXPIRED, sm_body(source=b"1069", dest=b"8613"))
    stored.id = least_id_at(came.timestamp()) + 1
    body = own_receipt(stored, (came + timedelta(days=2)).timestamp())
    assert b"submit date:2611240317 done date:2611260317 " in body


def test_addresses_are_read_from_either_pdu():
    """A stored submit_sm and a stored data_sm both tell how the tenant wrote its addresses."""
    fields = {"source": b"abc", "source_ton": 5, "dest": b"8613", "dest_ton": 1, "dest_npi": 1}
    wanted = ((5, 0, b"abc"), (1, 1, b"8613"))
    assert addresses(message(State.SENT, sm_body(**fields))) == wanted  # type: ignore[arg-type]
    assert addresses(message(State.SENT, data_sm_body(**fields), const.DATA_SM)) == wanted  # type: ignore[arg-type]
