"""What ops provision: values that sum up for the hot path what they say at length."""

from __future__ import annotations

import dataclasses

import pytest

from smsgw import model
from smsgw.provisioned import Account, Tenant

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


def test_a_secret_is_in_no_repr():
    """Neither hashes of passwords nor their ends are shown."""
    shown = repr(Account(1, "a", ACME, secrets=("argon",), expiring=(("argon", 1.0),)))
    assert "argon" not in shown


def test_the_model_has_the_same_values():
    """One word, one meaning: `smsgw.model` gives the very same classes on."""
    assert model.Account is Account
    assert model.Tenant is Tenant
