"""What names things in a provisioning file: each key's value in its one form, or why it is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from smsgw.admin.naming_values import NAMING_CHECKS


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("name", "acme-1.x", "acme-1.x"),
        ("operator", "", ""),
        ("prefix", "+86", "86"),
        ("prefixes", ["+861", "861", "860"], ["860", "861"]),
        ("from", "2026-12-01T08:00:00+08:00", 1_796_083_200_000),
        ("from", datetime(2026, 12, 1, tzinfo=UTC), 1_796_083_200_000),
        ("currency", "CNY", "CNY"),
        ("timezone", "Asia/Shanghai", "Asia/Shanghai"),
    ],
)
def test_a_value_is_kept_in_its_one_form(key: str, given: Any, kept: Any):
    """A plus goes, prefixes are sorted and stand once, moments are Unix milliseconds."""
    assert NAMING_CHECKS[key](given) == kept


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("name", "a b"),
        ("system_id", "sixteen-letters-"),
        ("prefix", "86x"),
        ("number", "+"),
        ("prefixes", []),
        ("from", "2026-12-01T08:00:00"),
        ("currency", "yuan"),
        ("links", ["a", "a"]),
        ("timezone", "Mars/Olympus"),
    ],
)
def test_what_is_none_says_what_would_do(key: str, given: Any):
    """Each refusal is a ValueError with a text of its own."""
    with pytest.raises(ValueError, match=r"is no|is empty|must name"):
        NAMING_CHECKS[key](given)
