"""Clients' certificates: read, and compared with what an account is bound to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest

from smsgw.tenants.certificates import Certificate, certificate_allowed, certificate_of

FINGERPRINT = hashlib.sha256(b"der").hexdigest()
SHOWN = Certificate(FINGERPRINT, frozenset({"CN=acme", "O=Acme Ltd", "C=CN"}))


@dataclass
class Connection:
    """A connection with what its client has shown."""

    certificate: dict[str, Any] | None = None
    certificate_der: bytes | None = None


def test_a_certificate_is_read_from_its_connection():
    """Fingerprint and subject; an unverified one, of which Python gives octets and no words, is none."""
    subject = ((("countryName", "CN"),), (("organizationName", "Acme Ltd"),), (("commonName", "acme"),))
    assert certificate_of(Connection({"subject": subject}, b"der")) == SHOWN
    assert certificate_of(Connection({}, b"der")) is None
    assert certificate_of(Connection()) is None


@pytest.mark.parametrize(
    ("allowed", "may"),
    [
        ((), True),
        ((f"sha256:{FINGERPRINT}",), True),
        (("CN=acme",), True),
        (("CN=acme,O=Acme Ltd",), True),
        (("CN=other", f"sha256:{FINGERPRINT}"), True),
        (("CN=acme,O=Other",), False),
        (("CN=acm",), False),
        ((f"sha256:{FINGERPRINT[:-1]}0",), False),
    ],
)
def test_one_of_those_named_has_to_be_shown(allowed: tuple[str, ...], may: bool):  # noqa: FBT001 - what is expected
    """All parts that an entry names are in the subject, or the fingerprint is the one; without a certificate only nobody asks."""
    assert certificate_allowed(allowed, SHOWN) is may
    assert certificate_allowed(allowed, None) is (not allowed)
