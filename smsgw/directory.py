"""The Directory: everything that ops have provisioned, as one immutable snapshot that the data path reads.

A new version is built beside the old one and takes its place as a whole; parts that did not change are the same objects, so one
account's change costs little and sessions see at a glance whether theirs changed.

Never here: SQL (the store reads the rows), the process's own settings.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec
import structlog

from smsgw.billing.tariff import Tariff
from smsgw.model import Account, Carrier, Link, Policy, Provisioned, Tenant
from smsgw.policy.engines import never
from smsgw.policy.file import PolicyFault
from smsgw.policy.matcher import EngineFailed
from smsgw.policy.ruleset import RuleSet, compile_set, decode_bundle
from smsgw.policy.turns import Turns, short_turns
from smsgw.routing.table import RoutingTable
from smsgw.store import policies as policies_store
from smsgw.store import provisioning
from smsgw.store.database import Connection, heed_cancellation
from smsgw.store.provisioning import Unseal

_Identified = TypeVar("_Identified", Tenant, Account, Carrier, Link)


def _shared(new: Iterable[_Identified], old: Mapping[int, _Identified]) -> dict[int, _Identified]:
    """Index by id, keeping the old object wherever nothing changed."""
    return {item.id: item if old.get(item.id) != item else old[item.id] for item in new}


class Directory:
    """The snapshot. `version` rises with every change; `faults`: (link, why its password cannot be had).

    `policies`: rule sets by name, compiled; `policies_before`: the version that each took over from, so that going back to it
    takes no compiling; `policy_faults`: (policy, why what the store has of it cannot be had or compiled).
    """

    __slots__ = (
        "_accounts",
        "_by_system_id",
        "_carriers",
        "_link_names",
        "_links",
        "_number_lengths",
        "_numbers",
        "_tenants",
        "faults",
        "policies",
        "policies_before",
        "policy_faults",
        "routes",
        "tariff",
        "version",
    )

    def __init__(
        self,
        rows: Provisioned,
        previous: Directory | None = None,
        policies: Mapping[str, RuleSet] | None = None,
        policy_faults: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Build from rows; `previous` lends what did not change."""
        self.policies: Mapping[str, RuleSet] = policies or {}
        self.policies_before = _taken_over(previous, self.policies)
        self.policy_faults = policy_faults
        self.version = rows.version
        self.faults = rows.faults
        self._tenants: Mapping[int, Tenant] = _shared(rows.tenants, previous._tenants if previous else {})
        self._accounts: Mapping[int, Account] = _shared(rows.accounts, previous._accounts if previous else {})
        self._carriers: Mapping[int, Carrier] = _shared(rows.carriers, previous._carriers if previous else {})
        self._links: Mapping[int, Link] = _shared(rows.links, previous._links if previous else {})
        self._by_system_id = {account.system_id: account for account in self._accounts.values()}
        self._link_names = {link.name: link for link in self._links.values()}
        self._numbers = {number.number: number.account for number in rows.numbers}
        self._number_lengths = sorted({len(number) for number in self._numbers}, reverse=True)
        ids = {link.name: link.id for link in self._links.values()}
        tenants = {tenant.name: tenant.id for tenant in self._tenants.values()}
        self.routes: RoutingTable = _kept_routes(previous, rows, ids) or RoutingTable(rows.routes, ids)
        self.tariff: Tariff = _kept_tariff(previous, rows, tenants) or Tariff(rows.prices, tenants, rows.operators)

    def with_accounts(self, version: int, changed: Iterable[Account], gone: Iterable[str]) -> Directory:
        """Return the next version, in which only these accounts differ; everything else is shared."""
        new = object.__new__(Directory)
        for name in Directory.__slots__:
            setattr(new, name, getattr(self, name))
        accounts, by_system_id = dict(self._accounts), dict(self._by_system_id)
        for system_id in gone:
            account = by_system_id.pop(system_id, None)
            if account is not None:
                del accounts[account.id]
        for account in changed:
            before = by_system_id.get(account.system_id)
            if before is not None and before.id != account.id:  # deleted and made anew
                del accounts[before.id]
            if before != account:
                accounts[account.id] = by_system_id[account.system_id] = account
        new.version, new._accounts, new._by_system_id = version, accounts, by_system_id
        return new

    def account(self, system_id: str) -> Account | None:
        """Return the account that binds with a system_id."""
        return self._by_system_id.get(system_id)

    def account_by_id(self, account_id: int) -> Account | None:
        """Return an account by its id."""
        return self._accounts.get(account_id)

    def link(self, link_id: int) -> Link | None:
        """Return a link by its id."""
        return self._links.get(link_id)

    def link_by_name(self, name: str) -> Link | None:
        """Return a link by its name."""
        return self._link_names.get(name)

    def links(self) -> tuple[Link, ...]:
        """Return all links."""
        return tuple(self._links.values())

    def carriers(self) -> tuple[Carrier, ...]:
        """Return all carriers."""
        return tuple(self._carriers.values())

    def tenants(self) -> tuple[Tenant, ...]:
        """Return all tenants."""
        return tuple(self._tenants.values())

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts."""
        return tuple(self._accounts.values())

    def tenants_by_id(self) -> Mapping[int, Tenant]:
        """Return all tenants by their ids."""
        return self._tenants

    def links_of(self, links: Iterable[int], carriers: Collection[str]) -> tuple[int, ...]:
        """Return those links, in their order, that lead to one of these carriers."""
        return tuple(link for link in links if link in self._links and self._links[link].carrier.name in carriers)

    def owner_of(self, number: str) -> Account | None:
        """Return the account that owns the longest service number which this one starts with."""
        digits = number.removeprefix("+")
        for length in self._number_lengths:
            system_id = self._numbers.get(digits[:length])
            if system_id is not None:
                return self._by_system_id.get(system_id)
        return None


def _taken_over(previous: Directory | None, policies: Mapping[str, RuleSet]) -> Mapping[str, RuleSet]:
    """Return the rule set that was in force before each."""
    found: dict[str, RuleSet] = {}
    for name, policy in policies.items() if previous is not None else ():
        old = previous.policies.get(name)  # type: ignore[union-attr]
        before = previous.policies_before.get(name) if old is policy else old  # type: ignore[union-attr]
        if before is not None:
            found[name] = before
    return found


def _kept_routes(old: Directory | None, rows: Provisioned, link_ids: Mapping[str, int]) -> RoutingTable | None:
    """Return the table of the version before, if neither routes nor links' ids changed."""
    if old is None or old.routes.routes != rows.routes or link_ids != {link.name: link.id for link in old.links()}:
        return None
    return old.routes


def _kept_tariff(old: Directory | None, rows: Provisioned, tenant_ids: Mapping[str, int]) -> Tariff | None:
    """Return the tariff of the version before, if neither prices nor tenants' ids changed."""
    if old is None or (old.tariff.prices, old.tariff.operators) != (rows.prices, rows.operators):
        return None
    if tenant_ids != {tenant.name: tenant.id for tenant in old.tenants()}:
        return None
    return old.tariff


async def load_directory(
    connection: Connection, unseal: Unseal, previous: Directory | None = None, *, number_key: bytes = b""
) -> Directory:
    """Read the present version; `unseal` opens links' passwords, `number_key` is that of hashed numbers.

    What did not change since `previous` is shared.
    """
    if previous is not None:
        few = await provisioning.read_changed_accounts(connection, previous.version, previous.tenants_by_id())
        if few is not None:
            return previous.with_accounts(*few)
    rows = await provisioning.read(connection, unseal)
    if rows.faults and (previous is None or rows.faults != previous.faults):
        log = structlog.get_logger().bind()
        for link, why in rows.faults:
            log.error("link_not_dialled", link=link, why=why)
    policies, policy_faults = await load_policies(connection, rows.policies, number_key, previous)
    for policy, why in policy_faults:
        if previous is None or (policy, why) not in previous.policy_faults:
            structlog.get_logger().error("policy_not_loaded", policy=policy, why=why)
    return await asyncio.to_thread(Directory, rows, previous, policies, policy_faults)


async def load_policies(
    connection: Connection, wanted: Iterable[Policy], number_key: bytes, previous: Directory | None
) -> tuple[dict[str, RuleSet], tuple[tuple[str, str], ...]]:
    """Compile what is new among the rule sets, in a thread; one that cannot be compiled leaves the version before it in force."""
    before = previous.policies if previous is not None else {}
    made: dict[str, RuleSet] = {}
    faults = []
    for policy in wanted:
        old = before.get(policy.name)
        if old is not None and old.version == policy.version:
            made[policy.name] = old
            continue
        spare = previous.policies_before.get(policy.name) if previous is not None else None
        if spare is not None and spare.version == policy.version:
            made[policy.name] = spare
            continue
        try:
            content = await policies_store.content_of(connection, policy.version)
            with short_turns():
                made[policy.name] = await asyncio.to_thread(
                    _compiled, policy.name, content, number_key, old, starting=previous is None
                )
        except (PolicyFault, EngineFailed, msgspec.DecodeError, zlib.error) as error:
            faults.append((policy.name, f"{type(error).__name__}: {error}"))
            if old is not None:
                made[policy.name] = old
    return made, tuple(faults)


def _compiled(name: str, content: bytes, number_key: bytes, before: RuleSet | None, *, starting: bool) -> RuleSet:
    rest = never if starting else Turns().rest
    return compile_set(name, decode_bundle(content), number_key, before, rest)


async def follow_directory(
    dsn: str, unseal: Unseal, first: Directory, *, poll_s: float = 5.0, number_key: bytes = b""
) -> AsyncIterator[Directory]:
    """Yield each new version within a second: woken by NOTIFY, with a poll behind it; a lost connection is made again."""
    present = first
    while True:
        heed_cancellation()
        try:
            async with provisioning.listening(dsn) as (connection, changed):
                while True:
                    heed_cancellation()
                    changed.clear()
                    if await provisioning.version(connection) != present.version:
                        present = await load_directory(connection, unseal, present, number_key=number_key)
                        yield present
                    with suppress(TimeoutError):
                        async with asyncio.timeout(poll_s):
                            await changed.wait()
        except provisioning.LOST:
            await asyncio.sleep(1.0)
