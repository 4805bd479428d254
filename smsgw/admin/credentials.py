"""Accounts' secrets: made by smsgw, shown once, taken in turn. What an argon2id hash costs is a setting (`[secrets]`).

A rotation gives the account a new secret and the old one an end: until then both work, so that whoever sends can change over at a
quiet moment. More than two never work at once. Sessions that are bound stay bound.

Must never: keep a secret in clear, or let one or its hash into an audit row, a notice or an error.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from argon2 import PasswordHasher

from smsgw import config
from smsgw.admin.standing import NotFound, find
from smsgw.store import credentials as store
from smsgw.store import provisioning
from smsgw.store import standing as standings
from smsgw.store.database import Connection

LENGTH: Final = 8
"""Octets that the password field of an SMPP 3.x bind has room for."""
ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
"""Letters and digits that nobody takes for another: 46 bits in eight of them."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did. `secret` is the only place where it ever stands in clear; "" after a dry run."""

    number: int
    secret: str = field(repr=False)
    ending: tuple[int, ...] = ()
    until: datetime | None = None
    dropped: tuple[int, ...] = ()


def hasher_of(settings: config.Secrets) -> PasswordHasher:
    """Return what makes hashes at the cost of these settings."""
    return PasswordHasher(time_cost=settings.passes, memory_cost=settings.memory_kib, parallelism=settings.lanes)


HASHER: Final = hasher_of(config.Secrets())


def generate() -> str:
    """Return a secret that a 3.x bind can carry and a person can read out."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


async def rotate(
    connection: Connection,
    system_id: str,
    *,
    overlap: timedelta,
    actor: str,
    reason: str,
    hasher: PasswordHasher = HASHER,
    dry_run: bool = False,
) -> Rotation:
    """Give an account a new secret; the newest of the old ones works for `overlap` more, all others no longer. Raises NotFound."""
    secret = "" if dry_run else generate()
    new_hash = "" if dry_run else await asyncio.to_thread(hasher.hash, secret)
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, "account", system_id)
        old = await store.rows(connection, of.id)
        until = await standings.now(connection) + overlap
        lasting = [row["id"] for row in old if row["until"] is None]
        ending = tuple(lasting[:1]) if overlap else ()
        dropped = tuple(row["id"] for row in old if row["id"] not in ending)
        if dry_run:
            return Rotation(0, "", ending, until if ending else None, dropped)
        await store.drop(connection, dropped)
        await store.end(connection, ending, until)
        number = await store.add(connection, of.id, new_hash, actor)
        said: dict[str, Any] = {"secret": number, "ending": list(ending), "dropped": list(dropped)}
        if ending:
            said["until"] = until.isoformat(timespec="seconds")
        await _tell(connection, actor, system_id, {"secrets": [row["id"] for row in old if row["live"]]}, said, reason)
        return Rotation(number, secret, ending, until if ending else None, dropped)


async def revoke(
    connection: Connection, system_id: str, number: int, *, actor: str, reason: str, dry_run: bool = False
) -> dict[str, Any]:
    """Take a secret away at once; returns what is known of it. Raises NotFound."""
    async with connection.transaction():
        await provisioning.lock(connection)
        of = await find(connection, "account", system_id)
        old = {row["id"]: row for row in await store.rows(connection, of.id)}
        if number not in old:
            raise NotFound(f"account {system_id!r} has no secret {number}: smsgw secret list {system_id} shows those it has")
        if not dry_run:
            await store.drop(connection, [number])
            await _tell(connection, actor, system_id, {"secret": number}, None, reason)
        return old[number]


async def listed(connection: Connection, system_id: str) -> list[dict[str, Any]]:
    """Return an account's secrets, newest first, without anything secret. Raises NotFound."""
    return await store.rows(connection, (await find(connection, "account", system_id)).id)


async def _tell(  # noqa: PLR0917 - the columns of its row
    connection: Connection, actor: str, system_id: str, old: dict[str, Any], new: dict[str, Any] | None, reason: str
) -> None:
    await provisioning.audit(connection, actor, ("secret", system_id), old, new, reason)
    await provisioning.announce(connection)
