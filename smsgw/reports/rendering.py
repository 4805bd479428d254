"""A document as CSV, XLSX or PDF: the same document and moment give the same octets, whenever and wherever it is made.

XLSX and PDF need libraries of the extra `documents`, imported when one is made. The PDF embeds the glyphs that it uses, so that
Chinese text shows on every machine.

Never here: what a document says. No cell of CSV or XLSX begins a formula.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from smsgw.reports.table import Cell, Document, Table, neutral

SHEET_ROWS: Final = 1_048_576
_EXACT: Final = 10**15
"""Numbers up to here are exact in a spreadsheet."""
_AMOUNT: Final = re.compile(r"-?[0-9]{1,9}\.[0-9]{1,6}")


class MissingExtra(Exception):
    """A library is not installed; the text says how to get it."""

    def __init__(self, what: str) -> None:
        """`what` needs it."""
        super().__init__(f"{what} needs libraries that are not installed: pip install 'smsgw[documents]'")


class TooLarge(Exception):
    """It does not fit into this format; the text says into which it does."""


def render(document: Document, form: str, moment: datetime) -> bytes:
    """Return a document in a form: csv, xlsx or pdf. `moment`: when it was closed. Raises MissingExtra, TooLarge, KeyError."""
    return _FORMS[form](document, moment.astimezone(UTC))


def _csv(document: Document, _moment: datetime) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for name, value in (("", document.title), *document.head):
        writer.writerow([neutral(name or value), *([neutral(value)] if name else [])])
    for table in document.tables:
        writer.writerow([])
        writer.writerow([neutral(table.title)])
        writer.writerow(map(neutral, table.columns))
        writer.writerows(map(neutral, row) for row in table.rows)
    writer.writerow([])
    writer.writerows([neutral(line)] for line in document.foot)
    return text.getvalue().encode("utf-8-sig")  # the mark by which spreadsheets know UTF-8


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return one table alone as CSV, for programs and spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(map(neutral, row) for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _xlsx(document: Document, moment: datetime) -> bytes:
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("XLSX") from None
    if any(len(table.rows) >= SHEET_ROWS for table in document.tables):
        raise TooLarge(f"a sheet has at most {SHEET_ROWS} rows: ask for csv")
    octets = io.BytesIO()
    # The files within carry the moment too; with in_memory the library writes a constant one.
    book = xlsxwriter.Workbook(octets, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": document.title, "author": "smsgw", "created": moment.replace(tzinfo=None)})
    bold, plain = book.add_format({"bold": True}), book.add_format({})
    first = book.add_worksheet("1")
    for number, (name, value) in enumerate((("", document.title), *document.head)):
        first.write_string(number, 0, str(neutral(name or value)), bold)
        if name:
            first.write_string(number, 1, str(neutral(value)), plain)
    for number, line in enumerate(document.foot, len(document.head) + 2):
        first.write_string(number, 0, str(neutral(line)), plain)
    first.set_column(0, 1, 40)
    for number, table in enumerate(document.tables, 2):
        _sheet(book.add_worksheet(str(number)), table, bold)
    book.close()
    return octets.getvalue()


def _sheet(sheet: Any, table: Table, bold: Any) -> None:
    sheet.write_string(0, 0, str(neutral(table.title)), bold)
    for column, name in enumerate(table.columns):
        sheet.write_string(1, column, str(neutral(name)), bold)
    sheet.set_column(0, len(table.columns) - 1, 18)
    for number, row in enumerate(table.rows, 2):
        for column, cell in enumerate(row):
            if isinstance(cell, int) and abs(cell) < _EXACT:
                sheet.write_number(number, column, cell)
            elif isinstance(cell, str) and _AMOUNT.fullmatch(cell):
                sheet.write_number(number, column, float(cell))
            else:
                sheet.write_string(number, column, str(neutral(cell)))


def font_file() -> Path:
    """Return the font that documents are set in. Raises MissingExtra."""
    try:
        import pylopdf_fonts_zh_cn
    except ImportError:
        raise MissingExtra("PDF") from None
    return Path(pylopdf_fonts_zh_cn.__file__).with_name("NotoSansSC-Regular.otf")


def _pdf(document: Document, moment: datetime) -> bytes:
    try:
        import fpdf
    except ImportError:
        raise MissingExtra("PDF") from None
    pdf = fpdf.FPDF()
    pdf.set_creation_date(moment)
    pdf.set_title(document.title)
    pdf.set_producer("smsgw")
    pdf.add_font("noto", "", str(font_file()))
    pdf.set_font("noto", size=16)
    pdf.add_page()
    pdf.multi_cell(0, 10, document.title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("noto", size=9)
    for name, value in document.head:
        pdf.cell(55, 6, name)
        pdf.multi_cell(0, 6, value, new_x="LMARGIN", new_y="NEXT")
    for table in document.tables:
        _page_table(pdf, table)
    pdf.ln(4)
    pdf.set_font("noto", size=7)
    for line in document.foot:
        pdf.multi_cell(0, 4, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def _page_table(pdf: Any, table: Table) -> None:
    pdf.ln(3)
    pdf.set_font("noto", size=10)
    pdf.cell(0, 7, table.title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("noto", size=8)
    right = [bool(table.rows) and all(isinstance(row[at], int) or _AMOUNT.fullmatch(str(row[at])) for row in table.rows)
             for at in range(len(table.columns))]  # fmt: skip
    aligned = tuple("RIGHT" if to_right else "LEFT" for to_right in right)
    # Headings without a style of their own: there is one font, and it has no bold.
    with pdf.table(
        col_widths=tuple(table.wide) or None, text_align=aligned, line_height=5, headings_style=_plain(), first_row_as_headings=True
    ) as drawn:
        for row in (table.columns, *table.rows):
            cells = drawn.row()
            for cell in row:
                cells.cell(str(cell))


def _plain() -> Any:
    from fpdf.fonts import FontFace

    return FontFace(emphasis="", fill_color=(235, 235, 235))


_FORMS: Final[Mapping[str, Callable[[Document, datetime], bytes]]] = {"csv": _csv, "xlsx": _xlsx, "pdf": _pdf}
FORMS: Final = tuple(_FORMS)


def sha256(octets: bytes) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(octets).hexdigest()
