from __future__ import annotations

import dataclasses

import pytest

from smsgw.model import (
    FIRST_FINAL,
    MESSAGE_STATE,
    STAT,
    STATE_OF_RECEIPT,
    TRANSITIONS,
    Account,
    Carrier,
    Link,
    Message,
    State,
    Tenant,
)

ACCOUNT = Account(1, "acme1", Tenant(1, "acme", "CNY"), secrets=("$argon2id$hash",))
OPEN = [state for state in State if state < FIRST_FINAL]


def test_every_state_has_its_words():
    """Each state has its moves and its message_state; each final one has the stat of a receipt."""
    assert set(TRANSITIONS) == set(MESSAGE_STATE) == set(State)
    assert set(STAT) == {state for state in State if state >= FIRST_FINAL}
    assert all(len(word) == 7 for word in STAT.values())


def test_final_states_do_not_move_but_by_a_late_receipt():
    """What is final for the books stays so; UNKNOWN takes a late receipt, and what a carrier failed in one attempt its delivery."""
    failed = {State.FAILED, State.EXPIRED, State.CANCELLED}
    for state in State:
        if state >= FIRST_FINAL and state is not State.UNKNOWN:
            assert TRANSITIONS[state] == ({State.DELIVERED} if state in failed else set())
    assert TRANSITIONS[State.UNKNOWN] <= set(STATE_OF_RECEIPT.values())
    assert all(after >= FIRST_FINAL for after in TRANSITIONS[State.UNKNOWN])


@pytest.mark.parametrize("state", OPEN)
def test_every_open_state_leads_to_an_end(state: State):
    """From each open state a final one can be reached."""
    seen, ahead = set[State](), {state}
    while ahead:
        seen |= ahead
        ahead = {after for before in ahead for after in TRANSITIONS[before]} - seen
    assert any(reached >= FIRST_FINAL for reached in seen)


@pytest.mark.parametrize("state", [State.QUEUED, State.SUBMITTING, State.IN_DOUBT, State.SENT])
def test_a_receipt_may_come_at_any_time_after_the_submit(state: State):
    """Whatever a final receipt says is a legal move from each state in which the carrier may have the message."""
    assert set(STATE_OF_RECEIPT.values()) <= TRANSITIONS[state]


def test_a_receipt_never_closes_on_accepted_or_enroute():
    """SCHEDULED, ENROUTE and ACCEPTED are no ends."""
    assert {0, 1, 6}.isdisjoint(STATE_OF_RECEIPT)


def test_nobody_sees_a_secret_in_a_repr():
    """Hashes of an account and the password of a link are in no repr."""
    link = Link(1, "alpha-1", Carrier(1, "alpha"), "h", 1, "gw", password="geheim")
    assert "argon2" not in repr(ACCOUNT)
    assert "geheim" not in repr(link)


def test_what_ops_provision_cannot_change():
    """A snapshot's values are frozen: a change is a new value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        ACCOUNT.window = 5  # type: ignore[misc]


def test_a_message_knows_its_id_as_text_and_whether_it_is_final():
    """The tenant's id is decimal, or the 8 hex digits of a 3.3 session."""
    message = Message(id=123, account=ACCOUNT, source="1", destination="2", body=b"")
    assert (message.text_id, message.final) == (b"123", False)
    message.short_id, message.state = "0000007B", State.DELIVERED
    assert (message.text_id, message.final) == (b"0000007B", True)
