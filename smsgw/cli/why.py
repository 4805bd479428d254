"""`smsgw why`: ask a running gateway what would become of a message; nothing is sent.

The text comes on standard input, so that it stands in no process list. Exit codes: 0 answered, 1 no gateway, 3 no such account, 77
not yours.

Never here: the judging, which the gateway does by what it has in force.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from smsgw.cli import face


def why(
    account: Annotated[str, typer.Option(help="The system_id that would send it.")],
    to: Annotated[str, typer.Option(help="The number that would get it.")],
    config: face.ConfigPath = face.CONFIG,
    text: Annotated[str, typer.Option(help="Only -: the text is read from standard input.")] = "-",
    source: Annotated[str, typer.Option("--from", help="The sender; none given: an empty one.")] = "",
    *,
    json: face.Json = False,
) -> None:
    """Say what would become of a message: every rule, route and price, balance and quotas, without sending it."""
    from smsgw.admin.control import ControlError, question

    if text != "-":
        face.fail(2, "the text comes on standard input: --text - <FILE (an argument would stand in the list of processes)")
    said = sys.stdin.read()
    settings = face.settings(config)
    asked = {"account": account, "to": to, "from": source, "text": said.removesuffix("\n")}
    try:
        rows = asyncio.run(question(face.control_socket(settings), "why", asked))
    except ControlError as error:
        face.fail_as(error)
    columns = face.columns_of(rows)
    if json:
        print(face.as_json(rows, columns))
    else:
        face.print_rows(rows, columns)
