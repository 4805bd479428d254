from __future__ import annotations

import errno

import pytest

from smsgw.config.addresses import AddressRefused, listening_for


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EADDRINUSE, "is taken"),
        (errno.EADDRNOTAVAIL, "no address of this machine"),
        (errno.EACCES, "below 1024"),
        (errno.ENFILE, "cannot be listened on: full"),
    ],
)
def test_what_cannot_be_had_names_its_setting_and_what_to_do(number: int, said: str):
    """An address that cannot be had is told with its setting, and keeps the system's number."""
    with pytest.raises(AddressRefused) as caught, listening_for("smpp.listen", "127.0.0.1", 2775):
        raise OSError(number, "full")
    assert str(caught.value).startswith("smpp.listen: 127.0.0.1:2775 ")
    assert said in str(caught.value)
    assert caught.value.errno == number


def test_an_address_of_ipv6_is_written_as_in_the_settings():
    """IPv6 stands in brackets, and an empty host is none."""
    for host, where in (("::1", "[::1]:2775"), (None, ":2775")):
        with pytest.raises(AddressRefused, match=r"admin\.listen") as caught, listening_for("admin.listen", host, 2775):
            raise OSError(errno.EADDRINUSE, "in use")
        assert where in str(caught.value)


def test_what_goes_well_is_left_alone():
    """A block without an error, or with one of another kind, passes as it is."""
    with pytest.raises(ValueError, match="mine"), listening_for("smpp.listen", "127.0.0.1", 1):
        raise ValueError("mine")
