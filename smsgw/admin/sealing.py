"""Links' passwords at rest: sealed with a key in data_dir, or kept as a reference to where the secret really is.

AES-256-GCM, because a link must show its carrier the password itself: a hash does not do. The key file is 0600, made once, and no
part of any backup of the database; without it sealed passwords are lost and have to be applied again.

Never here: a password in an error text or a repr.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smsgw import config
from smsgw.config import ConfigError

KEY_FILE: Final = "seal.key"
_KEY_OCTETS: Final = 32
_NONCE_OCTETS: Final = 12
_SEALED: Final = "sealed:1:"
_REFERENCE: Final = "reference:"


class Key:
    """The sealing key of one data_dir."""

    __slots__ = ("_aead", "_octets")

    def __init__(self, octets: bytes) -> None:
        """`octets`: 32 of them."""
        self._aead = AESGCM(octets)
        self._octets = octets

    def derived(self, purpose: str) -> bytes:
        """Return a key for keyed hashes of one purpose: the same on all nodes, and of no use to open anything."""
        return blake2b(purpose.encode(), digest_size=32, key=self._octets).digest()

    def seal(self, password: str | dict[str, str]) -> str:
        """Make what the store keeps: a password is sealed, a reference stays readable, "" stays ""."""
        if isinstance(password, dict):
            return _REFERENCE + json.dumps(password)
        if not password:
            return ""
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return _SEALED + base64.b64encode(nonce + self._aead.encrypt(nonce, password.encode(), None)).decode("ascii")

    def unseal(self, stored: str) -> str:
        """Return the password itself. Raises ConfigError if the key is another one or a reference leads nowhere."""
        if not stored:
            return ""
        if stored.startswith(_REFERENCE):
            return str(config.resolve(json.loads(stored.removeprefix(_REFERENCE)), "link password"))
        try:
            octets = base64.b64decode(stored.removeprefix(_SEALED), validate=True)
            return self._aead.decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], None).decode()
        except (InvalidTag, ValueError):
            raise ConfigError([f"a link's password was not sealed with the {KEY_FILE} of this data_dir: apply it again"]) from None

    def same(self, stored: str, password: str | dict[str, str]) -> bool:
        """Whether the store holds this password, or this reference."""
        if isinstance(password, dict) or stored.startswith(_REFERENCE):
            return not isinstance(password, str) and stored == self.seal(password)
        try:
            return self.unseal(stored) == password
        except ConfigError:
            return False


def load_key(data_dir: Path) -> Key:
    """Read the key, or make it the first time. Raises ConfigError if it cannot be read, written or has lost octets."""
    path = data_dir / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        octets = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}: the key that seals links' passwords"]) from None
    if len(octets) != _KEY_OCTETS:
        raise ConfigError([f"{path}: {len(octets)} octets instead of {_KEY_OCTETS}: restore it, or remove it and apply again"])
    return Key(octets)


def _make_key(path: Path) -> None:
    """Write it beside and link it into place, so that nobody ever reads half of it and the first maker wins."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(prefix=f"{KEY_FILE}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_OCTETS))
            file.flush()
            os.fsync(descriptor)
            if os.geteuid() == 0:  # the gateway's own user has to read what root applies
                owner = path.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()


def opener(data_dir: Path) -> Callable[[str], str]:
    """Return what opens links' passwords for a daemon (`store.provisioned.Unseal`)."""
    return load_key(data_dir).unseal
