"""`smsgw fee`: late fees of closed cycles, which smsgw computes and people book: list, compute, post, withdraw.

Exit codes: 0, 2 usage, 3 no such tenant, 4 there is no such proposal, it was decided before, or the books do not allow it.

Never here: what a fee comes to (`admin.late_fees`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import balance, face, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection

Cycle = Annotated[str, typer.Argument(metavar="CYCLE", help="The closed cycle that was paid late: 2026-11.")]

app = typer.Typer(help="Late fees: proposals that people book or withdraw.", no_args_is_help=True)


@app.command("list")
def list_(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="All of them if not given.")] = "",
    config: face.ConfigPath = face.CONFIG,
    *,
    decided: Annotated[bool, face.flag("--all", help="Those that were posted or withdrawn as well.")] = False,
    json: balance.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what is proposed: what was owed, since when it is late, what it comes to so far."""

    async def ask(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.billing.tariff import format_money
        from smsgw.store import late_fees

        return [
            {
                "tenant": one.tenant,
                "cycle": one.cycle,
                "currency": one.currency,
                "owed": format_money(one.owed),
                "due": one.due,
                "days": one.days,
                "fee": format_money(one.amount),
                "as_of": one.as_of,
                "state": one.state,
                "number": one.ledger,
                "actor": one.actor,
                "reason": one.reason,
            }
            for one in await late_fees.proposals(connection, tenant or None, decided=decided)
        ]

    stored.show(stored.ask(config, ask), "late fees", json=json, csv=csv)


@app.command()
def compute(config: face.ConfigPath = face.CONFIG) -> None:
    """Compute the open ones as of today; a running gateway does so by itself each day."""
    from smsgw.admin import late_fees

    made = stored.ask(config, late_fees.keep_fees)
    print(f"proposals made or changed: {made}")


@app.command()
def post(
    tenant: balance.TenantName,
    cycle: Cycle,
    *,
    reason: balance.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: balance.DryRun = False,
    json: balance.Json = False,
) -> None:
    """Book a proposed fee on the tenant's balance, once and for good."""
    from smsgw.admin import late_fees

    by = balance.signature(actor, reason, "", dry_run=dry_run)
    done = stored.ask(config, lambda connection: late_fees.post(connection, tenant, cycle, by))
    balance.tell(done, by, json=json)


@app.command()
def withdraw(
    tenant: balance.TenantName,
    cycle: Cycle,
    *,
    reason: balance.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: balance.DryRun = False,
) -> None:
    """Decide that a proposed fee is not booked; it is not proposed again."""
    from smsgw.admin import late_fees

    by = balance.signature(actor, reason, "", dry_run=dry_run)
    stored.ask(config, lambda connection: late_fees.withdraw(connection, tenant, cycle, by))
    stored.done(dry_run=dry_run)
