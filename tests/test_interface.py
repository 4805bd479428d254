"""docs/interface.md tells of every refusal, and of what else a client has to know, as the source has it."""

from __future__ import annotations

from smsgw.policy.statuses import STATUSES
from tests.interface import DOCUMENT, findings, own, refusals, tables, told, written


def test_the_document_is_that_of_the_source():
    """Statuses, rules, commands, TLVs, windows, parts and states; `python -m tests.interface` writes it anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert written(document) == document


def test_every_refusal_of_the_source_is_told():
    """Each status and reason that any module refuses a tenant with stands in the tables, with that very status."""
    found = refusals()
    assert len(found) > 45
    assert found - set(told()) == set()
    assert set(STATUSES) == set(own())


def test_every_rule_has_its_status():
    """Whatever a rule objects, its tenant reads a status of the table; its name is told to whoever runs the gateway."""
    found = findings()
    assert {
        "sender.owned",
        "recipient.scope",
        "text.parts",
        "signature.missing",
        "signature.carrier",
        "terms.<id>, pattern.<id>",
    } <= {rule for rule, _ in found}
    assert {reason for _, reason in found} <= set(STATUSES)


def test_no_table_is_empty():
    """A table that found nothing would hold nothing."""
    assert all(content.count("\n") > 3 for name, content in tables().items() if name != "receipt")
