"""`smsgw tenant purge`, `certificate`, `verify-certificate`: what is left of a tenant goes after its contract, and what proves it.

Never here: what may go (`admin.purging`).

Exit codes: 0, 1 a certificate does not hold, 2 called wrongly, 3 no such tenant or no certificate, 4 the contract is not closed,
not everything was given back yet, or somebody else is at it, 69 and 78 as in sysexits.h.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection
    from smsgw.store.purges import Found

Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The contract's name.")]


def purge(
    name: Tenant,
    *,
    config: face.ConfigPath = face.CONFIG,
    reason: stored.Reason = "",
    unreturned: Annotated[
        bool, face.flag("--unreturned", help="Though not all of it was exported since it was closed: nobody wants it.")
    ] = False,
    yes: Annotated[bool, face.flag("--yes", help="Do it; without it only what may go and what is held is shown.")] = False,
    json: stored.Json = False,
) -> None:
    """Delete what a closed contract left of words and numbers, and certify it; what is held stays, and is named. Books stay."""
    from smsgw.admin import purging

    opened, signer = keys.content_of(config).open, keys.signer_of(config)
    if yes and not reason.strip():
        face.fail(stored.USAGE, "say why: --reason")
    if not yes:
        found = stored.ask(config, lambda connection: purging.preview(connection, name))
        stored.show(_rows(found), "data of it", json=json)
        stored.done(dry_run=True)
        return
    asked = purging.Asked(stored.caller(), reason, unreturned)
    said = stored.ask(config, lambda connection: purging.purge(connection, name, opened, signer, asked)).said
    went = [{"kind": one["kind"], "deleted": one["rows"], "from": one["from"], "until": one["until"]} for one in said["deleted"]]
    held = [{"kind": one["kind"], "held": one["rows"], "why": one["why"], "held_until": one["held_until"]} for one in said["held"]]
    stored.show([*went, *held], "data of it", json=json)
    print(f"certified: smsgw tenant certificate {name}", file=sys.stderr)
    if held:
        print("what is held goes when you ask again, once nothing holds it", file=sys.stderr)


def certificate(
    name: Tenant,
    *,
    config: face.ConfigPath = face.CONFIG,
    out: Annotated[Path | None, typer.Option(help="Write it there; standard output if not given.")] = None,
) -> None:
    """Print the newest certificate of deletion of a tenant, with its signature."""

    async def run(connection: Connection) -> str:
        from smsgw.admin import purging
        from smsgw.admin.standing import NotFound
        from smsgw.store import purges

        made = await purges.certificate(connection, name)
        if made is None:
            raise NotFound(f"nothing of {name!r} was certified: smsgw tenant purge does it")
        return purging.shown(made)

    text = stored.ask(config, run)
    if out is None:
        print(text, end="")
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        face.fail(face.CONFLICT, f"{out} is there already: a certificate is never written over")
    except OSError as error:
        face.fail(face.FAILED, f"{out}: cannot be written: {error.strerror}")


def verify_certificate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate, as smsgw tenant certificate printed it.")],
    config: face.ConfigPath = face.CONFIG,
    *,
    key: keys.Key = None,
    store: Annotated[bool, face.flag("--store", help="Also that it was made here, and that the audit's chain fits.")] = False,
    json: stored.Json = False,
) -> None:
    """Say whether a certificate is as it was signed: exit 0, or 1 with everything that is wrong."""
    from smsgw.admin import purging

    public = keys.read_public(key) if key is not None else None
    try:
        said, faults = purging.read(file.read_text(encoding="utf-8"), public)
    except OSError as error:
        face.fail(stored.USAGE, f"{file}: cannot be read: {error.strerror}")
    except ValueError as error:
        face.fail(face.FAILED, f"{file} {error}")

    if store:
        faults += stored.ask(config, lambda connection: purging.check_made_here(connection, said["sha256"]))
    if faults:
        face.fail(face.FAILED, *(f"{file}: {fault}" for fault in faults))
    told = {name: said[name] for name in ("tenant", "closed", "made", "complete", "asked_by", "sha256", "signed_by")}
    face.print_one({**told, "holds": True}, json=json)
    if public is None:
        print("whose key that is, compare (smsgw export key), or give it: --key FILE", file=sys.stderr)


def _rows(found: list[Found]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in found:
        rows.append({"kind": one.kind, "would_go": one.free, "held": None, "why": None, "held_until": None})
        rows += [{"kind": one.kind, "would_go": None, "held": k.rows, "why": k.why, "held_until": k.until} for k in one.held]
    return rows


def mount(app: typer.Typer) -> None:
    """Add the commands to those of tenants."""
    app.command()(purge)
    app.command()(certificate)
    app.command("verify-certificate")(verify_certificate)
