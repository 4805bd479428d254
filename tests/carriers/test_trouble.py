from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

import pytest

import smsgw
from smsgw.carriers import trouble
from smsgw.smpp import const
from smsgw.smpp.timers import Due


def _certificate(words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = words
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused: nothing listens there, or a firewall refuses"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset before the bind was answered"),
        (ConnectionResetError("closed_by_peer"), "before the bind was answered the carrier closed the connection"),
        (TimeoutError("no answer to the bind"), "no answer to the bind: a firewall, the way there, or what listens there"),
        (TimeoutError(110, "Connection timed out"), "Connection timed out: a firewall, the way there, or what listens there"),
        (TimeoutError(), "timed out: a firewall, the way there, or what listens there"),
        (socket.gaierror(-2, "Name or service not known"), "the host's name is not found: Name or service not known"),
        (_certificate("self-signed certificate"), "its certificate is not trusted: self-signed certificate"),
        (ssl.SSLError(1, "wrong version number"), "TLS failed: wrong version number; is TLS spoken on that port?"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (OSError(), "OSError"),
    ],
)
def test_what_keeps_us_away_is_said_in_words(error: OSError, words: str):
    """No error number, no name of a class where there are words; what to look at where that is known."""
    assert trouble.unreachable(error) == words


def test_a_refused_bind_has_its_status_and_what_to_do():
    """The status is what the carrier's people ask for; what it means stands behind it, also of one that nobody knows."""
    assert trouble.refused(const.ESME_RINVPASWD) == "ESME_RINVPASWD, wrong password: compare it with the carrier's"
    assert trouble.refused(const.ESME_RSYSERR) == "ESME_RSYSERR, bind refused for now"
    assert trouble.refused(0x0400) == "0x00000400, bind refused: ask the carrier"


def test_each_end_of_a_session_has_words():
    """Every reason that a session or its socket gives for its end is said in words; another one at least without underscores."""
    given = {due.value for due in Due} - {"", "enquire_link", Due.SESSION_INIT.value, Due.INACTIVE.value}  # of tenants alone
    for name in ("smpp/session.py", "wire.py"):
        source = (Path(smsgw.__file__).parent / name).read_text(encoding="utf-8")
        given |= set(re.findall(r'(?:closing = (?:self\.closing or )?|abort\(|or )"([a-z_]+)"', source))
    assert given >= {"closed_by_peer", "unbound_by_peer", "peer_does_not_read", "enquire_link_timeout", "bad_length"}
    assert [word for word in sorted(given) if trouble.ended(word) == word.replace("_", " ")] == []
    assert trouble.ended("of_another_kind") == "of another kind"
