from __future__ import annotations

import json

from smsgw.reports import partner
from smsgw.reports.statement import digest


def closed(tenant: str, currency: str, **movements: int) -> str:
    """A tenant's closed statement, as far as a partner's needs it."""
    return json.dumps({"tenant": tenant, "currency": currency, "from": "f", "until": "u", "movements": movements})


def test_a_partner_is_paid_a_share_of_the_net_charges():
    """Charges less what came back, late refunds too, times the share, by currency, exact to twelve decimals."""
    acme = closed("acme", "CNY", charges=-1_000_000, refunds=100_000, late_refunds=50_000, top_up=9)
    borg = closed("borg", "EUR", charges=-3)
    said = json.loads(partner.content("bob", "2026-11", [("0.15", acme), ("1", borg)]))
    assert said["payable"] == {"CNY": 850_000 * 150_000, "EUR": 3 * 1_000_000}
    assert said["lines"][0]["statement"] == digest(acme)


def test_a_month_of_corrections_is_owed_back():
    """More refunds of earlier cycles than charges: the partner owes us."""
    said = partner.content("bob", "2026-11", [("0.5", closed("acme", "CNY", late_refunds=2_000_000))])
    assert dict(partner.document(said).head)["应付 Payable CNY"] == "-1.00"


def test_the_document_names_the_statements_it_is_made_of():
    """A line for each tenant, the sum in the head, the hashes in the foot."""
    acme = closed("acme", "CNY", charges=-1_000_000)
    made = partner.document(partner.content("bob", "2026-11", [("0.155", acme)]), draft=True)
    assert list(made.tables[0].rows[0]) == ["acme", "CNY", "1.00", "0.00", "1.00", "0.155", "0.16"]
    assert any(digest(acme) in line for line in made.foot)
    assert "Draft" in made.head[0][0]
