"""Content at rest: bodies sealed with AES-256-GCM before they are packed for the store, and opened when they are read back.

    the mark (8 octets) | which key (4) | nonce (12) | ciphertext with its tag (16)

The mark is no beginning of a PDU's body (a service_type ends within six octets), so that both forms can stand in one table. The
id of the row is authenticated too: a body put under another id does not open.

What is sealed: bodies of messages, and all that is owed to an account or parked: what handsets say, and carriers' receipts, because
many repeat the first twenty characters of the message behind "text:". These are sealed and not stripped: a tenant gets every octet
of a receipt but the id and the addresses as its carrier sent it, whether its account seals or not, as bytes pass unchanged. Of a
parked receipt nobody knows yet whose it is: they are sealed as soon as any account's content is. Hashes of numbers, ids, states and
the words that a keyword stands for (TD, STOP) are no content.

Promises: a body comes back octet for octet, or Unreadable is raised.
Must never: let a sealed body pass for a plain one; reuse a nonce.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK: Final = b"\xffSEALED\x01"
_KEY_ID: Final = 4
_NONCE: Final = 12
_BODY_AT: Final = len(MARK) + _KEY_ID + _NONCE
_NONCES: Final = 256
"""So many nonces are asked of the system at once."""

Opener = Callable[[int, bytes], bytes]
"""(id of the row, what is stored) → the body. Raises Unreadable."""


class Unreadable(Exception):
    """A body does not open: its key is not here, or it is not what was written. The text says which key, and nothing of it."""


class ContentKeys:
    """The keys of one data_dir: all open, the newest seals."""

    def __init__(self, load: Callable[[], Sequence[bytes]]) -> None:
        """`load` gives the keys (32 octets each), the newest last; asked again when a body names a key that is not known."""
        self._load = load
        self._read()
        self._nonces = b""
        self._at = 0

    def _read(self) -> None:
        keys = {sha256(octets).digest()[:_KEY_ID]: AESGCM(octets) for octets in self._load()}
        self._keys = keys
        newest = next(reversed(keys))
        self._head = MARK + newest
        self._newest = keys[newest]

    def seal(self, owner: int, body: bytes) -> bytes:
        """Return what is stored of a body. `owner`: the id of its row."""
        at = self._at
        if at == len(self._nonces):
            self._nonces = os.urandom(_NONCE * _NONCES)
            at = 0
        self._at = at + _NONCE
        nonce = self._nonces[at : at + _NONCE]
        return self._head + nonce + self._newest.encrypt(nonce, body, owner.to_bytes(8, "big"))

    def open(self, owner: int, stored: bytes) -> bytes:
        """Return the body; one that was stored plain as it is. Raises Unreadable."""
        if not stored.startswith(MARK):
            return stored
        name = stored[len(MARK) : len(MARK) + _KEY_ID]
        if name not in self._keys:
            self._read()
        key = self._keys.get(name)
        if key is None:
            raise Unreadable(f"the key {name.hex()} is not in this data_dir")
        nonce = stored[_BODY_AT - _NONCE : _BODY_AT]
        try:
            return key.decrypt(nonce, stored[_BODY_AT:], owner.to_bytes(8, "big"))
        except InvalidTag:
            raise Unreadable(f"it was changed since it was sealed with the key {name.hex()}") from None


def plain(_owner: int, stored: bytes) -> bytes:
    """Open nothing: for who has no keys. Raises Unreadable for a sealed body."""
    if stored.startswith(MARK):
        raise Unreadable("no keys are at hand")
    return stored
