"""User data headers, made and read in a line each."""

from __future__ import annotations

from smsgw.smpp.udh import Udh, read_udh


def header(*elements: bytes) -> bytes:
    """A user data header of these elements."""
    body = b"".join(elements)
    return bytes((len(body),)) + body


def known(octets: bytes) -> Udh:
    """The header that these octets begin with."""
    udh = read_udh(octets)
    assert udh is not None
    return udh
