"""Late fees: computed as proposals of closed cycles, booked or withdrawn by a person alone.

`keep_fees` is a job of the keeper, safe on every node at once: a proposal is one row a tenant and cycle, computed anew each day
while it is open. Posted, it is a row of the ledger of its own kind; posted or withdrawn, it is never computed again.

Must never: book anything by itself; book a cycle's fee twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from smsgw.admin.books import DAY_S, Booking, NoSuchTenant, Refused, Signature, one_transaction
from smsgw.billing.late_fee import Conditions, Debt, debts, late_fee
from smsgw.billing.tariff import format_money, parse_money
from smsgw.store import books, late_fees, notices, provisioning
from smsgw.store.database import Connection
from smsgw.store.late_fees import Ended, Payer, Proposal
from smsgw.store.standing import now as store_now

__all__ = ["NoSuchTenant", "Refused", "keep_fees", "post", "withdraw"]

KIND: Final = "late_fee"


async def keep_fees(connection: Connection, now: datetime | None = None, done: dict[int, date] | None = None) -> int:
    """Compute what is open, as of this day of each tenant's calendar; returns how many proposals were made or changed.

    `done`: tenants (by id) that were computed, and for which day: not again on the same one, for it reads all that came in.
    """
    moment = now or await store_now(connection)
    done = {} if done is None else done
    made = 0
    for of in await late_fees.payers(connection):
        today = moment.astimezone(ZoneInfo(of.timezone)).date()
        if done.get(of.tenant_id) != today:
            made += await _of_tenant(connection, of, today)
            done[of.tenant_id] = today
    return made


async def _of_tenant(connection: Connection, of: Payer, today: date) -> int:
    zone = ZoneInfo(of.timezone)
    conditions = Conditions(parse_money(of.fee_rate), of.fee_due_days, of.fee_grace_days, parse_money(of.fee_cap))
    cycles = await late_fees.ended(connection, of)
    made = 0
    for one, (owed, total) in list(zip(cycles, _debts(cycles), strict=True))[-late_fees.CYCLES :]:
        if one.state in {"posted", "withdrawn"} or one.as_of == today:
            continue
        fee = None
        if owed:
            ended = datetime.fromtimestamp(one.until_ms / 1000, zone).date()
            paid = await late_fees.came_in(connection, of, one.until_ms)
            fee = late_fee(Debt(owed, total, ended, tuple(paid)), conditions, today)
        if fee is not None:
            made += await late_fees.propose(connection, of.tenant_id, one.cycle, owed, fee.amount, fee.due, fee.days, today)
        elif one.state == "open":
            made += await late_fees.forget(connection, of.tenant_id, one.cycle)
    return made


def _debts(cycles: Sequence[Ended]) -> list[tuple[int, int]]:
    """Return (added, total) debt at the end of each cycle, without late fees that are booked and unpaid."""
    closings = []
    fees = 0
    for one in cycles:
        fees += one.fees
        closings.append(one.closing - fees)
        if one.closing >= 0:
            fees = 0
    return debts(closings, [one.came for one in cycles])


async def post(connection: Connection, tenant: str, cycle: str, by: Signature) -> Booking:
    """Book a proposed fee: a row of the ledger, an audit row, a notice. Raises NoSuchTenant, Refused."""
    done: Booking | None = None
    async with one_transaction(connection, by):
        proposal = await _held(connection, tenant, cycle)
        of = await books.hold(connection, tenant)
        if of.amount - proposal.amount < -of.credit_limit:
            raise Refused(
                f"the fee is {format_money(proposal.amount)}, the balance covers {format_money(max(0, of.available))}:"
                " post it when something was paid, or raise the limit first (smsgw balance credit)"
            )
        reference = f"late-fee {cycle}"
        number = await books.book(connection, of, KIND, -proposal.amount, int(time.time() // DAY_S), by.by, reference)
        await late_fees.decide(connection, proposal, "posted", number, by.by)
        said = {"cycle": cycle, "amount": format_money(proposal.amount), "currency": of.currency, "due": f"{proposal.due}"}
        said |= {"days": f"{proposal.days}", "owed": format_money(proposal.owed)}
        await notices.add(connection, of.tenant_id, KIND, {"name": tenant, **said}, coalesce_key=f"{KIND}:{of.tenant_id}:{cycle}")
        await _audit(connection, tenant, cycle, by, {"state": "posted", "number": f"{number}", **said})
        after = of.amount - proposal.amount
        done = Booking(tenant, of.currency, KIND, -proposal.amount, of.amount, after, 0 if by.dry_run else number, reference)
    assert done is not None
    return done


async def withdraw(connection: Connection, tenant: str, cycle: str, by: Signature) -> Proposal:
    """Decide that a proposed fee is not booked, now or later. Raises NoSuchTenant, Refused."""
    async with one_transaction(connection, by):
        proposal = await _held(connection, tenant, cycle)
        await late_fees.decide(connection, proposal, "withdrawn", None, by.by)
        await _audit(connection, tenant, cycle, by, {"state": "withdrawn", "amount": format_money(proposal.amount)})
    return proposal


async def _held(connection: Connection, tenant: str, cycle: str) -> Proposal:
    (of,) = await books.balances(connection, tenant)
    proposal = await late_fees.hold(connection, of.tenant_id, cycle)
    if proposal is None:
        raise Refused(f"there is no late fee of {tenant} for {cycle}: `smsgw fee list` shows what is proposed")
    if proposal.state != "open":
        raise Refused(f"the late fee of {tenant} for {cycle} was {proposal.state} by {proposal.actor}: that is final")
    return proposal


async def _audit(connection: Connection, tenant: str, cycle: str, by: Signature, new: dict[str, str]) -> None:
    await provisioning.audit(connection, by.actor, (KIND, f"{tenant}/{cycle}"), {"state": "open"}, new, by.reason)
