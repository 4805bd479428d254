"""Table: what documents are made of, whatever their format; and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Cell = str | int
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the columns' names, and rows of text and whole numbers. `wide`: relative widths on paper."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    wide: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its title, the lines of its head (name, value), its tables, the lines of its foot."""

    title: str
    head: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    foot: Sequence[str] = ()


def neutral(cell: Cell) -> Cell:
    """Return a cell that a spreadsheet shows and does not run: what begins like a formula gets an apostrophe before it.

    An amount such as -12.30 is left a number.
    """
    if isinstance(cell, int) or not cell.startswith(FORMULA):
        return cell
    if cell[0] == "-" and cell[1:].replace(".", "", 1).isdecimal() and cell.isascii():
        return cell
    return f"'{cell}"
