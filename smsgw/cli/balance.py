"""`smsgw balance`: a tenant's money, seen and moved by people: show, history, top-up, adjust, settle, credit, refund.

What was done goes to standard output; nothing else does. Exit codes: 0, 2 usage, 3 no such tenant or message, 4 a reference that
was booked already or what the books do not allow, 69 and 78 as in sysexits.h.

Never here: what the books allow (`admin.books`).
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.admin.books import Booking, Signature
    from smsgw.store.database import Connection

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the tenant's currency, at most six decimals.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the ledger and in the audit.", callback=stored.sound)]
Reference = Annotated[str, typer.Option("--reference", help="Your own number of it: the same one is never booked twice.")]
DryRun = Annotated[bool, face.flag("--dry-run", help="Show what it would come to, book nothing.")]
Json = Annotated[bool, face.flag("--json", help="For programs.")]

SIGNED = {"ignore_unknown_options": True}  # an amount may begin with a minus
_EPOCH = datetime.date(1970, 1, 1)


def build() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(name="balance", no_args_is_help=True, help="Show and move what tenants have to spend.")
    app.command()(show)
    app.command()(history)
    app.command("top-up", context_settings=SIGNED)(top_up)
    app.command(context_settings=SIGNED)(adjust)
    app.command()(settle)
    app.command(context_settings=SIGNED)(credit)
    app.command()(refund)
    return app


def show(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="All of them if not given.")] = "",
    config: face.ConfigPath = face.CONFIG,
    *,
    json: Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what tenants have, owe and may spend at this moment."""

    async def ask(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.billing.tariff import format_money
        from smsgw.store import books

        return [
            {
                "tenant": one.tenant,
                "currency": one.currency,
                "balance": format_money(one.amount),
                "credit_limit": format_money(one.credit_limit),
                "available": format_money(one.available),
            }
            for one in await books.balances(connection, tenant or None)
        ]

    stored.show(stored.ask(config, ask), "balances", json=json, csv=csv)


def history(
    tenant: TenantName,
    config: face.ConfigPath = face.CONFIG,
    since: Annotated[str, typer.Option(help="From this day (UTC) on: 2026-11-01, or 7d ago.")] = "",
    limit: stored.Limit = 1_000,
    *,
    refunds: Annotated[bool, face.flag("--refunds", help="The refunds that people gave instead, one by one.")] = False,
    json: Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what was booked, oldest first; debits and refunds of messages are one row a day."""
    if refunds:
        _show_refunds(config, tenant, limit, json=json, csv=csv)
        return
    first = (stored.moment(since, "--since").astimezone(datetime.UTC).date() - _EPOCH).days if since else None

    async def ask(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.billing.tariff import format_money
        from smsgw.store import books

        (of,) = await books.balances(connection, tenant)
        return [
            {
                "number": row["id"],
                "day": str(_EPOCH + datetime.timedelta(days=row["day"])),
                "kind": row["kind"],
                "amount": format_money(row["amount"]),
                "currency": of.currency,
                "messages": row["messages"],
                "actor": row["actor"],
                "reason": row["reason"],
                "reference": row["reference"],
                "at": f"{row['at']:%Y-%m-%dT%H:%M:%SZ}",
            }
            for row in await books.history(connection, tenant, since=first, limit=limit)
        ]

    stored.show(stored.ask(config, ask), "bookings", json=json, csv=csv)


def _show_refunds(config: Path, tenant: str, limit: int, *, json: bool, csv: bool) -> None:
    async def ask(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.billing.tariff import format_money
        from smsgw.store import books

        (of,) = await books.balances(connection, tenant)
        return [
            {
                "message": str(row["message"]),
                "amount": format_money(row["amount"]),
                "currency": of.currency,
                "actor": row["actor"],
                "reason": row["reason"],
                "at": f"{row['at']:%Y-%m-%dT%H:%M:%SZ}",
            }
            for row in await books.refunds_by_hand(connection, tenant, limit=limit)
        ]

    stored.show(stored.ask(config, ask), "refunds", json=json, csv=csv)


def top_up(
    tenant: TenantName,
    amount: Amount,
    *,
    reason: Reason,
    config: face.ConfigPath = face.CONFIG,
    reference: Reference = "",
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Book money that has come in; a running gateway sees it with the next message."""
    from smsgw.admin import books

    value, by = _amount(amount), signature(actor, reason, reference, dry_run=dry_run)
    tell(stored.ask(config, lambda connection: books.top_up(connection, tenant, value, by)), by, json=json)


def adjust(
    tenant: TenantName,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Signed: 5.00 gives, -5.00 takes.")],
    *,
    reason: Reason,
    config: face.ConfigPath = face.CONFIG,
    reference: Reference = "",
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Put a balance right, up or down."""
    from smsgw.admin import books

    value, by = _amount(amount), signature(actor, reason, reference, dry_run=dry_run)
    tell(stored.ask(config, lambda connection: books.adjust(connection, tenant, value, by)), by, json=json)


def settle(
    tenant: TenantName,
    *,
    reason: Reason,
    config: face.ConfigPath = face.CONFIG,
    reference: Reference = "",
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring the balance of a contract that ends to nought: what was left is paid out, or what was owed is paid in."""
    from smsgw.admin import books

    by = signature(actor, reason, reference, dry_run=dry_run)
    tell(stored.ask(config, lambda connection: books.settle(connection, tenant, by)), by, json=json)


def credit(
    tenant: TenantName,
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="How far below nought it may go; 0: prepaid.")],
    *,
    reason: Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Change a tenant's credit limit; an apply of a file that says otherwise will be a conflict."""
    from smsgw.admin import books

    value, by = _amount(limit), signature(actor, reason, "", dry_run=dry_run)
    tell(stored.ask(config, lambda connection: books.set_credit_limit(connection, tenant, value, by)), by, json=json)


def refund(
    message: Annotated[int, typer.Argument(metavar="MESSAGE", min=0, help="The message's id.")],
    *,
    reason: Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give the price of one message back, by your decision; at most once, whatever gave it back before."""
    from smsgw.billing.tariff import format_money

    by = signature(actor, reason, "", dry_run=dry_run)

    async def ask(connection: Connection) -> dict[str, Any] | None:
        from smsgw.admin import books
        from smsgw.store.books import balances

        done = await books.refund(connection, message, by)
        if done is None:
            return None
        (of,) = await balances(connection, done.tenant)
        told = {"message": str(done.message), "tenant": done.tenant, "currency": of.currency, "refund": format_money(done.amount)}
        return {**told, "balance": format_money(done.balance), "dry_run": dry_run}

    told = stored.ask(config, ask)
    if told is None:
        face.fail(face.NOT_FOUND, f"there is no message {message}")
    face.print_one(told, json=json)


def _amount(text: str) -> int:
    from smsgw.billing.tariff import parse_money

    try:
        return parse_money(text)
    except ValueError as error:
        face.fail(stored.USAGE, str(error))


def signature(actor: str, reason: str, reference: str, *, dry_run: bool) -> Signature:
    """Return who books and why."""
    from smsgw.admin.books import Signature

    return Signature(stored.who(actor), reason, reference, dry_run)


def tell(done: Booking, by: Signature, *, json: bool) -> None:
    """Print what was booked, or would have been."""
    from smsgw.billing.tariff import format_money

    told: dict[str, Any] = {"tenant": done.tenant, "currency": done.currency, "kind": done.kind}
    told |= {"amount": format_money(done.amount), "before": format_money(done.before), "after": format_money(done.after)}
    if done.number:
        told["number"] = done.number
    if done.reference:
        told["reference"] = done.reference
    face.print_one({**told, "dry_run": by.dry_run}, json=json)
