"""`smsgw doctor`: the face of `admin.doctor`, and where the store is that it looks at.

With the embedded database and no gateway running, the server is started for the visit and stopped after it. Exit code 0, 1
or 2, as Nagios reads them.

Never here: what is looked at (`admin.doctor`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face

if TYPE_CHECKING:
    from smsgw.admin.doctor import Finding
    from smsgw.config import Config


def doctor(
    config: face.ConfigPath = face.CONFIG,
    *,
    books: Annotated[bool, face.flag(help="Also check the books; reads every kept message.")] = True,
    json: face.Json = False,
) -> None:
    """Look for what is wrong: machine, store, books. Exits 0 when all is well, 1 for warnings, 2 when something is broken."""
    from smsgw.admin.doctor import exit_code

    findings = asyncio.run(_examined(face.settings(config), books=books))
    rows = [
        {
            "level": finding.level.name.lower(),
            "what": finding.what,
            "found": finding.text,
            "hint": finding.hint if finding.level else "",
        }
        for finding in findings
    ]
    columns = ["level", "what", "found", "hint"]
    if json:
        print(face.as_json(rows, columns))
    else:
        face.print_rows(rows, columns)
    raise typer.Exit(exit_code(findings))


async def _examined(config: Config, *, books: bool) -> list[Finding]:
    from smsgw.admin.doctor import Finding, Level, examine
    from smsgw.store.database import EmbeddedServer
    from smsgw.store.errors import StoreError

    if config.database.dsn != "embedded":
        return await examine(config, config.database.dsn, books=books)
    data_dir = Path(config.node.data_dir)
    try:
        there = (data_dir / "postgres").is_dir()
    except OSError as error:
        found = f"{data_dir} cannot be read: {error.strerror}"
        return [Finding("database", Level.CRITICAL, found, "run it as the gateway's user or root; or is --config another?")]
    if not there:
        return [
            Finding("database", Level.CRITICAL, f"there is none under {data_dir}", "smsgw serve makes it; or is --config another?")
        ]
    server = EmbeddedServer(data_dir)
    if server.pid is not None:
        return await examine(config, server.dsn, books=books)
    try:
        dsn = await server.start()
    except StoreError as error:
        return [Finding("database", Level.CRITICAL, str(error))]
    try:
        return await examine(config, dsn, books=books)
    finally:
        await server.stop()
