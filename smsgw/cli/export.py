"""`smsgw export`: a tenant's own data as files with a signed manifest, and their verification. `smsgw reconcile`: a carrier's file
against what its link took.

Exit codes: 0, 1 there are differences or faults (or a file cannot be written), 2 usage, 3 no such tenant or link, 4 the directory
is not empty.

Never here: what is exported and how it is signed (`admin.exporting`, `admin.signing`).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from smsgw.cli import face, keys, stored
from smsgw.cli.balance import Json

if TYPE_CHECKING:
    from smsgw.reports.reconcile import Theirs
    from smsgw.store.database import Connection

From = Annotated[str, typer.Option("--from", help="The first day (UTC): 2026-11-01.")]
Until = Annotated[str, typer.Option("--until", help="The first day after it (UTC).")]


class _Export(TyperGroup):
    """`smsgw export TENANT` is `smsgw export write TENANT`: what is no command of the group is a tenant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `write` before a tenant."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["write", *args]
        return super().parse_args(ctx, args)


exports = typer.Typer(cls=_Export, no_args_is_help=True, help="A tenant's own data with a signed manifest: TENANT, or verify, key.")


@exports.command("write")
def export(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    out: Annotated[Path, typer.Option(help="An empty directory, or one that is made.")],
    start: From = "",
    until: Until = "",
    content: Annotated[bool, face.flag("--content", help="What the messages say as well, as PDU bodies in hex.")] = False,
    actor: stored.Actor = "",
    json: Json = False,
) -> None:
    """Write a tenant's messages, receipts, MO and ledger as CSV, with a signed manifest of hashes, in one snapshot."""
    from smsgw.admin import exporting
    from smsgw.store.sealed import Unreadable

    opened = keys.content_of(config).open
    first = _day(start) if start else datetime(2025, 1, 1, tzinfo=UTC)
    end = _day(until) if until else datetime.now(UTC) + timedelta(days=1)

    async def run(connection: Connection) -> list[dict[str, Any]]:
        signer, who = keys.signer_of(config), stored.who(actor)
        return await exporting.export(
            connection, tenant, out, signer, start=first, end=end, content=content, actor=who, opened=opened
        )

    try:
        rows = stored.ask(config, run, "nothing was written")
    except OSError as error:
        face.fail(face.FAILED, f"{error.filename}: cannot be written: {error.strerror}")
    except Unreadable as error:
        face.fail(face.FAILED, f"some content does not open: {error}")
    stored.show(rows, "files", json=json)


@exports.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The manifest, or the directory that it is in.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    key: keys.Key = None,
    json: Json = False,
) -> None:
    """Say whether an export is whole and as it was signed: exit 0, or 1 with everything that is wrong."""
    from smsgw.admin.signing import fingerprint
    from smsgw.admin.signing import verify as verified

    public = keys.read_public(key) if key is not None else keys.own_public(config)
    directory = file if file.is_dir() else file.parent
    if not file.exists():
        face.fail(stored.USAGE, f"{file}: there is no such file or directory")
    try:
        said, faults = verified(directory, public)
    except OSError as error:
        face.fail(stored.USAGE, f"{error.filename}: cannot be read: {error.strerror}")
    if faults:
        face.fail(face.FAILED, *faults)
    told = {name: said[name] for name in ("tenant", "from", "until", "made", "balance", "currency")}
    face.print_one({**told, "files": len(said["files"]), "key": fingerprint(public), "holds": True}, json=json)


@exports.command()
def key(config: face.ConfigPath = face.CONFIG) -> None:
    """Print the public key that verifies exports of this gateway; give it to whoever is to verify them."""
    print(keys.signer_of(config).pem, end="")


def reconcile(
    file: Annotated[Path, typer.Argument(help="The carrier's CSV, with a header.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    link: Annotated[str, typer.Option(help="The link that it is about.")],
    start: From,
    until: Until,
    id_column: Annotated[str, typer.Option(help="Which column has the message id; found by its usual names if not given.")] = "",
    parts_column: Annotated[str, typer.Option(help="Which has the number of parts.")] = "",
    state_column: Annotated[str, typer.Option(help="Which has the state.")] = "",
    json: Json = False,
    csv: stored.Csv = False,
) -> None:
    """Compare a carrier's file with what its link took, by message id; lists every difference."""
    from smsgw.admin import exporting
    from smsgw.reports.reconcile import BadFile, read_file

    try:
        text = file.read_text(encoding="utf-8-sig")
        theirs: list[Theirs] = read_file(text, id_column=id_column, parts_column=parts_column, state_column=state_column)
    except (OSError, UnicodeDecodeError) as error:
        face.fail(stored.USAGE, f"{file}: cannot be read: {error.strerror if isinstance(error, OSError) else 'it is not UTF-8'}")
    except BadFile as error:
        face.fail(stored.USAGE, f"{file}: {error}")
    first, end = _day(start), _day(until)

    try:
        result = stored.ask(config, lambda connection: exporting.reconcile(connection, link, theirs, start=first, end=end))
    except exporting.NoSuchLink:
        face.fail(face.NOT_FOUND, f"there is no link {link!r}")
    stored.show([asdict(one) for one in result.differences], "differences", json=json, csv=csv)
    said = f"{result.matched} matched, of {result.theirs} in the file and {result.ours} of ours"
    if result.differences:
        face.fail(face.FAILED, f"{len(result.differences)} differences; {said}")
    print(said, file=sys.stderr)


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        face.fail(stored.USAGE, f"{text!r} is no day: write 2026-11-01")
