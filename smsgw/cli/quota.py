"""`smsgw quota`: what accounts have used of their quotas, beside what they may."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from smsgw.cli import face, stored


def quota(
    account: Annotated[str, typer.Argument(help="Only of this account (system_id).")] = "",
    config: face.ConfigPath = face.CONFIG,
    *,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Show what accounts have used of their quotas."""
    from smsgw.admin import quotas

    rows = stored.ask(config, lambda connection: quotas.usage(connection, time.time(), account or None))
    stored.show(rows, "quotas", json=json, csv=csv)
