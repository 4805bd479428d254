"""A front door for tests: a real listener, registry and authenticator, with journeys that only take notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from argon2 import PasswordHasher

from smsgw.model import Account, Owed, Rejected, Tenant
from smsgw.smpp.pdu import Pdu
from smsgw.telemetry import Meters
from smsgw.tenants.bind import Authenticator
from smsgw.tenants.listener import Listener, ListenerSettings
from smsgw.tenants.registry import Registry
from smsgw.tenants.session import Journeys, TenantSession
from tests.script import ManualClock, Script

ACME = Tenant(id=1, name="acme", currency="CNY")
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the least there is: a tenth of a millisecond


def account(system_id: str = "acme1", password: str = "secret", **fields: Any) -> Account:
    """Return an account with a hashed password."""
    number = fields.pop("id", sum(system_id.encode()))
    return Account(id=number, system_id=system_id, tenant=ACME, secrets=(HASHER.hash(password),), **fields)


def owed(number: int = 1, body: bytes = b"", account_id: int = 0, command: int = 5) -> Owed:
    """Return a row that an account is owed."""
    return Owed(id=number, account=account_id, message=number, kind=0, body=body, command=command)


class Notes:
    """Journeys that note what they are given, and answer when the test says so."""

    def __init__(self) -> None:
        self.accepted: list[tuple[TenantSession, Pdu]] = []
        self.others: list[tuple[TenantSession, Pdu]] = []
        self.delivered: list[tuple[int, int | None]] = []
        self.refused: list[str] = []
        self.verdict: Rejected | None = None
        self.fails = False
        self.journeys = Journeys(self._accept, self._other, self._delivered, self._refused)

    def _accept(self, session: TenantSession, pdu: Pdu) -> Rejected | None:
        if self.fails:
            raise RuntimeError("content of a message")
        if self.verdict is None:
            self.accepted.append((session, pdu))
        return self.verdict

    def _other(self, session: TenantSession, pdu: Pdu) -> None:
        if self.fails:
            raise RuntimeError("content of a message")
        self.others.append((session, pdu))

    def _delivered(self, row: Owed, _session: TenantSession, status: int | None) -> None:
        self.delivered.append((row.id, status))

    def _refused(self, _session: TenantSession, _pdu: Pdu, rejected: Rejected) -> None:
        self.refused.append(rejected.reason)

    def answer(self, message_id: bytes = b"1", status: int = 0) -> None:
        """Answer the oldest submit that is undecided."""
        session, pdu = self.accepted.pop(0)
        session.answer_submit(pdu.command, pdu.sequence, status, message_id)


class Directory:
    """Accounts that a test changes."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {each.system_id: each for each in accounts}

    def account(self, system_id: str) -> Account | None:
        """Return an account by its system_id."""
        return self.accounts.get(system_id)

    def account_by_id(self, account_id: int) -> Account | None:
        """Return an account by its id."""
        return next((each for each in self.accounts.values() if each.id == account_id), None)

    def change(self, system_id: str, **fields: Any) -> None:
        """Provision an account anew."""
        self.accounts[system_id] = replace(self.accounts[system_id], **fields)


class Front:
    """Everything of the tenants' side, with accounts acme1 (password secret) and others that a test adds."""

    def __init__(self, *accounts: Account, settings: ListenerSettings, clock: Any = None, **listener: Any) -> None:
        self.clock = clock or ManualClock()
        self.directory = Directory(*(accounts or (account(),)))
        self.notes = Notes()
        self.registry = Registry()
        self.meters = Meters()
        self.delays: list[float] = []
        self.authenticator = Authenticator(
            self.directory.account, self.clock, bind_status_34=listener.pop("bind_status_34", False), sleep=self._sleep
        )
        self.listener = Listener(
            settings,
            self.notes.journeys,
            self.registry,
            self.authenticator,
            self.meters,
            clock=self.clock,
            **listener,
        )

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)

    def script(self, remote: str = "192.0.2.1") -> Script:
        """A connection comes up; play ladders on it."""
        return Script(self.listener._wire(), self.clock, remote=remote, tick=self.listener.tick)

    def session_of(self, script: Script) -> TenantSession:
        """Return the session behind a script's connection."""
        session = script.wire.peer
        assert isinstance(session, TenantSession)
        return session

    async def bound(self, kind: str = "transceiver", *, version: int = 0x34, system_id: str = "acme1") -> Script:
        """Return a script whose connection is bound already (sequence number 1 is used)."""
        script = self.script()
        await script.play(
            f">> bind_{kind} 1 system_id={system_id} password=secret interface_version={version}", f"<< bind_{kind}_resp 1"
        )
        return script


Make = Callable[..., Any]


@asynccontextmanager
async def front_door(*accounts: Account, clock: Any = None, listen: tuple[str, ...] = (), **options: Any) -> AsyncIterator[Front]:
    """Open a front door without addresses (unless `listen` names some); ListenerSettings and Listener options by name."""
    of_listener = {name: options.pop(name) for name in ("ssl", "claim_bind", "release_bind", "bind_status_34") if name in options}
    front = Front(*accounts, settings=ListenerSettings(listen=listen, **options), clock=clock, **of_listener)
    async with front.listener:
        yield front
    front.authenticator.close()
