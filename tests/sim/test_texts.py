from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsgw.sim.texts import HEAD_OCTETS, MAX_INDEX, MAX_OCTETS, indexed_text, read_index


@given(st.integers(0, MAX_INDEX), st.integers(HEAD_OCTETS, MAX_OCTETS))
def test_the_index_of_a_text_is_read_back(index: int, octets: int) -> None:
    """Whatever the index and the length, the text has that length and gives its index back."""
    text = indexed_text(index, octets)
    assert len(text) == octets
    assert read_index(text) == index


@given(st.integers(0, 1_000_000), st.integers(0, 99), st.integers(0, 255))
def test_one_altered_octet_shows(index: int, place: int, octet: int) -> None:
    """A text in which any octet was altered is either refused or carries another index."""
    text = bytearray(indexed_text(index, 100))
    if text[place] == octet:
        return
    text[place] = octet
    assert read_index(bytes(text)) != index


def test_the_pattern_is_that_of_the_external_tools() -> None:
    """`#`, ten digits, a space, then letters from 'a' + (index + place) % 26."""
    assert indexed_text(42, 16) == b"#0000000042 " + bytes(ord("a") + (42 + place) % 26 for place in range(12, 16))


def test_what_carries_no_index_is_told() -> None:
    """Empty, short, cut within its digits or foreign texts give -1."""
    assert [read_index(text) for text in (b"", b"#", b"#000000004", b"hello, world", b"#00000000x2 abc")] == [-1] * 5
