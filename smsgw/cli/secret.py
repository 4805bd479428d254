"""`smsgw secret`: what accounts bind with. A new one is written to standard output once, and nowhere else, ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.admin.credentials import Rotation
    from smsgw.store.database import Connection

SystemId = Annotated[str, typer.Argument(help="The account's system_id.")]

app = typer.Typer(help="Secrets of accounts: made by smsgw, shown once, taken in turn.", no_args_is_help=True)


@app.command()
def rotate(
    system_id: SystemId,
    *,
    reason: stored.Reason,
    overlap: Annotated[str, typer.Option(help="How long the old secret still works: 24h, 7d; 0s: not at all.")] = "24h",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Make a new secret and show it, this once; the old one works on for a while."""
    who, span = stored.who(actor), stored.span(overlap, "--overlap")
    settings = face.settings(config).secrets

    async def run(connection: Connection) -> Rotation:
        from smsgw.admin.credentials import hasher_of
        from smsgw.admin.credentials import rotate as take_turns

        hasher = hasher_of(settings)
        return await take_turns(connection, system_id, overlap=span, actor=who, reason=reason, hasher=hasher, dry_run=dry_run)

    done = stored.ask(config, run)
    row = {"account": system_id, "number": done.number or None, "secret": done.secret or None}
    stored.show([{**row, "ending": list(done.ending), "until": done.until, "dropped": list(done.dropped)}], "secret", json=json)
    stored.done(dry_run=dry_run)


@app.command("list")
def list_(system_id: SystemId, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
    """Show an account's secrets by number: since when, until when, when and from where last used. Never the secret."""
    from smsgw.admin.credentials import listed

    rows = stored.ask(config, lambda connection: listed(connection, system_id))
    stored.show(rows, "secrets", json=json)


@app.command()
def revoke(
    system_id: SystemId,
    number: Annotated[int, typer.Argument(help="Which one, as `secret list` shows.")],
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Take a secret away at once. Sessions that are bound stay bound."""
    from smsgw.admin.credentials import revoke as take_away

    who = stored.who(actor)
    row = stored.ask(config, lambda connection: take_away(connection, system_id, number, actor=who, reason=reason, dry_run=dry_run))
    stored.show([row], "secret", json=json)
    stored.done(dry_run=dry_run)
