"""`smsgw cancel`: messages that were accepted and are not to be sent.

messages     by a filter: counted with --dry-run, cancelled with a reason
list  show   what was asked for, and what came of it

Exit codes: 0, 2 called wrongly, 3 no such account, tenant, link or cancellation, 4 `limits.cancellations` are under way, 69
and 78 as in sysexits.h.

Never here: what is cancelled (`admin.cancelling`), how (`journey.cancel`).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection

Number = Annotated[int, typer.Argument(help="The number of a cancellation, as list tells it.", metavar="NUMBER")]

app = typer.Typer(help="Messages that are not to be sent: messages, list, show.", no_args_is_help=True)


@app.command("messages")
def messages(  # noqa: PLR0917 - a filter has as many
    account: Annotated[str, typer.Option(help="Of this system_id.")] = "",
    tenant: Annotated[str, typer.Option(help="Of this tenant.")] = "",
    link: Annotated[str, typer.Option(help="That wait for this link.")] = "",
    prefix: Annotated[
        str,
        typer.Option(help="To numbers that begin so, with the country: 4479 (or +4479, 004479). A route's messages: its prefix."),
    ] = "",
    number: Annotated[str, typer.Option(help="To this number.")] = "",
    source: Annotated[str, typer.Option(help="From this sender.")] = "",
    rule: Annotated[str, typer.Option(help="Held by this rule: terms.bait, or all of set@version:rule:span.")] = "",
    since: Annotated[str, typer.Option(help="Accepted since then: 12h or 3d ago, 2026-12-31, or 2026-12-31T18:00+08:00.")] = "3d",
    until: Annotated[str, typer.Option(help="Accepted until then, written so too; now if not given.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why: it goes into the audit log. Needed, but for --dry-run.")] = "",
    config: face.ConfigPath = face.CONFIG,
    *,
    actor: stored.Actor = "",
    dry_run: stored.DryRun = False,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Cancel what was not sent: all that is given has to hold. A running gateway follows within a second.

    messages are those that can be cancelled: held, scheduled and queued together. What was sent cannot be called back: out says how
    many. show tells what came of it.
    """
    from smsgw.admin import cancelling

    who, most = stored.who(actor), face.settings(config).limits.cancellations
    wanted = cancelling.Wanted(
        account=account,
        tenant=tenant,
        link=link,
        prefix=prefix,
        number=number,
        source=source,
        rule=rule,
        since_s=_ago(since, "--since"),
        until_s=_ago(until, "--until") if until else 0.0,
    )

    async def run(connection: Connection) -> tuple[int, list[dict[str, Any]]]:
        if dry_run:
            return 0, await cancelling.preview(connection, wanted)
        return await cancelling.cancel(connection, wanted, actor=who, reason=reason, most=most)

    made, rows = stored.ask(config, run)
    stored.show([{"cancellation": made, **row} for row in rows] if made else rows, "messages", json=json, csv=csv)
    if made:
        print(f"cancellation {made} is under way: smsgw cancel show {made}", file=sys.stderr)
    else:
        stored.done(dry_run=True)


@app.command("list")
def list_(
    config: face.ConfigPath = face.CONFIG, *, limit: stored.Limit = 100, json: stored.Json = False, csv: stored.Csv = False
) -> None:
    """Show the newest cancellations: what they mean, by whom and why, and what came of them."""
    from smsgw.admin import cancelling

    rows = stored.ask(config, lambda connection: cancelling.listed(connection, limit))
    stored.show(rows, "cancellations", json=json, csv=csv)


@app.command()
def show(number: Number, config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False, csv: stored.Csv = False) -> None:
    """Show what came of one, by account; while it is being carried out, that it is."""
    from smsgw.admin import cancelling

    summary, rows = stored.ask(config, lambda connection: cancelling.result(connection, number))
    told = [{"cancellation": number, "state": summary["state"], **row} for row in rows]
    stored.show(told or [{"cancellation": number, **summary}], "cancellations", json=json, csv=csv)


def _ago(text: str, option: str) -> float:
    """Return how many seconds ago a moment was; ends the command with 2 for what is none."""
    return (datetime.now(UTC) - stored.moment(text, option)).total_seconds()
