"""Who we say we are to a carrier: the bind's body, and the TLS settings of a link.

The bind PDU is built by aiosmpplib where its limits allow (SMPP 3.4, a system_id of 1 to 15 and a password of at most 8
ASCII characters), else by `smpp.bodies`: carriers give out longer passwords, and 3.3 and 5.0 exist.

Must never: show a password, in a repr, an error or a log.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from aiosmpplib import protocol as esme

from smsgw.model import Link
from smsgw.smpp import bodies, const
from smsgw.smpp.pdu import HEADER_LENGTH, PASSWORD_MAX, SYSTEM_ID_MAX, SYSTEM_TYPE_MAX

BIND_COMMANDS: Final = {
    "transceiver": (const.BIND_TRANSCEIVER,),
    "transmitter": (const.BIND_TRANSMITTER,),
    "receiver": (const.BIND_RECEIVER,),
    "pair": (const.BIND_TRANSMITTER, const.BIND_RECEIVER),
}
"""What `Link.bind` says → the binds of which one of a link's `binds` consists."""

_LIBRARY_BINDS: Final[dict[int, Any]] = {
    const.BIND_TRANSCEIVER: esme.BindTransceiver,
    const.BIND_TRANSMITTER: esme.BindTransmitter,
    const.BIND_RECEIVER: esme.BindReceiver,
}


def bind_body(link: Link, command: int) -> bytes:
    """Return the body of our bind (SMPP 3.4 §4.1.1)."""
    if fits_library(link):
        pdu = _LIBRARY_BINDS[command](system_id=link.system_id, password=link.password, system_type=link.system_type)
        octets: bytes = pdu.pdu()
        return octets[HEADER_LENGTH:]
    return bodies.bind_body(
        system_id=link.system_id.encode("utf-8"),
        password=link.password.encode("utf-8"),
        system_type=link.system_type.encode("utf-8"),
        interface_version=link.interface_version,
    )


def fits_library(link: Link) -> bool:
    """Tell whether aiosmpplib can say this bind: it knows 3.4 only, and raises on what is too long or no ASCII."""
    return (
        link.interface_version == const.V34
        and 0 < len(link.system_id) <= SYSTEM_ID_MAX
        and len(link.password) <= PASSWORD_MAX
        and len(link.system_type) <= SYSTEM_TYPE_MAX
        and (link.system_id + link.password + link.system_type).isascii()
    )


def tls_context(link: Link) -> ssl.SSLContext | None:
    """Return how a link speaks TLS; None for one in clear. Raises OSError for a CA file that can't be read."""
    if not link.tls:
        return None
    context = ssl.create_default_context(cafile=link.tls_ca or None)
    if not link.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
