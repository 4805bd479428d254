from __future__ import annotations

import pytest

from smsgw.admin.reasons import LONGEST_REASON, fault_of


@pytest.mark.parametrize("reason", ["", "ticket 7", "按合同", "😀" * LONGEST_REASON, "two\nlines"])
def test_a_reason_may_be_as_long_as_the_limit(reason: str):
    """Characters are counted, not octets."""
    assert fault_of(reason) == ""


@pytest.mark.parametrize(
    ("reason", "told"), [("x" * 501, "501 characters, more than 500"), ("a\0", "U+0000"), ("\udce4", "halves of characters")]
)
def test_what_is_longer_or_cannot_be_kept_is_told(reason: str, told: str):
    """With how long it may be, and what to leave out."""
    assert told in fault_of(reason)
