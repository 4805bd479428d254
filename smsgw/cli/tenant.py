"""`smsgw tenant`, `smsgw account`, `smsgw notice`: who is provisioned, their profiles and terms, what they are told, and the end.

Files (`smsgw apply`) make and change them too; what is done here, one of each at a time, is to a file what somebody else has done.

Never here: what may be changed and what follows from it (`admin.terms`, `admin.editing`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from smsgw.cli import certificate, face, stored

if TYPE_CHECKING:
    from smsgw.admin.three_way import Plan
    from smsgw.store.database import Connection

Name = Annotated[str, typer.Argument(help="The tenant's name, or the account's system_id.")]
SystemId = Annotated[str, typer.Argument(help="The account's system_id.")]
_MONEY: Final = ("balance", "credit_limit")

tenants = typer.Typer(help="Contracts: balance and state, profile, term.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts: state, binds, settings.", no_args_is_help=True)
notices = typer.Typer(help="What tenants are told.", no_args_is_help=True)


@tenants.command("list")
def list_tenants(config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False, csv: stored.Csv = False) -> None:
    """Show all tenants with balance, state and term."""
    stored.show(stored.ask(config, _tenants), "tenants", json=json, csv=csv)


@tenants.command("get")
def get_tenant(name: Name, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
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
    config: face.ConfigPath = face.CONFIG,
    reason: stored.Reason = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Change a tenant's profile, a version each time; without fields: show all versions."""
    changes = _given(fields)
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
    config: face.ConfigPath = face.CONFIG,
    starts: Annotated[str, typer.Option(help="First day, as 2026-01-01; none: no such day.")] = "",
    ends: Annotated[str, typer.Option(help="Last day; none: no end.")] = "",
    grace_days: Annotated[int | None, typer.Option(help="Days after the end on which it still sends.")] = None,
    remind: Annotated[str, typer.Option(help="How many days before the end it is reminded: 30,7,1; none.")] = "",
    then: Annotated[str, typer.Option(help="What follows the grace: suspended_arrears, frozen or closing.")] = "",
    verified_till: Annotated[str, typer.Option(help="Last day for which its identity is verified; none.")] = "",
    gate: Annotated[str, typer.Option(help="What follows that day: none, limited or frozen.")] = "",
    gate_rate: Annotated[int | None, typer.Option(help="Parts per second where the gate is limited.")] = None,
    fee_rate: Annotated[str, typer.Option(help="Late fee: the share of what is unpaid, a day: 0.0005; 0: none.")] = "",
    fee_due_days: Annotated[int | None, typer.Option(help="Days after a cycle's end within which it is to be paid.")] = None,
    fee_grace_days: Annotated[int | None, typer.Option(help="Days more after which a fee is due, from the first day on.")] = None,
    fee_cap: Annotated[str, typer.Option(help="The most it comes to, as a share of what was owed; 0: no cap.")] = "",
    reason: stored.Reason = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Show a contract's term, or change what is given of it. Days are UTC days."""
    from smsgw.admin import terms

    changes: dict[str, Any] = {
        key: stored.day(text, f"--{key.replace('_', '-')}")
        for key, text in (("starts", starts), ("ends", ends), ("verified_till", verified_till))
        if text
    }
    numbers = {"grace_days": grace_days, "gate_rate": gate_rate, "fee_due_days": fee_due_days, "fee_grace_days": fee_grace_days}
    changes |= {key: number for key, number in numbers.items() if number is not None}
    words = {"then_state": then, "gate": gate, "fee_rate": fee_rate, "fee_cap": fee_cap}
    changes |= {key: word for key, word in words.items() if word}
    if remind:
        changes["remind_days"] = _days(remind)
    if changes and not reason:
        face.fail(stored.USAGE, "--reason is needed for a change")
    who = stored.who(actor)

    old, new = stored.ask(
        config,
        lambda connection: terms.set_term(connection, name, changes, actor=who, reason=reason, dry_run=dry_run or not changes),
    )
    stored.show([{"tenant": name, **new.told(), "remind_days": list(new.remind_days)}], "term", json=json)
    if changes:
        stored.done(dry_run=dry_run, made=old != new)


@accounts.command("list")
def list_accounts(
    *,
    config: face.ConfigPath = face.CONFIG,
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
def get_account(system_id: SystemId, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
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
    config: face.ConfigPath = face.CONFIG,
    tenant: Annotated[str, typer.Option(help="To this tenant only.")] = "",
    limit: Annotated[int, typer.Option(help="So many at most, the newest.")] = 100,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show notices, newest first, and when they were told."""
    from smsgw.store import notices as store

    rows = stored.ask(config, lambda connection: store.of(connection, tenant or None, limit))
    stored.show(rows, "notices", json=json, csv=csv)


@notices.command("key")
def notice_key(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name.")],
    config: face.ConfigPath = face.CONFIG,
) -> None:
    """Print the key by which a tenant checks that a webhook is ours: give it to the tenant, and to nobody else."""
    from smsgw.notices.letter import tenant_key

    secret = face.settings(config).notices.webhook_secret
    if not secret:
        face.fail(face.EX_CONFIG, "notices.webhook_secret is not set: webhooks are not sent without it")
    print(tenant_key(secret, tenant))


# ---- one tenant or account at a time -----------------------------------------------------------------------------------

Fields = Annotated[list[str] | None, typer.Argument(help="key=value, as in provisioning.toml; lists with commas.")]


def _mount(app: typer.Typer, kind: str) -> None:
    """Add the commands that make, change and delete one of a kind."""

    @app.command()
    def add(
        name: Name,
        fields: Fields = None,
        *,
        reason: stored.Reason,
        config: face.ConfigPath = face.CONFIG,
        actor: stored.Actor = "",
        dry_run: stored.DryRun = False,
        json: stored.Json = False,
    ) -> None:
        """Make one."""
        _edit(config, (kind, name), "add", fields, actor=actor, reason=reason, dry_run=dry_run, json=json)

    @app.command("set")
    def set_(
        name: Name,
        fields: Fields = None,
        *,
        reason: stored.Reason,
        config: face.ConfigPath = face.CONFIG,
        actor: stored.Actor = "",
        dry_run: stored.DryRun = False,
        json: stored.Json = False,
    ) -> None:
        """Change these keys, and no other."""
        _edit(config, (kind, name), "change", fields, actor=actor, reason=reason, dry_run=dry_run, json=json)

    @app.command()
    def rm(
        name: Name,
        *,
        reason: stored.Reason,
        config: face.ConfigPath = face.CONFIG,
        actor: stored.Actor = "",
        dry_run: stored.DryRun = False,
        json: stored.Json = False,
    ) -> None:
        """Delete it; its messages, books and state stay."""
        _edit(config, (kind, name), "remove", None, actor=actor, reason=reason, dry_run=dry_run, json=json)


_mount(tenants, "tenant")
_mount(accounts, "account")
certificate.mount(tenants)


def _edit(
    config: Path,
    key: tuple[str, str],
    how: Literal["add", "change", "remove"],
    fields: list[str] | None,
    *,
    actor: str,
    reason: str,
    dry_run: bool,
    json: bool,
) -> None:
    given, who = _given(fields), stored.who(actor)

    async def run(connection: Connection) -> Plan:
        from smsgw.admin import editing

        if how == "remove":
            return await editing.remove(connection, key, actor=who, reason=reason, dry_run=dry_run)
        do = editing.add if how == "add" else editing.change
        return await do(connection, key, given, actor=who, reason=reason, dry_run=dry_run)

    plan = stored.ask(config, run)
    if plan.conflicts:
        face.fail(face.CONFLICT, *map(str, plan.conflicts), "nothing was changed")
    if json:
        stored.show([{"kind": key[0], "name": key[1], "old": one.old, "new": one.new} for one in plan.changes], "", json=True)
    else:
        for line in plan.lines():
            print(line)
    stored.done(dry_run=dry_run, made=bool(plan.changes))


def _given(fields: list[str] | None) -> dict[str, str]:
    """Take key=value apart."""
    if any("=" not in field for field in fields or ()):
        face.fail(stored.USAGE, "write key=value")
    return dict(field.partition("=")[::2] for field in fields or ())


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
