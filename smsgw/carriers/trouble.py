"""Why a link has no session, in words for whoever looks at it at night: what happened, and what to look at.

The log and metrics keep their constant words (`closed_by_peer`, `ConnectionRefusedError`); these are for `smsgw show links`.

Must never: quote more of an error than the system's own words; decide when to dial again.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Final

from smsgw.smpp import const

_ENDED: Final[Mapping[str, str]] = {
    "closed_by_peer": "the carrier closed the connection",
    "ConnectionResetError": "the carrier reset the connection",
    "BrokenPipeError": "the carrier reset the connection",
    "unbound_by_peer": "the carrier unbound",
    "unbound": "we unbound",
    "unbind_timeout": "no answer to our unbind",
    "enquire_link_timeout": "no answer to enquire_link: the carrier, or the way to it, is dead",
    "slow_pdu_timeout": "the carrier stopped in the middle of a PDU",
    "bad_length": "the carrier sent a PDU of an impossible length: is SMPP spoken on that port?",
    "too_many_bad_pdus": "the carrier sent too many malformed PDUs",
    "peer_does_not_read": "the carrier took none of our octets",
    "internal_error": "a fault of ours: see the log",
    "lost": "the connection was lost",
}
"""What ended a session, by the word of log and metric."""

_REFUSED: Final[Mapping[int, str]] = {
    const.ESME_RINVPASWD: "wrong password: compare it with the carrier's",
    const.ESME_RINVSYSID: "unknown system_id: compare it with the carrier's",
    const.ESME_RBINDFAIL: "bind refused: compare system_id, password, kind of bind and our address with the carrier's",
    const.ESME_RALYBND: "already bound: an old session is still there, or as many binds as the carrier allows",
}


def ended(reason: str) -> str:
    """Say why a session ended, of the word for it."""
    return _ENDED.get(reason, reason.replace("_", " "))


def refused(status: int) -> str:
    """Say why the carrier refused our bind: the status, and what it means where that is known."""
    passing = const.status_class(status) is not const.StatusClass.PERMANENT
    known = _REFUSED.get(status, "bind refused for now" if passing else "bind refused: ask the carrier")
    return f"{const.status_name(status)}, {known}"


def unreachable(error: OSError) -> str:
    """Say why there is no connection, or no answer to our bind."""
    match error:
        case ConnectionRefusedError():
            return "connection refused: nothing listens there, or a firewall refuses"
        case ConnectionResetError() if error.errno is None:  # ours, with the word for it
            return f"before the bind was answered {ended(str(error))}"
        case ConnectionResetError():
            return "connection reset before the bind was answered"
        case TimeoutError():
            return f"{_words(error) or 'timed out'}: a firewall, the way there, or what listens there"
        case socket.gaierror():
            return f"the host's name is not found: {_words(error)}"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {getattr(error, 'verify_message', '') or _words(error)}"
        case ssl.SSLError():
            return f"TLS failed: {getattr(error, 'reason', '') or _words(error)}; is TLS spoken on that port?"
        case _:
            return _words(error) or type(error).__name__


def _words(error: OSError) -> str:
    """Return the system's words for an error, without its number."""
    return error.strerror or str(error)
