"""A carrier's own file against our messages, by message id: what only one side has, and where both say different things.

Pure: the file's text and our rows in, differences out. Ids are compared in the form in which the link's dialect matches them.

Never here: the store; whose word counts. A difference is for people to settle with the carrier.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from smsgw.model import State

MOST_ROWS: Final = 5_000_000
ID_COLUMNS: Final = ("message_id", "messageid", "msg_id", "msgid", "id", "smsc_id", "消息id")
PARTS_COLUMNS: Final = ("parts", "segments", "part_count", "count", "条数")
STATE_COLUMNS: Final = ("state", "status", "stat", "状态")
STATES: Final[Mapping[str, State]] = {
    "DELIVRD": State.DELIVERED,
    "UNDELIV": State.FAILED,
    "REJECTD": State.FAILED,
    "DELETED": State.CANCELLED,
    **{state.name: state for state in State if state >= State.SENT},
}
"""What a carrier's file calls a state: the words of receipts, and ours."""


class BadFile(Exception):
    """The file cannot be read as one; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """A line of the carrier's file; None where it has no such column."""

    line: int
    raw_id: str
    parts: int | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Ours:
    """A message that the link took. `within`: it was sent in the span that the file is of, and not just before or after."""

    id: int
    tenant: str
    upstream_id: str
    parts: int
    state: State
    within: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `what`: only_carrier, only_ours, twice, parts, state."""

    what: str
    carrier_id: str
    line: int
    message: str = ""
    tenant: str = ""
    ours: str = ""
    theirs: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Every difference, and how much agreed."""

    differences: tuple[Difference, ...]
    matched: int
    theirs: int
    ours: int


def read_file(text: str, *, id_column: str = "", parts_column: str = "", state_column: str = "") -> list[Theirs]:
    """Read a CSV with a header; columns are found by their usual names where none is given. Raises BadFile."""
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:4_096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = csv.reader(io.StringIO(text, newline=""), dialect)
    header = next(rows, [])
    at_id = _column(header, id_column, ID_COLUMNS)
    if at_id is None:
        raise BadFile(f"no column has the message id: --id-column names it (columns: {', '.join(header)})")
    at_parts, at_state = _column(header, parts_column, PARTS_COLUMNS), _column(header, state_column, STATE_COLUMNS)
    found: list[Theirs] = []
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(found) >= MOST_ROWS:
            raise BadFile(f"more than {MOST_ROWS} lines: split the file by days")
        found.append(Theirs(line, _cell(row, at_id), _number(_cell(row, at_parts), line), _cell(row, at_state).upper() or None))
    return found


def _column(header: Sequence[str], wanted: str, usual: Sequence[str]) -> int | None:
    names = [name.strip().lower() for name in header]
    if wanted:
        if wanted.lower() not in names:
            raise BadFile(f"there is no column {wanted!r} (columns: {', '.join(header)})")
        return names.index(wanted.lower())
    return next((names.index(name) for name in usual if name in names), None)


def _cell(row: Sequence[str], at: int | None) -> str:
    # An apostrophe before an id is what spreadsheets keep a long number by.
    return "" if at is None or at >= len(row) else row[at].strip().removeprefix("'")


def _number(cell: str, line: int) -> int | None:
    if not cell:
        return None
    try:
        return int(cell)
    except ValueError:
        raise BadFile(f"line {line}: {cell!r} is no number of parts") from None


def compare(theirs: Sequence[Theirs], ours: Iterable[Ours], keys: Callable[[str], Sequence[str]]) -> Result:
    """Return what differs. `keys`: the forms in which an id of the file may be known, likelier ones first.

    Carriers give ids again: of several messages with one id the newest that was not matched yet is meant.
    """
    known: dict[str, list[Ours]] = {}
    count = 0
    for message in ours:
        known.setdefault(message.upstream_id, []).append(message)
        count += message.within
    differences: list[Difference] = []
    seen: dict[str, int] = {}
    matched = 0
    for line in theirs:
        key = next((key for key in keys(line.raw_id) if known.get(key)), None)
        if key is None:
            what = "twice" if line.raw_id in seen else "only_carrier"
            first = f"line {seen[line.raw_id]}" if what == "twice" else ""
            differences.append(Difference(what, line.raw_id, line.line, ours=first, theirs=line.state or ""))
            continue
        seen[line.raw_id] = line.line
        message = known[key].pop()
        matched += 1
        differences += _differing(line, message)
    left = (message for messages in known.values() for message in messages if message.within)
    differences += [
        Difference("only_ours", one.upstream_id, 0, str(one.id), one.tenant, one.state.name)
        for one in sorted(left, key=lambda one: one.id)
    ]
    return Result(tuple(differences), matched, len(theirs), count)


def _differing(line: Theirs, message: Ours) -> list[Difference]:
    found: list[Difference] = []
    about = (line.raw_id, line.line, str(message.id), message.tenant)
    if line.parts is not None and line.parts != message.parts:
        found.append(Difference("parts", *about, str(message.parts), str(line.parts)))
    if line.state is not None and STATES.get(line.state) is not message.state:
        found.append(Difference("state", *about, message.state.name, line.state))
    return found
