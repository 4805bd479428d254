from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime, timedelta, timezone

import openpyxl
import pypdf
import pytest

from smsgw.reports import rendering
from smsgw.reports.rendering import FORMS, MissingExtra, TooLarge, csv_rows, render, sha256
from smsgw.reports.table import Document, Table

MOMENT = datetime(2026, 12, 1, 3, 4, 5, tzinfo=UTC)
DOCUMENT = Document(
    "对账单 Statement",
    [("客户 Customer", "示例科技有限公司"), ("danger", "=1+1")],
    [Table("费用 Charges", ("account", "messages", "amount"), [("@evil", 3, "-0.114"), ("acme1", 2**60, "12345.678901")])],
    ["SHA-256 …"],
)


def cells(body: bytes) -> list[tuple[object, ...]]:
    """All rows of all sheets."""
    book = openpyxl.load_workbook(io.BytesIO(body))
    return [row for sheet in book for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_document_is_the_same_octets(form: str):
    """Made twice, and with the moment written in another zone, a file is the same to the octet."""
    made = render(DOCUMENT, form, MOMENT)
    assert made == render(DOCUMENT, form, MOMENT.astimezone(timezone(timedelta(hours=8))))
    assert len(sha256(made)) == 64


def test_csv_is_read_by_programs_and_spreadsheets():
    """UTF-8 with its mark, lines end in CRLF, and no cell begins a formula."""
    body = render(DOCUMENT, "csv", MOMENT)
    assert body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert ["danger", "'=1+1"] in rows
    assert ["'@evil", "3", "-0.114"] in rows
    assert csv_rows(("a",), [("+1",)]).decode("utf-8-sig") == "a\r\n'+1\r\n"


def test_xlsx_has_numbers_as_numbers_and_formulas_as_text():
    """Amounts can be summed, ids keep all their digits, Chinese is there, and nothing is a formula."""
    rows = cells(render(DOCUMENT, "xlsx", MOMENT))
    assert ("客户 Customer", "示例科技有限公司") in rows
    assert ("danger", "'=1+1") in rows
    assert ("'@evil", 3, -0.114) in rows
    assert ("acme1", str(2**60), 12345.678901) in rows


def test_pdf_embeds_what_it_shows():
    """The text can be read out again, Chinese too, and the font's glyphs are in the file."""
    body = render(DOCUMENT, "pdf", MOMENT)
    page = pypdf.PdfReader(io.BytesIO(body)).pages[0]
    text = page.extract_text().replace("\0", "")  # the reader leaves the upper octets of UTF-16
    assert "示例科技有限公司" in text
    assert "对账单" in text
    assert "12345.678901" in text
    assert b"FontFile3" in body


@pytest.mark.parametrize(("form", "module"), [("xlsx", "xlsxwriter"), ("pdf", "fpdf"), ("pdf", "pylopdf_fonts_zh_cn")])
def test_a_missing_library_names_the_extra(form: str, module: str, monkeypatch: pytest.MonkeyPatch):
    """Without the extra the error says what to install; CSV needs nothing."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install 'smsgw\[documents\]'"):
        render(DOCUMENT, form, MOMENT)
    assert render(DOCUMENT, "csv", MOMENT)


def test_more_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch):
    """The error says which form takes them."""
    monkeypatch.setattr(rendering, "SHEET_ROWS", 2)
    with pytest.raises(TooLarge, match="ask for csv"):
        render(DOCUMENT, "xlsx", MOMENT)
