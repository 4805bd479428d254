"""Marks of recipients: found by one look-up, in little memory, whatever is loaded and what changed since."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc

import pytest

from smsgw.model import Account, Tenant
from smsgw.policy.marks import BLOCK, CONSENT, NOTHING, OPT_OUT, Marks, Scope, block_word, consented, opted_out, packed

KEY = b"k" * 32
TENANT = Tenant(id=7, name="acme", currency="CNY")
ACCOUNT = Account(id=1, system_id="acme1", tenant=TENANT)
OTHER = Account(id=2, system_id="other", tenant=Tenant(id=8, name="other", currency="CNY"))
NUMBER = "8613800138000"
SCOPES = {
    1: Scope(OPT_OUT, "account", 1),
    2: Scope(BLOCK, "platform", 0),
    3: Scope(BLOCK, "tenant", 7),
    4: Scope(BLOCK, "account", 2),
    5: Scope(CONSENT, "account", 1),
    6: Scope(OPT_OUT, "number", 1, "1069000112"),
    7: Scope(OPT_OUT, "signature", 1, "某某"),
}


def pages(marks: Marks, entries: list[tuple[str, int]]) -> list[tuple[bytes, bytes]]:
    """Return entries of (number, scope) as the store packs them."""
    rows = sorted((marks.hash_of(number), scope) for number, scope in entries)
    numbers = struct.pack(f">{len(rows)}q", *(number for number, _ in rows))
    return [(numbers, struct.pack(f">{len(rows)}i", *(scope for _, scope in rows)))]


def loaded(*entries: tuple[str, int]) -> Marks:
    """Return marks that were loaded."""
    marks = Marks(KEY)
    marks.know(SCOPES)
    marks.load(packed(pages(marks, list(entries))))
    return marks


def test_a_number_is_found_in_all_its_scopes():
    """One look-up tells every scope; + and 00 in front do not count; an unmarked number has none."""
    marks = loaded((NUMBER, 1), (NUMBER, 3), ("8613800138001", 2))
    for spelling in (NUMBER, f"+{NUMBER}", f"00{NUMBER}"):
        assert set(marks.found(spelling)) == {SCOPES[1], SCOPES[3]}
    assert marks.found("8613800138001") == (SCOPES[2],)
    assert marks.found("8613800138002") is NOTHING
    assert Marks(KEY).found(NUMBER) is NOTHING


def test_changes_count_at_once():
    """What is set or lifted after the load holds, until the next load takes its place."""
    marks = loaded((NUMBER, 1), (NUMBER, 2))
    marks.learn(marks.hash_of(NUMBER), 1, active=False)
    marks.learn(marks.hash_of("8613900000000"), 2, active=True)
    assert marks.found(NUMBER) == (SCOPES[2],)
    assert marks.found("8613900000000") == (SCOPES[2],)
    assert (len(marks), marks.changed) == (2, 2)
    marks.load(packed(pages(marks, [("8613900000000", 2)])))
    assert (len(marks), marks.changed) == (1, 0)
    assert marks.found(NUMBER) is NOTHING


def test_a_scope_that_is_not_known_is_none():
    """A mark whose scope was not told yet stops nothing and breaks nothing."""
    assert loaded((NUMBER, 99)).found(NUMBER) == ()


def test_a_national_number_is_completed():
    """Where a country is set, a number of its national length is the one with the code: a refusal is found in either spelling."""
    marks = Marks(KEY, country_code="86", national_digits=11)
    assert marks.hash_of("13800138000") == marks.hash_of("+8613800138000")
    assert marks.hash_of("1380013800") != marks.hash_of("861380013800")
    assert Marks(KEY).hash_of("13800138000") != Marks(KEY).hash_of("8613800138000")
    assert Marks(b"j" * 32).hash_of(NUMBER) != Marks(KEY).hash_of(NUMBER)


def test_block_lists_are_of_somebody():
    """The platform's stops everybody, a tenant's its accounts, an account's itself; only where there is one is anybody asked."""
    assert loaded((NUMBER, 2)).block_of(OTHER, NUMBER) == SCOPES[2]
    assert loaded((NUMBER, 3)).block_of(ACCOUNT, NUMBER) == SCOPES[3]
    assert loaded((NUMBER, 3)).block_of(OTHER, NUMBER) is None
    assert loaded((NUMBER, 4)).block_of(ACCOUNT, NUMBER) is None
    assert loaded((NUMBER, 4), (NUMBER, 1)).block_of(OTHER, NUMBER) == SCOPES[4]
    assert loaded((NUMBER, 1)).block_of(ACCOUNT, NUMBER) is None
    assert block_word(SCOPES[3]) == "block.tenant"
    marks = Marks(KEY)
    marks.know({1: SCOPES[1]})
    assert not marks.blocking
    marks.know({2: SCOPES[2]})
    assert marks.blocking


def test_a_refusal_holds_within_its_scope():
    """The account's stops all of it, a number's what comes from it, a signature's what bears it; another account is not meant."""
    assert opted_out((SCOPES[1],), ACCOUNT, "x", "") == SCOPES[1]
    assert opted_out((SCOPES[1],), OTHER, "x", "") is None
    assert opted_out((SCOPES[6],), ACCOUNT, "+1069000112", "") == SCOPES[6]
    assert opted_out((SCOPES[6],), ACCOUNT, "10690001", "") is None
    assert opted_out((SCOPES[7],), ACCOUNT, "x", "某某") == SCOPES[7]
    assert opted_out((SCOPES[7],), ACCOUNT, "x", "另一") is None
    assert opted_out((SCOPES[2], SCOPES[5]), ACCOUNT, "x", "") is None
    assert consented((SCOPES[1], SCOPES[5]), ACCOUNT)
    assert not consented((SCOPES[5],), OTHER)


@pytest.mark.alone(reason="it measures microseconds")
def test_a_million_refusals_take_little():
    """A million marks take 12 MB, far under 100, and a look-up some microseconds."""
    random.seed(1)
    values = sorted(random.getrandbits(63) for _ in range(1_000_000))
    page = (struct.pack(">1000000q", *values), struct.pack(">1000000i", *[1] * 1_000_000))
    marks = Marks(KEY)
    marks.know(SCOPES)
    tracemalloc.start()
    marks.load(packed([page]))
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert marks.octets == 12_000_000
    assert taken < 20_000_000
    numbers = [f"86138{at:08d}" for at in range(2_000)]
    began = time.perf_counter()
    for number in numbers:
        marks.found(number)
    assert (time.perf_counter() - began) / len(numbers) < 50e-6
