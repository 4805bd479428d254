"""Signatures of exports: Ed25519 over the octets of a manifest, which has a hash of each file; and their verification.

The key is derived from the sealing key of data_dir: the same on all nodes that share it, and of no use to open anything. Who has
the public key can verify, with smsgw or without (`openssl pkeyutl -verify -pubin -rawin`). Must never: show the private key; trust
what a manifest says before its signature is right.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from smsgw.admin.sealing import Key

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_BLOCK: Final = 1 << 20


class Signer:
    """Signs for one data_dir."""

    __slots__ = ("_key",)

    def __init__(self, key: Key) -> None:
        """`key`: the sealing key."""
        self._key = Ed25519PrivateKey.from_private_bytes(key.derived("export signature"))

    def sign(self, octets: bytes) -> bytes:
        """Return the signature, 64 octets."""
        return self._key.sign(octets)

    @property
    def public(self) -> Ed25519PublicKey:
        """What verifies."""
        return self._key.public_key()

    @property
    def pem(self) -> str:
        """The public key as people hand it on (SubjectPublicKeyInfo, PEM)."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's 32 octets: short enough to be read over a telephone."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def read_public_key(text: str) -> Ed25519PublicKey:
    """Return a public key from its PEM. Raises ValueError."""
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        key = None
    if isinstance(key, Ed25519PublicKey):
        return key
    raise ValueError("is no Ed25519 public key in PEM: `smsgw export key` prints one")


def verify(directory: Path, key: Ed25519PublicKey) -> tuple[dict[str, Any], list[str]]:
    """Return what a manifest says, and everything that is wrong: signature first, then files. Raises OSError without a manifest."""
    octets = (directory / MANIFEST).read_bytes()
    try:
        key.verify((directory / SIGNATURE).read_bytes(), octets)
    except FileNotFoundError:
        return {}, [f"{SIGNATURE} is missing: nobody signed this"]
    except InvalidSignature:
        return {}, [f"{MANIFEST} was not signed as it is with the key {fingerprint(key)}"]
    said: dict[str, Any] = json.loads(octets)
    faults = []
    listed = {MANIFEST, SIGNATURE}
    for entry in said["files"]:
        listed.add(entry["file"])
        fault = _fault(directory / Path(entry["file"]).name, entry)
        if fault:
            faults.append(fault)
    extra = sorted(path.name for path in directory.iterdir() if path.name not in listed)
    return said, [*faults, *(f"{name} is not in the manifest" for name in extra)]


def _fault(path: Path, entry: dict[str, Any]) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        return f"{entry['file']} cannot be read: {error.strerror}"
    if size != entry["octets"]:
        return f"{entry['file']} has {size} octets, {entry['octets']} in the manifest"
    return "" if digest.hexdigest() == entry["sha256"] else f"{entry['file']} was changed: its hash is another"
