"""Turns: each account its share of a cycle, its messages in their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.model import Account, Message, Tenant
from smsgw.store.turns import NO_ID, Turns

TENANT = Tenant(1, "acme", "CNY")
ACCOUNTS = {number: Account(number, f"a{number}", TENANT) for number in range(1, 6)}


def waiting(*accounts: int) -> Turns:
    """One message of each of these accounts, in this order; ids count from 1."""
    turns = Turns()
    for number, account in enumerate(accounts, 1):
        turns.append(Message(number, ACCOUNTS[account], "", "", b""), _no_effect)
    return turns


def _no_effect(_argument: object, _verdict: object) -> None:
    """Nothing follows."""


def ids(turns: Turns, most: int) -> list[int]:
    """Take so many and return their ids."""
    return [message.id for message, _ in turns.take(most)]


def test_alone_it_is_a_queue():
    """One account's messages come out as they came in, as many as are asked for."""
    turns = waiting(1, 1, 1)
    assert (ids(turns, 2), len(turns), turns.least_id(1)) == ([1, 2], 1, 3)
    assert (ids(turns, 2), len(turns), bool(turns), turns.least_id(1)) == ([3], 0, False, NO_ID)


def test_a_flood_leaves_room_for_the_others():
    """Behind a thousand messages of one account, the two of another are in the next cycle."""
    turns = waiting(*[1] * 1_000, 2, 2)
    taken = ids(turns, 128)
    assert len(taken) == 128
    assert {1_001, 1_002} <= set(taken)


def test_who_was_not_served_is_first():
    """More accounts than places: each is served before anyone is served again."""
    turns = waiting(1, 2, 3, 1, 2, 3)
    assert [ids(turns, 2), ids(turns, 2), ids(turns, 2)] == [[1, 2], [3, 4], [5, 6]]


@given(st.lists(st.integers(1, 5), max_size=60), st.lists(st.integers(0, 20), min_size=1, max_size=20))
def test_nothing_is_lost_and_nobody_overtakes_himself(accounts: list[int], takes: list[int]):
    """However much is taken at a time: each message comes once, an account's in their order, and no place stays empty."""
    turns = waiting(*accounts)
    came: list[int] = []
    for most in takes:
        before = len(turns)
        taken = ids(turns, most)
        assert len(taken) == min(most, before)
        came += taken
        for account in set(accounts):
            left = [number for number in range(1, len(accounts) + 1) if accounts[number - 1] == account and number not in came]
            assert turns.least_id(account) == min(left, default=NO_ID)
    assert len(came) == len(set(came))
    for account in set(accounts):
        own = [number for number in came if accounts[number - 1] == account]
        assert own == sorted(own)
