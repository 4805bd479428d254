"""`smsgw message`: what became of one message, from its acceptance to its end; numbers masked, nothing of what it said.

By the id that its tenant was given, or by the carrier's. Exit codes: 0, 2 called wrongly, 3 no such message or link, 69 and 78 as
in sysexits.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smsgw.cli import face, keys, stored

if TYPE_CHECKING:
    from smsgw.store.database import Connection


def message(
    text: Annotated[str, typer.Argument(help="The id that the tenant was given; with --link the carrier's.", metavar="ID")],
    *,
    link: Annotated[str, typer.Option(help="ID is what the carrier of this link calls it.")] = "",
    since: Annotated[str, typer.Option(help="With --link: taken since then: 12h or 7d ago, or 2026-12-31.")] = "2d",
    config: face.ConfigPath = face.CONFIG,
    json: stored.Json = False,
    csv: stored.Csv = False,
) -> None:
    """Say what became of one message, step by step."""
    opened = keys.opener_if_any(config)
    start = stored.moment(since, "--since").timestamp()

    async def run(connection: Connection) -> list[dict[str, Any]]:
        from smsgw.admin import tracing

        if link:
            numbers = await tracing.by_carrier_id(connection, link, text, start)
        else:
            numbers = await tracing.by_id(connection, text)
        return [row for number in numbers for row in await tracing.trace(connection, number, opened)]

    stored.show(stored.ask(config, run), "messages", json=json, csv=csv)
