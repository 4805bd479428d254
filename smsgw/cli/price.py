"""`smsgw price`: what messages cost, now, later and before.

list   set   history   notice

A price holds from now on or from a date in the future; a message costs what is in force when it is accepted. Where a contract wants
notice of changes (`price_notice_days`), it is recorded here before the change may be set.

Never here: when a price may change (`admin.prices`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.admin.prices import Change
    from smsgw.store.database import Connection

TenantName = Annotated[str, typer.Argument(help="The tenant's name.")]
AnyTenant = Annotated[str, typer.Argument(help="Only of this tenant.")]
From = Annotated[str, typer.Option("--from", help="From when on, with an offset: 2026-12-01T00:00:00+08:00.")]

app = typer.Typer(help="What messages cost: list, set, history, notice.", no_args_is_help=True)


@app.command("list")
def list_(
    tenant: AnyTenant = "", *, config: face.ConfigPath = face.CONFIG, json: stored.Json = False, csv: stored.Csv = False
) -> None:
    """Show the prices in force and those to come."""
    _show(config, tenant, None, over=False, json=json, csv=csv)


@app.command()
def history(
    tenant: TenantName,
    prefix: Annotated[str | None, typer.Argument(help="Only of this prefix.")] = None,
    *,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show every version of a tenant's prices."""
    _show(config, tenant, prefix, over=True, json=json, csv=csv)


@app.command("set")
def set_(
    tenant: TenantName,
    prefix: Annotated[str, typer.Argument(help='Of destinations; "" is any.')],
    price: Annotated[str, typer.Argument(help="Of one part, such as 0.038; none: it has no price any more.")],
    *,
    reason: stored.Reason,
    begins: From = "",
    operator: Annotated[str, typer.Option(help="Only to numbers of this operator.")] = "",
    category: Annotated[str, typer.Option(help="Only of this category.")] = "",
    route: Annotated[str, typer.Option(help="Only by the route of this name.")] = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Let a price hold from now on, or from a date in the future."""
    who, moment = stored.who(actor), _moment(begins) if begins else None

    async def run(connection: Connection) -> Change:
        from smsgw.admin import prices
        from smsgw.billing.tariff import parse_money
        from smsgw.store.prices import PriceKey

        amount = None if price == "none" else parse_money(price)
        if amount is not None and amount < 0:
            raise ValueError("a price is not negative")
        digits = prefix.removeprefix("+")
        if not all(letter in "0123456789" for letter in digits):
            raise ValueError(f"{prefix!r} is no prefix: at most 20 digits")
        key = PriceKey(tenant, digits, operator, category, route, round(moment.timestamp() * 1000) if moment else 0)
        return await prices.set_price(connection, key, amount, actor=who, reason=reason, dry_run=dry_run)

    stored.show([stored.ask(config, run).row()], "price", json=json)
    stored.done(dry_run=dry_run)


@app.command()
def notice(
    tenant: TenantName,
    *,
    begins: Annotated[
        str, typer.Option("--from", help="Of the change that was told, as in `set`; without it: list the notices.")
    ] = "",
    channel: Annotated[str, typer.Option(help="How it was told: mail, console, letter …")] = "mail",
    sent: Annotated[str, typer.Option(help="When it was sent, with an offset; now if not given.")] = "",
    reference: Annotated[str, typer.Option(help="Where it can be found again.")] = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Record that a change of prices was told to the tenant, or list what was."""
    if not begins:
        stored.show(stored.ask(config, lambda connection: _notices(connection, tenant)), "notices", json=json)
        return
    who, moment, sent_at = stored.who(actor), _moment(begins), _moment(sent) if sent else None

    async def run(connection: Connection) -> dict[str, Any]:
        from smsgw.admin import prices

        return await prices.notice(
            connection, tenant, moment, sent_at=sent_at, channel=channel, reference=reference, actor=who, dry_run=dry_run
        )

    stored.show([stored.ask(config, run)], "notice", json=json)
    stored.done(dry_run=dry_run)


async def _notices(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    from smsgw.store import prices

    rows = await prices.notices_of(connection, tenant)
    return [{"notice": row["id"], "tenant": row["tenant"], "from": prices.shown(row["from_ms"]), **_told(row)} for row in rows]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("sent_at", "channel", "reference", "actor")}


def _show(config: Path, tenant: str, prefix: str | None, *, over: bool, json: bool, csv: bool) -> None:
    from smsgw.admin import prices

    rows = stored.ask(config, lambda connection: prices.listed(connection, tenant or None, prefix, over=over))
    stored.show(rows, "prices", json=json, csv=csv)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        face.fail(stored.USAGE, f"{text!r} is no moment: a date, a time and an offset, such as 2026-12-01T00:00:00+08:00")
    return moment
