"""The keys of data_dir as commands use them: what opens content, hashes numbers, signs, and checks what was signed.

A key that cannot be had ends the command, with what is wrong and the exit code of its error. Never here: a secret key's octets on
any output.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from smsgw.cli import face, stored

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from smsgw.admin.signing import Signer
    from smsgw.policy.marks import Marks
    from smsgw.store.sealed import ContentKeys, Opener

Had = TypeVar("Had")

Key = Annotated[Path | None, typer.Option("--key", help="A file with the public key of whoever signed (smsgw export key).")]


def content_of(config: Path) -> ContentKeys:
    """Return what opens what messages said, by these settings' data_dir."""
    from smsgw.admin.content_keys import content_keys

    data_dir = Path(face.settings(config).node.data_dir)
    return _had(lambda: content_keys(data_dir))


def opener_if_any(config: Path) -> Opener | None:
    """Return what opens content, for who does not need it: None where there are no keys, or the caller may not read them."""
    from smsgw.admin.content_keys import content_keys
    from smsgw.admin.sealing import KEY_FILE
    from smsgw.config import ConfigError

    data_dir = Path(face.settings(config).node.data_dir)
    try:
        return content_keys(data_dir).open if (data_dir / KEY_FILE).exists() else None
    except (ConfigError, OSError):
        return None


def marks_of(config: Path) -> Marks:
    """Return what hashes numbers, by the key and the settings of this gateway."""
    from smsgw.admin.sealing import load_key
    from smsgw.compliance import optout

    settings = face.settings(config)
    key = _had(lambda: load_key(Path(settings.node.data_dir)).derived("numbers"))
    return optout.marks_of(key, settings.compliance)


def signer_of(config: Path) -> Signer:
    """Return what signs here."""
    from smsgw.admin.sealing import load_key
    from smsgw.admin.signing import Signer

    data_dir = Path(face.settings(config).node.data_dir)
    return _had(lambda: Signer(load_key(data_dir)))


def own_public(config: Path) -> Ed25519PublicKey:
    """Return the public key of this data_dir; a data_dir without one is not given one by looking."""
    from smsgw.admin.sealing import KEY_FILE

    data_dir = Path(face.settings(config).node.data_dir)
    if not (data_dir / KEY_FILE).exists():
        face.fail(stored.USAGE, f"there is no {KEY_FILE} in {data_dir}: give the signer's public key with --key FILE")
    return signer_of(config).public


def read_public(path: Path) -> Ed25519PublicKey:
    """Return the public key in a file; ends the command with 2 where there is none."""
    from smsgw.admin.signing import read_public_key

    try:
        return read_public_key(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        face.fail(stored.USAGE, f"{path}: {error.strerror if isinstance(error, OSError) else error}")


def _had(read: Callable[[], Had]) -> Had:
    from smsgw.config import ConfigError

    try:
        return read()
    except ConfigError as error:
        face.fail(error.exit_code, *error.errors)
