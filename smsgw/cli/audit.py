"""`smsgw audit`: who changed what and why, what recipients said, and whether nobody has changed that since.

list   verify   head        look, walk the chain, say where it has come to (for a note outside)

Exit codes of verify: 0 the chains fit, 1 one does not: the first row that does not is named.

Never here: writing a row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.store.audits import Verified
    from smsgw.store.database import Connection


app = typer.Typer(help="Who changed what and why, as a chain of hashes.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    config: face.ConfigPath = face.CONFIG,
    kind: Annotated[str, typer.Option(help="Of this kind: account, tenant_state, price, content, …")] = "",
    name: Annotated[str, typer.Option(help="Of this name.")] = "",
    by: Annotated[str, typer.Option(help="By this actor.")] = "",
    since: Annotated[str, typer.Option(help="From then on: 30m, 12h, 7d ago.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 100,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show the newest rows first."""
    from smsgw.store import audits

    start = datetime.now(UTC) - stored.span(since, "--since") if since else None
    rows = stored.ask(config, lambda connection: audits.find(connection, kind or None, name or None, by or None, start, limit))
    if not json:
        rows = [{**row, "old": _short(row["old"]), "new": _short(row["new"]), "hash": row["hash"][:12]} for row in rows]
    stored.show(rows, "rows", json=json, csv=csv)


@app.command()
def verify(
    *,
    config: face.ConfigPath = face.CONFIG,
    last: Annotated[int, typer.Option(min=0, help="The newest so many rows; 0: all.")] = 0,
    head: Annotated[list[str] | None, typer.Option(help="A head noted earlier (`smsgw audit head`); repeatable.")] = None,
    json: stored.Json = False,
) -> None:
    """Walk the chain, and that of opt-outs, block lists and consents; name the first row of each that does not fit."""

    async def run(connection: Connection) -> tuple[Verified, Verified]:
        from smsgw.store import audits, mark_chain
        from smsgw.store.chain import Head

        found = await audits.verify(connection, last=last, anchors=[Head.parse(text) for text in head or ()])
        return found, await mark_chain.verify(connection, last=last)

    found, marks = stored.ask(config, run)
    said = {"rows": found.rows, "head": str(found.head), "marks": marks.rows, "marks_head": str(marks.head)}
    faults = [(what, one.fault) for what, one in (("", found), ("of opt-outs, blocks and consents, ", marks)) if one.fault]
    face.print_one({**said, "fits": not faults}, json=json)
    if faults:
        face.fail(face.FAILED, *(f"{what}number {one.number}{f' (row {one.id})' * bool(one.id)} {one.why}" for what, one in faults))


@app.command()
def head(config: face.ConfigPath = face.CONFIG) -> None:
    """Print where the chain has come to, to be noted outside: verify --head compares it."""
    from smsgw.store import audits

    print(stored.ask(config, audits.head))


def _short(value: Any) -> str:
    return "" if value is None else face.dumps(value)[:80]
