"""What people do to a tenant's balance: top up, adjust, settle, refund a message, change the credit limit.

Each is one transaction with its audit row and its reason; a dry run does all of it and takes it back. A running gateway sees it at
the next message: balances are read under their lock in the store and are cached nowhere.

Must never: book twice under one reference; book anything without actor and reason.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from smsgw.admin.reasons import LONGEST_REASON
from smsgw.billing.tariff import format_money
from smsgw.store import books, provisioning
from smsgw.store.books import By, NoSuchTenant, ReferenceTaken, Refunded, Refused
from smsgw.store.database import Connection

__all__ = ["Booking", "NoSuchTenant", "ReferenceTaken", "Refused", "adjust", "refund", "set_credit_limit", "settle", "top_up"]

DAY_S: Final = 86_400
LONGEST_REFERENCE: Final = 100


@dataclass(frozen=True, slots=True)
class Booking:
    """What was booked (Money). `number`: of the ledger's row, 0 for a dry run."""

    tenant: str
    currency: str
    kind: str
    amount: int
    before: int
    after: int
    number: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who does it and why; `reference`: what his own system calls it; `dry_run`: only look what it would be."""

    actor: str
    reason: str
    reference: str = ""
    dry_run: bool = False

    @property
    def by(self) -> By:
        """Who and why, for a row."""
        return By(self.actor, self.reason)

    def check(self) -> None:
        """Raise Refused for what says nothing, or more than the books hold."""
        if not self.actor.strip() or not self.reason.strip():
            raise Refused("a booking needs a reason: --reason TEXT")
        if len(self.reason) > LONGEST_REASON or len(self.reference) > LONGEST_REFERENCE:
            raise Refused(f"a reason has at most {LONGEST_REASON} characters, a reference {LONGEST_REFERENCE}")
        if any(not letter.isprintable() for letter in self.reason + self.reference + self.actor):
            raise Refused("reason, reference and actor are one line of printable text")


class _TakenBack(Exception):
    """A dry run ends here."""


@asynccontextmanager
async def one_transaction(connection: Connection, by: Signature) -> AsyncIterator[None]:
    """One transaction that waits for no lock for long; a dry run's is rolled back. Raises Refused for a bad signature."""
    by.check()
    try:
        async with connection.transaction():
            await books.patience(connection)
            yield
            if by.dry_run:
                raise _TakenBack
    except _TakenBack:
        pass


def _today() -> int:
    return int(time.time() // DAY_S)


async def top_up(connection: Connection, tenant: str, amount: int, by: Signature) -> Booking:
    """Money has come in. Raises NoSuchTenant, ReferenceTaken, Refused."""
    if amount <= 0:
        raise Refused("a top-up is more than nothing: what takes away is an adjustment")
    return await _book(connection, tenant, "top_up", amount, by)


async def adjust(connection: Connection, tenant: str, amount: int, by: Signature) -> Booking:
    """Put something right, up or down. Raises NoSuchTenant, ReferenceTaken, Refused."""
    if not amount:
        raise Refused("an adjustment by nothing adjusts nothing")
    return await _book(connection, tenant, "adjustment", amount, by)


async def settle(connection: Connection, tenant: str, by: Signature) -> Booking:
    """Bring the balance of a contract that ends to nought: what is left was paid out, or what is owed was paid in."""
    return await _book(connection, tenant, "settlement", None, by)


async def _book(connection: Connection, tenant: str, kind: str, amount: int | None, by: Signature) -> Booking:
    """Book an amount, or what brings the balance to nought."""
    done: Booking | None = None
    async with one_transaction(connection, by):
        of = await books.hold(connection, tenant)
        _check_state(await books.state_of(connection, of.tenant_id), kind)
        moved = -of.amount if amount is None else amount
        if not moved:
            raise Refused(f"the balance of {tenant!r} is nought: there is nothing to settle")
        number = await books.book(connection, of, kind, moved, _today(), by.by, by.reference)
        after = of.amount + moved
        await provisioning.audit(
            connection,
            by.actor,
            ("balance", tenant),
            {"balance": format_money(of.amount)},
            {"balance": format_money(after), "kind": kind, "amount": format_money(moved), "reference": by.reference},
            by.reason,
        )
        done = Booking(tenant, of.currency, kind, moved, of.amount, after, 0 if by.dry_run else number, by.reference)
    assert done is not None
    return done


def _check_state(state: str, kind: str) -> None:
    """A contract that ends takes no more money but what settles it, and only one that ends is settled."""
    ending = state in {"closing", "closed"}
    if ending and kind == "top_up":
        raise Refused(f"the contract is {state}: it takes no top-up; `smsgw balance settle` books what is left")
    if not ending and kind == "settlement":
        raise Refused(f"the contract is {state}: only one that is closing or closed is settled; `adjust` puts a balance right")


async def set_credit_limit(connection: Connection, tenant: str, limit: int, by: Signature) -> Booking:
    """Change how far below nought a balance may go; 0: prepaid. Raises NoSuchTenant, Refused.

    It is provisioned too, so that the next `apply` of a file that says otherwise is a conflict and no surprise.
    """
    if limit < 0:
        raise Refused("a credit limit is not negative: it says how far below nought the balance may go")
    done: Booking | None = None
    async with one_transaction(connection, by):
        await provisioning.lock(connection)
        entity = (await provisioning.read_entities(connection)).get(("tenant", tenant))
        if entity is None:
            raise NoSuchTenant(tenant)
        await provisioning.audit(connection, by.actor, ("tenant", tenant), entity, {**entity, "credit_limit": limit}, by.reason)
        await books.provision_credit_limit(connection, tenant, limit)
        await provisioning.announce(connection)
        of = await books.hold(connection, tenant)
        await books.set_credit_limit(connection, of, limit)
        done = Booking(tenant, of.currency, "credit_limit", limit, of.credit_limit, limit, 0)
    assert done is not None
    return done


async def refund(connection: Connection, message: int, by: Signature) -> Refunded | None:
    """Give the price of one message back, by a person's decision; None when there is no such message. Raises Refused."""
    done: Refunded | None = None
    async with one_transaction(connection, by):
        now_ms = int(time.time() * 1000)
        done = await books.refund_message(connection, message, _today(), now_ms, by.by)
        if done is not None:
            new = {"refund": format_money(done.amount), "tenant": done.tenant}
            await provisioning.audit(connection, by.actor, ("refund", str(message)), {"refund": "0.00"}, new, by.reason)
    return done
