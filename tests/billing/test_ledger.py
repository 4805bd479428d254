"""What a final state gives back."""

from __future__ import annotations

import pytest

from smsgw.billing.ledger import refund_due
from smsgw.model import Account, Basis, Message, Mode, State, Tenant

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"))


def message(state: State, basis: Basis, *, sent: bool, mode: Mode = Mode.STORE) -> Message:
    """A message of 38 that ended in this state, taken by a carrier before or not."""
    return Message(
        1, ACCOUNT, "1069", "86138", b"", state=state, basis=basis, price=38, mode=mode, sent_at=1.0 if sent else 0.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "sent", "bases"),
    [
        (State.REJECTED, False, "submitted sent delivered"),
        (State.CANCELLED, False, "submitted sent delivered"),
        (State.EXPIRED, False, "submitted sent delivered"),
        (State.REFUSED, False, "sent delivered"),
        (State.FAILED, True, "delivered"),
        (State.EXPIRED, True, "delivered"),
        (State.DELIVERED, True, ""),
        (State.UNKNOWN, True, ""),
        (State.UNKNOWN, False, ""),
        (State.SENT, True, ""),
        (State.QUEUED, False, ""),
    ],
)
def test_a_refund_follows_state_and_basis(state: State, sent: bool, bases: str):  # noqa: FBT001 - a column of the table
    """Who pays for submitted, sent or delivered messages gets back what the table of the books says, whole or not at all."""
    refunded = [basis.name.lower() for basis in Basis if refund_due(message(state, basis, sent=sent))]
    assert refunded == bases.split()
    assert {refund_due(message(state, basis, sent=sent)) for basis in Basis} <= {0, 38}


def test_a_refund_is_made_once():
    """What was given back is not given back again, and what cost nothing gives nothing back."""
    once = message(State.REJECTED, Basis.SUBMITTED, sent=False)
    once.refund = refund_due(once)
    free = message(State.REJECTED, Basis.SUBMITTED, sent=False)
    free.price = 0
    assert (refund_due(once), refund_due(free)) == (0, 0)


def test_a_relay_tenant_that_was_refused_pays_nothing():
    """In relay mode the carrier's refusal is the tenant's answer: the price comes back on any basis."""
    for state in (State.REFUSED, State.UNKNOWN):
        assert [refund_due(message(state, basis, sent=False, mode=Mode.RELAY)) for basis in Basis] == [38, 38, 38]
