"""`smsgw complaint`: what was complained of, which messages were meant, until when it has to be answered, and what came of it.

add   close        register one and find its messages; end it with its outcome
list  show         those that are open, overdue, or all; one of them
rates              complaints per million messages of a month, by account and signature, with the next step that is proposed

Never here: which messages are meant, when it is due (`admin.complaints`).
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, recipients, stored

if TYPE_CHECKING:
    from smsgw.admin.complaints import Registered
    from smsgw.store.database import Connection


class Source(enum.StrEnum):
    """Who passed a complaint on."""

    REGULATOR = "12321"
    CARRIER = "carrier"
    TENANT = "tenant"
    END_USER = "end_user"


class Block(enum.StrEnum):
    """The block list that who complains is put on."""

    ACCOUNT = "account"
    PLATFORM = "platform"
    NONE = "none"


Id = Annotated[int, typer.Argument(metavar="COMPLAINT", min=1, help="Its number.")]
Day = Annotated[str, typer.Option("--day", help="The day of the message, by the tenant's calendar: 2026-11-25.")]

app = typer.Typer(help="Complaints: add, list, show, close; rates.", no_args_is_help=True)


@app.command()
def add(
    number: recipients.Number,
    *,
    day: Day,
    source: Annotated[Source, typer.Option(help="Who passed it on.")],
    reason: stored.Reason,
    reference: Annotated[str, typer.Option(help="Its number there; the same one is never registered twice.")] = "",
    note: Annotated[str, typer.Option(help="What is to be known of it; no number, nothing private.")] = "",
    block: Annotated[Block, typer.Option(help="The block list that the number is put on.")] = Block.ACCOUNT,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Register a complaint, find the messages that are meant, block the number, and look at the rates."""
    digits, known, settings = recipients.number_of(number), keys.marks_of(config), face.settings(config)
    of_day = stored.day(day, "--day")
    if of_day is None:
        face.fail(stored.USAGE, "--day none: a complaint is of a day")

    async def run(connection: Connection) -> Registered:
        from smsgw.admin import complaints
        from smsgw.admin.content_keys import content_keys
        from smsgw.admin.sealing import load_key
        from smsgw.compliance.workdays import load_calendar
        from smsgw.store.retentions import number_hash

        data_dir, limits = Path(settings.node.data_dir), settings.compliance
        retained = number_hash(load_key(data_dir).derived("retained numbers"))
        rules = complaints.Rules(known, limits, load_calendar(limits.holidays), retained, content_keys(data_dir).open)
        given = complaints.Complaint(source.value, digits, of_day, reference, note, block.value)
        return await complaints.add(connection, rules, given, recipients.by(actor, reason, dry_run=dry_run))

    made = stored.ask(config, run)
    row = {
        "complaint": made.complaint or None,
        "due": made.due,
        "messages": list(made.messages),
        "accounts": list(made.accounts),
        "blocked": made.blocked or "none",
        "proposals": [rate["proposal"] for rate in made.rates if rate["proposal"]],
    }
    stored.show([row], "complaints", json=json)
    stored.done(dry_run=dry_run)


@app.command("list")
def list_(
    *,
    overdue: Annotated[bool, face.flag("--overdue", help="Only those past their due date.")] = False,
    everything: Annotated[bool, face.flag("--all", help="Closed ones as well.")] = False,
    limit: stored.Limit = 1_000,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show complaints that are open, those that are due soonest first. messages: how many; show and --json have their ids."""
    from smsgw.store import complaints

    which = "overdue" if overdue else "all" if everything else "open"
    rows = stored.ask(config, lambda connection: complaints.listed(connection, which=which, limit=limit))
    if not json:
        rows = [{**row, "messages": len(row["messages"])} for row in rows]
    stored.show(recipients.filled(rows), "complaints", json=json, csv=csv)


@app.command()
def show(complaint: Id, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
    """Show one complaint, with its messages and what came of it."""

    async def run(connection: Connection) -> dict[str, Any]:
        from smsgw.admin.standing import NotFound
        from smsgw.store import complaints

        found = await complaints.one(connection, complaint)
        if found is None:
            raise NotFound(f"there is no complaint {complaint}")
        return found

    stored.show([stored.ask(config, run)], "complaints", json=json)


@app.command()
def close(
    complaint: Id,
    *,
    outcome: Annotated[str, typer.Option(help="What came of it: it goes to whoever passed it on.")],
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """End a complaint with its outcome."""
    from smsgw.admin import complaints

    by = recipients.by(actor, reason, dry_run=dry_run)
    closed = stored.ask(config, lambda connection: complaints.close(connection, complaint, outcome, by))
    stored.show([closed], "complaints", json=json)
    stored.done(dry_run=dry_run)


@app.command()
def rates(
    *,
    month: Annotated[str, typer.Option(help="Such as 2026-11, by UTC; this one if not given.")] = "",
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show complaints per million messages of a month. It reads that month's messages of the accounts complained of."""
    from smsgw.admin import complaints

    settings = face.settings(config)
    day = stored.day(f"{month}-01", "--month") if month else datetime.now(UTC).date()
    assert day is not None
    rows = stored.ask(config, lambda connection: complaints.rates_of(connection, day, settings.compliance))
    stored.show(rows, "complaints in that month", json=json, csv=csv)
