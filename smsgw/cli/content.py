"""`smsgw content`: what messages said: read one, have some purged, hold some for a court, rotate the key that seals them.

show   purge   hold   release   holds   rotate-key

Whoever reads or purges is in the audit by who he is on this machine: there is no --actor. Exit codes: 0, 2 called wrongly, 3 no
such message, tenant, account or hold, 4 it cannot be opened, 69 and 78 as in sysexits.h.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, stored
from smsgw.cli.subject import Name, Of

if TYPE_CHECKING:
    from smsgw.store.contents import Filter
    from smsgw.store.database import Connection

Since = Annotated[str, typer.Option("--since", help="Accepted from then on: 12h ago, 2026-11-01, or 2026-11-01T10:00+08:00.")]
Until = Annotated[str, typer.Option("--until", help="Accepted before this moment.")]
Destination = Annotated[str, typer.Option("--to", help="To this number alone.")]
Ids = Annotated[list[int] | None, typer.Option("--id", help="This message alone; repeatable.")]

app = typer.Typer(help="What messages said: show, purge, hold, release, rotate-key.", no_args_is_help=True)


@app.command()
def show(
    message: Annotated[int, typer.Argument(help="The id of a message.")],
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
) -> None:
    """Read one message: text and octets. It leaves a row in the audit."""
    from smsgw.admin import contents

    opened = keys.content_of(config).open
    found = stored.ask(config, lambda connection: contents.read(connection, message, opened, actor=stored.caller(), reason=reason))
    row = {
        "id": found.id,
        "tenant": found.tenant,
        "account": found.account,
        "state": found.state.name,
        "source": found.source,
        "destination": found.destination,
        "text": found.text,
        "transform": found.transform,
        "unmodified": found.unmodified,
        "sha256_in": found.digests.came,
        "sha256_out": found.digests.went,
        "body": found.body.hex(),
    }
    face.print_one({**row, "gone": found.gone} if found.gone else row, json=json)


@app.command()
def purge(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason = "",
    config: face.ConfigPath = face.CONFIG,
    since: Since = "",
    until: Until = "",
    to: Destination = "",
    ids: Ids = None,
    yes: Annotated[bool, face.flag("--yes", help="Do it; without it only the counts are shown.")] = False,
    json: stored.Json = False,
) -> None:
    """Remove what messages said; a tombstone with its hash stays. Without --yes it only counts."""
    opened, span = keys.content_of(config).open, span_of(since, until)
    if yes and not reason.strip():
        face.fail(stored.USAGE, "say why: --reason")

    async def run(connection: Connection) -> dict[str, int]:
        from smsgw.admin import contents, standing

        of = await standing.find(connection, kind, name)
        meant: Filter = contents.meant_of(of, destination=to, ids=tuple(ids or ()), **span)
        if not yes:
            return await contents.preview(connection, meant)
        return await contents.purge(connection, of, meant, opened, actor=stored.caller(), reason=reason)

    counts = stored.ask(config, run)
    face.print_one({"purged" if yes else "would_be_purged": counts["content"], **_rest(counts)}, json=json)
    if counts["sent"]:
        print(f"{counts['sent']} of them were sent: what carriers and handsets have cannot be recalled", file=sys.stderr)
    if counts["open"]:
        print(f"{counts['open']} are not sent yet and need it still: ask again later", file=sys.stderr)
        print("what of them waits for a person can be refused now (smsgw review refuse)", file=sys.stderr)
    if counts["held"]:
        print(f"{counts['held']} are under a legal hold (smsgw content holds)", file=sys.stderr)
    if counts["by_law"]:
        day = datetime.fromtimestamp(counts["law_until"], UTC).date()
        print(f"{counts['by_law']} have to be kept by law (cn_port): the last of them until {day}", file=sys.stderr)
    if yes:
        stored.done(dry_run=False, made=bool(counts["content"]))
    else:
        print("nothing was changed: --yes and --reason do it", file=sys.stderr)


def _rest(counts: dict[str, int]) -> dict[str, Any]:
    rest: dict[str, Any] = {"sent": counts["sent"], "open": counts["open"]}
    rest |= {"legally_held": counts["held"], "kept_by_law": counts["by_law"]}
    if counts["by_law"]:
        rest["held_until"] = datetime.fromtimestamp(counts["law_until"], UTC).isoformat(timespec="seconds")
    return rest


@app.command()
def hold(
    kind: Of,
    name: Name,
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
    since: Since = "",
    until: Until = "",
) -> None:
    """Let nothing of its messages go, whatever their retention says, until it is released. No span: all, also those to come."""
    span = span_of(since, until)

    async def run(connection: Connection) -> int:
        from smsgw.admin import contents, standing

        of = await standing.find(connection, kind, name)
        meant = contents.meant_of(of, **span)
        return await contents.hold(connection, of, meant, actor=stored.caller(), reason=reason)

    face.print_one({"hold": stored.ask(config, run)})


@app.command()
def release(
    number: Annotated[int, typer.Argument(help="The number of a legal hold.")],
    *,
    reason: stored.Reason,
    config: face.ConfigPath = face.CONFIG,
) -> None:
    """End a legal hold: what has had its time goes with the next round."""
    from smsgw.admin import contents

    stored.ask(config, lambda connection: contents.release(connection, number, actor=stored.caller(), reason=reason))
    stored.done(dry_run=False)


@app.command()
def holds(config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False, csv: stored.Csv = False) -> None:
    """Show all legal holds, the newest first."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.store import legal_holds
        from smsgw.store.ids import MAX_ID, seconds_of

        def at(number: int) -> datetime | None:
            return datetime.fromtimestamp(seconds_of(number), UTC) if 0 < number < MAX_ID else None

        rows = [dict(row) for row in await legal_holds.holds(connection)]
        return [{**row, "from_id": at(row["from_id"]), "until_id": at(row["until_id"])} for row in rows]

    rows = [{_HEADS.get(key, key): value for key, value in row.items()} for row in stored.ask(config, run)]
    stored.show(rows, "legal holds", json=json, csv=csv)


_HEADS = {"from_id": "since", "until_id": "until", "id": "hold"}


@app.command("rotate-key")
def rotate_key(config: face.ConfigPath = face.CONFIG) -> None:
    """Add a key that seals content from the next start on; copy content.keys to every node before it is restarted."""
    from smsgw.admin import content_keys
    from smsgw.config import ConfigError

    try:
        count = content_keys.rotate(Path(face.settings(config).node.data_dir))
    except ConfigError as error:
        face.fail(error.exit_code, str(error))
    face.print_one({"keys": count})


def span_of(since: str, until: str) -> dict[str, int]:
    """Return the ids of a span, as a filter takes them; ends the command for what is no moment."""
    from smsgw.store.ids import least_id_at

    found = {}
    for key, option, text in (("from_id", "--since", since), ("until_id", "--until", until)):
        if text:
            found[key] = least_id_at(stored.moment(text, option).timestamp())
    return found
