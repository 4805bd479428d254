from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.signature import _SIGNATURE, Signed, signed


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


@given(st.text("【】签 a\n", max_size=12))
def test_a_single_signature_at_the_front_is_found_the_same_way(text: str):
    """Whatever stands where: at the front means that the text begins with one, and its body is what follows."""
    found = signed(text)
    match = _SIGNATURE.match(text.strip())
    assert found.front == (match is not None)
    if match is not None:
        assert (found.signature, found.body) == (match[1], text.strip()[match.end() :])
    assert found.marks == max(text.count("【"), text.count("】"))
