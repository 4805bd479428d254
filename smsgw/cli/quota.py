"""`smsgw quota`: what accounts have used of their quotas, beside what they may."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection


def quota(
    account: Annotated[str, typer.Argument(help="Only of this account (system_id).")] = "",
    config: face.ConfigPath = face.CONFIG,
    *,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what accounts have used of their quotas."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import quotas

        return await quotas.usage(connection, time.time(), account or None)

    stored.show(stored.ask(config, run), "quotas", json=json, csv=csv)
