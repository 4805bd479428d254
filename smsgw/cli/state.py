"""`smsgw state`: the ladder of measures, and what else a contract or an account may stand in.

warn   limit   freeze   terminate      the ladder; the last one only from a freeze, a suspension or a closing
suspend   close   resume               for arrears; the way out; back to active
appeal   answer   appeals              what the tenant says to a step, and what became of it
list   get   history                   look

Never here: which moves there are (`contracts.standing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import appeal, face, stored
from smsgw.cli.audit import changed
from smsgw.cli.subject import Kind, Name, Of

if TYPE_CHECKING:
    from smsgw.admin.standing import Change
    from smsgw.store.database import Connection
    from smsgw.store.standing import Decision, Subject


Evidence = Annotated[list[str] | None, typer.Option("--evidence", help="The id of a message, or another reference; repeatable.")]
For = Annotated[str, typer.Option("--for", help="Until when: 30m, 12h, 7d from now. Without it: until somebody changes it.")]

app = typer.Typer(
    help="How contracts and accounts stand: warn, limit, freeze, suspend, close, terminate, resume.", no_args_is_help=True
)

for command in (appeal.appeal, appeal.answer, appeal.appeals):
    app.command()(command)


@app.command()
def warn(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    evidence: Evidence = None,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
) -> None:
    """Tell the tenant; change nothing."""
    from smsgw.admin.standing import warn as tell

    who, proof = stored.who(actor), evidence or ()
    stored.ask(config, lambda connection: tell(connection, kind, name, actor=who, reason=reason, evidence=proof, dry_run=dry_run))
    stored.done(dry_run=dry_run)


@app.command()
def limit(
    kind: Of,
    name: Name,
    *,
    rate: Annotated[int, typer.Option(help="Parts per second, on each node; of a tenant: of all its accounts together.")],
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    evidence: Evidence = None,
    span: For = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Let it send so many parts per second; over it: ESME_RTHROTTLED."""
    _change(config, kind, name, "limited", reason, actor=actor, evidence=evidence, span=span, rate=rate, dry_run=dry_run, json=json)


@app.command()
def freeze(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    evidence: Evidence = None,
    span: For = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Refuse its submits; receipts and messages still go to it."""
    _change(config, kind, name, "frozen", reason, actor=actor, evidence=evidence, span=span, dry_run=dry_run, json=json)


@app.command()
def terminate(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    evidence: Evidence = None,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Close it for good; only from a freeze, a suspension or a closing. New binds are refused as well."""
    _change(config, kind, name, "closed", reason, actor=actor, evidence=evidence, dry_run=dry_run, json=json)


@app.command()
def suspend(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    span: For = "",
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Refuse its submits for what it owes; what it pays lifts that."""
    _change(config, kind, name, "suspended_arrears", reason, actor=actor, span=span, dry_run=dry_run, json=json)


@app.command()
def close(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Let it send what its balance still pays; then it is closed."""
    _change(config, kind, name, "closing", reason, actor=actor, dry_run=dry_run, json=json)


@app.command()
def resume(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
) -> None:
    """Make it active again; what the calendar brought is lifted by new dates instead (`smsgw tenant term`)."""
    _change(config, kind, name, "active", reason, actor=actor, dry_run=dry_run, json=json)


@app.command("list")
def list_(
    *,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show all that are not active."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import standing

        return [_row(of, held) for of, held in await standing.in_state(connection)]

    stored.show(stored.ask(config, run), "state but active", json=json, csv=csv)


@app.command()
def get(kind: Of, name: Name, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False) -> None:
    """Show how one stands, and what holds again when that is over."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import standing

        of, held = await standing.present_of(connection, kind, name)
        return [_row(of, one) for one in (held, *held.under)]

    stored.show(stored.ask(config, run), "state", json=json)


@app.command()
def history(
    kind: Of, name: Name, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False, csv: stored.Csv = False
) -> None:
    """Show each step with its number: who, when, from what to what, and why; and what the tenant said to it."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import standing
        from smsgw.store import registers

        await standing.find(connection, kind, name)
        return await registers.history(connection, [f"{kind}_state", f"{kind}_warning", f"{kind}_appeal"], name)

    rows = stored.ask(config, run)
    if not json and not csv:
        rows = [{**_without(row), "change": changed(row["old"], row["new"]), "reason": row["reason"]} for row in rows]
    stored.show(rows, "changes", json=json, csv=csv)


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in {"old", "new", "reason"}}


def _change(
    config: Path,
    kind: Kind,
    name: str,
    state: str,
    reason: str,
    *,
    actor: str,
    evidence: list[str] | None = None,
    span: str = "",
    rate: int = 0,
    dry_run: bool,
    json: bool,
) -> None:
    who, until, proof = stored.who(actor), stored.until(span), evidence or ()

    async def run(connection: Connection) -> Change:
        from smsgw.admin.standing import change_state

        return await change_state(
            connection, kind, name, state, actor=who, reason=reason, evidence=proof, until=until, rate=rate, dry_run=dry_run
        )

    change = stored.ask(config, run)
    stored.show([{**_row(change.of, change.new), "from": change.old.standing.name.lower()}], "state", json=json)
    stored.done(dry_run=dry_run)


def _row(of: Subject, held: Decision) -> dict[str, Any]:
    return {
        "kind": of.kind,
        "name": of.name,
        "tenant": of.tenant_name,
        "state": held.standing.name.lower(),
        "rate": held.rate or None,
        "since": held.since,
        "until": held.until,
        "reason": held.reason,
        "actor": held.actor,
        "evidence": list(held.evidence),
    }
