"""`smsgw tenant`, `smsgw account`, `smsgw notice`: who is provisioned, their profiles and terms, what they are told.

They are made and deleted by files (`smsgw apply`); here is what no file holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection
    from smsgw.store.terms import Term

CONFIG: Final = Path(face.DEFAULT_CONFIG)
Name = Annotated[str, typer.Argument(help="The tenant's name.")]
SystemId = Annotated[str, typer.Argument(help="The account's system_id.")]
_MONEY: Final = ("balance", "credit_limit")

tenants = typer.Typer(help="Contracts: balance and state, profile, term.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts: state, binds, settings.", no_args_is_help=True)
notices = typer.Typer(help="What tenants are told.", no_args_is_help=True)


@tenants.command("list")
def list_tenants(config: face.ConfigPath = CONFIG, *, json: stored.Json = False, csv: stored.Csv = False) -> None:
    """Show all tenants with balance, state and term."""
    stored.show(stored.ask(config, _tenants), "tenants", json=json, csv=csv)


@tenants.command("get")
def get_tenant(name: Name, config: face.ConfigPath = CONFIG, *, json: stored.Json = False) -> None:
    """Show one tenant with its profile."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import standing
        from smsgw.store import terms

        of = await standing.find(connection, "tenant", name)
        version, fields = await terms.profile_of(connection, of.id)
        (row,) = await _tenants(connection, name)
        return [{**row, "profile_version": version, **{f"profile.{key}": value for key, value in fields.items()}}]

    stored.show(stored.ask(config, run), "tenant", json=json)


@tenants.command()
def profile(
    name: Name,
    fields: Annotated[list[str] | None, typer.Argument(help="key=value, any number of them; key= takes one out.")] = None,
    *,
    config: face.ConfigPath = CONFIG,
    reason: Annotated[str, typer.Option(help="Why: it goes into the audit log.")] = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Change a tenant's profile, a version each time; without fields: show all versions."""
    changes = dict(field.partition("=")[::2] for field in fields or ())
    if any("=" not in field for field in fields or ()):
        face.fail(stored.USAGE, "write key=value")
    if changes and not reason:
        face.fail(stored.USAGE, "--reason is needed for a change")
    who = stored.who(actor)

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import standing, terms
        from smsgw.store import terms as store

        if changes:
            version, new = await terms.set_profile(connection, name, changes, actor=who, reason=reason, dry_run=dry_run)
            return [{"version": version, "fields": new}]
        return await store.profiles(connection, (await standing.find(connection, "tenant", name)).id)

    stored.show(stored.ask(config, run), "profile", json=json)
    if changes:
        stored.done(dry_run=dry_run)


@tenants.command()
def term(
    name: Name,
    *,
    config: face.ConfigPath = CONFIG,
    starts: Annotated[str, typer.Option(help="First day, as 2026-01-01; none: no such day.")] = "",
    ends: Annotated[str, typer.Option(help="Last day; none: no end.")] = "",
    grace_days: Annotated[int | None, typer.Option(help="Days after the end on which it still sends.")] = None,
    remind: Annotated[str, typer.Option(help="How many days before the end it is reminded: 30,7,1; none.")] = "",
    then: Annotated[str, typer.Option(help="What follows the grace: suspended_arrears or frozen.")] = "",
    verified_till: Annotated[str, typer.Option(help="Last day for which its identity is verified; none.")] = "",
    gate: Annotated[str, typer.Option(help="What follows that day: none, limited or frozen.")] = "",
    gate_rate: Annotated[int | None, typer.Option(help="Parts per second where the gate is limited.")] = None,
    reason: Annotated[str, typer.Option(help="Why: it goes into the audit log.")] = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Show a contract's term, or change what is given of it. Days are UTC days."""
    changes: dict[str, Any] = {
        key: stored.day(text, f"--{key.replace('_', '-')}")
        for key, text in (("starts", starts), ("ends", ends), ("verified_till", verified_till))
        if text
    }
    changes |= {key: number for key, number in (("grace_days", grace_days), ("gate_rate", gate_rate)) if number is not None}
    changes |= {key: word for key, word in (("then_state", then), ("gate", gate)) if word}
    if remind:
        changes["remind_days"] = _days(remind)
    if changes and not reason:
        face.fail(stored.USAGE, "--reason is needed for a change")
    who = stored.who(actor)

    async def run(connection: Connection) -> tuple[Term, Term]:
        from smsgw.admin import terms

        return await terms.set_term(connection, name, changes, actor=who, reason=reason, dry_run=dry_run or not changes)

    old, new = stored.ask(config, run)
    stored.show([{"tenant": name, **new.told(), "remind_days": list(new.remind_days)}], "term", json=json)
    if changes:
        stored.done(dry_run=dry_run, made=old != new)


@accounts.command("list")
def list_accounts(
    *,
    config: face.ConfigPath = CONFIG,
    tenant: Annotated[str, typer.Option(help="Of this tenant only.")] = "",
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show all accounts with state, binds over all nodes and live secrets."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import registers

        rows = await registers.accounts(connection, tenant=tenant or None)
        return [{key: value for key, value in row.items() if key != "settings"} for row in rows]

    stored.show(stored.ask(config, run), "accounts", json=json, csv=csv)


@accounts.command("get")
def get_account(system_id: SystemId, config: face.ConfigPath = CONFIG, *, json: stored.Json = False) -> None:
    """Show one account with its settings, those that are not the default."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import standing
        from smsgw.store import registers

        await standing.find(connection, "account", system_id)
        (row,) = await registers.accounts(connection, system_id)
        return [{**{key: value for key, value in row.items() if key != "settings"}, **row["settings"]}]

    stored.show(stored.ask(config, run), "account", json=json)


@notices.command("list")
def list_notices(
    *,
    config: face.ConfigPath = CONFIG,
    tenant: Annotated[str, typer.Option(help="To this tenant only.")] = "",
    limit: Annotated[int, typer.Option(help="So many at most, the newest.")] = 100,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show notices, newest first, and when they were told."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import notices as store

        return await store.of(connection, tenant or None, limit)

    stored.show(stored.ask(config, run), "notices", json=json, csv=csv)


async def _tenants(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    from smsgw.billing.tariff import format_money
    from smsgw.store import registers

    rows = await registers.tenants(connection, name)
    return [{**row, **{key: format_money(row[key] or 0) for key in _MONEY}} for row in rows]


def _days(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        face.fail(stored.USAGE, f"--remind {text!r} is no list of days: write 30,7,1, or none")
    return tuple(int(part) for part in parts)


@notices.command("key")
def notice_key(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name.")],
    config: face.ConfigPath = Path(face.DEFAULT_CONFIG),
) -> None:
    """Print the key by which a tenant checks that a webhook is ours: give it to the tenant, and to nobody else."""
    from smsgw.notices.letter import tenant_key

    secret = face.settings(config).notices.webhook_secret
    if not secret:
        face.fail(face.EX_CONFIG, "notices.webhook_secret is not set: webhooks are not sent without it")
    print(tenant_key(secret, tenant))
