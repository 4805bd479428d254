"""Listener: the addresses that tenants connect to, and everything that holds before and around a bind.

A connection costs no task and no timer; one task exists while a bind is being verified, and none once it is bound. `tick`
drives all sessions, a tenth of them at each call: each is looked at once a second and no turn of the loop is long.

Limits before the bind: `max_unbound` connections, over which the oldest is closed; `max_per_address` (off);
`session_init_s` by the session itself; `max_failed_binds`, after which the connection is closed a moment later (a refusal
with the close at its heels is lost in some clients). A TLS hello on a clear port is a broken frame,
answered and closed by the session.

Promises: what one connection does ends that connection at most; a bind that could not be decided is answered ESME_RSYSERR;
a bind of an account that was claimed is released exactly once. Draining: no new connection, no new bind, no new submit;
what is undecided is answered; then everybody is unbound; then closed, at the deadline at the latest.
Must never: know what a message is; log a password, or a system_id unescaped.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import structlog

from smsgw.config.addresses import listening_for
from smsgw.model import Account, Rejected, Standing
from smsgw.smpp import const
from smsgw.smpp.bodies import Bind, bind_resp_body, read_bind
from smsgw.smpp.pdu import BadPdu, Pdu
from smsgw.smpp.session import Role, Session, SessionSettings, SessionState
from smsgw.telemetry import Meters
from smsgw.tenants.bind import Authenticator, address_allowed, escaped, source_of, version_of
from smsgw.tenants.certificates import certificate_of
from smsgw.tenants.registry import Registry
from smsgw.tenants.session import KINDS, Journeys, TenantSession
from smsgw.tenants.turns import TenantWire, Turnstile
from smsgw.wire import TimeSource, WireLimits, listen, where_raised

SPOKES: Final = 10
"""A session is ticked at every tenth tick."""
POLL_S: Final = 0.01
EMPTY_BODY: Final = b"\0"
"""The body of a refused bind: an empty system_id, for those clients that choke on a response without one."""

BINDING: Final = Rejected(const.ESME_RALYBND, "already_binding")
DRAINING: Final = Rejected(const.ESME_RSYSERR, "draining")
TOO_MANY_FAILED: Final = Rejected(const.ESME_RBINDFAIL, "too_many_failed_binds")
LIMIT: Final = Rejected(const.ESME_RALYBND, "max_binds")
FAILED: Final = Rejected(const.ESME_RSYSERR, "internal_error")
GONE: Final = Rejected(const.ESME_RBINDFAIL, "account_gone")
CLOSED: Final = Rejected(const.ESME_RBINDFAIL, "account_closed")

ClaimBind = Callable[[int, str, int, int, str], Awaitable[bool]]
"""claim(account id, "tx" | "rx" | "trx", limit, limit of this kind, address): take one of the account's binds over all nodes."""
ReleaseBind = Callable[[int, str], None]
"""release(account id, kind): give it back; returns at once."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Addresses as "host:port" or "[v6]:port". 0 switches a limit off. `allow_from`: networks that may connect, none given: all."""

    listen: tuple[str, ...] = ("127.0.0.1:2775",)
    tls_listen: tuple[str, ...] = ()
    system_id: str = "smsgw"
    max_version: int = const.V50
    max_unbound: int = 4_096
    max_per_address: int = 0
    max_failed_binds: int = 3
    linger_s: float = 1.0
    allow_from: tuple[str, ...] = ()
    session: SessionSettings = field(default_factory=SessionSettings)
    limits: WireLimits = field(default_factory=WireLimits)


class Listener:
    """Serves the addresses between `async with listener:` and its end; everything it needs is given to it."""

    def __init__(
        self,
        settings: ListenerSettings,
        journeys: Journeys,
        registry: Registry,
        authenticator: Authenticator,
        meters: Meters,
        *,
        clock: TimeSource,
        ssl: tls.SSLContext | None = None,
        claim_bind: ClaimBind | None = None,
        release_bind: ReleaseBind | None = None,
    ) -> None:
        """`ssl` serves `tls_listen`; without `claim_bind` an account's binds are counted in this process alone."""
        self.settings = settings
        self.journeys = journeys
        self.draining = False
        self.turnstile = Turnstile()
        self._registry = registry
        self._authenticator = authenticator
        self._meters = meters
        self._clock = clock
        self._ssl = ssl
        self._claim_bind = claim_bind
        self._release_bind = release_bind
        self._group = asyncio.TaskGroup()
        self._servers: list[asyncio.Server] = []
        self._wheel: tuple[set[TenantSession], ...] = tuple(set() for _ in range(SPOKES))
        self._turn = 0
        self._numbers = 0
        self._unbound: dict[TenantSession, None] = {}
        self._leaving: set[TenantSession] = set()
        self._lingering: deque[tuple[float, TenantSession]] = deque()
        self._by_address: Counter[str] = Counter()
        self._log = structlog.get_logger().bind()
        meters.gauge("smsgw_binds", "Bound sessions of tenants.", self._binds, ("account", "mode"))
        meters.gauge("smsgw_unbound_connections", "Connections of tenants that have not bound.", lambda: len(self._unbound))

    # ---- a life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open all addresses. Raises OSError, naming the address, when one cannot be."""
        await self._group.__aenter__()
        try:
            for address in self.settings.listen:
                await self.open(address)
            for address in self.settings.tls_listen:
                await self.open(address, ssl=self._ssl)
        except BaseException:
            self.stop_accepting()
            await self._group.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close everything that `drain` has left."""
        self.draining = True
        self.stop_accepting()
        for session in self._all():
            if session.bind_task is not None:
                session.bind_task.cancel()
            session.wire.abort("stopped")
        if kind is asyncio.CancelledError:  # perhaps by the group itself, which then says why
            await self._group.__aexit__(kind, error, trace)
        else:
            await self._group.__aexit__(None, None, None)

    async def open(self, address: str = "", *, ssl: tls.SSLContext | None = None, sock: socket.socket | None = None) -> int:
        """Listen on one more address, or on a socket that is bound already; returns its port."""
        host, port = split_address(address) if sock is None else ("", 0)
        with listening_for("smpp.tls_listen" if ssl is not None else "smpp.listen", host, port):
            server = await listen(self._wire, host or None, port, ssl=ssl, sock=sock)
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        self._log.info("listening", address=name[0], port=name[1], tls=ssl is not None)
        opened: int = name[1]
        return opened

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order of opening."""
        return [server.sockets[0].getsockname()[1] for server in self._servers if server.sockets]

    def stop_accepting(self) -> None:
        """Accept no more connections; those that are there stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def drain(self, deadline_s: float) -> None:
        """End well: nothing new, all that is undecided answered, everybody unbound; at the deadline whatever is left is cut.

        `tick` must go on meanwhile, and so must the unit of work.
        """
        self.draining = True
        self.stop_accepting()
        deadline = self._clock.now() + deadline_s
        for session in list(self._unbound):
            if session.bind_task is None:
                session.wire.close("draining")
        for session in self._registry.sessions():
            session.close_door()
        await self._until(lambda: not self._registry.undecided, deadline)
        for session in self._registry.sessions():
            session.unbind("shutdown", max(deadline - self._clock.now(), 0.0) / 2)
        await self._until(lambda: not any(self._wheel), deadline)
        left = list(self._all())
        for session in left:
            session.wire.abort("drain_deadline")
        self._log.info("sessions_drained", cut=len(left))

    async def _until(self, done: Callable[[], bool], deadline: float) -> None:
        # Once in a life: looking often is simpler than having the hot path tell when a count has come to nought.
        while not done() and self._clock.now() < deadline:
            for session in list(self._leaving):
                session.settle(self._clock.now())
            await asyncio.sleep(POLL_S)

    def tick(self, now: float) -> None:
        """Let time pass, ten times a second: timers of a tenth of all sessions, and those on their way out."""
        self._turn = (self._turn + 1) % SPOKES
        for session in tuple(self._wheel[self._turn]):
            session.wire.tick(now)
        for session in tuple(self._leaving):
            session.settle(now)
        while self._lingering and self._lingering[0][0] <= now:
            session = self._lingering.popleft()[1]
            if not session.bound:
                session.wire.close("too_many_failed_binds")

    # ---- connections ----------------------------------------------------------------------------------------------

    def _wire(self) -> TenantWire:
        """Make the wire of a connection that was accepted."""
        self._numbers += 1
        session = Session(Role.MC, self.settings.session, self._clock.now())
        wire = TenantWire(session, self._clock, self.settings.limits, self.turnstile)
        wire.peer = TenantSession(wire, self, self._numbers)
        return wire

    def connected(self, session: TenantSession) -> None:
        """A connection is up: count it in, or close it."""
        settings = self.settings
        session.address = address = session.wire.remote[0]
        self._wheel[session.number % SPOKES].add(session)
        self._by_address[address] += 1
        self._meters.process.connections += 1
        self._unbound[session] = None
        if self.draining:  # it was accepted in the last moment: nobody else would end it
            session.wire.close("draining")
        elif not address_allowed(settings.allow_from, address):
            session.wire.abort("address_not_allowed")
        elif 0 < settings.max_per_address < self._by_address[address]:
            session.wire.abort("max_per_address")
        elif 0 < settings.max_unbound < len(self._unbound):
            oldest = next(iter(self._unbound))
            del self._unbound[oldest]
            oldest.wire.abort("max_unbound")

    def leaving(self, session: TenantSession) -> None:
        """A bound session is being unbound by us."""
        self._registry.stop_receiving(session)
        self._leaving.add(session)

    def lost(self, session: TenantSession, reason: str) -> None:
        """A connection is gone: forget it, and give back what it held."""
        self._wheel[session.number % SPOKES].discard(session)
        self._unbound.pop(session, None)
        self._leaving.discard(session)
        self._by_address[session.address] -= 1
        if self._by_address[session.address] <= 0:
            del self._by_address[session.address]
        if session.bind_task is not None:
            session.bind_task.cancel()
        reason = session.leaving or reason
        self._meters.process.session_closes[reason] += 1
        account = session.account
        if account is None:
            return
        self._registry.remove(session)
        self._release(account, session.bound_kind)
        self._log.info(
            "unbound",
            system_id=account.system_id,
            session=session.number,
            kind=session.bound_kind,
            address=session.address,
            reason=reason,
            seconds=round(self._clock.time() - session.bound_at),
            undecided=session.undecided,
        )

    def _all(self) -> Iterator[TenantSession]:
        for spoke in self._wheel:
            yield from tuple(spoke)

    def _binds(self) -> dict[tuple[str, ...], float]:
        counts: Counter[tuple[str, ...]] = Counter(
            (session.meter.name, session.bound_kind) for session in self._registry.sessions()
        )
        return {**counts}

    # ---- binding --------------------------------------------------------------------------------------------------

    def bind(self, session: TenantSession, pdu: Pdu) -> None:
        """The peer wants to bind: refuse what needs no thought, have the rest verified."""
        if session.bind_task is not None:
            self._refuse(session, pdu, BINDING)
        elif self.draining:
            self._refuse(session, pdu, DRAINING)
        elif session.failed_binds >= self.settings.max_failed_binds > 0:
            self._refuse(session, pdu, TOO_MANY_FAILED)
        else:
            try:
                bind = read_bind(pdu.octets)
            except BadPdu as bad:
                self._refuse(session, pdu, Rejected(bad.status, bad.reason))
                return
            session.bind_task = self._group.create_task(self._verify(session, pdu, bind))

    async def _verify(self, session: TenantSession, pdu: Pdu, bind: Bind) -> None:
        """Find out who binds, and answer. Cancelled when the connection is lost meanwhile."""
        try:
            found = await self._authenticator.authenticate(
                bind, session.address, tls=session.wire.tls, certificate=certificate_of(session.wire)
            )
            # From here on nobody may cancel: what is claimed must be released.
            session.bind_task = None
            if isinstance(found, Account):
                found = await self._admit(session, pdu, bind, found)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the wall around one connection
            self._log.error("bind_failed", error=type(error).__name__, where=where_raised(error))
            found = FAILED
        session.bind_task = None
        if isinstance(found, Rejected) and session.wire.open:
            self._refuse(session, pdu, found, bind)

    async def _admit(self, session: TenantSession, pdu: Pdu, bind: Bind, account: Account) -> Account | Rejected:
        """Take one of the account's binds and let the session in; refuse when there is none left."""
        if _closed(account):
            return CLOSED
        kind = KINDS[pdu.command]
        limits = account.max_binds, {"tx": account.max_tx, "rx": account.max_rx, "trx": account.max_trx}[kind]
        if not self._registry.claim(account.id, limits[0], kind, limits[1]):
            return LIMIT
        entered = False
        claimed = self._claim_bind is None
        try:
            if self._claim_bind is not None:
                claimed = await self._claim_bind(account.id, kind, *limits, source_of(session.address))
                if not claimed:
                    return LIMIT
            # The Directory, the peer and we ourselves may have changed our minds meanwhile.
            current = self._authenticator.account_of(account.system_id)
            if current is None or current.id != account.id:
                return GONE
            if _closed(current):
                return CLOSED
            if self.draining:
                return DRAINING
            if not session.wire.open or session.wire.session.state is not SessionState.OPEN:
                return Rejected(const.ESME_RBINDFAIL, "left_while_binding")
            self._enter(session, pdu, bind, current)
            entered = True
        finally:
            if not entered:
                self._registry.release(account.id, kind)
                if claimed and self._release_bind is not None:
                    self._release_bind(account.id, kind)
        return current

    def _enter(self, session: TenantSession, pdu: Pdu, bind: Bind, account: Account) -> None:
        version = version_of(bind.interface_version, self.settings.max_version)
        body = bind_resp_body(self.settings.system_id.encode("ascii"), version if version >= const.V34 else None)
        session.enter(account, pdu, version, self._meters.account(account.system_id), body)
        self._unbound.pop(session, None)
        self._registry.add(session)
        self._log.info(
            "bound",
            system_id=account.system_id,
            session=session.number,
            kind=session.bound_kind,
            version=f"{version >> 4}.{version & 15}",
            address=session.address,
            tls=session.wire.tls,
            binds=len(self._registry.of(account.id)),
        )

    def _release(self, account: Account, kind: str) -> None:
        self._registry.release(account.id, kind)
        if self._release_bind is not None:
            self._release_bind(account.id, kind)

    def _refuse(self, session: TenantSession, pdu: Pdu, rejected: Rejected, bind: Bind | None = None) -> None:
        """Answer a bind with a status; the connection stays open for a moment, or for another try."""
        session.failed_binds += 1
        self._meters.process.binds_refused[rejected.reason] += 1
        session.wire.respond(pdu, rejected.status, EMPTY_BODY)
        most = self.settings.max_failed_binds
        if session.failed_binds <= most or not most:
            self._log.warning(
                "bind_refused",
                system_id=escaped(bind.system_id) if bind is not None else "",
                address=session.address,
                reason=rejected.reason,
                status=const.status_name(rejected.status),
            )
        if session.failed_binds == most:
            self._lingering.append((self._clock.now() + self.settings.linger_s, session))


def _closed(account: Account) -> bool:
    """Whether an account, or its contract, has ended: it may not come in, however right its password is."""
    return account.restriction is not None and account.restriction.standing is Standing.CLOSED


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[v6]:port". Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 0xFFFF:
        msg = f"{address!r} is not host:port"
        raise ValueError(msg)
    return host.strip("[]"), int(port)


def server_context(certificate: str, key: str, *, client_ca: str = "") -> tls.SSLContext:
    """Return the context of a TLS listener from PEM files; `client_ca`: clients must show one.

    Raises OSError, ssl.SSLError.
    """
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = tls.CERT_REQUIRED
    return context
