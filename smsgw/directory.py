"""The Directory: everything that ops have provisioned, as one immutable snapshot that the data path reads.

A new version is built beside the old one and takes its place as a whole; parts that did not change are the same objects, so one
account's change costs little and sessions see at a glance whether theirs changed.

Never here: SQL (the store reads the rows), the process's own settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import TypeVar

from smsgw.billing.tariff import Tariff
from smsgw.model import Account, Carrier, Link, Provisioned, Tenant
from smsgw.routing.table import RoutingTable
from smsgw.store import provisioning
from smsgw.store.database import Connection
from smsgw.store.provisioning import Unseal

_Identified = TypeVar("_Identified", Tenant, Account, Carrier, Link)


def _shared(new: Iterable[_Identified], old: dict[int, _Identified]) -> dict[int, _Identified]:
    """Index by id, keeping the old object wherever nothing changed."""
    return {item.id: item if old.get(item.id) != item else old[item.id] for item in new}


class Directory:
    """The snapshot."""

    __slots__ = (
        "_accounts",
        "_by_system_id",
        "_carriers",
        "_link_names",
        "_links",
        "_numbers",
        "_tenants",
        "routes",
        "tariff",
        "version",
    )

    def __init__(self, rows: Provisioned, previous: Directory | None = None) -> None:
        """Build from rows; `previous` lends what did not change."""
        self.version = rows.version
        self._tenants: dict[int, Tenant] = _shared(rows.tenants, previous._tenants if previous is not None else {})
        self._accounts: dict[int, Account] = _shared(rows.accounts, previous._accounts if previous is not None else {})
        self._carriers: dict[int, Carrier] = _shared(rows.carriers, previous._carriers if previous is not None else {})
        self._links: dict[int, Link] = _shared(rows.links, previous._links if previous is not None else {})
        self._by_system_id = {account.system_id: account for account in self._accounts.values()}
        self._link_names = {link.name: link for link in self._links.values()}
        self._numbers = {number.number: number.account for number in rows.numbers}
        ids = {link.name: link.id for link in self._links.values()}
        tenants = {tenant.name: tenant.id for tenant in self._tenants.values()}
        self.routes = RoutingTable(rows.routes, ids)
        self.tariff = Tariff(rows.prices, tenants)

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

    def owner_of(self, number: str) -> Account | None:
        """Return the account that owns the longest service number which this one starts with."""
        digits = number.lstrip("+")
        for length in range(len(digits), 0, -1):
            system_id = self._numbers.get(digits[:length])
            if system_id is not None:
                return self._by_system_id.get(system_id)
        return None


async def load_directory(connection: Connection, unseal: Unseal, previous: Directory | None = None) -> Directory:
    """Read the present version; `unseal` opens links' passwords."""
    return Directory(await provisioning.read(connection, unseal), previous)


async def follow_directory(dsn: str, unseal: Unseal, first: Directory, *, poll_s: float = 5.0) -> AsyncIterator[Directory]:
    """Yield each new version within a second: woken by NOTIFY, with a poll behind it; a lost connection is made again."""
    present = first
    while True:
        try:
            async with provisioning.listening(dsn) as (connection, changed):
                while True:
                    changed.clear()
                    if await provisioning.version(connection) != present.version:
                        present = await load_directory(connection, unseal, present)
                        yield present
                    with suppress(TimeoutError):
                        async with asyncio.timeout(poll_s):
                            await changed.wait()
        except provisioning.LOST:
            await asyncio.sleep(1.0)
