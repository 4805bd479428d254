"""`smsgw audit`: who changed what and why, what recipients said, and whether nobody has changed that since.

list   verify   head        look, walk the chain, say where it has come to (for a note outside)

Exit codes of verify: 0 the chains fit, 1 one does not: the first row that does not is named.

Never here: writing a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.store.audits import Verified
    from smsgw.store.database import Connection

LONGEST: Final = 80
"""Characters of a value that a row shows to people; --json has all of it."""

app = typer.Typer(help="Who changed what and why, as a chain of hashes.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    config: face.ConfigPath = face.CONFIG,
    kind: Annotated[str, typer.Option(help="Of this kind: account, tenant_state, price, content, …")] = "",
    name: Annotated[str, typer.Option(help="Of this name.")] = "",
    by: Annotated[str, typer.Option(help="By this actor.")] = "",
    since: Annotated[str, typer.Option(help="From then on: 30m, 12h or 7d ago, 2026-12-31, or 2026-12-31T18:00+08:00.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 100,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show the newest rows first: what was changed from what to what. --json and --csv have all that was and all that is."""
    start = stored.moment(since, "--since") if since else None

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import audited
        from smsgw.store import audits

        found = await audits.find(connection, kind or None, name or None, by or None, start, limit)
        return await audited.told(connection, found)

    rows = stored.ask(config, run)
    stored.show(rows if json or csv else [_for_people(row) for row in rows], "rows", json=json, csv=csv)


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


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row in which what was changed stands once, in words."""
    change = changed(row["old"], row["new"], row["currency"])
    return {**{key: row[key] for key in ("number", "at", "actor", "kind", "name")}, "change": change, "reason": row["reason"]}


def changed(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, currency: str = "") -> str:
    """Return what is otherwise: `key old → new`, `key new` where it came, `gone` and what was there where nothing is left."""
    was, now = old or {}, new or {}

    def said(key: str, of: Mapping[str, Any]) -> str:
        return _said(key, of[key], currency) if of.get(key) is not None else "none"

    if new is None:
        return "gone: " + ", ".join(f"{key} {said(key, was)}" for key in was) if was else ""
    came = [f"{key} {said(key, now)}" for key in now if key not in was and now[key] not in (None, "")]
    moved = [f"{key} {said(key, was)} → {said(key, now)}" for key in was if was[key] != now.get(key)]
    return ", ".join(moved + came)


def _said(key: str, value: Any, currency: str) -> str:
    """Return a value on one line, and at most so much of it as can be read there; an amount with its currency."""
    from smsgw.admin.audited import AMOUNTS

    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else face.dumps(value)
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{shown} {currency}" if currency and key in AMOUNTS else shown or '""'
