from __future__ import annotations

from typing import Any

import pytest

from smsgw.admin.audited import readable

CURRENCIES = {"acme": "CNY"}


def _row(kind: str, name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    return {"number": 1, "kind": kind, "name": name, "old": old, "new": new, "reason": "why", "hash": "00"}


@pytest.mark.parametrize(
    ("kind", "name", "new"),
    [
        ("price", "acme/44;operator=ee", {"price": 38_000}),
        ("balance", "acme", {"balance": "5.00"}),
        ("late_fee", "acme/2026-11", {"amount": "1.00"}),
        ("refund", "7", {"refund": "0.04", "tenant": "acme"}),
        ("tenant", "gone", {"credit_limit": 0, "currency": "CNY"}),
    ],
)
def test_amounts_have_their_currency(kind: str, name: str, new: dict[str, Any]):
    """Whatever a row is about, its currency is the one that it says, or its tenant's."""
    assert readable(_row(kind, name, None, new), CURRENCIES)["currency"] == "CNY"


def test_money_is_written_as_amounts():
    """Whole numbers of 10⁻⁶ become amounts on both sides, none stays none, and nothing else is touched."""
    told = readable(_row("price", "acme/", {"price": 38_000}, {"price": None, "parts": 3}), CURRENCIES)
    assert (told["old"], told["new"]) == ({"price": "0.038"}, {"price": None, "parts": 3})
    assert list(told)[-3:] == ["currency", "reason", "hash"]


def test_what_is_no_money_has_no_currency():
    """A row without an amount says none, and neither does one of a tenant who is gone and whose currency nobody knows."""
    assert readable(_row("account", "acme1", None, {"tenant": "acme"}), CURRENCIES)["currency"] == ""
    assert readable(_row("price", "gone/", None, {"price": 1}), CURRENCIES)["currency"] == ""
