"""`smsgw review`: what a rule wants a person to see before it goes.

list   show          look; who looked at a text is audited
accept   refuse      decide, with a reason

Never here: what a decision does (`admin.reviewing`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection

Id = Annotated[int, typer.Argument(help="The id of the entry, as list tells it.", metavar="ID")]
Ids = Annotated[list[int], typer.Argument(help="Ids of entries, as list tells them.", metavar="ID")]

app = typer.Typer(help="Messages held for a person: list, show, accept, refuse.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    config: face.ConfigPath = face.CONFIG,
    account: Annotated[str, typer.Option(help="Only of this system_id.")] = "",
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what waits, the most urgent first; numbers are masked."""
    from smsgw.admin import reviewing

    rows = stored.ask(config, lambda connection: reviewing.waiting(connection, account or None))
    stored.show(rows, "reviews", json=json, csv=csv)


@app.command()
def show(number: Id, config: face.ConfigPath = face.CONFIG, *, actor: stored.Actor = "", json: stored.Json = False) -> None:
    """Show one with its text, joined from all its parts. It is audited who looked.

    missing: parts that have not come; others: what its octets would be in another coding; certain: whether they have a meaning in
    the coding that they say.
    """
    who, opened = stored.who(actor), keys.content_of(config).open

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import reviewing

        return [await reviewing.look(connection, number, who, opened)]

    stored.show(stored.ask(config, run), "reviews", json=json)


@app.command()
def accept(
    numbers: Ids,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Let them go, as they are."""
    _decide(numbers, config, reason, actor, accepted=True, dry_run=dry_run, json=json)


@app.command()
def refuse(
    numbers: Ids,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Refuse them: the tenant gets receipts that say REJECTD, and its money back."""
    _decide(numbers, config, reason, actor, accepted=False, dry_run=dry_run, json=json)


def _decide(numbers: list[int], config: Path, reason: str, actor: str, *, accepted: bool, dry_run: bool, json: bool) -> None:
    from smsgw.admin import reviewing

    who = stored.who(actor)
    rows = stored.ask(
        config, lambda connection: reviewing.decide(connection, numbers, accept=accepted, actor=who, reason=reason, dry_run=dry_run)
    )
    stored.show(rows, "reviews", json=json)
    stored.done(dry_run=dry_run)
