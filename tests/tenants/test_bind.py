"""Who may bind: credentials, addresses, delays, statuses, what is remembered."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.model import Account, Rejected
from smsgw.smpp import const
from smsgw.smpp.bodies import Bind
from smsgw.tenants import bind as bind_module
from smsgw.tenants.bind import Authenticator, Failures, address_allowed, escaped, matching_secret, source_of, version_of
from smsgw.tenants.certificates import Certificate
from tests.script import ManualClock
from tests.tenants.front import HASHER, Directory, account


def asked(system_id: bytes = b"acme1", password: bytes = b"secret") -> Bind:
    """Return a bind with these credentials."""
    return Bind(system_id, password, b"", 0x34, 0, 0, b"")


class Desk:
    """An authenticator over accounts that a test changes; it sleeps in no time and notes for how long."""

    def __init__(self, *accounts: Account, **options: Any) -> None:
        self.directory = Directory(*(accounts or (account(),)))
        self.delays: list[float] = []
        self.clock = ManualClock()
        self.authenticator = Authenticator(self.directory.account, self.clock, sleep=self._sleep, **options)

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(round(seconds, 3))

    async def ask(self, system_id: bytes = b"acme1", password: bytes = b"secret", remote: str = "192.0.2.1") -> Any:
        """Authenticate; returns the system_id that may bind, or (status, reason)."""
        found = await self.authenticator.authenticate(asked(system_id, password), remote)
        return (found.status, found.reason) if isinstance(found, Rejected) else found.system_id


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that verified, in order."""
    ran: list[str] = []

    def counting(hashes: tuple[str, ...], password: bytes) -> str | None:
        ran.append(threading.current_thread().name)
        return matching_secret(hashes, password)

    monkeypatch.setattr(bind_module, "matching_secret", counting)
    return ran


async def test_the_right_password_binds():
    """An account's password opens it, and no delay is taken."""
    desk = Desk()
    assert await desk.ask() == "acme1"
    assert desk.delays == []


async def test_unknown_and_wrong_get_one_answer():
    """Unknown system_id, wrong password and forbidden address all read ESME_RBINDFAIL; only we know which (CONFORMANCE 45)."""
    desk = Desk(account(), account("acme2", allow_from=("10.0.0.0/8",)))
    assert await desk.ask(b"nobody") == (const.ESME_RBINDFAIL, "unknown_system_id")
    assert await desk.ask(password=b"wrong") == (const.ESME_RBINDFAIL, "wrong_password")
    assert await desk.ask(b"acme2") == (const.ESME_RBINDFAIL, "address_not_allowed")
    assert await desk.ask(b"acme2", remote="10.1.2.3") == "acme2"


async def test_the_older_statuses_are_a_switch():
    """bind_status_34 of the listener says which of the two was wrong; an account's own only for its password (CONFORMANCE 45)."""
    desk = Desk(bind_status_34=True)
    assert (await desk.ask(b"nobody"))[0] == const.ESME_RINVSYSID
    assert (await desk.ask(password=b"wrong"))[0] == const.ESME_RINVPASWD
    desk = Desk(account(bind_status_34=True))
    assert (await desk.ask(b"nobody"))[0] == const.ESME_RBINDFAIL
    assert (await desk.ask(password=b"wrong"))[0] == const.ESME_RINVPASWD


@pytest.mark.parametrize("system_id", [b"", b"acme\xe9", b"acme\n1", b"\x7facme"])
async def test_a_malformed_system_id_is_no_failed_guess(system_id: bytes):
    """An empty system_id, or one with control or non-ASCII octets, reads ESME_RINVSYSID at once (CONFORMANCE 44, 48)."""
    desk = Desk()
    assert await desk.ask(system_id) == (const.ESME_RINVSYSID, "malformed_system_id")
    assert desk.delays == []


async def test_system_ids_are_case_sensitive():
    """ACME1 is not acme1 (CONFORMANCE 48)."""
    assert await Desk().ask(b"ACME1") == (const.ESME_RBINDFAIL, "unknown_system_id")


async def test_an_empty_password_needs_to_be_provisioned():
    """No password opens an account only where ops gave it an empty secret; without secrets nothing does (CONFORMANCE 47)."""
    assert await Desk().ask(password=b"") == (const.ESME_RBINDFAIL, "wrong_password")
    open_house = account()
    desk = Desk(open_house)
    desk.directory.change("acme1", secrets=())
    assert (await desk.ask())[0] == const.ESME_RBINDFAIL
    desk.directory.change("acme1", secrets=("",))
    assert await desk.ask(password=b"") == "acme1"
    assert (await desk.ask(password=b"x"))[0] == const.ESME_RBINDFAIL


async def test_failures_delay_wrong_answers_only():
    """Each failure of an address or system_id doubles the delay of the next wrong answer up to 1 s; a right one never waits."""
    desk = Desk()
    for _ in range(6):
        await desk.ask(password=b"wrong")
    assert desk.delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert await desk.ask() == "acme1"
    assert await desk.ask(remote="198.51.100.7") == "acme1"
    assert len(desk.delays) == 6
    await desk.ask(password=b"wrong", remote="198.51.100.7")
    await desk.ask(b"nobody", remote="198.51.100.8")
    assert desk.delays[6:] == [1.0, 0.1]
    desk.clock.pass_(61)
    await desk.ask(password=b"wrong")
    assert desk.delays[-1] == 0.1


async def test_a_right_password_is_verified_once(counted: list[str]):
    """What was right is remembered: many binds of a pair cost one verification, also when they come at once."""
    desk = Desk()
    assert await asyncio.gather(*(desk.ask() for _ in range(50))) == ["acme1"] * 50
    assert await desk.ask() == "acme1"
    assert len(counted) == 1


async def test_what_is_remembered_ends_with_the_secret(counted: list[str]):
    """A password stops working when its hash leaves the account, and one of two secrets may be taken away alone."""
    desk = Desk()
    first, second = HASHER.hash("one"), HASHER.hash("two")
    desk.directory.change("acme1", secrets=(first, second))
    assert await desk.ask(password=b"one") == await desk.ask(password=b"two") == "acme1"
    desk.directory.change("acme1", secrets=(second,))
    assert (await desk.ask(password=b"one"))[0] == const.ESME_RBINDFAIL
    assert await desk.ask(password=b"two") == "acme1"
    assert len(counted) == 3
    del desk.directory.accounts["acme1"]
    assert await desk.ask(password=b"two") == (const.ESME_RBINDFAIL, "unknown_system_id")


async def test_a_secret_that_changes_while_it_is_verified_does_not_open(monkeypatch: pytest.MonkeyPatch):
    """A password that was right when it was asked is refused when its hash is gone by the time that is known."""
    desk = Desk()

    def slow(hashes: tuple[str, ...], password: bytes) -> str | None:
        found = matching_secret(hashes, password)
        desk.directory.change("acme1", secrets=())
        return found

    monkeypatch.setattr(bind_module, "matching_secret", slow)
    await desk.ask()
    assert (await desk.ask())[0] == const.ESME_RBINDFAIL


async def test_an_address_has_two_verifications_running(monkeypatch: pytest.MonkeyPatch):
    """Hundreds of guesses from one address queue among themselves; another address is served in between."""
    gate = threading.Event()
    started: list[bytes] = []

    def held(hashes: tuple[str, ...], password: bytes) -> str | None:
        started.append(password)
        gate.wait(10)
        return matching_secret(hashes, password)

    monkeypatch.setattr(bind_module, "matching_secret", held)
    desk = Desk(account(), account("acme2"))
    guesses = [asyncio.create_task(desk.ask(password=b"%d" % n)) for n in range(100)]
    for _ in range(20):
        await asyncio.sleep(0)
    right = asyncio.create_task(desk.ask(b"acme2", remote="198.51.100.7"))
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    assert await right == "acme2"
    assert started.index(b"secret") <= 4
    await asyncio.gather(*guesses)
    assert not desk.authenticator._lanes
    assert not desk.authenticator._running


async def test_who_gives_up_takes_nobody_along():
    """A bind that is cancelled while its pair is verified does not fail another session's bind with the same pair."""
    desk = Desk()
    first, second = asyncio.create_task(desk.ask()), asyncio.create_task(desk.ask())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "acme1"
    assert first.cancelled()
    assert not desk.authenticator._lanes


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The cache of right passwords drops its oldest entry when it is full."""
    monkeypatch.setattr(bind_module, "CACHE_CAP", 3)
    desk = Desk(*(account(f"acme{n}", id=n) for n in range(1, 8)))
    for n in range(1, 8):
        assert await desk.ask(b"acme%d" % n) == f"acme{n}"
    assert len(desk.authenticator._known) == 3


def test_failures_are_bounded():
    """The table of failures keeps the newest names only."""
    failures = Failures(cap=10)
    for n in range(100):
        failures.add(n, float(n) / 10)
    assert len(failures) == 10
    assert failures.add(99, 10.0) == 2
    assert failures.add(0, 10.0) == 1


@pytest.mark.parametrize(
    ("hashes", "found"), [((), False), (("nonsense",), False), (("$argon2id$v=19$broken",), False), (("", "nonsense"), False)]
)
def test_a_stored_hash_that_is_none_opens_nothing(hashes: tuple[str, ...], found: bool):  # noqa: FBT001
    """Whatever stands in place of a hash, it matches no password and raises nothing."""
    assert (matching_secret(hashes, b"secret") is not None) is found


@pytest.mark.parametrize(
    ("asked_for", "ours", "effective"),
    [
        (0x00, 0x50, 0x33),
        (0x33, 0x50, 0x33),
        (0x34, 0x50, 0x34),
        (0x40, 0x50, 0x34),
        (0x50, 0x50, 0x50),
        (0x50, 0x34, 0x34),
        (0x99, 0x50, 0x50),
    ],
)
def test_the_version_is_what_both_know(asked_for: int, ours: int, effective: int):
    """0x00 to 0x33 is 3.3, 0x34 is 3.4, 0x50 is 5.0; reserved values are the highest known below them (CONFORMANCE 52, 53)."""
    assert version_of(asked_for, ours) == effective


@pytest.mark.parametrize(
    ("allowed", "remote", "may"),
    [
        ((), "192.0.2.1", True),
        (("192.0.2.0/24",), "192.0.2.200", True),
        (("192.0.2.0/24",), "192.0.3.1", False),
        (("192.0.2.1",), "::ffff:192.0.2.1", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.0.2.0/24",), "", False),
        (("10.0.0.1", "192.0.2.9/24"), "192.0.2.1", True),
    ],
)
def test_addresses_are_matched_by_network(allowed: tuple[str, ...], remote: str, may: bool):  # noqa: FBT001
    """An address list holds addresses and networks of both families; an empty one lets everybody in."""
    assert address_allowed(allowed, remote) is may


@given(st.binary(max_size=40))
def test_nothing_gets_into_a_log_raw(octets: bytes):
    """Escaped octets are printable ASCII on one line, whatever a peer sends (CONFORMANCE 48, 88)."""
    text = escaped(octets)
    assert text.isprintable()
    assert text.isascii()


async def test_two_secrets_work_until_the_older_ones_time_is_over():
    """Both bind, also from memory; at the cut-off the old one reads as a wrong password at once, remembered or not."""
    old, new = HASHER.hash("old"), HASHER.hash("new")
    desk = Desk()
    desk.directory.change("acme1", secrets=(new, old), expiring=((old, desk.clock.time() + 60),))
    assert [await desk.ask(password=secret) for secret in (b"old", b"new", b"old")] == ["acme1"] * 3
    desk.clock.pass_(60)
    assert await desk.ask(password=b"old") == (const.ESME_RBINDFAIL, "wrong_password")
    assert await desk.ask(password=b"new") == "acme1"


async def test_when_and_from_where_a_secret_was_used_is_noted():
    """The hash that let somebody in, the time, the address; a wrong password leaves nothing."""
    known = account()
    desk = Desk(known)
    await desk.ask(password=b"wrong")
    assert desk.authenticator.used == {}
    await desk.ask(remote="192.0.2.7")
    assert desk.authenticator.used == {known.secrets[0]: (desk.clock.time(), "192.0.2.7")}


async def test_a_burst_of_failures_is_noted_once():
    """Twenty failures in a row of an account are one burst, more are the same one; a stranger's are nobody's."""
    desk = Desk(burst=20)
    for _ in range(30):
        await desk.ask(password=b"wrong", remote="192.0.2.9")
        await desk.ask(b"nobody")
    (burst,) = desk.authenticator.bursts
    assert (burst.account.system_id, burst.failures, burst.address) == ("acme1", 20, "192.0.2.9")
    desk.clock.pass_(61)
    for _ in range(20):
        await desk.ask(password=b"wrong")
    assert len(desk.authenticator.bursts) == 2


async def test_an_account_may_insist_on_tls_and_on_a_certificate():
    """Over a clear connection, or with another certificate or none, the right password reads as a wrong one does."""
    shown = Certificate("ab" * 32, frozenset({"CN=acme"}))
    desk = Desk(account("safe", tls_only=True), account("bound", certificates=("CN=acme",)))

    async def ask(name: bytes, **options: Any) -> Any:
        found = await desk.authenticator.authenticate(asked(name), "192.0.2.1", **options)
        return (found.status, found.reason) if isinstance(found, Rejected) else found.system_id

    assert await ask(b"safe") == (const.ESME_RBINDFAIL, "tls_required")
    assert await ask(b"safe", tls=True) == "safe"
    assert await ask(b"bound", tls=True) == (const.ESME_RBINDFAIL, "certificate_not_allowed")
    assert await ask(b"bound", tls=True, certificate=Certificate("", frozenset({"CN=other"}))) == (
        const.ESME_RBINDFAIL,
        "certificate_not_allowed",
    )
    assert await ask(b"bound", tls=True, certificate=shown) == "bound"


async def test_where_a_bind_came_from_is_noted_in_one_form():
    """An IPv4 address within IPv6 is that address; what is no address is none; a wrong password notes nothing."""
    desk = Desk()
    await desk.ask(password=b"wrong", remote="192.0.2.9")
    assert desk.authenticator.came == {}
    await desk.ask(remote="::ffff:192.0.2.9")
    assert [address for _, address in desk.authenticator.came] == ["192.0.2.9"]
    assert (source_of("fe80::1%eth0"), source_of("somewhere")) == ("fe80::1", "")
