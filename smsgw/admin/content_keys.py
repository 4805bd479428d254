"""The keys of content at rest: the first one made of the sealing key, newer ones in a file of their own beside it in data_dir.

Nodes that share `seal.key` share the first key. `rotate` adds one to `content.keys` (0600): it seals from the next start on; all of
them open for as long as they stand there. Who removes a line has destroyed what was sealed with it.

Never here: a key in an error text or a repr.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smsgw.admin.sealing import Key, load_key
from smsgw.config import ConfigError
from smsgw.store.retentions import number_hash
from smsgw.store.sealed import ContentKeys

if TYPE_CHECKING:
    from smsgw.journey.desk import Desk
    from smsgw.journey.recover import Recover

KEYS_FILE: Final = "content.keys"
_OCTETS: Final = 32


def content_keys(data_dir: Path) -> ContentKeys:
    """Return the keys of a data_dir. Raises ConfigError if they cannot be read."""
    first = load_key(data_dir).derived("content")
    return ContentKeys(lambda: [first, *_kept(data_dir / KEYS_FILE)])


def seal_content(data_dir: Path, key: Key, desk: Desk, recover: Recover) -> ContentKeys:
    """Have content of a daemon sealed and opened, and old numbers hashed. Raises ConfigError if the keys cannot be read."""
    keys = content_keys(data_dir)
    desk.opened = keys.open
    desk.commit.seal, desk.commit.seals = keys.seal, desk.seals
    recover.hash_number = number_hash(key.derived("retained numbers"))
    return keys


def rotate(data_dir: Path) -> int:
    """Add a key; returns how many there are now. Raises ConfigError."""
    load_key(data_dir)
    path = data_dir / KEYS_FILE
    kept = _kept(path)
    fresh = path.with_suffix(".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{key.hex()}\n" for key in [*kept, secrets.token_bytes(_OCTETS)])
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:  # the gateway's own user has to read what root makes
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        fresh.replace(path)
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}: the keys of content"]) from None
    return len(kept) + 2


def _kept(path: Path) -> list[bytes]:
    try:
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {getattr(error, 'strerror', None) or 'is no text'}: the keys of content"]) from None
    try:
        keys = [bytes.fromhex(line) for line in lines]
    except ValueError:
        keys = [b""]
    if any(len(key) != _OCTETS for key in keys):
        raise ConfigError([f"{path}: each line must be a key of {2 * _OCTETS} hex digits: restore it"])
    return keys
