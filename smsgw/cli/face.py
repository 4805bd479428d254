"""What the commands share: the option for the settings, how rows become a table, how a failure is said.

Output is for people on a terminal and for programs otherwise: a table with colours on a TTY, aligned columns without any in
a pipe, `--json` and `--csv` where asked for. Nothing but the answer goes to standard output.

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 64 to 78 as in sysexits.h.

Must never: import a database driver, or anything of the data path.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from smsgw.admin.control import ControlError
    from smsgw.config import Config

FAILED: Final = 1
NOT_FOUND: Final = 3
CONFLICT: Final = 4
EX_USAGE: Final = 64
EX_UNAVAILABLE: Final = 69
EX_NOPERM: Final = 77
EX_CONFIG: Final = 78
_OF_HTTP: Final = {404: NOT_FOUND, 403: EX_NOPERM}


def flag(*names: str, help: str, **more: Any) -> Any:  # noqa: A002 - its name in typer
    """Return an option that takes no value, and shows none in the help."""
    return typer.Option(*names, help=help, metavar="", **more)


Json = Annotated[bool, flag("--json", help="A JSON list, one object a line.")]
Csv = Annotated[bool, flag("--csv", help="CSV with a header.")]

CONTROL_SOCKET: Final = "admin.sock"
CONFIG: Final = Path("/etc/smsgw/smsgw.toml")
ConfigPath = Annotated[Path, typer.Option("--config", "-c", envvar="SMSGW_CONFIG", help="The settings of the process.")]

Row = Mapping[str, Any]
_SENTENCE: Final = 20
"""Columns of a terminal that a text of several words gets at least before it takes several lines."""
_AMOUNT: Final = re.compile(r"-?\d+\.\d{2,6}")
"""Money in text, as `billing.tariff` writes it."""
_GOOD: Final = frozenset({"bound", "ok", "up"})
_BAD: Final = frozenset({"down", "critical", "lost", "closed"})


def fail(code: int, *lines: str) -> NoReturn:
    """Say why on standard error and end with this code."""
    for line in lines:
        print(line, file=sys.stderr)
    raise typer.Exit(code)


def settings(path: Path) -> Config:
    """Read the settings; with a bad file, say everything that is wrong in it and exit 78."""
    from smsgw.config import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        fail(EX_CONFIG, *error.errors)


def control_socket(config: Config) -> Path:
    """Where a running gateway answers who runs it."""
    return Path(config.node.data_dir) / CONTROL_SOCKET


def fail_as(error: ControlError) -> NoReturn:
    """Say why a running gateway did not answer, and end with the code that fits."""
    fail(_OF_HTTP.get(error.status, FAILED), str(error))


# ---- rows -----------------------------------------------------------------------------------------------------------


def columns_of(rows: Sequence[Row], wanted: str = "") -> list[str]:
    """Return the columns to show: those asked for ("a,b"), else all in the order in which they turn up. Raises KeyError."""
    known = list(dict.fromkeys(key for row in rows for key in row))
    asked = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in asked:
        if rows and name not in known:
            raise KeyError(f"there is no column {name!r} (known: {', '.join(known)})")
    return asked or known


def as_json(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return a JSON list of objects, one a line, so that both jq and grep can take it."""
    lines = [json.dumps({name: row.get(name) for name in columns}, ensure_ascii=False, default=str) for row in rows]
    return "[" + ",\n ".join(lines) + "]"


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return CSV with a header (RFC 4180, but for the line ends)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(name)) for name in columns] for row in rows])
    return text.getvalue().rstrip("\n")


def as_text(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return aligned columns without colour: numbers to the right, amounts by their points."""
    table = [list(columns), *zip(*(_cells(rows, name) for name in columns), strict=True)]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    right = [_is_right(rows, name) for name in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in table
    )


def print_rows(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print rows for people: on a terminal what fits it, elsewhere aligned columns without colour."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(as_fits(rows, columns, console.width))
    else:
        print(as_text(rows, columns), flush=True)


def as_fits(rows: Sequence[Row], columns: Sequence[str], width: int, title: str = "") -> Any:
    """Return rows for a terminal so wide: a table; a tighter one, in which only sentences take several lines; else, as psql does,
    a line for each value.

    A table that is squeezed further breaks every word of it over lines, and nobody can read that or copy from it.
    """
    from rich.cells import cell_len

    cells = {name: [name, *_cells(rows, name)] for name in columns}
    widths = {name: max(map(cell_len, texts)) for name, texts in cells.items()}
    if sum(widths.values()) + 3 * (len(columns) - 1) <= width - 2:
        return as_table(rows, columns, title)
    said = [name for name in columns if any(cells[name][1:])]
    sentences = {name for name in said if any(" " in text for text in cells[name])}
    least = (min(widths[name], _SENTENCE) if name in sentences else widths[name] for name in said)
    if sum(least) + len(said) - 1 <= width - 2:
        return as_table(rows, said, title, gap=1, words=set(said) - sentences)
    return _as_records(rows, said, title)


def _as_records(rows: Sequence[Row], columns: Sequence[str], title: str) -> Any:
    """Return each row as lines of name and value, an empty line between two rows; what is empty is left out."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(title)] if title else []
    for row in rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True, min_width=max(map(len, columns)))
        table.add_column(overflow="fold")
        for name in columns:
            if _cell(row.get(name)):
                table.add_row(name, Text(_cell(row.get(name)), style=_style(row.get(name))))
        parts += [table, Text()]
    return Group(*parts[:-1])


def as_table(rows: Sequence[Row], columns: Sequence[str], title: str = "", *, gap: int = 3, words: Collection[str] = ()) -> Any:
    """Return a table for a terminal (rich), with so many blanks between columns: 3 or 1; `words`: which ones are never broken."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    padding = (0, 1) if gap > 1 else (0, 0)
    table = Table(title=title or None, box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if _is_right(rows, name) else "left", overflow="fold", no_wrap=name in words)
    cells = {name: _cells(rows, name) for name in columns}
    for at, row in enumerate(rows):
        table.add_row(*(Text(cells[name][at], style=_style(row.get(name))) for name in columns))
    return table


def print_one(row: Row, *, json: bool = False) -> None:
    """Print what a command did: one JSON object, or `key value` lines."""
    if json:
        print(dumps(row))
        return
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name.replace('_', ' '):<{width}}  {_cell(value)}".rstrip())


def dumps(value: Any) -> str:
    """Return JSON on one line, readable where it is Chinese."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _cells(rows: Sequence[Row], name: str) -> list[str]:
    """Return the cells of a column; amounts with so many blanks behind them that their points stand below each other."""
    cells = [_cell(row.get(name)) for row in rows]
    if not _are_amounts(cells):
        return cells
    most = max(len(cell) - cell.rfind(".") for cell in cells if cell)
    return [cell + " " * (most - len(cell) + cell.rfind(".")) if cell else "" for cell in cells]


def _are_amounts(cells: Sequence[str]) -> bool:
    return any(cells) and all(_AMOUNT.fullmatch(cell) for cell in cells if cell)


def _is_right(rows: Sequence[Row], name: str) -> bool:
    """Tell whether a column stands to the right: numbers, also with some missing, and amounts."""
    said = [value for row in rows if (value := row.get(name)) is not None]
    return (bool(said) and all(map(_is_number, said))) or _are_amounts([_cell(row.get(name)) for row in rows])


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case list() | tuple():
            return ", ".join(map(_cell, value))
        case dict():
            return dumps(value)
        case _:
            return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _style(value: Any) -> str:
    if isinstance(value, str):
        return "green" if value in _GOOD else "bold red" if value in _BAD else ""
    return ""
