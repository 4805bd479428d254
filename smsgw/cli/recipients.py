"""What the commands on recipients share: a number or a list read, put on record within a scope, and how it ended said.

A number may be `-`: it is read from standard input, and stands in no list of processes and no history of a shell.

Must never: repeat a number on any output.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smsgw.cli import face, keys, stored

if TYPE_CHECKING:
    from smsgw.admin.recipients import By, Done
    from smsgw.policy.marks import Scope
    from smsgw.store.database import Connection

    Scoping = Callable[[Connection], Awaitable[Scope]]
    """Finds the scope that is meant. Raises NotFound, NotAllowed."""

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="With its country code; - reads it from standard input.")]
ListFile = Annotated[Path, typer.Argument(metavar="FILE", help="A list of numbers or CSV, in UTF-8; - is standard input.")]
Account = Annotated[str, typer.Option("--account", help="The system_id of the account.")]
MAX_OCTETS = 512 << 20


def number_of(text: str) -> str:
    """Return a number that was given, or read; ends the command with 2 where it is none, without repeating it."""
    from smsgw.compliance.lists import number_of as read

    try:
        return read(sys.stdin.readline().strip() if text == "-" else text)
    except ValueError as error:
        face.fail(stored.USAGE, str(error))


def text_of(file: Path) -> tuple[str, str]:
    """Return a list's text and its name; ends the command where it cannot be read."""
    try:
        if str(file) == "-":
            return sys.stdin.read(), "standard input"
        if file.stat().st_size > MAX_OCTETS:
            face.fail(stored.USAGE, f"{file}: is larger than {MAX_OCTETS} octets: bring it in several lists")
        return file.read_text(encoding="utf-8"), str(file)
    except OSError as error:
        face.fail(stored.USAGE, f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        face.fail(stored.USAGE, f"{file}: is not UTF-8 at octet {error.start}")


def by(actor: str, reason: str, *, dry_run: bool) -> By:
    """Return who does it and why."""
    from smsgw.admin.recipients import By

    return By(stored.who(actor), reason, dry_run)


def mark_one(config: Path, number: str, scope: Scoping, by: By, *, json: bool) -> None:
    """Put a number on record within a scope, and say what came of it."""
    from smsgw.compliance.lists import Entry

    entry, known = Entry(number_of(number)), keys.marks_of(config)

    async def run(connection: Connection) -> Done:
        from smsgw.admin import recipients as admin

        return await admin.mark(connection, known, await scope(connection), [entry], by)

    told(stored.ask(config, run), by, json=json)


def mark_list(config: Path, file: Path, scope: Scoping, by: By, *, json: bool) -> None:
    """Put a list of numbers on record within a scope, all of it or nothing, and say what came of it."""
    text, name = text_of(file)
    known = keys.marks_of(config)

    async def run(connection: Connection) -> Done:
        from smsgw.admin import recipients as admin
        from smsgw.compliance.lists import numbers_of

        entries = numbers_of(text, name)
        return await admin.mark(connection, known, await scope(connection), entries, by, source=admin.list_of(name))

    told(stored.ask(config, run), by, json=json)


def told(done: Done, by: By, *, json: bool) -> None:
    """Say what came of it."""
    stored.show([{"numbers": done.numbers, "changed": done.changed}], "numbers", json=json)
    stored.done(dry_run=by.dry_run, made=bool(done.changed))


def filled(rows: Sequence[face.Row]) -> list[dict[str, object]]:
    """Return rows without what is empty in all of them, so that a terminal has room."""
    used = {key for row in rows for key, value in row.items() if value not in (None, "")}
    return [{key: value for key, value in row.items() if key in used} for row in rows]
