"""`smsgw policy`: rule sets, looked at before they are in force, and written into files again.

replay      a new version over the texts that are stored: what would be refused, held or passed otherwise
export      a version as it is stored, in files: an apply of them changes nothing

Never here: what a rule set objects to (`admin.replaying`, `admin.policy_export`).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face, keys, stored

if TYPE_CHECKING:
    from smsgw.admin.replaying import Answer
    from smsgw.store.database import Connection

app = typer.Typer(help="Rule sets: try a new version on what was sent, write one into files.", no_args_is_help=True)


@app.command()
def replay(
    name: Annotated[str, typer.Argument(help="The rule set, as accounts name it.")],
    files: Annotated[list[Path], typer.Argument(help="The files of its new version.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    account: Annotated[str, typer.Option(help="Only texts of this system_id, whatever its policy.")] = "",
    since: Annotated[str, typer.Option(help="Accepted since then: 12h or 7d ago, or 2026-12-31.")] = "7d",
    most: Annotated[
        int, typer.Option("--limit", "--most", min=1, max=1_000_000, help="So many at most, the oldest first.")
    ] = 100_000,
    text: Annotated[bool, face.flag("--text", help="Show what the examples say.")] = False,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Judge stored texts by a new version of a rule set, and show what it does otherwise than the one in force."""
    back = datetime.now(UTC) - stored.moment(since, "--since")
    settings, opened = face.settings(config), keys.content_of(config).open

    async def run(connection: Connection) -> Answer:
        from smsgw.admin import replaying
        from smsgw.admin.sealing import load_key
        from smsgw.store.provisioning import audit

        key = load_key(Path(settings.node.data_dir))
        if text:  # whoever reads what messages say is in the audit
            said = {"policy": name, "account": account, "since": since}
            await audit(connection, stored.caller(), ("content", name), None, said, "smsgw policy replay --text")
        return await replaying.replay(
            connection,
            key,
            name,
            files,
            account=account,
            since=back,
            most=most,
            compliance=settings.compliance,
            show_text=text,
            opened=opened,
        )

    rows, told = stored.ask(config, run)
    stored.show(rows, "differences", json=json, csv=csv)
    print(told, file=sys.stderr)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="The rule set, as accounts name it.")],
    directory: Annotated[Path, typer.Argument(help="Where the provisioning file lies: names of files are paths from there.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    version: Annotated[
        str, typer.Option(help="A version that it had, at least its first 8 characters; none: the one in force.")
    ] = "",
    force: Annotated[bool, face.flag("--force", help="Write over files that say something else.")] = False,
) -> None:
    """Write a rule set into files, as it is stored, and print the table that names them."""

    async def run(connection: Connection) -> tuple[list[Path], str]:
        from smsgw.admin import policy_export, policy_sets

        entity, bundle = await policy_sets.stored(connection, name, version)
        return policy_export.export(bundle, directory, force=force), policy_export.table(name, entity)

    try:
        paths, table = stored.ask(config, run)
    except OSError as error:
        face.fail(face.FAILED, f"{error.filename}: {error.strerror}")
    print(table, end="")
    print(f"wrote {', '.join(map(str, paths))}", file=sys.stderr)
