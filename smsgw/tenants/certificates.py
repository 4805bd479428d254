"""Clients' certificates: what one says, and whether it is one that an account is bound to.

The listener has verified it against its authority before anything is asked here; without an authority no client shows any, so an
account that is bound to one does not get in.

Must never: take the subject of a certificate that nobody has verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

_SHORT: Final = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
}


class Shows(Protocol):
    """What is needed of a wire."""

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The verified certificate as `getpeercert` gives it; None or empty without one."""
        ...

    @property
    def certificate_der(self) -> bytes | None:
        """Its octets."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """`fingerprint`: SHA-256 of its octets, in hexadecimal; `subject`: its parts, such as "CN=acme"."""

    fingerprint: str
    subject: frozenset[str]


def certificate_of(wire: Shows) -> Certificate | None:
    """Return what the client of a connection has shown; None: nothing, or nothing that was verified."""
    said, octets = wire.certificate, wire.certificate_der
    if not said or not octets:
        return None
    return Certificate(hashlib.sha256(octets).hexdigest(), _subject(said))


def certificate_allowed(allowed: tuple[str, ...], shown: Certificate | None) -> bool:
    """Tell whether a client shows one of these ("sha256:…", or parts of a subject: "CN=acme,O=Acme"); none given: anything does."""
    if not allowed:
        return True
    if shown is None:
        return False
    return any(
        one.removeprefix("sha256:") == shown.fingerprint if one.startswith("sha256:") else shown.subject.issuperset(one.split(","))
        for one in allowed
    )


def _subject(said: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(f"{_SHORT.get(key, key)}={value}" for part in said.get("subject", ()) for key, value in part)
