from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from smsgw.admin.api import gate as gates
from smsgw.admin.api.gate import Gate, party_of
from smsgw.admin.api.problems import Refused
from smsgw.store.tokens import Token

SECRET = "smsgw_" + "a" * 43
OTHER = "smsgw_" + "b" * 43
NOW = datetime(2026, 11, 26, tzinfo=UTC)
TOKEN = Token("ci", sha256(SECRET.encode()).digest(), ("policy.read",), "ann", NOW, None, None, None, live=True)


class Door:
    """A gate with a clock and a store of one token; `asked`: how often the store was."""

    def __init__(self, token: Token = TOKEN, most: int = 3) -> None:
        self.token = token
        self.asked = 0
        self.now = 100.0
        self.gate = Gate(self.look_up, lambda: self.now, most=most)

    async def look_up(self, digest: bytes) -> Token | None:
        self.asked += 1
        return self.token if digest == self.token.hash else None

    async def refused(self, header: str, address: str = "10.0.0.1") -> int:
        """Return the status of a refusal."""
        with pytest.raises(Refused) as error:
            await self.gate.admit(header, address)
        assert header[7:] not in str(error.value) or len(header) < 8
        return error.value.status


async def test_a_token_that_works_is_let_in():
    """By its Authorization header."""
    assert (await Door().gate.admit(f"Bearer {SECRET}", "10.0.0.1")).name == "ci"


async def test_what_does_not_work_is_refused_alike_and_counted_by_reason():
    """None, what cannot be one (the store is not asked), one that nobody knows, one that is over: 401 for all."""
    door = Door(most=100)
    for header in ("", "Basic x", "Bearer x", f"Bearer {OTHER}"):
        assert await door.refused(header) == 401
    assert door.asked == 1
    for over in (replace(TOKEN, live=False), replace(TOKEN, live=False, revoked=NOW)):
        door.token = over
        assert await door.refused(f"Bearer {SECRET}") == 401
    assert door.gate.failures == {
        ("missing",): 1, ("malformed",): 2, ("unknown",): 1, ("expired",): 1, ("revoked",): 1,
    }  # fmt: skip


async def test_a_row_of_another_hash_is_none():
    """What the store answers is compared again."""
    door = Door(replace(TOKEN, hash=sha256(OTHER.encode()).digest()))
    door.gate = Gate(lambda _: _answer(TOKEN), lambda: 0.0, most=3)
    assert await door.refused(f"Bearer {OTHER}") == 401


async def _answer(token: Token) -> Token:
    return token


async def test_over_the_limit_an_address_waits_and_the_store_is_not_asked():
    """For the rest of the minute; another address does not, nor does who has shown here a token that works."""
    door = Door()
    await door.gate.admit(f"Bearer {SECRET}", "10.0.0.1")
    for _ in range(3):
        assert await door.refused(f"Bearer {OTHER}") == 401
    asked = door.asked
    assert await door.refused(f"Bearer {OTHER}") == 429
    assert await door.refused("") == 429
    assert door.asked == asked
    assert (await door.gate.admit(f"Bearer {SECRET}", "10.0.0.1")).name == "ci"
    assert await door.refused(f"Bearer {OTHER}", "10.0.0.2") == 401
    door.now += gates.WINDOW_S
    assert await door.refused(f"Bearer {OTHER}") == 401
    assert door.gate.failures["throttled",] == 2


async def test_a_token_that_is_revoked_is_known_no_more():
    """From then on it counts as a wrong one."""
    door = Door(most=1)
    await door.gate.admit(f"Bearer {SECRET}", "10.0.0.1")
    door.token = replace(TOKEN, live=False, revoked=NOW)
    assert await door.refused(f"Bearer {SECRET}") == 401
    assert await door.refused(f"Bearer {SECRET}") == 429


def test_a_network_of_ipv6_is_one_party():
    """Whoever has one has its addresses by the billion; IPv4 and what is no address are counted as they are."""
    assert party_of("2001:db8::1") == party_of("2001:db8::ffff:1") != party_of("2001:db8:0:1::1")
    assert party_of("fe80::1%eth0") == party_of("fe80::2")
    assert (party_of("10.0.0.1"), party_of("")) == ("10.0.0.1", "")


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """Addresses with failures, and tokens that have worked: the oldest is forgotten."""
    monkeypatch.setattr(gates, "ADDRESSES", 2)
    monkeypatch.setattr(gates, "KNOWN", 0)
    door = Door(most=1)
    for last in range(3):
        assert await door.refused("", f"10.0.0.{last}") == 401
    assert len(door.gate._wrong) == 2
    assert await door.refused("", "10.0.0.0") == 401
    await door.gate.admit(f"Bearer {SECRET}", "10.0.1.1")
    assert len(door.gate._known) == 0
