"""Lists that people bring: CSV of numbers who refused, or are to be blocked, and of consents with their proof.

A list is read whole before anything of it is written. Every bad row is named by file and line and never repeated: a row holds a
phone number.

Never here: the store, hashes.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

NUMBER: Final = re.compile(r"(?:\+|00)?[0-9]{3,20}")
MOST_ROWS: Final = 5_000_000
LONGEST: Final = 500
_FAULTS_SHOWN: Final = 20


class BadList(ValueError):
    """A list has bad rows, or is none; the text names each by file and line, without its number."""


class Entry(NamedTuple):
    """A number of a list, since when, and what proves it. `at` None: since now."""

    number: str
    at: datetime | None = None
    source: str = ""
    proof: str = ""


def numbers_of(text: str, name: str) -> list[Entry]:
    """Read numbers: one a line, or CSV with the columns number, at, proof in any order; # begins a comment. Raises BadList."""
    return _entries(text, name, {"number": True, "at": False, "proof": False})


def consents_of(text: str, name: str) -> list[Entry]:
    """Read consents: CSV with the columns number, at, source, proof. Raises BadList."""
    return _entries(text, name, {"number": True, "at": True, "source": True, "proof": True})


def number_of(text: str) -> str:
    """Return a number in plain digits, without blanks and dashes. Raises ValueError, which does not repeat it."""
    digits = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text))
    if not NUMBER.fullmatch(digits):
        raise ValueError("that is no number: 3 to 20 digits, with the country code")
    return digits


def moment_of(text: str) -> datetime:
    """Return a moment: 2026-11-01, or 2026-11-01T08:30:00+08:00; without an offset it is UTC. Raises ValueError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time: write 2026-11-01, or 2026-11-01T08:30:00+08:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _entries(text: str, name: str, columns: Mapping[str, bool]) -> list[Entry]:
    """Read rows of these columns (name → whether it must be there)."""
    faults: list[str] = []
    made: list[Entry] = []
    for line, row in _rows(text, name, columns):
        try:
            made.append(_entry(row, columns))
        except ValueError as error:
            faults.append(f"{name}:{line}: {error}")
        if len(made) > MOST_ROWS:
            raise BadList(f"{name}: more than {MOST_ROWS} rows: bring them in several lists")
    if faults:
        more = len(faults) - _FAULTS_SHOWN
        raise BadList("\n".join([*faults[:_FAULTS_SHOWN], *([f"… and {more} more"] if more > 0 else [])]))
    return made


def _rows(text: str, name: str, columns: Mapping[str, bool]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row by column). Raises BadList for a header that lacks a column or has an unknown one."""
    lines = [(number, line) for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return
    header = [cell.lower() for cell in _cells(lines[0][1], f"{name}:{lines[0][0]}")]
    required = [column for column, needed in columns.items() if needed]
    if header and not set(header) & set(columns) and required == ["number"]:
        header = ["number"]  # no header: a plain list
    else:
        wrong = [f"lacks the column {column}" for column in required if column not in header]
        wrong += [f"has a column that nobody knows (known: {', '.join(columns)})"] * bool(set(header) - set(columns))
        if wrong:
            raise BadList(f"{name}:{lines[0][0]}: the header {' and '.join(wrong)}")
        del lines[0]
    for number, line in lines:
        cells = _cells(line.partition("#")[0] if len(header) == 1 else line, f"{name}:{number}")
        yield number, dict(zip(header, cells, strict=False)) | ({"": ""} if len(cells) > len(header) else {})


def _cells(line: str, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader(io.StringIO(line)), [""])]
    except csv.Error:
        raise BadList(f"{where}: is no CSV") from None


def _entry(row: Mapping[str, str], columns: Mapping[str, bool]) -> Entry:
    if "" in row:
        raise ValueError("it has more cells than the header")
    missing = [column for column, needed in columns.items() if needed and not row.get(column)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    if any(len(cell) > LONGEST for cell in row.values()):
        raise ValueError(f"a cell has more than {LONGEST} characters")
    return Entry(
        number_of(row["number"]),
        moment_of(row["at"]) if row.get("at") else None,
        row.get("source", ""),
        row.get("proof", ""),
    )
