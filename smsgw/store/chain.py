"""The audit's chain: what the hash of a row is made of, computed anew by whoever checks it. Pure; schema 0013 says the same in SQL.

    content = SHA-256 of the row's fields, each as "length in octets:text", "-" for none, joined by commas
    hash    = SHA-256 of the hash of the row before it (32 zero octets before the first), its place (8 octets) and its content

Two steps, so that a part of the chain can be proved to belong to it by the contents' hashes alone, without what others' rows say.

Never here: the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

START: Final = bytes(32)
"""What stands before the first row."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit. `old` and `new`: JSON as the store writes it; `number`: its place, None for one that never got any."""

    number: int | None
    id: int
    at: datetime
    actor: str
    kind: str
    name: str
    old: str | None
    new: str | None
    reason: str
    previous: bytes | None
    hash: bytes | None

    def content(self) -> bytes:
        """Return the hash of what it says."""
        moment = (self.at - _EPOCH) // _MICROSECOND
        fields = (str(self.id), str(moment), self.actor, self.kind, self.name, self.old, self.new, self.reason)
        return sha256(b",".join(map(_field, fields))).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain has come to."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        """As it is noted elsewhere."""
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read a head that was noted. Raises ValueError."""
        number, _, digest = text.strip().partition(":")
        if not number.isdigit() or len(digest) != 64:
            raise ValueError(f"{text!r} is no head of the chain: a number, a colon and 64 hex digits")
        return cls(int(number), bytes.fromhex(digest))


FIRST: Final = Head(0, START)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that does not fit. `id`: its own; 0: it is not there. `why`: what is wrong."""

    number: int
    id: int
    why: str


def follow(head: Head, content: bytes) -> Head:
    """Return the head after a row of this content."""
    number = head.number + 1
    return Head(number, sha256(head.hash + number.to_bytes(8, "big") + content).digest())


def walk(head: Head, rows: Iterable[AuditRow]) -> Iterator[Head | Fault]:
    """Yield the head after each row, in the order of their places; a Fault ends it."""
    for row in rows:
        after = follow(head, row.content())
        fault = _fault(head, after, row)
        if fault:
            missing = row.number is None or row.number > after.number
            yield Fault(after.number, 0 if missing else row.id, fault)
            return
        yield after
        head = after


def _fault(head: Head, after: Head, row: AuditRow) -> str:
    if row.number is None:
        return f"row {row.id} has no place in the chain"
    if row.number != after.number:
        return f"is missing: row {row.id} is number {row.number}"
    if row.previous != head.hash:
        return "does not name the hash of the row before it"
    if row.hash != after.hash:
        return "does not have the hash of what it says"
    return ""


def _field(text: str | None) -> bytes:
    if text is None:
        return b"-"
    octets = text.encode()
    return b"%d:%b" % (len(octets), octets)
