"""What proves how a message went out: hashes of what came and of what went, as far as they can be told."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from smsgw.admin.evidence import Digests, digests, unmodified
from smsgw.smpp import const, tlv
from smsgw.smpp.pdu import sm_body

CAME = sm_body(source=b"FOREIGN", source_ton=5, dest=b"86138", short_message=b"hello")
WENT = sm_body(source=b"10691234", source_ton=1, source_npi=1, dest=b"86138", short_message=b"hello") + tlv.append(0x1400, b"7")
ROW: dict[str, Any] = {"command": const.SUBMIT_SM, "registered": 0, "source": "FOREIGN", "transform": "", "reply": ""}
ROW |= {"ton": None, "npi": None, "id": 0, "expires_ms": 0, "sent_ms": 0, "done_ms": 0}
AT = 1_735_689_600_000
"""When ids begin (ms since 1970): the moment of id 0."""
REPLACED: dict[str, Any] = {**ROW, "transform": "source_replaced tlv_0x1400", "ton": 5, "npi": 0}


def digest(octets: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return sha256(octets).hexdigest()


def test_what_nobody_changed_has_one_hash():
    """Both are that of the stored body, and it is called unmodified."""
    assert (unmodified(ROW), digests(ROW, CAME)) == ("yes", Digests(digest(CAME), digest(CAME)))


def test_what_was_changed_has_two():
    """The hash of what came is made of what went, the words and the tenant's own source."""
    assert (unmodified(REPLACED), digests(REPLACED, WENT)) == ("no", Digests(digest(CAME), digest(WENT)))


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ({"sent_ms": AT + 5_000}, "yes"),
        ({"sent_ms": AT + 900, "expires_ms": AT + 60_000}, "yes"),
        ({"expires_ms": AT + 60_000}, "yes"),
        ({"sent_ms": AT + 5_000, "expires_ms": AT + 60_000}, "validity"),
        ({"done_ms": AT + 5_000, "expires_ms": AT + 60_000}, "validity"),
    ],
)
def test_what_waited_is_not_called_unmodified(times: dict[str, int], found: str):
    """With a validity_period that may have been shortened, because it left over a second later, a message is only nearly so."""
    assert unmodified({**ROW, **times}) == found


@pytest.mark.parametrize(
    "row",
    [
        {**REPLACED, "source": "h:0123456789abcdef"},
        {**REPLACED, "ton": None},
        {**REPLACED, "transform": "source_replaced tlv_0x1401"},
        {**REPLACED, "transform": "a_word_of_later"},
    ],
)
def test_what_cannot_be_told_is_not_claimed(row: dict[str, Any]):
    """A hashed source, one that is not known, TLVs that are not there, a word that nobody knows: no hash of what came."""
    assert digests(row, WENT) == Digests("", digest(WENT))


def test_a_body_that_is_no_pdu_is_not_explained():
    """Its hash is told, and none of what it was made of."""
    assert digests({**ROW, "transform": "registered_delivery"}, b"x") == Digests("", digest(b"x"))


def test_content_that_is_gone_has_no_hash_and_an_answer_nothing_that_came():
    """Purged or over: neither. What the platform itself said to a keyword came from nobody."""
    assert digests(ROW, b"") == Digests("", "")
    answer = {**ROW, "reply": "help"}
    assert (unmodified(answer), digests(answer, CAME)) == ("", Digests("", digest(CAME)))
