"""`smsgw state appeal`, `answer`, `appeals`: what tenants say to a step of the ladder, and what became of it.

Never here: changing a state.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored
from smsgw.cli.subject import Name, Of

if TYPE_CHECKING:
    from smsgw.store.database import Connection


def appeal(
    kind: Of,
    name: Name,
    *,
    text: Annotated[str, typer.Option(help="What is said; - reads it from standard input.")],
    said_by: Annotated[str, typer.Option("--by", help="Who of the tenant says it.")],
    step: Annotated[int, typer.Option(help="The number of the step in `smsgw state history`; the newest one if not given.")] = 0,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
) -> None:
    """Write down what a tenant answers to a step; changes no state. Prints the appeal's number."""
    import sys

    from smsgw.admin import appeals

    said = sys.stdin.read() if text == "-" else text
    who = stored.who(actor)

    number = stored.ask(
        config,
        lambda connection: appeals.record(connection, kind, name, said, said_by=said_by, step=step, actor=who, dry_run=dry_run),
    )
    if number:
        print(number)
    stored.done(dry_run=dry_run)


def answer(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The appeal's.")],
    *,
    outcome: Annotated[str, typer.Option(help="kept, eased or lifted.")],
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
) -> None:
    """Write down what became of an appeal and tell the tenant; the state itself is changed by its own command."""
    from smsgw.admin import appeals

    who = stored.who(actor)
    stored.ask(config, lambda connection: appeals.answer(connection, number, outcome, actor=who, reason=reason, dry_run=dry_run))
    stored.done(dry_run=dry_run)


def appeals(
    *,
    config: face.ConfigPath = face.CONFIG,
    answered: Annotated[bool, face.flag("--all", help="Those that have an outcome as well.")] = False,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show appeals that wait for an outcome, newest first."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import appeals as store

        return [asdict(one) for one in await store.of(connection, answered=answered)]

    stored.show(stored.ask(config, run), "appeals", json=json, csv=csv)
