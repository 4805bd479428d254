"""What the commands on the store share: a connection, the exit codes of what may go wrong, rows out, times in.

The rows of an answer go to standard output; how it ended goes to standard error. Exit codes: 0, 1 failed, 2 wrong usage, 3 no such
tenant or account, 4 not allowed from here, 69 and 78 as in sysexits.h.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from smsgw.cli import face, provisioning

if TYPE_CHECKING:
    from smsgw.store.database import Connection

Answer = TypeVar("Answer")

Json = Annotated[bool, typer.Option("--json", help="A JSON list, one object a line.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV with a header.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it goes into the audit log.")]
Actor = provisioning.Actor
DryRun = provisioning.DryRun

USAGE: Final = 2
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def ask(config: Path, work: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Do something with a connection to the store of these settings; ends the command where that fails."""
    from smsgw.admin.standing import NotAllowed, NotFound
    from smsgw.config import ConfigError
    from smsgw.store.errors import StoreError

    settings = face.settings(config)

    async def run() -> Answer:
        async with provisioning.opened(settings) as connection:
            return await work(connection)

    try:
        return asyncio.run(run())
    except NotFound as error:
        face.fail(face.NOT_FOUND, str(error))
    except NotAllowed as error:
        face.fail(face.CONFLICT, f"nothing was changed: {error}")
    except ValueError as error:
        face.fail(USAGE, str(error))
    except (ConfigError, StoreError) as error:
        face.fail(error.exit_code, str(error))


def who(actor: str) -> str:
    """Return whom the audit names. A person, always: smsgw's own name is not to be borrowed."""
    from smsgw.contracts.standing import AUTOMATIC

    if actor == AUTOMATIC:
        face.fail(USAGE, f"--actor {AUTOMATIC} is smsgw itself: name a person")
    return actor or provisioning.caller()


def show(rows: Sequence[face.Row], what: str, *, json: bool, csv: bool = False) -> None:
    """Write rows as they were asked for; where there are none, say so."""
    plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
    columns = face.columns_of(plain)
    if json:
        print(face.as_json(plain, columns))
    elif csv:
        print(face.as_csv(plain, columns))
    elif not plain:
        print(f"no {what}", file=sys.stderr)
    else:
        face.print_rows(plain, columns)


def done(*, dry_run: bool, made: bool = True) -> None:
    """Say on standard error how it ended."""
    said = "nothing was changed (--dry-run)" if dry_run else "done" if made else "nothing to change"
    print(said, file=sys.stderr)


def span(text: str, option: str) -> timedelta:
    """Return a span of time such as 30m, 12h or 7d; ends the command with 2 for another text."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        face.fail(USAGE, f"{option} {text!r} is no span: a number and s, m, h or d, such as 30m or 7d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def day(text: str, option: str) -> date | None:
    """Return a day such as 2026-12-31; "none" is none. Ends the command with 2 for another text."""
    if text == "none":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        face.fail(USAGE, f"{option} {text!r} is no day: write 2026-12-31, or none")


def until(span_text: str) -> datetime | None:
    """Return when a span from now ends; None for "", which has no end."""
    return datetime.now(UTC) + span(span_text, "--for") if span_text else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value
