"""Who are you? A bind's system_id, password and address → the Account, or the refusal (SMPP 3.4 §4.1, 5.0 §4.7.6).

Secrets are argon2id hashes, verified by two threads, so that a storm of binds costs the loop nothing; a password that was right
is remembered under an HMAC with a key of this process for as long as its hash is among the account's secrets. Several
verifications of the same pair share one run, and no address has more than two running: others get their turn.

Promises: unknown system_id, wrong password, and an address, a connection or a certificate that is not allowed get one and the
same answer, no sooner than the others (unless `bind_status_34` asks for the older statuses); failures delay only answers to wrong
credentials, by at most 1 s: a right password is never refused or delayed for the failures of others; a secret whose time is over
is a wrong one, remembered or not. Every table here is bounded.
Must never: log, keep or show a password; touch a socket; count binds.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import os
import secrets
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, verify_secret

from smsgw.model import Account, Rejected
from smsgw.smpp import const
from smsgw.smpp.bodies import Bind
from smsgw.tenants.certificates import Certificate, certificate_allowed
from smsgw.wire import TimeSource

THREADS: Final = 2
LANE_WIDTH: Final = 2
NICE: Final = 10
CACHE_CAP: Final = 10_000
FAILURES_CAP: Final = 4_096
FORGIVEN_AFTER_S: Final = 60.0
FIRST_DELAY_S: Final = 0.1
MAX_DELAY_S: Final = 1.0

MALFORMED_SYSTEM_ID: Final = Rejected(const.ESME_RINVSYSID, "malformed_system_id")
UNKNOWN_SYSTEM_ID: Final = "unknown_system_id"
WRONG_PASSWORD: Final = "wrong_password"  # noqa: S105 - the reason of a refusal
ADDRESS: Final = "address_not_allowed"
TLS: Final = "tls_required"
CERTIFICATE: Final = "certificate_not_allowed"
BURSTS_CAP: Final = 1_000


def version_of(interface_version: int, ours: int = const.V50) -> int:
    """Return the effective version of a session: what both know, the highest known below what is reserved."""
    asked = min(interface_version, ours)
    if asked >= const.V50:
        return const.V50
    return const.V34 if asked >= const.V34 else const.V33


def escaped(octets: bytes) -> str:
    """Return octets fit for a log: printable ASCII as it is, all else escaped."""
    return repr(octets)[2:-1]


class Failures:
    """How often something has failed lately; at most `cap` names, the one that failed longest ago goes first."""

    __slots__ = ("_cap", "_counts")

    def __init__(self, cap: int = FAILURES_CAP) -> None:
        """Start with a clean sheet."""
        self._cap = cap
        self._counts: dict[object, tuple[int, float]] = {}

    def __len__(self) -> int:
        """Return how many names have failed."""
        return len(self._counts)

    def add(self, name: object, now: float) -> int:
        """Note a failure; returns how many in a row there were without a minute's quiet."""
        count, last = self._counts.pop(name, (0, now))
        count = count + 1 if now - last < FORGIVEN_AFTER_S else 1
        self._counts[name] = (count, now)
        if len(self._counts) > self._cap:
            del self._counts[next(iter(self._counts))]
        return count


@dataclass(frozen=True, slots=True)
class Burst:
    """So many failed binds of an account in a row; `address`: where the last one came from."""

    account: Account
    failures: int
    address: str


@dataclass(slots=True)
class _Lane:
    """The turns of one address."""

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LANE_WIDTH))
    users: int = 0


class Authenticator:
    """Answers for who binds. `account_of(system_id)` reads the current Directory.

    `bind_status_34`: answer an unknown system_id with ESME_RINVSYSID and a wrong password with ESME_RINVPASWD, as 3.4-era
    centres do; an account's own switch does the same for its wrong passwords. `used`: hash of a secret → when and from where it was
    last used; `came`: (account id, address) → when it was last bound from there; `bursts`: accounts with `burst` failures in a
    row (0: none is noted). Whoever takes something out of these has it.
    """

    def __init__(
        self,
        account_of: Callable[[str], Account | None],
        clock: TimeSource,
        *,
        bind_status_34: bool = False,
        burst: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make the two threads (they start when they are needed); `sleep` is replaced by tests."""
        self.account_of = account_of
        self._clock = clock
        self._status_34 = bind_status_34
        self._burst = burst
        self.used: dict[str, tuple[float, str]] = {}
        self.came: dict[tuple[int, str], float] = {}
        self.bursts: list[Burst] = []
        self._sleep = sleep
        self._key = secrets.token_bytes(32)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2", initializer=_step_back)
        self._known: dict[bytes, str] = {}
        self._running: dict[bytes, asyncio.Future[str | None]] = {}
        self._lanes: dict[str, _Lane] = {}
        self._by_address = Failures()
        self._by_system_id = Failures()

    def close(self) -> None:
        """Stop the threads; what they have begun is finished."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def authenticate(
        self, bind: Bind, remote: str, *, tls: bool = False, certificate: Certificate | None = None
    ) -> Account | Rejected:
        """Return the account that may bind with these credentials from this address over this connection, else the refusal."""
        started = self._clock.now()
        name = bind.system_id
        if not name or not all(0x20 <= octet < 0x7F for octet in name):
            return MALFORMED_SYSTEM_ID
        system_id = name.decode("ascii")
        account = self.account_of(system_id)
        if account is None:
            reason = UNKNOWN_SYSTEM_ID
        elif not address_allowed(account.allow_from, remote):
            reason = ADDRESS
        elif account.tls_only and not tls:
            reason = TLS
        elif not certificate_allowed(account.certificates, certificate):
            reason = CERTIFICATE
        else:
            secret = await self._secret(account, bind.password, remote)
            if secret is not None:
                if secret in self.used or len(self.used) < CACHE_CAP:
                    self.used[secret] = (self._clock.time(), remote)
                if len(self.came) < CACHE_CAP:
                    self.came[account.id, source_of(remote)] = self._clock.time()
                return account
            reason = WRONG_PASSWORD
        now = self._clock.now()
        of_system_id = self._by_system_id.add(system_id, now)
        if account is not None and of_system_id == self._burst and len(self.bursts) < BURSTS_CAP:
            self.bursts.append(Burst(account, of_system_id, remote))
        count = max(self._by_address.add(remote, now), of_system_id)
        delay = min(FIRST_DELAY_S * 2 ** min(count - 1, 10), MAX_DELAY_S)
        await self._sleep(max(started + delay - now, 0.0))
        return Rejected(self._status(account, reason), reason)

    def _status(self, account: Account | None, reason: str) -> int:
        if not self._status_34 and not (account is not None and account.bind_status_34):
            return const.ESME_RBINDFAIL
        return const.ESME_RINVPASWD if reason == WRONG_PASSWORD else const.ESME_RINVSYSID

    async def _secret(self, account: Account, password: bytes, remote: str) -> str | None:
        """Return the hash of the account's secret that a password is; None: it is none of them, or its time is over."""
        if not password:
            return "" if "" in account.secrets else None  # only where ops provisioned an empty one
        key = hmac.digest(self._key, account.system_id.encode() + b"\0" + password, "sha256")
        if (known := self._remembered(key, account)) is not None:
            return known
        lane = self._lanes.setdefault(remote, _Lane())
        lane.users += 1
        try:
            async with lane.turn:
                # Another session with the same password may have been first, and secrets may have changed while we waited.
                account = self.account_of(account.system_id) or account
                if (known := self._remembered(key, account)) is not None:
                    return known
                found = await asyncio.shield(self._verification(key, account, password))
        finally:
            lane.users -= 1
            if not lane.users:
                self._lanes.pop(remote, None)
        return found if found is not None and self._holds(account, found) else None

    def _remembered(self, key: bytes, account: Account) -> str | None:
        found = self._known.get(key)
        if found is None or self._holds(account, found):
            return found
        del self._known[key]
        return None

    def _holds(self, account: Account, secret: str) -> bool:
        """Whether a secret is one of the account's and its time is not over."""
        return secret in account.secrets and all(known != secret or self._clock.time() < until for known, until in account.expiring)

    def _verification(self, key: bytes, account: Account, password: bytes) -> asyncio.Future[str | None]:
        """Return the run that verifies this pair, which is the one under way if there is one."""
        running = self._running.get(key)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._pool, matching_secret, account.secrets, password)
            self._running[key] = running
            running.add_done_callback(lambda done: self._verified(key, done))
        return running

    def _verified(self, key: bytes, done: asyncio.Future[str | None]) -> None:
        self._running.pop(key, None)
        found = None if done.cancelled() or done.exception() is not None else done.result()
        if found is not None:
            self._known[key] = found
            if len(self._known) > CACHE_CAP:
                del self._known[next(iter(self._known))]


def _step_back() -> None:
    """Have the loop's thread go first where a thread can be nice: a storm of binds then costs the traffic little."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def matching_secret(hashes: tuple[str, ...], password: bytes) -> str | None:
    """Return the argon2id hash that this password belongs to. Takes milliseconds and 8 MiB for each: not for the loop."""
    for known in hashes:
        try:
            if known and verify_secret(known.encode(), password, Type.ID):
                return known
        except (VerificationError, InvalidHashError):
            continue
    return None


def address_allowed(allowed: tuple[str, ...], remote: str) -> bool:
    """Tell whether an address is in one of these networks ("192.0.2.0/24", "2001:db8::1"); none given: any is."""
    if not allowed:
        return True
    address = _address(remote)
    return address is not None and any(address in ipaddress.ip_network(network, strict=False) for network in allowed)


def source_of(remote: str) -> str:
    """Return where a connection comes from in the one form that is compared and kept: no zone, no IPv4 within IPv6."""
    return str(_address(remote) or "")


def _address(remote: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(remote.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
