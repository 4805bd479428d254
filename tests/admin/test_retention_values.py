"""What retentions may say, by profile."""

from __future__ import annotations

import pytest

from smsgw.admin.retention_values import retention


def test_profiles_have_defaults():
    """Each says what its law asks for; custom keeps as long as messages are kept."""
    assert retention({"profile": "cn_port"}) == {
        "profile": "cn_port", "content_h": 3_600, "numbers_days": 0, "encrypted": False,
    }  # fmt: skip
    assert retention({"profile": "eu_min", "encrypted": True})["numbers_days"] == 30
    assert retention({"profile": "custom"})["content_h"] == 4_320


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"profile": "cn_port", "content_h": 3_599}, "from 3600 to 4320"),
        ({"profile": "cn_port", "numbers_days": 149}, "never"),
        ({"profile": "eu_min", "content_h": 73}, "from 0 to 72"),
        ({"profile": "eu_min", "numbers_days": 0}, "from 7 to 180"),
        ({"profile": "custom", "content_h": 4_321}, "from 0 to 4320"),
        ({"profile": "custom", "numbers_days": 6}, "from 7 to 180"),
    ],
)
def test_what_a_profile_forbids_is_refused(values: dict[str, object], why: str):
    """With what would be allowed."""
    with pytest.raises(ValueError, match=why):
        retention(values)
