"""What the commands on the store share: a connection, the exit codes of what may go wrong, rows out, times in.

Such a command reads from top to bottom: what it was given is looked at, `ask` does its work on a connection, `show` writes the rows
of the answer to standard output, `done` says on standard error how it ended. Exit codes: 0, 1 failed, 2 wrong usage, 3 no such
tenant or account, 4 not allowed from here, 69 and 78 as in sysexits.h.

With the embedded database and no gateway running, its server is started for the moment and stopped again; one that a gateway has
taken up meanwhile is left to it.

Must never: hold SQL; book or change anything itself.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from smsgw.cli import face

if TYPE_CHECKING:
    from smsgw.config import Config
    from smsgw.store.database import Connection

Answer = TypeVar("Answer")

Json = face.Json
Csv = face.Csv


def sound(reason: str) -> str:
    """Return a reason. Ends the command for one that is too long, or that the store has no way to write."""
    from smsgw.admin.reasons import fault_of

    fault = fault_of(reason)
    if fault:
        face.fail(USAGE, f"--reason {fault}")
    return reason


Reason = Annotated[str, typer.Option("--reason", help="Why: it goes into the audit log.", callback=sound)]
Actor = Annotated[str, typer.Option(help="Whom the audit names; who runs this if not given.")]
DryRun = Annotated[bool, face.flag("--dry-run", help="Show what would change, change nothing.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")]

USAGE: Final = 2
EMBEDDED: Final = "embedded"
NAME: Final = "smsgw provisioning"
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def ask(config: Path, work: Callable[[Connection], Awaitable[Answer]], undone: str = "nothing was booked") -> Answer:
    """Do something with a connection to the store of these settings; ends the command where that fails.

    `undone`: what was not done where the books refuse it.
    """
    from smsgw.admin.books import NoSuchTenant, ReferenceTaken, Refused
    from smsgw.admin.standing import NotAllowed, NotFound
    from smsgw.config import ConfigError
    from smsgw.store.errors import StoreError

    settings = face.settings(config)

    async def run() -> Answer:
        async with opened(settings) as connection:
            return await work(connection)

    try:
        return asyncio.run(run())
    except NotFound as error:
        face.fail(face.NOT_FOUND, str(error))
    except NoSuchTenant as error:
        face.fail(face.NOT_FOUND, f"there is no tenant {str(error)!r}: `smsgw balance show` lists them")
    except (ReferenceTaken, Refused) as error:
        face.fail(face.CONFLICT, f"{undone}: {error}")
    except NotAllowed as error:
        face.fail(face.CONFLICT, f"nothing was changed: {error}")
    except ValueError as error:
        face.fail(USAGE, str(error))
    except (ConfigError, StoreError) as error:
        face.fail(error.exit_code, str(error))


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Connection]:
    """Connect to the store of these settings, at this program's schema. Raises StoreError."""
    from smsgw.store.database import EmbeddedServer, connect, migrate, others_connected

    if config.database.dsn != EMBEDDED:
        connection = await connect(config.database.dsn, name=NAME)
        try:
            await migrate(connection)
            yield connection
        finally:
            await connection.close()
        return
    server = EmbeddedServer(Path(config.node.data_dir))
    ours = server.pid is None
    if ours:
        await server.start()
    try:
        connection = await connect(server.dsn, name=NAME)
        try:
            await migrate(connection)
            yield connection
        finally:
            # A gateway that was started meanwhile has taken the server up: then it is not ours to stop any more.
            ours = ours and (connection.is_closed() or not await others_connected(connection))
            await connection.close()
    finally:
        if ours:
            await server.stop()


def who(actor: str) -> str:
    """Return whom the audit names. A person, always: smsgw's own name is not to be borrowed."""
    from smsgw.contracts.standing import AUTOMATIC

    if actor == AUTOMATIC:
        face.fail(USAGE, f"--actor {AUTOMATIC} is smsgw itself: name a person")
    return actor or caller()


def caller() -> str:
    """Return who runs this, for the audit: the one behind sudo, if any."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


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


def moment(text: str, option: str) -> datetime:
    """Return a moment, given as how long ago it was (30m, 12h, 7d) or as itself: 2026-12-31, or with a time and its offset; without
    one it is UTC. Ends the command with 2 for another text.
    """
    if re.fullmatch(r"\d{1,6}[smhd]", text):
        return datetime.now(UTC) - span(text, option)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        face.fail(USAGE, f"{option} {text!r} is no moment: write 12h (ago), 2026-12-31, or 2026-12-31T18:00+08:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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
