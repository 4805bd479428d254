from __future__ import annotations

from typing import Any

import pytest

from smsgw.admin.access_values import ACCESS_CHECKS

PRINT = "0a" * 32


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("allow_from", ["192.0.2.7/24", "2001:db8::1"], ["192.0.2.0/24", "2001:db8::1/128"]),
        ("certificates", [f"SHA256:{':'.join(['0A'] * 32)}", "CN=acme,O=Acme"], [f"sha256:{PRINT}", "CN=acme,O=Acme"]),
    ],
)
def test_values_are_kept_in_one_form(key: str, value: Any, kept: Any):
    """An address stands for its network; a fingerprint is small letters without colons."""
    assert ACCESS_CHECKS[key](value) == kept


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("allow_from", ["192.0.2.0/33"], "192.0.2.0/33"),
        ("certificates", ["sha256:12"], "no certificate"),
        ("certificates", ["MAIL=a@b"], "no certificate"),
    ],
)
def test_what_is_wrong_is_said(key: str, value: Any, why: str):
    """Each refusal says what was wrong."""
    with pytest.raises(ValueError, match=why):
        ACCESS_CHECKS[key](value)
