"""What ops provision: values that sum up for the hot path what they say at length."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import smsgw
from smsgw import model, provisioned
from smsgw.provisioned import Account, Dialect, Tenant, stored_dialect

ACME = Tenant(1, "acme", "CNY")


@pytest.mark.parametrize("rate", ["rate", "session_rate", "sender_rate", "recipient_rate"])
def test_an_account_with_any_rate_is_limited(rate: str):
    """The hot path asks one question of an account, whichever rates it has."""
    assert not Account(1, "a", ACME).limited
    assert dataclasses.replace(Account(1, "a", ACME), **{rate: 5}).limited


def test_quotas_are_told_by_their_spans():
    """(span, messages, parts), for spans that have a quota and no others."""
    account = Account(1, "a", ACME, quota_hour=10, quota_parts_hour=20, quota_parts_month=30)
    assert account.quotas == ((1, 10, 20), (3, 0, 30))


def test_a_stored_dialect_keeps_the_defaults_of_what_it_does_not_say():
    """One setting changes one field, in every build."""
    assert stored_dialect({"submit_id": "hex-to-dec"}) == Dialect(submit_id="hex-to-dec")
    assert stored_dialect({}).ignore_case
    assert stored_dialect({"retryable": [8, 88]}).retryable == frozenset({8, 88})


def test_nothing_converts_to_what_may_be_compiled():
    """msgspec takes a compiled class for one whose defaults are nought: values of this module are made by their constructors."""
    names = "|".join(name for name, kind in vars(provisioned).items() if dataclasses.is_dataclass(kind))
    converts = re.compile(rf"convert\([^\n]*\b({names})\b")
    found = [path.name for path in Path(smsgw.__path__[0]).rglob("*.py") if converts.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_a_secret_is_in_no_repr():
    """Neither hashes of passwords nor their ends are shown."""
    shown = repr(Account(1, "a", ACME, secrets=("argon",), expiring=(("argon", 1.0),)))
    assert "argon" not in shown


def test_the_model_has_the_same_values():
    """One word, one meaning: `smsgw.model` gives the very same classes on."""
    assert model.Account is Account
    assert model.Tenant is Tenant
