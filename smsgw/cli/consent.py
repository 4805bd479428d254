"""`smsgw consent`: that recipients wanted an account's marketing, with the proof: add, import, withdraw, show.

Never here: what a consent is worth (`admin.recipients`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face, keys, recipients, stored

if TYPE_CHECKING:
    from smsgw.admin.recipients import Done
    from smsgw.store.database import Connection


app = typer.Typer(help="Who wanted marketing, and how that is proved: add, import, withdraw, show.", no_args_is_help=True)


@app.command()
def add(
    number: recipients.Number,
    *,
    account: recipients.Account,
    source: Annotated[str, typer.Option(help="Where it was said: web, shop, call, keyword …")],
    proof: Annotated[str, typer.Option(help="Where the proof is: the number of a form, a recording, a log.")],
    reason: stored.Reason,
    at: Annotated[str, typer.Option(help="When it was said: 2026-11-01, or with a time and its offset; now if not given.")] = "",
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Keep a consent."""
    by = recipients.by(actor, reason, dry_run=dry_run)
    digits, known = recipients.number_of(number), keys.marks_of(config)

    async def run(connection: Connection) -> Done:
        from smsgw.admin import recipients as admin
        from smsgw.compliance.lists import Entry, moment_of

        entry = Entry(digits, moment_of(at) if at else None, source, proof)
        return await admin.consent(connection, known, account, [entry], by)

    recipients.told(stored.ask(config, run), by, json=json)


@app.command("import")
def import_(
    file: recipients.ListFile,
    *,
    account: recipients.Account,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Keep a list of consents: CSV with the columns number, at, source, proof. A bad row stops all of it."""
    from smsgw.admin import recipients as admin
    from smsgw.compliance.lists import consents_of

    by = recipients.by(actor, reason, dry_run=dry_run)
    text, name = recipients.text_of(file)
    known = keys.marks_of(config)
    done = stored.ask(config, lambda connection: admin.consent(connection, known, account, consents_of(text, name), by))
    recipients.told(done, by, json=json)


@app.command()
def withdraw(
    number: recipients.Number,
    *,
    account: recipients.Account,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Note that a recipient consents no more; what he had said stays on record."""
    from smsgw.admin import recipients as admin

    by = recipients.by(actor, reason, dry_run=dry_run)
    digits, known = recipients.number_of(number), keys.marks_of(config)
    done = stored.ask(config, lambda connection: admin.withdraw(connection, known, account, digits, by))
    recipients.told(done, by, json=json)


@app.command()
def show(
    number: recipients.Number,
    config: face.ConfigPath = face.CONFIG,
    *,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what a number has consented to, when, with which proof, and whether it still does."""
    from smsgw.store import consents

    value = keys.marks_of(config).hash_of(recipients.number_of(number))
    rows = stored.ask(config, lambda connection: consents.of_number(connection, value))
    stored.show(recipients.filled(rows), "consents", json=json, csv=csv)
