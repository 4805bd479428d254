from __future__ import annotations

from typing import Any

import pytest

from smsgw.admin.contract_values import CONTRACT_CHECKS, contradictions


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("balance_alarms", ["10", "100.50", "10.00"], ["100.50", "10.00"]),
        ("notice_webhook", "https://acme.example/hook", "https://acme.example/hook"),
        ("notice_webhook", "", ""),
        ("notice_mail", ["ops@acme.example"], ["ops@acme.example"]),
        ("partner_share", "0.15", "0.15"),
        ("partner_share", "1", "1"),
    ],
)
def test_values_are_kept_in_one_form(key: str, value: Any, kept: Any):
    """Thresholds come once each, the highest first; the rest stays as it is."""
    assert CONTRACT_CHECKS[key](value) == kept


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("balance_alarms", ["1.2345678"], "no amount"),
        ("notice_webhook", "ftp://acme.example", "no address"),
        ("notice_webhook", "https://user:pw@acme.example/", "no password"),
        ("notice_mail", ["ops@acme.example, b@c"], "no mail address"),
        ("notice_mail", ["nobody"], "no mail address"),
        ("partner_share", "1.01", "no share"),
        ("partner_share", "-0.1", "no share"),
    ],
)
def test_what_is_wrong_is_said(key: str, value: Any, why: str):
    """Each refusal says what was wrong."""
    with pytest.raises(ValueError, match=why):
        CONTRACT_CHECKS[key](value)


def test_a_week_has_seven_days_to_begin_on():
    """A start day beyond is refused for weeks, and is right for months."""
    assert contradictions({"cycle": "week", "cycle_start_day": 8}) == ["cycle_start_day is 8: a week has the days 1 (Monday) to 7"]
    assert contradictions({"cycle": "week", "cycle_start_day": 7}) == []
    assert contradictions({"cycle_start_day": 28}) == []
