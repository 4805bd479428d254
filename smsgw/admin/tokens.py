"""Tokens for the HTTP API: 256 random bits, shown once; the store has their SHA-256. Who makes or revokes one is in the audit.

A name is given once, for good: the audit names a token's changes by it. A plain hash is enough, because there is nothing to guess:
a slow one would only make every request slow.

Never here: a token in a log, an error, a repr or the store.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from smsgw.admin.standing import NotAllowed, NotFound
from smsgw.store import tokens
from smsgw.store.database import Connection
from smsgw.store.provisioning import audit

POLICY_READ: Final = "policy.read"
POLICY_WRITE: Final = "policy.write"
CONTENT_READ: Final = "content.read"
MESSAGE_CANCEL: Final = "message.cancel"
PERMISSIONS: Final = {
    POLICY_READ: "see rule sets and their versions, try one, ask why",
    POLICY_WRITE: "change rule sets",
    CONTENT_READ: "have stored texts judged, which tells what they say; each time is in the audit",
    MESSAGE_CANCEL: "count what could be cancelled, cancel what was not sent, see what came of it",
}
KIND: Final = "api_token"
PREFIX: Final = "smsgw_"
_TOKEN: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_NAME: Final = re.compile(r"\w[\w.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Made:
    """A new token. `secret` is told once; "" where nothing was made."""

    name: str
    may: tuple[str, ...]
    expires: datetime | None
    secret: str = field(default="", repr=False)


def digest_of(secret: str) -> bytes | None:
    """Return the hash of a token; None for what cannot be one."""
    return sha256(secret.encode()).digest() if _TOKEN.fullmatch(secret) else None


def permissions(words: Collection[str]) -> tuple[str, ...]:
    """Return permissions in their order. Raises ValueError for one that there is not, and for none."""
    unknown = sorted(set(words) - set(PERMISSIONS))
    if unknown or not words:
        what = f"there is no permission {', '.join(map(repr, unknown))}" if unknown else "a token needs a permission"
        raise ValueError(f"{what}: known are {', '.join(PERMISSIONS)}")
    return tuple(word for word in PERMISSIONS if word in words)


def end_of(text: str) -> datetime | None:
    """Return when a token ends: a day counts whole (UTC). Raises ValueError for what is no moment."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment: write 2026-12-31, or 2026-12-31T18:00+08:00") from None
    if len(text) <= len("2026-12-31"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def add(  # noqa: PLR0917 - who, what, until when, and why
    connection: Connection,
    name: str,
    may: Collection[str],
    expires: datetime | None,
    actor: str,
    reason: str,
    *,
    dry_run: bool = False,
) -> Made:
    """Make a token. Raises ValueError for a bad name, permission or end, NotAllowed for a name that was given before."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: letters, digits, dot, dash and underscore, at most 63")
    granted = permissions(may)
    if expires is not None and expires <= datetime.now(UTC):
        raise ValueError(f"{expires:%Y-%m-%dT%H:%M%z} is over already")
    if await tokens.find(connection, name) is not None:
        raise NotAllowed(f"there was a token {name!r} before, and the audit names it: take another name")
    if dry_run:
        return Made(name, granted, expires)
    secret = PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    digest = digest_of(secret)
    assert digest is not None
    async with connection.transaction():
        if not await tokens.add(connection, name, digest, granted, actor, expires):
            raise NotAllowed(f"a token {name!r} was made at this moment: take another name")
        said = {"may": list(granted), "expires": expires.isoformat() if expires else None}
        await audit(connection, actor, (KIND, name), None, said, reason)
    return Made(name, granted, expires, secret)


async def revoke(connection: Connection, name: str, *, actor: str, reason: str, dry_run: bool = False) -> bool:
    """Take a token away, from the next request on; False where it was before. Raises NotFound."""
    found = await tokens.find(connection, name)
    if found is None:
        raise NotFound(f"there is no token {name!r} (smsgw token list)")
    if dry_run or found.revoked is not None:
        return found.revoked is None
    async with connection.transaction():
        made = await tokens.revoke(connection, name)
        if made:
            await audit(connection, actor, (KIND, name), {"may": list(found.may)}, None, reason)
    return made
