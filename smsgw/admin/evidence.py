"""What proves that a message went out as it came: SHA-256 of the PDU's body on its way in and on its way out (C01).

Both are computed when somebody asks, from the body that was stored before anything was acknowledged and the words for what was
changed in it: nothing is hashed while messages travel. A body is all of a PDU behind its header, whose sequence number is each
side's own. Where nothing was changed both are the same; where something was, they differ, and the words say why.

`out` is what was made durable for the carrier. A relative validity_period loses the seconds that a message waits here, and a link
without TLVs gets none: that is not in it.

Must never: claim a hash of what is not there; let a hash out to whoever may not read the content (short texts can be guessed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from smsgw.journey.transform import as_it_came
from smsgw.smpp.pdu import BadPdu
from smsgw.store.ids import seconds_of
from smsgw.store.retentions import HASHED

KEPT_MS: Final = 1_000
"""So long after its acceptance a message leaves with its relative validity_period as it was; later with what is left of it."""


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 in hexadecimal of the body as the tenant sent it and as it was to go out; "" where it cannot be told any more."""

    came: str
    went: str


def unmodified(row: Mapping[str, Any]) -> str:
    """Return whether a message went out as it came: yes, no, or validity: but for that, as far as is known; "" of no tenant's.

    Of a message with a validity_period that left later than a relative one is kept (a second after it was accepted) only its
    octets tell whether it was relative, and so shorter. `row`: id, transform, reply, expires_ms, sent_ms, done_ms, which are kept
    as long as the row, whatever became of the content.
    """
    if row["reply"]:
        return ""
    if row["transform"]:
        return "no"
    left = row["sent_ms"] or row["done_ms"]
    return "validity" if row["expires_ms"] and left - seconds_of(row["id"]) * 1000 > KEPT_MS else "yes"


def digests(row: Mapping[str, Any], body: bytes) -> Digests:
    """Return both of a message; `body` as it is stored, opened, b"" where it is gone: what a tombstone has then stands by itself.

    `row`: command, registered, source, transform, ton, npi, reply.
    """
    return Digests(_came(row, body), sha256(body).hexdigest()) if body else Digests("", "")


def _came(row: Mapping[str, Any], body: bytes) -> str:
    if row["reply"]:
        return ""
    words = row["transform"].split()
    if not words:
        return sha256(body).hexdigest()
    source = None
    if row["ton"] is not None and not row["source"].startswith(HASHED):
        source = (row["ton"], row["npi"], row["source"].encode("latin-1"))
    try:
        came = as_it_came(row["command"], body, words, source, row["registered"])
    except BadPdu:
        return ""
    return sha256(came).hexdigest() if came is not None else ""
