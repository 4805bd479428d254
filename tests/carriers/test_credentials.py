from __future__ import annotations

import ssl
from typing import Any

import pytest

from smsgw.carriers.credentials import BIND_COMMANDS, bind_body, fits_library, tls_context
from smsgw.smpp import bodies, const, pdu
from tests.carriers.ends import link

COMMANDS = (const.BIND_TRANSCEIVER, const.BIND_TRANSMITTER, const.BIND_RECEIVER)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("fields", "library"),
    [
        ({}, True),
        ({"system_type": "VMS"}, True),
        ({"password": ""}, True),
        ({"password": "12345678"}, True),
        ({"password": "123456789"}, False),
        ({"system_id": "sixteen_of_these"}, False),
        ({"system_id": ""}, False),
        ({"interface_version": const.V33}, False),
        ({"interface_version": const.V50}, False),
        ({"password": "naïve"}, False),
    ],
)
def test_a_bind_says_who_we_are(command: int, fields: dict[str, Any], library: bool):  # noqa: FBT001 - a column
    """Whoever builds the bind, its octets are the link's credentials; the library builds what is within its limits."""
    ours = link(**fields)
    assert fits_library(ours) is library
    body = bind_body(ours, command)
    expected = b"\0".join((ours.system_id.encode(), ours.password.encode(), ours.system_type.encode()))
    assert body == expected + bytes((0, ours.interface_version, 0, 0, 0))


def test_the_usual_bind_is_read_back():
    """What we send is what a message centre reads."""
    read = bodies.read_bind(pdu.encode(const.BIND_TRANSCEIVER, 0, 1, bind_body(link(system_type="VMS"), const.BIND_TRANSCEIVER)))
    assert (read.system_id, read.password, read.system_type, read.interface_version) == (b"gw", b"gw", b"VMS", const.V34)


def test_each_kind_of_bind_has_its_requests():
    """A pair is a transmitter and a receiver; the other kinds are one bind each."""
    assert BIND_COMMANDS["pair"] == (const.BIND_TRANSMITTER, const.BIND_RECEIVER)
    assert {len(BIND_COMMANDS[kind]) for kind in ("transceiver", "transmitter", "receiver")} == {1}


def test_tls_verifies_unless_told_otherwise():
    """A TLS link checks the carrier's certificate and name; tls_verify = false checks neither; a clear link has no TLS."""
    strict, lax = tls_context(link(tls=True)), tls_context(link(tls=True, tls_verify=False))
    assert tls_context(link()) is None
    assert strict is not None
    assert lax is not None
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_a_missing_ca_file_is_an_oserror():
    """A CA file that is not there fails like a connection, which is tried again."""
    with pytest.raises(OSError, match="No such file"):
        tls_context(link(tls=True, tls_ca="/nonexistent/ca.pem"))
