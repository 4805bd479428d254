"""Long texts under load: all of them are let go whole and in order, each part with its receipt."""

from __future__ import annotations

from pathlib import Path

from tests.held import held


async def test_texts_of_three_parts_over_four_sessions(database: str, tmp_path: Path):
    """A hundred texts at 300 parts a second, whichever session brings which part; the books are right and nothing is open."""
    report = await held(database, tmp_path, rate=300.0, seconds=1.0, parts=3, terms=100)
    assert (report.texts, report.parts, report.ok, report.went) == (100, 300, 300, 100)
    assert (report.receipts, report.without_receipt, report.disordered) == (300, 0, 0)
    assert report.broken_books == []
