"""What an account in a provisioning file may say of who may bind: each value checked, and written in its one form.

Each function raises ValueError with what is wrong. Never here: which keys there are; who binds (`tenants.bind`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_PART_OF_SUBJECT: Final = re.compile(r"(?:CN|O|OU|C|L|ST)=[^,=]+")


def networks(value: Iterable[str]) -> list[str]:
    """From where, as networks; an address with a mask is the network that it is in."""
    return [str(ipaddress.ip_network(network, strict=False)) for network in value]


def certificates(value: Iterable[str]) -> list[str]:
    """With which certificates: fingerprints in one form; what is neither one nor parts of a subject is refused."""
    found = []
    for text in value:
        kind, _, digits = text.partition(":")
        digits = digits.replace(":", "").lower()
        if kind.lower() == "sha256" and _FINGERPRINT.fullmatch(digits):
            found.append(f"sha256:{digits}")
        elif all(_PART_OF_SUBJECT.fullmatch(part) for part in text.split(",")):
            found.append(text)
        else:
            raise ValueError(f"{text!r} is no certificate: write sha256: and 64 hexadecimal digits, or CN=name, or CN=name,O=name")
    return found


ACCESS_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {"allow_from": networks, "certificates": certificates}
