"""Bodies sealed at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.smpp import const
from smsgw.smpp.pdu import BadPdu, encode, read_data_sm, read_sm
from smsgw.store.sealed import MARK, ContentKeys, Unreadable, plain

KEYS = [bytes(32), bytes(range(32))]


@given(st.binary(max_size=300), st.integers(0, 2**63 - 1))
def test_what_is_sealed_opens_again(body: bytes, owner: int):
    """Octet for octet, under the id that it was sealed for, and never the same twice."""
    keys = ContentKeys(lambda: KEYS)
    stored = keys.seal(owner, body)
    assert keys.open(owner, stored) == body
    assert stored != keys.seal(owner, body)
    assert len(body) <= 8 or body not in stored


def test_many_nonces_differ():
    """Also beyond those that are asked for at once."""
    keys = ContentKeys(lambda: KEYS)
    assert len({keys.seal(1, b"")[:24] for _ in range(1_000)}) == 1_000


def test_what_is_plain_stays_so():
    """A body of an account without sealing, or from before it, is read as it is."""
    assert ContentKeys(lambda: KEYS).open(7, b"\0\1\1") == plain(7, b"\0\1\1") == b"\0\1\1"


@pytest.mark.parametrize("at", [0, 8, 12, 24, -1])
def test_a_flipped_byte_is_never_read(at: int):
    """In the mark it is no sealed body any more, anywhere else it does not open."""
    keys = ContentKeys(lambda: KEYS)
    stored = bytearray(keys.seal(7, b"hello"))
    stored[at] ^= 1
    if at:
        with pytest.raises(Unreadable):
            keys.open(7, bytes(stored))
    else:
        assert b"hello" not in keys.open(7, bytes(stored))


def test_a_body_does_not_open_under_another_id():
    """Nor without keys at hand."""
    stored = ContentKeys(lambda: KEYS).seal(7, b"hello")
    with pytest.raises(Unreadable):
        ContentKeys(lambda: KEYS).open(8, stored)
    with pytest.raises(Unreadable):
        plain(7, stored)


def test_keys_rotate():
    """The newest seals, all open; one that is not known is looked for once more, and is missed by name if it is not there."""
    known = KEYS[:1]
    node = ContentKeys(lambda: known)
    old = node.seal(7, b"old")
    new = ContentKeys(lambda: KEYS).seal(7, b"new")
    with pytest.raises(Unreadable, match="is not in this data_dir"):
        node.open(7, new)
    known = KEYS
    assert (node.open(7, new), node.open(7, old)) == (b"new", b"old")
    assert ContentKeys(lambda: KEYS).open(7, node.seal(7, b"x")) == b"x"


@pytest.mark.parametrize(("command", "read"), [(const.SUBMIT_SM, read_sm), (const.DATA_SM, read_data_sm)])
def test_no_pdu_begins_with_the_mark(command: int, read: object):
    """Whoever sends one is refused: its service_type has no end."""
    octets = encode(command, 0, 1, MARK + b"\0" * 40)
    with pytest.raises(BadPdu):
        read(octets)  # type: ignore[operator]
