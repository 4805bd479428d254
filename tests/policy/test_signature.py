from __future__ import annotations

import pytest

from smsgw.policy.signature import Signed, signed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("【某某】您好", Signed("某某", "您好", 1, True)),
        (" 【某某】您好 ", Signed("某某", "您好", 1, True)),
        ("您好【某某】", Signed("某某", "您好", 1, False)),
        ("您好", Signed("", "您好", 0, False)),
        ("【某某】您好【别家】", Signed("某某", "您好【别家】", 2, True)),
        ("【某某您好", Signed("", "【某某您好", 1, False)),
        ("【】您好", Signed("", "您好", 1, True)),
    ],
)
def test_the_signature_is_found_and_counted(text: str, found: Signed):
    """At the front, at the end, twice, half, empty, none."""
    assert signed(text) == found
