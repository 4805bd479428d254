"""`smsgw report NAME`: a bundle of a tenant or an account for an authority. smsgw prepares it, a person sends it.

write    what `smsgw report NAME …` does; its name in full for a tenant called list or verify
list     what was reported, to whom, under which reference
verify   check a bundle, by itself, against a public key, or against the store as well

Exit codes: 0, 1 a bundle does not hold or cannot be written, 2 called wrongly, 3 no such name, 4 a file is there already or the
state allows no freeze, 69 and 78 as in sysexits.h.

Never here: what belongs into a bundle (`admin.reporting`); sending it anywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from smsgw.cli import face, keys, stored
from smsgw.cli.content import Since, Until, span_of
from smsgw.cli.subject import Kind

if TYPE_CHECKING:
    from smsgw.store.database import Connection
    from smsgw.store.standing import Subject


class NameFirst(typer.core.TyperGroup):
    """A group whose first word, where it is no command, is the name of whom a report is about."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Take `report NAME` for `report write NAME`."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["write", *args])


app = typer.Typer(cls=NameFirst, help="Bundles for an authority: smsgw report NAME, list, verify.", no_args_is_help=True)


@app.command()
def write(
    name: Annotated[str, typer.Argument(metavar="TENANT|ACCOUNT", help="The tenant's name, or the account's system_id.")],
    *,
    to: Annotated[str, typer.Option("--to", help="The authority.")],
    ref: Annotated[str, typer.Option("--ref", help="Their reference.")],
    config: face.ConfigPath = face.CONFIG,
    since: Since = "",
    until: Until = "",
    kind: Annotated[Kind | None, typer.Option(help="tenant or account, where a name is both.")] = None,
    freeze: Annotated[bool, face.flag("--freeze", help="Stop it first: its submits are refused.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write it; report-NAME-REF.zip if not given.")] = None,
    json: stored.Json = False,
) -> None:
    """Write a signed bundle: messages with what they said, verdicts, complaints, profiles, audit rows with their proof.

    Says how much is in it: of complaints how many there are, and how many messages they are about, a row of complaints.csv each.
    """
    opened, span = keys.content_of(config).open, span_of(since, until)
    signer = keys.signer_of(config)
    path = out or Path(f"report-{_plain(name)}-{_plain(ref)}.zip")

    async def run(connection: Connection) -> dict[str, Any]:
        from smsgw.admin import reporting
        from smsgw.store.ids import least_id_at

        of = await _subject(connection, kind, name)
        ids = (span.get("from_id", 0), span.get("until_id", least_id_at(2**40)))
        who = reporting.To(to, ref, stored.caller())
        return await reporting.report(connection, of, ids, who, path, opened, signer, freeze=freeze)

    try:
        made = stored.ask(config, run)
    except OSError as error:
        face.fail(face.FAILED, f"{error.filename}: cannot be written: {error.strerror}")
    face.print_one(made, json=json)
    print(f"written, not sent: give {path} to {to} yourself; smsgw report verify {path} checks it", file=sys.stderr)


@app.command("list")
def list_(config: face.ConfigPath = face.CONFIG, *, json: stored.Json = False, csv: stored.Csv = False) -> None:
    """Show what was reported, the newest first."""
    from smsgw.store import dossiers

    rows = stored.ask(config, dossiers.reports)
    stored.show(rows, "reports", json=json, csv=csv)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    store: Annotated[bool, face.flag("--store", help="Also that it was written here, and that the audit's chain fits it.")] = False,
    key: keys.Key = None,
    json: stored.Json = False,
) -> None:
    """Check every file of a bundle, its signature, and that its audit rows belong to the chain."""
    from smsgw.reports.bundle import Broken
    from smsgw.reports.bundle import verify as verified

    public = keys.read_public(key) if key is not None else None

    async def run(connection: Connection) -> None:
        from smsgw.admin import reporting

        await reporting.verify_against(connection, manifest)

    try:
        manifest = verified(file, public)
        if store:
            stored.ask(config, run)
    except OSError as error:
        face.fail(stored.USAGE, f"{file}: cannot be read: {error.strerror}")
    except Broken as error:
        face.fail(face.FAILED, f"{file} does not hold: {error}")
    words = ("kind", "name", "from", "until", "authority", "reference", "made", "chain", "sha256", "signed_by")
    rows = {entry["file"]: entry["rows"] for entry in manifest["files"]}
    face.print_one(
        {
            **{name: manifest[name] for name in words},
            "rows": rows if json else [f"{file} {count}" for file, count in rows.items()],
            "holds": True,
        },
        json=json,
    )
    if public is None:
        print("whose key that is, compare (smsgw export key), or give it: --key FILE", file=sys.stderr)


async def _subject(connection: Connection, kind: Kind | None, name: str) -> Subject:
    """Return whom a name means; ends the command where it means two."""
    from smsgw.admin.standing import NotFound
    from smsgw.store import standing

    kinds = [kind] if kind is not None else list(Kind)
    found = [of for one in kinds if (of := await standing.subject(connection, one, name)) is not None]
    if len(found) > 1:
        raise ValueError(f"{name!r} is a tenant and an account: say --kind")
    if not found:
        raise NotFound(f"there is no {' or '.join(kinds)} {name!r}")
    return found[0]


def _plain(word: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in word)[:60]
