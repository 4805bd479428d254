"""`smsgw optout` and `smsgw block`: who has refused marketing, and who is sent nothing at all.

add   remove   import      by number, or by a list; each change leaves an audit row, and running gateways follow within a second
show                       what is on record of a number, or the newest entries

Never here: how a number is hashed, who has what scope (`admin.recipients`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, recipients, stored

if TYPE_CHECKING:
    from smsgw.admin.recipients import Done
    from smsgw.store.database import Connection

Signature = Annotated[str, typer.Option("--signature", help="Only what bears this signature.")]
Service = Annotated[str, typer.Option("--service", help="Only what comes from this service number.")]
OfTenant = Annotated[str, typer.Option("--tenant", help="The block list of a tenant.")]
OfAccount = Annotated[str, typer.Option("--account", help="The block list of an account; with neither it is the platform's.")]

app = typer.Typer(help="Who has refused marketing: add, remove, import, show.", no_args_is_help=True)
block = typer.Typer(help="Who is sent nothing: block lists of the platform, a tenant, an account.", no_args_is_help=True)


@app.command()
def add(
    number: recipients.Number,
    *,
    account: recipients.Account,
    reason: stored.Reason,
    signature: Signature = "",
    service: Service = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Refuse marketing for a number that asked for it elsewhere."""
    scope = _refusal(account, signature, service)
    recipients.mark_one(config, number, scope, recipients.by(actor, reason, dry_run=dry_run), json=json)


@app.command()
def remove(
    number: recipients.Number,
    *,
    account: recipients.Account,
    reason: stored.Reason,
    signature: Signature = "",
    service: Service = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Let a number have marketing again: of the account as a whole, or of one signature or service number."""
    by = recipients.by(actor, reason, dry_run=dry_run)
    digits, known = recipients.number_of(number), keys.marks_of(config)

    async def run(connection: Connection) -> Done:
        from smsgw.admin import recipients as admin

        if signature or service:
            scopes = [await admin.opt_out_scope(connection, account, signature=signature, service=service)]
        else:
            scopes = await admin.all_opt_outs(connection, known, account, digits)
        return await admin.lift(connection, known, scopes, digits, by)

    recipients.told(stored.ask(config, run), by, json=json)


@app.command("import")
def import_(
    file: recipients.ListFile,
    *,
    account: recipients.Account,
    reason: stored.Reason,
    signature: Signature = "",
    service: Service = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Refuse marketing for a list: a number a line, or CSV with the columns number, at, proof. A bad row stops all of it."""
    scope = _refusal(account, signature, service)
    recipients.mark_list(config, file, scope, recipients.by(actor, reason, dry_run=dry_run), json=json)


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="All of them, newest first, if not given.")] = "",
    *,
    account: Annotated[str, typer.Option("--account", help="Only of this account.")] = "",
    limit: stored.Limit = 100,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what a number has refused, since when and by what; or the newest refusals and resumptions, by the number's hash."""
    _show("opt_out", number, account, limit, config, json=json, csv=csv)


# ---- block lists -------------------------------------------------------------------------------------------------------


@block.command("add")
def block_add(
    number: recipients.Number,
    *,
    reason: stored.Reason,
    account: OfAccount = "",
    tenant: OfTenant = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Send nothing to a number any more, codes included."""
    scope = _block(account, tenant)
    recipients.mark_one(config, number, scope, recipients.by(actor, reason, dry_run=dry_run), json=json)


@block.command("remove")
def block_remove(
    number: recipients.Number,
    *,
    reason: stored.Reason,
    account: OfAccount = "",
    tenant: OfTenant = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Take a number off a block list."""
    by = recipients.by(actor, reason, dry_run=dry_run)
    digits, known = recipients.number_of(number), keys.marks_of(config)

    async def run(connection: Connection) -> Done:
        from smsgw.admin import recipients as admin

        scope = await admin.block_scope(connection, account=account, tenant=tenant)
        return await admin.lift(connection, known, [scope], digits, by)

    recipients.told(stored.ask(config, run), by, json=json)


@block.command("import")
def block_import(
    file: recipients.ListFile,
    *,
    reason: stored.Reason,
    account: OfAccount = "",
    tenant: OfTenant = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Put a list on a block list: a number a line, or CSV with the columns number, at, proof. A bad row stops all of it."""
    scope = _block(account, tenant)
    recipients.mark_list(config, file, scope, recipients.by(actor, reason, dry_run=dry_run), json=json)


@block.command("show")
def block_show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="All of them, newest first, if not given.")] = "",
    *,
    limit: stored.Limit = 100,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show on which block lists a number is, or was; or the newest entries, by the number's hash."""
    _show("block", number, "", limit, config, json=json, csv=csv)


def _refusal(account: str, signature: str, service: str) -> recipients.Scoping:
    from smsgw.admin import recipients as admin

    return lambda connection: admin.opt_out_scope(connection, account, signature=signature, service=service)


def _block(account: str, tenant: str) -> recipients.Scoping:
    from smsgw.admin import recipients as admin

    return lambda connection: admin.block_scope(connection, account=account, tenant=tenant)


def _show(kind: str, number: str, account: str, limit: int, config: Path, *, json: bool, csv: bool) -> None:
    value = keys.marks_of(config).hash_of(recipients.number_of(number)) if number else None

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import marks

        if value is not None:
            rows = await marks.of_number(connection, kind, value)
            return [row for row in rows if not account or row["account"] == account]
        return await marks.newest(connection, kind, account or None, limit)

    stored.show(recipients.filled(stored.ask(config, run)), "entries", json=json, csv=csv)
