"""`smsgw statement`: a tenant's (or a partner's) closed cycle as files; closing it when it is asked for the first time.

Exit codes: 0, 1 the books do not reconcile or a library is missing, 2 usage, 3 no such tenant, 4 the cycle cannot be closed yet.

Never here: what a cycle comes to (`admin.closing`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored
from smsgw.cli.balance import DryRun, Json

if TYPE_CHECKING:
    from smsgw.store.database import Connection


def statement(
    party: Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name; with --partner the partner's.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    cycle: Annotated[str, typer.Option(help="By the contract's cycle: 2026-11, 2026-W47 or 2026-11-25.")],
    form: Annotated[list[str] | None, typer.Option("--format", help="csv, xlsx or pdf; may be given several times.")] = None,
    out: Annotated[Path, typer.Option(help="Where the files are written.")] = Path(),
    detail: Annotated[bool, face.flag("--detail", help="A CSV with a line for each message as well.")] = False,
    partner: Annotated[bool, face.flag("--partner", help="What a partner is paid for the tenants that he brought.")] = False,
    actor: stored.Actor = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Close a cycle and write its documents; a closed one asked for again gives the same octets."""
    from smsgw.admin import closing
    from smsgw.reports.rendering import FORMS, MissingExtra, TooLarge
    from smsgw.reports.statement import NotReconciled

    wanted = form or ["csv"]
    for one in wanted:
        if one not in FORMS:
            face.fail(stored.USAGE, f"--format {one!r} is none of {', '.join(FORMS)}")
    if detail and partner:
        face.fail(stored.USAGE, "--detail is of a tenant's messages: leave out --partner")

    async def run(connection: Connection) -> list[dict[str, Any]]:
        close = closing.close_partner if partner else closing.close
        made = await close(connection, party, cycle, actor=stored.who(actor), draft=dry_run)
        files = [await closing.file_of(connection, made, one) for one in wanted]
        if detail:
            files.append(await closing.file_of(connection, made, "csv", detail=True))
        return [write(out, name, body) for name, body in files]

    try:
        rows = stored.ask(config, run, "nothing was closed")
    except NotReconciled as error:
        face.fail(face.FAILED, f"cycle {cycle} of {party} is not closed, its books do not reconcile:", *error.differences)
    except (MissingExtra, TooLarge) as error:
        face.fail(face.FAILED, str(error))
    except OSError as error:
        face.fail(face.FAILED, f"{error.filename}: cannot be written: {error.strerror}")
    stored.show(rows, "files", json=json)


def write(out: Path, name: str, body: bytes) -> dict[str, Any]:
    """Write a file whole or not at all; returns what a table says of it. Raises OSError."""
    from smsgw.reports.rendering import sha256

    out.mkdir(parents=True, exist_ok=True)
    path, half = out / name, out / f".{name}.part"
    half.write_bytes(body)
    half.replace(path)
    return {"file": str(path), "octets": len(body), "sha256": sha256(body)}
