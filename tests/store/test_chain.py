"""The arithmetic of the audit's chain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smsgw.store.chain import FIRST, AuditRow, Fault, Head, follow, walk

AT = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


def rows(count: int) -> list[AuditRow]:
    """A chain of so many rows."""
    made: list[AuditRow] = []
    head = FIRST
    for number in range(1, count + 1):
        row = AuditRow(number, number + 10, AT, "ann", "account", "acme1", None, '{"window": 7}', "", head.hash, None)
        head = follow(head, row.content())
        made.append(replace(row, hash=head.hash))
    return made


def fault(changed: list[AuditRow]) -> Fault | None:
    """What a walk over rows finds."""
    return next((step for step in walk(FIRST, changed) if isinstance(step, Fault)), None)


def test_a_chain_fits():
    """Each row leads to the next head."""
    chain = rows(3)
    assert [step for step in walk(FIRST, chain)] == [Head(row.number or 0, row.hash or b"") for row in chain]  # noqa: C416 - shown


@pytest.mark.parametrize(
    "change",
    [{"actor": "bob"}, {"at": AT.replace(microsecond=0)}, {"old": ""}, {"reason": " "}, {"id": 1}, {"hash": bytes(32)}],
)
def test_a_changed_row_is_the_first_fault(change: dict[str, object]):
    """Whatever a row says otherwise, none is an empty text, and it is that row which is named."""
    chain = rows(4)
    chain[1] = replace(chain[1], **change)  # type: ignore[arg-type]
    found = fault(chain)
    assert found is not None
    assert (found.number, found.id) == (2, chain[1].id)


def test_a_missing_row_is_named_by_its_place():
    """The row that follows a gap does not fit, and the gap is named."""
    chain = rows(4)
    del chain[1]
    assert fault(chain) == Fault(2, 0, "is missing: row 13 is number 3")


def test_fields_do_not_run_into_each_other():
    """Moving a letter from one field to the next is another content."""
    row = rows(1)[0]
    assert replace(row, actor="an", kind="naccount").content() != row.content()


def test_a_head_is_read_as_it_is_written():
    """What is noted elsewhere is read back; anything else is refused."""
    head = Head(7, bytes(range(32)))
    assert Head.parse(f" {head}\n") == head
    with pytest.raises(ValueError, match="no head"):
        Head.parse("7:ab")
